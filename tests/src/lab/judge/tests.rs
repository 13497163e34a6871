//! The judge finds each kind of lie, and no other.

use serde_json::{Value, json};

use super::*;

const SCENARIO: &str = r#"
about = "one host"
[[host]]
at = "1"
played_by = "kernel"
open = "80-81"
silent = "90"
rejected = [{ ports = "91", code = "port" }]
udp = { open = "53", silent = "54" }
[scan]
ports = "80-81,90-91,100-101"
udp = "53-55"
rate = 1
[expect]
within_s = 1
unknown = 1
told_silent = 1
"#;

/// All that is true, by port.
const TRUTH: [(&str, u16, &str); 9] = [
    ("tcp", 80, "open"),
    ("tcp", 81, "open"),
    ("tcp", 90, "filtered"),
    ("tcp", 91, "filtered"),
    ("tcp", 100, "closed"),
    ("tcp", 101, "closed"),
    ("udp", 53, "open"),
    ("udp", 54, "open|filtered"),
    ("udp", 55, "closed"),
];

/// The truth, but for these ports.
fn but(lies: &[(&'static str, u16, &'static str)]) -> Vec<(&'static str, u16, &'static str)> {
    let mut told = TRUTH.to_vec();
    for lie in lies {
        told.retain(|one| (one.0, one.1) != (lie.0, lie.1));
        told.push(*lie);
    }
    told
}

