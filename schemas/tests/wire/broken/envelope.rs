//! Broken envelopes, and bytes that are no message at all.

use portwatch_domain::job::Job;
use portwatch_schemas::{DecodeError, MAX_MESSAGE_BYTES, decode};
use serde_json::json;

use super::Edit::{Remove, Set};
use super::Schema::Refuses;
use super::check;
use crate::examples;

#[test]
fn the_envelope() {
    check(
        "job.v1.first-run-of-one-address.json",
        vec![
            (
                Remove("/specversion"),
                ".",
                "missing field `specversion`",
                Refuses,
            ),
            (
                Set("/specversion", json!("0.3")),
                "specversion",
                "\"0.3\" is not known",
                Refuses,
            ),
            (
                Set("/specversion", json!(1.0)),
                "specversion",
                "expected a string",
                Refuses,
            ),
            (Remove("/id"), ".", "missing field `id`", Refuses),
            (Set("/id", json!("42")), "id", "UUID", Refuses),
            (Remove("/source"), ".", "missing field `source`", Refuses),
            (
                Set("/source", json!(null)),
                "source",
                "expected a string",
                Refuses,
            ),
            (Set("/source", json!("")), "source", "is empty", Refuses),
            (Remove("/type"), ".", "missing field `type`", Refuses),
            (
                Set("/type", json!("io.portwatch.snapshot.v1")),
                "type",
                "expected io.portwatch.job.v1, found \"io.portwatch.snapshot.v1\"",
                Refuses,
            ),
            (
                Set("/type", json!("io.portwatch.job.v2")),
                "type",
                "job.v2",
                Refuses,
            ),
            (Remove("/time"), ".", "missing field `time`", Refuses),
            (Set("/time", json!("yesterday")), "time", "year", Refuses),
            (
                Set("/time", json!("2026-03-01T12:00:00")),
                "time",
                "offset",
                Refuses,
            ),
            (
                Remove("/datacontenttype"),
                ".",
                "missing field `datacontenttype`",
                Refuses,
            ),
            (
                Set("/datacontenttype", json!("text/plain")),
                "datacontenttype",
                "\"text/plain\" is not application/json",
                Refuses,
            ),
            (
                Remove("/dataschema"),
                ".",
                "missing field `dataschema`",
                Refuses,
            ),
            (Remove("/subject"), ".", "missing field `subject`", Refuses),
            (
                Remove("/traceparent"),
                ".",
                "missing field `traceparent`",
                Refuses,
            ),
            (
                Set("/traceparent", json!("00-1-2-3")),
                "traceparent",
                "\"00-1-2-3\"",
                Refuses,
            ),
            (
                Set(
                    "/traceparent",
                    json!("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
                ),
                "traceparent",
                "an id of zeros stands for none",
                Refuses,
            ),
            (Remove("/data"), ".", "missing field `data`", Refuses),
            (
                Set("/data", json!("text")),
                "data",
                "expected struct",
                Refuses,
            ),
        ],
    );
}

/// Where the bytes of a good message go wrong.
fn refused(bytes: &[u8]) -> DecodeError {
    match decode::<Job>(bytes) {
        Ok((meta, _)) => panic!("taken: {meta:?}"),
        Err(error) => error,
    }
}

#[test]
fn bytes_that_are_no_message() {
    let (.., good) = examples::all()
        .find(|(noun, ..)| noun == "job")
        .expect("an example");
    let good = good.to_string();
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
        (
            format!("{}{good}", "[".repeat(10_000)),
            "[0]",
            "expected a string",
        ),
    ] {
        let error = refused(bytes.as_bytes());
        assert!(error.to_string().contains(text), "{error} lacks {text:?}");
        assert_eq!(error.path(), path, "{error}");
    }
    assert_eq!(refused(b"{\"specversion\":\"\xff\"}").path(), "specversion");
}

#[test]
fn a_message_that_is_too_large_is_not_read() {
    let (.., good) = examples::all()
        .find(|(noun, ..)| noun == "job")
        .expect("an example");
    let mut bytes = good.to_string().into_bytes();
    bytes.resize(MAX_MESSAGE_BYTES, b' ');
    assert!(decode::<Job>(&bytes).is_ok());
    bytes.push(b' ');
    let error = refused(&bytes);
    assert!(
        matches!(error, DecodeError::TooLarge { bytes: 262_145 }),
        "{error}"
    );
}
