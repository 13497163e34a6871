//! The AsyncAPI document names what there is: every message, schema, queue and exchange.

use std::collections::BTreeSet;

use portwatch_domain::change::Changes;
use portwatch_domain::job::Job;
use portwatch_domain::job::progress::Progress;
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::summary::Summary;
use portwatch_domain::snapshot::Snapshot;
use portwatch_schemas::Message;
use serde_json::{Map, Value};

use crate::schemas::{files, folder};

/// Queues and exchanges at the broker; `null` is the webhook's address, which an operator sets.
const ADDRESSES: [&str; 12] = [
    "null",
    "pw.change",
    "pw.dead",
    "pw.job.{zone}.high",
    "pw.job.{zone}.normal",
    "pw.progress",
    "pw.retry.30s",
    "pw.retry.5m",
    "pw.retry.5s",
    "pw.snapshot.{shard}",
    "pw.unrouted",
    "pw.work",
];

fn document() -> Value {
    let text = std::fs::read_to_string(folder().join("asyncapi.yaml")).expect("the document");
    serde_saphyr::from_str(&text).expect("YAML")
}

fn fields<'a>(value: &'a Value, pointer: &str) -> &'a Map<String, Value> {
    let found = value.pointer(pointer).and_then(Value::as_object);
    found.unwrap_or_else(|| panic!("no object at {pointer}"))
}

/// Every `$ref` in the value.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn it_is_asyncapi_3_and_its_references_lead_somewhere() {
    let document = document();
    assert_eq!(document["asyncapi"], "3.0.0");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        if let Some(pointer) = reference.strip_prefix('#') {
            assert!(document.pointer(pointer).is_some(), "{reference}");
        } else {
            let file = folder().join(reference);
            assert!(file.is_file(), "{reference}");
        }
    }
}

#[test]
fn it_names_every_queue_and_exchange() {
    let document = document();
    let addresses: BTreeSet<&str> = fields(&document, "/channels")
        .values()
        .map(|channel| channel["address"].as_str().unwrap_or("null"))
        .collect();
    assert_eq!(addresses, BTreeSet::from(ADDRESSES));
    for (name, channel) in fields(&document, "/channels") {
        let amqp = &channel["bindings"]["amqp"];
        for said in [&amqp["queue"]["name"], &amqp["exchange"]["name"]] {
            assert!(said.is_null() || *said == channel["address"], "{name}");
        }
        assert!(!fields(channel, "/messages").is_empty(), "{name}");
    }
}

#[test]
fn it_names_every_message_with_its_schema() {
    let document = document();
    for (message, kind, schema) in [
        ("job", Job::TYPE, Job::SCHEMA),
        ("snapshot", Snapshot::TYPE, Snapshot::SCHEMA),
        ("change", Changes::TYPE, Changes::SCHEMA),
        ("progress", Progress::TYPE, Progress::SCHEMA),
        ("webhook", Notification::TYPE, Notification::SCHEMA),
        ("summary", Summary::TYPE, Summary::SCHEMA),
    ] {
        let said = &document["components"]["messages"][message];
        assert_eq!(said["name"], kind);
        let noun_and_version = schema
            .strip_prefix("urn:portwatch:schema:")
            .expect("our urn");
        let file = format!("./json/{}.schema.json", noun_and_version.replace(':', "."));
        let mut found = BTreeSet::new();
        references(&said["payload"], &mut found);
        assert!(
            found.contains(file.as_str()),
            "{message} refers to {found:?}"
        );
    }
}

#[test]
fn it_refers_to_every_schema_of_a_message() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for (name, _) in files("json") {
        // The types are what the schemas share; no message is made of them alone.
        let is_named = found.contains(format!("./json/{name}").as_str());
        assert_eq!(is_named, name != "types.v1.schema.json", "{name}");
    }
}