/// What a scan prints that says this of the host.
fn lines(told: &[(&str, u16, &str)], host: &Value) -> String {
    let count = |state: &str| told.iter().filter(|one| one.2 == state).count();
    let list = |state: &str| {
        let of_state = told.iter().filter(|one| one.2 == state);
        let item = |one: &(&str, u16, &str)| match one.0 {
            "tcp" => one.1.to_string(),
            protocol => format!("{protocol}:{}", one.1),
        };
        of_state.map(item).collect::<Vec<_>>().join(",")
    };
    let mut lines: Vec<Value> = told
        .iter()
        .filter(|one| !matches!(one.2, "closed" | "unknown"))
        .map(|one| json!({"ip": "198.19.0.1", "port": one.1, "protocol": one.0, "state": one.2}))
        .collect();
    let mut line = json!({
        "type": "host", "ip": "198.19.0.1", "state": "up", "suspect": false,
        "closed": list("closed"), "unknown": list("unknown"),
    });
    for (key, value) in host.as_object().unwrap() {
        line[key] = value.clone();
    }
    lines.push(line);
    lines.push(json!({
        "type": "summary", "hosts": 1, "hosts_up": 1, "open": count("open"), "closed": count("closed"),
        "filtered": count("filtered"), "open_or_filtered": count("open|filtered"), "unknown": count("unknown"),
        "complete": true,
    }));
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn faults(scenario: &str, said: &str) -> Vec<String> {
    let scenario = toml::from_str(scenario).unwrap();
    judge(&scenario, Family::V4, Link::Veth, said, None)
}

#[test]
fn the_truth_and_silence_within_bounds_are_well() {
    for lies in [
        &[][..],
        &[("tcp", 80, "unknown"), ("tcp", 81, "filtered")],
        &[("tcp", 100, "unknown"), ("tcp", 101, "filtered")],
        &[("udp", 53, "unknown"), ("udp", 55, "open|filtered")],
    ] {
        assert_eq!(faults(SCENARIO, &lines(&but(lies), &json!({}))), [""; 0]);
    }
}

#[test]
fn each_false_verdict_is_named() {
    for (protocol, port, state, expected) in [
        ("tcp", 80, "closed", "Tcp(80) is told Closed, and is Open"),
        ("tcp", 90, "open", "Tcp(90) is told Open, and is Silent"),
        ("tcp", 90, "closed", "Tcp(90) is told Closed, and is Silent"),
        (
            "tcp",
            91,
            "closed",
            "Tcp(91) is told Closed, and is Rejected(Port)",
        ),
        ("tcp", 100, "open", "Tcp(100) is told Open, and is Closed"),
        ("udp", 53, "closed", "Udp(53) is told Closed, and is Open"),
        ("udp", 54, "open", "Udp(54) is told Open, and is Silent"),
        (
            "udp",
            54,
            "filtered",
            "Udp(54) is told Filtered, and is Silent",
        ),
        ("udp", 55, "open", "Udp(55) is told Open, and is Closed"),
        ("tcp", 7, "open", "Tcp(7) was not asked for"),
    ] {
        let said = lines(&but(&[(protocol, port, state)]), &json!({}));
        let found = faults(SCENARIO, &said);
        assert_eq!(found, [format!("198.19.0.1 {expected}")]);
    }
}

#[test]
fn bounds_states_flags_and_sums_are_kept() {
    let unknown = but(&[("tcp", 80, "unknown"), ("tcp", 100, "unknown")]);
    let silent = but(&[("tcp", 80, "filtered"), ("tcp", 100, "filtered")]);
    for (said, expected) in [
        (lines(&unknown, &json!({})), "2 ports are unknown, 1 may be"),
        (lines(&silent, &json!({})), "2 ports are told silent"),
        (lines(&TRUTH, &json!({"state": "down"})), "is told \"down\""),
        (lines(&TRUTH, &json!({"suspect": true})), "is told suspect"),
        (
            lines(&TRUTH, &json!({"closed": "100,udp:55"})),
            "Tcp(101) is not told",
        ),
        (
            lines(&TRUTH, &json!({"closed": "80,100-101,udp:55"})),
            "told Open and Closed",
        ),
        (
            lines(&TRUTH, &json!({"ip": "198.19.0.2"})),
            "198.19.0.2 was not asked for",
        ),
        (
            lines(&TRUTH, &json!({})).replace("\"closed\":3", "\"closed\":4"),
            "the lines make",
        ),
    ] {
        let found = faults(SCENARIO, &said);
        let is_found = found.iter().any(|fault| fault.contains(expected));
        assert!(is_found, "{expected}: {found:?}");
    }
}

#[test]
fn of_suspect_and_silent_hosts_nothing_may_be_told() {
    let suspect = SCENARIO.replace("at = \"1\"", "at = \"1\"\nsuspect = true");
    let found = faults(&suspect, &lines(&TRUTH, &json!({"suspect": true})));
    assert_eq!(found.len(), TRUTH.len(), "{found:?}");
    let found = faults(&suspect, &lines(&TRUTH, &json!({})));
    assert!(found.contains(&"198.19.0.1 is not told suspect".to_owned()));
    let gone = SCENARIO.replace("at = \"1\"", "at = \"1\"\ngone = true");
    let told = but(&TRUTH.map(|(protocol, port, _)| (protocol, port, "unknown")));
    let said = lines(&told, &json!({"state": "down"})).replace("\"hosts_up\":1", "\"hosts_up\":0");
    assert_eq!(faults(&gone, &said), [""; 0]);
    let said = lines(&but(&[("tcp", 90, "filtered")]), &json!({"state": "up"}));
    let found = faults(&gone, &said).join("\n");
    assert!(
        found.contains("is told \"up\", and says nothing"),
        "{found}"
    );
    assert!(
        found.contains("Tcp(90) is told Filtered, and its host says nothing"),
        "{found}"
    );
}

#[test]
fn packets_to_what_is_excluded_and_bursts_are_found() {
    let scenario = SCENARIO.replace("within_s = 1", "within_s = 1\nmost_per_100_ms = 5");
    let scenario = toml::from_str(&scenario).unwrap();
    let said = lines(&TRUTH, &json!({}));
    let report = Report {
        most_syn_per_100_ms: 6,
        trespasses: vec!["198.18.0.9".parse().unwrap()],
        ..Report::default()
    };
    let found = judge(&scenario, Family::V4, Link::Veth, &said, Some(&report));
    assert_eq!(
        found,
        [
            "a packet went to 198.18.0.9, which is excluded",
            "6 SYN packets in 100 ms, 5 may be"
        ]
    );
}
