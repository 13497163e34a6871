//! Broken messages: each is refused, by the path of what is wrong, and by the schema where JSON Schema
//! can express it.

mod change;
mod envelope;
mod job;
mod snapshot;

use serde_json::{Value, json};

use crate::examples::{self, again};
use crate::schemas;

/// What is done to a good message.
pub enum Edit {
    Set(&'static str, Value),
    Remove(&'static str),
}
use Edit::{Remove, Set};

/// Whether JSON Schema can express the rule as well.
#[derive(PartialEq)]
enum Schema {
    Refuses,
    CannotSay,
}
use Schema::Refuses;

/// Edit, path in the error, part of its text, schema.
type Row = (Edit, &'static str, &'static str, Schema);

fn check(name: &str, rows: Vec<Row>) {
    let (noun, _, good) = examples::all()
        .find(|(_, of, _)| of == name)
        .unwrap_or_else(|| panic!("no example {name}"));
    for (edit, path, text, schema) in rows {
        let mut message = good.clone();
        let what = apply(&mut message, edit);
        let error = again(&noun, message.to_string().as_bytes())
            .err()
            .unwrap_or_else(|| panic!("{name}: taken although {what}"));
        assert_eq!(error.path(), path, "{name}, {what}: {error}");
        let says = error.to_string();
        assert!(
            says.contains(text),
            "{name}, {what}: {says:?} lacks {text:?}"
        );
        assert!(
            says.starts_with(path) || path == ".",
            "{name}, {what}: {says:?} does not start with the path"
        );
        let refused = !schemas::MESSAGE.is_valid(&message);
        assert_eq!(refused, schema == Refuses, "{name}, {what}: the schema");
    }
}

/// Changes the message; says how.
fn apply(message: &mut Value, edit: Edit) -> String {
    match edit {
        Set(pointer, value) => {
            let what = format!("{pointer} is {value}");
            match message.pointer_mut(pointer) {
                Some(field) => *field = value,
                None => insert(message, pointer, value),
            }
            what
        }
        Remove(pointer) => {
            let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
            let parent = message.pointer_mut(parent).and_then(Value::as_object_mut);
            let removed = parent.and_then(|fields| fields.remove(field));
            assert!(removed.is_some(), "there is no {pointer} to remove");
            format!("{pointer} is missing")
        }
    }
}

fn insert(message: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
    let parent = message.pointer_mut(parent).and_then(Value::as_object_mut);
    let fields = parent.unwrap_or_else(|| panic!("there is no {pointer} to set"));
    fields.insert(field.to_owned(), value);
}

/// An array of the first element of another, `times` over, each with another address.
fn hosts(name: &str, times: u8, more: u8) -> Value {
    let (.., message) = examples::all()
        .find(|(_, of, _)| of == name)
        .expect("an example");
    let hosts = (0..=more).flat_map(|net| (0..times).map(move |host| (net, host)));
    hosts
        .map(|(net, host)| {
            let mut one = message["data"]["hosts"][0].clone();
            one["ip"] = json!(format!("192.0.{net}.{host}"));
            one
        })
        .collect()
}
