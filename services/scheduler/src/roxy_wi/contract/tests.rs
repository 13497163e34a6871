#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn row(change: impl FnOnce(&mut Value)) -> Value {
    let mut row = json!({
        "cred_id": 1, "description": "first balancer", "enabled": 1, "group_id": "2", "haproxy": 1,
        "hostname": "lb-1", "ip": "127.0.0.2", "port": 22, "server_id": 1, "type_ip": 0,
    });
    change(&mut row);
    row
}

fn lb_1() -> Listed {
    Listed {
        id: 1,
        group: 2,
        name: "lb-1".to_owned(),
        ip: "127.0.0.2".to_owned(),
        enabled: true,
        is_virtual: false,
    }
}

#[test]
fn a_server_is_read_however_its_values_are_written() {
    let read = |row: Value| servers(&json!([row])).unwrap().remove(0);
    assert_eq!(read(row(|_| {})), lb_1());
    let texts = row(|row| {
        (row["server_id"], row["group_id"]) = (json!("1"), json!(2));
        (row["enabled"], row["type_ip"]) = (json!("1"), json!(false));
    });
    assert_eq!(read(texts), lb_1());
    let never_set = row(|row| (row["enabled"], row["type_ip"]) = (Value::Null, Value::Null));
    assert!(!read(never_set.clone()).enabled && !read(never_set).is_virtual);
    let unnamed = row(|row| row["hostname"] = json!("  "));
    assert_eq!(read(unnamed).name, "127.0.0.2");
    assert_eq!(servers(&json!([])).unwrap(), []);
}

#[test]
fn what_is_not_as_it_should_be_is_named_with_its_place() {
    for (json, said) in [
        (json!({}), "a list was asked for, and this came: {}"),
        (
            json!(["x"]),
            "entry 0: an object was asked for, and this came: \"x\"",
        ),
        (
            json!([row(|row| row["server_id"] = Value::Null)]),
            "entry 0: server_id is null, not a number",
        ),
        (
            json!([row(|row| row["server_id"] = json!(-1))]),
            "entry 0: server_id is -1, and no id is negative",
        ),
        (
            json!([row(|_| {}), row(|row| row["group_id"] = json!("x"))]),
            "server 1: group_id is \"x\", not a number",
        ),
        (
            json!([row(|row| row["enabled"] = json!(2))]),
            "server 1: enabled is 2, not 0 or 1",
        ),
        (
            json!([row(|row| row["ip"] = json!(7))]),
            "server 1: ip is 7, not a text",
        ),
        (
            json!([row(|row| drop(
                row.as_object_mut().unwrap().remove("type_ip")
            ))]),
            "server 1: type_ip is missing",
        ),
    ] {
        assert_eq!(servers(&json).unwrap_err(), said);
    }
    let groups = groups(&json!([{ "group_id": 2 }]));
    assert_eq!(groups.unwrap_err(), "group 2: name is missing");
}

#[test]
fn names_lose_one_pair_of_quotes() {
    for (written, name) in [
        ("lb-1", "lb-1"),
        ("'lb 2'", "lb 2"),
        ("''lb''", "'lb'"),
        ("'it'\"'\"'s here'", "it's here"),
        ("'", "'"),
        ("lb'", "lb'"),
    ] {
        assert_eq!(unquoted(written), name);
    }
}

#[test]
fn switches_are_of_the_server_that_was_asked_for() {
    let json = json!({ "server_id": 1, "enabled": 1, "notify": 0, "history": "1" });
    let read = Switches {
        enabled: true,
        notify: false,
        history: true,
    };
    assert_eq!(switches(&json, 1), Ok(read));
    assert_eq!(
        switches(&json, 2).unwrap_err(),
        "server_id: 1 was not asked for, 2 was"
    );
}

#[test]
fn settings_are_minutes_and_days_in_texts() {
    let setting = |param: &str, value: Value| {
        let other = json!({ "param": "checker_check_interval", "value": "soon" });
        monitoring(&json!([other, { "param": param, "value": value, "group_id": 1 }]))
    };
    let interval = |value| setting("port_scan_interval", value).map(|found| found.interval);
    assert_eq!(interval(json!("7")), Ok(Some(SignedDuration::from_mins(7))));
    assert_eq!(interval(json!(7)), Ok(Some(SignedDuration::from_mins(7))));
    let days = setting("portscanner_keep_history_range", json!("14"));
    assert_eq!(
        days.unwrap().keep_history,
        Some(SignedDuration::from_hours(14 * 24))
    );
    assert_eq!(
        monitoring(&json!([])),
        Ok(Monitoring::default()),
        "others than group 1 have none"
    );
    for value in [
        json!("0"),
        json!("-5"),
        json!("10081"),
        json!("5m"),
        json!(""),
        Value::Null,
    ] {
        let said = interval(value).unwrap_err();
        assert!(
            said.contains("set it to 1 to 10080 minutes in Roxy-WI's settings"),
            "{said}"
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "server_id",
        "group_id",
        "hostname",
        "ip",
        "enabled",
        "type_ip",
        "name",
        "notify",
        "history",
        "param",
        "value",
    ]);
    leaf.prop_recursive(3, 32, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(keys.clone(), inner, 0..8).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_that_comes_is_too_odd_to_be_refused(json in any_json()) {
        let _ = (servers(&json), groups(&json), switches(&json, 1), monitoring(&json));
    }
}
