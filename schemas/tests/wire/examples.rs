//! The golden examples: every message that was ever sent can be read, and means the same.

use portwatch_domain::change::{ChangeKind, Changes};
use portwatch_domain::job::Job;
use portwatch_domain::job::progress::Progress;
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::summary::Summary;
use portwatch_domain::snapshot::Snapshot;
use portwatch_schemas::{DecodeError, Message, decode, encode};
use serde_json::{Value, json};

use crate::schemas::{self, complaints, files};

/// Decodes and encodes a message of a noun.
pub fn again(noun: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    fn of<M: Message>(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let (meta, message) = decode::<M>(bytes)?;
        Ok(encode(&meta, &message).expect("what was decoded can be encoded"))
    }
    match noun {
        "job" => of::<Job>(bytes),
        "snapshot" => of::<Snapshot>(bytes),
        "change" => of::<Changes>(bytes),
        "notification" => of::<Notification>(bytes),
        "progress" => of::<Progress>(bytes),
        "summary" => of::<Summary>(bytes),
        other => panic!("no message is called {other}"),
    }
}

/// All examples: the noun, the file's name, the message.
pub fn all() -> impl Iterator<Item = (String, String, Value)> {
    files("examples").into_iter().map(|(name, path)| {
        let noun = name.split('.').next().expect("a noun").to_owned();
        let message = schemas::read(&path);
        (noun, name, message)
    })
}

/// Takes the words for people out: they may become better, which is no change of the message.
fn without_words(mut message: Value) -> Value {
    let data = &mut message["data"];
    if let Some(summary) = data.get_mut("summary") {
        assert!(summary.as_str().is_some_and(|text| !text.is_empty()));
        *summary = json!("words");
    }
    for change in data["changes"].as_array_mut().into_iter().flatten() {
        for word in ["service", "text"] {
            if let Some(text) = change.get_mut(word) {
                assert!(text.as_str().is_some_and(|text| !text.is_empty()));
                *text = json!("words");
            }
        }
    }
    message
}

/// Takes out of `again` what writers say by now and this older message did not.
fn without_additions(mut again: Value, message: &Value) -> Value {
    let old = &message["data"];
    let mut forget = |object: String, old: &Value, field: &str| {
        let object = again.pointer_mut(&object).and_then(Value::as_object_mut);
        if let Some(fields) = object
            && old.get(field).is_none()
        {
            fields.remove(field);
        }
    };
    forget("/data/target".to_owned(), &old["target"], "zone");
    let changes = old["changes"].as_array().into_iter().flatten();
    for (at, old) in changes.enumerate() {
        forget(format!("/data/changes/{at}"), old, "severity");
    }
    again
}

#[test]
fn every_example_decodes_and_means_the_same() {
    for (noun, name, message) in all() {
        let once = again(&noun, message.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let written: Value = serde_json::from_slice(&once).expect("JSON");
        let written = without_additions(written, &message);
        assert_eq!(without_words(written), without_words(message), "{name}");
        assert_eq!(again(&noun, &once).expect("its own"), once, "{name}");
    }
}

/// A change of an older writer has no severity: it is that of its kind, but for a port that opened unexpectedly.
#[test]
fn what_an_older_writer_did_not_say_is_filled_in() {
    for (name, severity) in [
        ("change.v1.port-opened.json", "high"),
        ("change.v1.host-down.json", "high"),
        ("change.v1.host-up-again.json", "info"),
        ("change.v1.baseline.json", "info"),
    ] {
        let (noun, _, message) = all().find(|(_, of, _)| of == name).expect("it");
        let change = &message["data"]["changes"][0];
        assert!(
            change.get("severity").is_none(),
            "{name} is of the old writer"
        );
        let again = again(&noun, message.to_string().as_bytes()).expect("decodes");
        let again: Value = serde_json::from_slice(&again).expect("JSON");
        assert_eq!(again["data"]["target"]["zone"], "default", "{name}");
        let change = &again["data"]["changes"][0];
        assert_eq!(change["severity"], severity, "{name}");
    }
}

#[test]
fn every_kind_of_change_has_an_example() {
    let schema = schemas::read(&schemas::folder().join("json/change.v1.schema.json"));
    let kinds = schema.pointer("/$defs/change/properties/kind/enum");
    let mut missing: Vec<ChangeKind> = kinds
        .and_then(Value::as_array)
        .expect("the kinds")
        .iter()
        .map(|kind| kind.as_str().expect("a word").parse().expect("a kind"))
        .collect();
    for (.., message) in all() {
        for change in message["data"]["changes"].as_array().into_iter().flatten() {
            missing.retain(|kind| change["kind"] != kind.as_str());
        }
    }
    assert_eq!(missing, []);
}

#[test]
fn every_example_is_valid_by_its_schema() {
    for (_, name, message) in all() {
        assert_eq!(
            complaints(&schemas::MESSAGE, &message),
            Vec::<String>::new(),
            "{name}"
        );
    }
}

#[test]
fn every_noun_has_several_examples() {
    for noun in [
        "job",
        "snapshot",
        "change",
        "notification",
        "progress",
        "summary",
    ] {
        assert!(all().filter(|(of, ..)| of == noun).count() >= 2, "{noun}");
    }
}

/// A newer writer may say more than this reader knows, anywhere.
#[test]
fn unknown_fields_are_ignored_everywhere() {
    fn add(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.values_mut().for_each(add);
                fields.insert("from_the_future".to_owned(), json!({ "deep": [1, null] }));
            }
            Value::Array(items) => items.iter_mut().for_each(add),
            _ => {}
        }
    }
    for (noun, name, message) in all() {
        let mut newer = message.clone();
        add(&mut newer);
        let newer_again = again(&noun, newer.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = again(&noun, message.to_string().as_bytes()).expect("decodes");
        assert_eq!(newer_again, again, "{name}");
        assert_eq!(
            complaints(&schemas::MESSAGE, &newer),
            Vec::<String>::new(),
            "{name}"
        );
    }
}

/// What is optional may be absent or null.
#[test]
fn null_is_nothing() {
    let (_, _, mut message) = all()
        .find(|(.., name, _)| name == "job.v1.every-port.json")
        .expect("it");
    let plain = again("job", message.to_string().as_bytes()).expect("decodes");
    message["data"]["hosts"][0]["name"] = Value::Null;
    assert_eq!(
        again("job", message.to_string().as_bytes()).expect("decodes"),
        plain
    );
    assert_eq!(
        complaints(&schemas::MESSAGE, &message),
        Vec::<String>::new()
    );
}
