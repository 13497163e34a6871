//! Broken messages: each is refused, by the path of what is wrong, and by the schema where JSON Schema
//! can express it.

use portwatch_domain::change::MAX_CHANGES_TOLD;
use portwatch_domain::job::{Job, MAX_JOB_HOSTS};
use portwatch_domain::snapshot::PART_HOSTS;
use portwatch_schemas::{DecodeError, MAX_MESSAGE_BYTES, decode};
use serde_json::{Value, json};

use crate::examples::{self, again};
use crate::schemas;

const TABLE: &str = include_str!("broken.txt");

fn example(name: &str) -> Value {
    let found = examples::all().find(|(_, of, _)| of == name);
    found.unwrap_or_else(|| panic!("no example {name}")).2
}

/// The error of a message that is refused.
fn refused(name: &str, message: &Value) -> DecodeError {
    let noun = name.split('.').next().expect("a noun");
    match again(noun, message.to_string().as_bytes()) {
        Ok(_) => panic!("{name} is taken: {message}"),
        Err(error) => error,
    }
}

fn set(message: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
    let parent = message.pointer_mut(parent).expect("a parent");
    match (parent, value) {
        (Value::Object(fields), Some(value)) => {
            fields.insert(field.to_owned(), value);
        }
        (Value::Object(fields), None) => {
            fields.remove(field).expect("a field to remove");
        }
        (parent, value) => {
            let index: usize = field.parse().expect("an index");
            parent[index] = value.expect("items are not removed");
        }
    }
}

#[test]
fn each_of_the_table_is_refused() {
    let mut names = Vec::new();
    let mut was_row = false;
    let lines = TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        if let Some(name) = line.strip_prefix('[') {
            if was_row {
                names.clear();
            }
            was_row = false;
            names.push(name.trim_end_matches(']'));
            continue;
        }
        was_row = true;
        for name in &names {
            check(name, line);
        }
    }
    assert!(was_row, "the table ends with a row");
}

fn check(name: &str, row: &str) {
    let columns: Vec<&str> = row.split(" | ").map(str::trim).collect();
    let [pointer, value, path, text, schema] = columns[..] else {
        panic!("not five columns: {row}");
    };
    let value = (value != "-").then(|| serde_json::from_str(value).expect("JSON"));
    let mut message = example(name);
    set(&mut message, pointer, value);

    let error = refused(name, &message);
    let says = error.to_string();
    assert_eq!(error.path(), path, "{name}: {row}: {says}");
    let named = if path == "." { "the message" } else { path };
    assert!(says.starts_with(named), "{name}: {row}: {says}");
    assert!(says.contains(text), "{name}: {row}: {says}");
    let by_schema = if schemas::MESSAGE.is_valid(&message) {
        "cannot say"
    } else {
        "refuses"
    };
    assert_eq!(by_schema, schema, "{name}: {row}");
}

/// Lists as long as they may be are taken, and one entry more is not.
#[test]
fn lists_have_a_limit() {
    for (name, pointer, path, most) in [
        (
            "job.v1.every-port.json",
            "/data/hosts",
            "data.hosts",
            MAX_JOB_HOSTS,
        ),
        (
            "snapshot.v1.down-unknown-and-suspect-hosts.json",
            "/data/hosts",
            "data.hosts",
            PART_HOSTS,
        ),
        (
            "change.v1.port-opened.json",
            "/data/changes",
            "data.changes",
            MAX_CHANGES_TOLD,
        ),
        (
            "notification.v1.port-opened.json",
            "/data/changes",
            "data.changes",
            MAX_CHANGES_TOLD,
        ),
    ] {
        let mut message = example(name);
        let list = message.pointer_mut(pointer).and_then(Value::as_array_mut);
        let list = list.expect("a list");
        let mut entry = list[0].clone();
        *list = (0..most)
            .map(|n| {
                entry["ip"] = json!(format!("198.18.{}.{}", n / 256, n % 256));
                entry.clone()
            })
            .collect();
        assert!(schemas::MESSAGE.is_valid(&message), "{name}");
        let noun = name.split('.').next().expect("a noun");
        assert!(
            again(noun, message.to_string().as_bytes()).is_ok(),
            "{name}"
        );

        entry["ip"] = json!("198.18.255.255");
        let list = message.pointer_mut(pointer).and_then(Value::as_array_mut);
        list.expect("a list").push(entry);
        let error = refused(name, &message);
        let found = most + 1;
        assert_eq!(
            error.to_string(),
            format!("{path}: has {found} entries, and {most} is the most")
        );
        assert!(!schemas::MESSAGE.is_valid(&message), "{name}");
    }
}

fn refused_bytes(bytes: &[u8]) -> DecodeError {
    match decode::<Job>(bytes) {
        Ok((meta, _)) => panic!("taken: {meta:?}"),
        Err(error) => error,
    }
}

#[test]
fn bytes_that_are_no_message() {
    let good = example("job.v1.every-port.json").to_string();
    assert!(decode::<Job>(good.as_bytes()).is_ok());
    for (bytes, path, text) in [
        (String::new(), ".", "EOF while parsing"),
        ("null".to_owned(), ".", "invalid type: null"),
        ("[]".to_owned(), ".", "invalid length 0"),
        (good[..good.len() / 2].to_owned(), ".", "EOF while parsing"),
        (format!("{good}{good}"), ".", "trailing characters"),
        (good.replacen('{', "{\"id\":\"x\",", 1), "id", "UUID"),
        (
            good.replacen('{', "{\"data\":{},", 1),
            ".",
            "duplicate field `data`",
        ),
        ("[".repeat(10_000), "[0]", "expected a string"),
    ] {
        let error = refused_bytes(bytes.as_bytes());
        assert!(error.to_string().contains(text), "{error} lacks {text:?}");
        assert_eq!(error.path(), path, "{error}");
    }
    let not_utf8 = b"{\"specversion\":\"\xff\"}";
    assert_eq!(refused_bytes(not_utf8).path(), "specversion");
}

#[test]
fn a_message_that_is_too_large_is_not_read() {
    let mut bytes = example("job.v1.every-port.json").to_string().into_bytes();
    bytes.resize(MAX_MESSAGE_BYTES, b' ');
    assert!(decode::<Job>(&bytes).is_ok());
    bytes.push(b' ');
    let error = refused_bytes(&bytes);
    assert!(
        matches!(error, DecodeError::TooLarge { bytes } if bytes == MAX_MESSAGE_BYTES + 1),
        "{error}"
    );
}
