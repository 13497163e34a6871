//! Broken changes and notifications.

use serde_json::{Value, json};

use super::Edit::{Remove, Set};
use super::Row;
use super::Schema::{CannotSay, Refuses};
use super::check;

const SEVERAL: &str = "several-ports-of-a-named-host.json";

/// What is wrong with changes is wrong with a notification of them.
#[test]
fn changes_of_ports() {
    for noun in ["change", "notification"] {
        check(&format!("{noun}.v1.{SEVERAL}"), around_changes());
        check(&format!("{noun}.v1.{SEVERAL}"), in_changes_of_ports());
    }
}

fn around_changes() -> Vec<Row> {
    let many: Value = (0..=200)
        .map(|_| {
            json!({
                "change_id": "388128b8-7b63-5553-9642-1b047d31eb49", "kind": "host.up",
                "target": "", "host": "a", "ip": "192.0.2.10", "text": "",
                "before": "down", "after": "up", "at": "2026-03-01T12:00:00Z"
            })
        })
        .collect();
    vec![
        (
            Remove("/data/target/name"),
            "data.target",
            "missing field `name`",
            Refuses,
        ),
        (
            Set("/data/target/id", json!("dmz")),
            "data.target.id",
            "UUID",
            Refuses,
        ),
        (
            Set("/data/notify", json!("yes")),
            "data.notify",
            "expected a boolean",
            Refuses,
        ),
        (Remove("/data/job"), "data", "missing field `job`", Refuses),
        (
            Set("/data/host", json!("192.0.2.11")),
            "data.host",
            "\"192.0.2.11\" is neither the host's address nor a host name",
            CannotSay,
        ),
        (
            Set("/data/host", json!("a\r\nb")),
            "data.host",
            "is neither",
            Refuses,
        ),
        (
            Set("/data/ip", json!("::ffff:192.0.2.10")),
            "data.ip",
            "write 192.0.2.10",
            Refuses,
        ),
        (
            Set("/data/changes", json!([])),
            "data.changes",
            "is empty",
            Refuses,
        ),
        (
            Set("/data/changes", many),
            "data.changes",
            "has 201 entries, and 200 is the most",
            Refuses,
        ),
    ]
}

fn in_changes_of_ports() -> Vec<Row> {
    vec![
        (
            Set("/data/changes/2/change_id", json!("4")),
            "data.changes[2].change_id",
            "UUID",
            Refuses,
        ),
        (
            Set("/data/changes/0/kind", json!("port.exploded")),
            "data.changes[0].kind",
            "unknown kind of change \"port.exploded\"",
            Refuses,
        ),
        (
            Set("/data/changes/0/kind", json!("port.closed")),
            "data.changes[0].kind",
            "is port.closed, but the states say port.opened",
            Refuses,
        ),
        (
            Set("/data/changes/0/kind", json!("host.up")),
            "data.changes[0].protocol",
            "does not belong to a change of a host",
            Refuses,
        ),
        (
            Set("/data/changes/1/before", json!("ajar")),
            "data.changes[1].before",
            "unknown port state \"ajar\"",
            Refuses,
        ),
        (
            Set("/data/changes/1/before", json!("closed")),
            "data.changes[1].after",
            "is the same as before",
            Refuses,
        ),
        (
            Set("/data/changes/1/after", json!("unknown")),
            "data.changes[1].after",
            "is unknown: that is no verdict",
            Refuses,
        ),
        (
            Remove("/data/changes/1/port"),
            "data.changes[1].port",
            "is missing",
            Refuses,
        ),
        (
            Remove("/data/changes/1/protocol"),
            "data.changes[1].protocol",
            "is missing",
            Refuses,
        ),
        (
            Remove("/data/changes/1/expected"),
            "data.changes[1].expected",
            "is missing",
            Refuses,
        ),
        (
            Remove("/data/changes/1/evidence"),
            "data.changes[1].evidence",
            "is missing",
            Refuses,
        ),
        (
            Set("/data/changes/1/port", json!(0)),
            "data.changes[1].port",
            "nonzero",
            Refuses,
        ),
        (
            Remove("/data/changes/2/evidence/code"),
            "data.changes[2].evidence.code",
            "belongs to icmp-unreachable",
            Refuses,
        ),
        (
            Remove("/data/changes/2/at"),
            "data.changes[2]",
            "missing field `at`",
            Refuses,
        ),
    ]
}

#[test]
fn changes_of_hosts() {
    for noun in ["change", "notification"] {
        let rows = vec![
            (
                Set("/data/changes/0/port", json!(22)),
                "data.changes[0].port",
                "does not belong to a change of a host",
                Refuses,
            ),
            (
                Set("/data/changes/0/expected", json!(true)),
                "data.changes[0].expected",
                "does not belong to a change of a host",
                Refuses,
            ),
            (
                Set("/data/changes/0/before", json!("open")),
                "data.changes[0].before",
                "unknown host state \"open\"",
                Refuses,
            ),
            (
                Set("/data/changes/0/before", json!("down")),
                "data.changes[0].after",
                "is the same as before",
                Refuses,
            ),
            (
                Set("/data/changes/0/after", json!("unknown")),
                "data.changes[0].after",
                "is unknown: that is no verdict",
                Refuses,
            ),
            (
                Set("/data/changes/0/kind", json!("host.up")),
                "data.changes[0].kind",
                "is host.up, but the states say host.down",
                Refuses,
            ),
            (
                Set("/data/changes/0/kind", json!("port.closed")),
                "data.changes[0].protocol",
                "is missing",
                Refuses,
            ),
        ];
        check(&format!("{noun}.v1.host-down.json"), rows);
    }
}

#[test]
fn notifications() {
    check(
        "notification.v1.port-opened.json",
        vec![
            (
                Remove("/data/notification_id"),
                "data",
                "missing field `notification_id`",
                Refuses,
            ),
            (
                Set("/data/notification_id", json!(1)),
                "data.notification_id",
                "UUID",
                Refuses,
            ),
            (
                Set("/data/created_at", json!("now")),
                "data.created_at",
                "year",
                Refuses,
            ),
        ],
    );
}
