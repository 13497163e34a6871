//! Broken jobs.

use serde_json::json;

use super::Edit::{Remove, Set};
use super::Schema::{CannotSay, Refuses};
use super::{check, hosts};

#[test]
fn a_job() {
    let name = "job.v1.names-both-families-and-exclusions.json";
    let at_most = hosts(name, 128, 1);
    let too_many = hosts(name, 129, 1);
    assert_eq!(at_most.as_array().map(Vec::len), Some(256));
    check(
        name,
        vec![
            (Remove("/data/job"), "data", "missing field `job`", Refuses),
            (
                Set("/data/job", json!("no-id")),
                "data.job",
                "UUID",
                Refuses,
            ),
            (
                Set("/data/target_id", json!(7)),
                "data.target_id",
                "UUID",
                Refuses,
            ),
            (Set("/data/run", json!(0)), "data.run", "is 0", Refuses),
            (Set("/data/run", json!(-1)), "data.run", "-1", Refuses),
            (
                Set("/data/index", json!("0")),
                "data.index",
                "string",
                Refuses,
            ),
            (
                Set("/data/zone", json!("DMZ")),
                "data.zone",
                "\"DMZ\" is not a zone",
                Refuses,
            ),
            (
                Set("/data/zone", json!("a.b")),
                "data.zone",
                "\"a.b\" is not a zone",
                Refuses,
            ),
            (
                Set("/data/priority", json!("urgent")),
                "data.priority",
                "unknown priority \"urgent\"",
                Refuses,
            ),
            (Set("/data/rate", json!(0)), "data.rate", "is 0", Refuses),
            (
                Set("/data/rate", json!(4_294_967_296_u64)),
                "data.rate",
                "4294967296",
                Refuses,
            ),
            (
                Set("/data/deadline", json!("2026-03-01T12:00:00.25Z")),
                "data.deadline",
                "is not after created_at",
                CannotSay,
            ),
            (
                Set("/data/ports", json!("")),
                "data.ports",
                "is empty",
                Refuses,
            ),
            (
                Set("/data/ports", json!("0")),
                "data.ports",
                "port 0 is out of range",
                Refuses,
            ),
            (
                Set("/data/ports", json!("65536")),
                "data.ports",
                "port 65536 is out",
                CannotSay,
            ),
            (
                Set("/data/ports", json!("9-3")),
                "data.ports",
                "runs backwards",
                CannotSay,
            ),
            (
                Set("/data/ports", json!([22])),
                "data.ports",
                "expected a string",
                Refuses,
            ),
            (
                Set("/data/hosts", json!([])),
                "data.hosts",
                "is empty",
                Refuses,
            ),
            (
                Set("/data/hosts", too_many),
                "data.hosts",
                "has 258 entries, and 256 is the most",
                Refuses,
            ),
            (
                Remove("/data/hosts/1/ip"),
                "data.hosts[1]",
                "missing field `ip`",
                Refuses,
            ),
            (
                Set("/data/hosts/1/ip", json!("example.org")),
                "data.hosts[1].ip",
                "\"example.org\" is not an IP address",
                Refuses,
            ),
            (
                Set("/data/hosts/1/ip", json!("::ffff:192.0.2.44")),
                "data.hosts[1].ip",
                "write 192.0.2.44",
                Refuses,
            ),
            (
                Set("/data/hosts/2/ip", json!("192.0.2.10")),
                "data.hosts[2].ip",
                "192.0.2.10 is listed twice",
                CannotSay,
            ),
            (
                Set("/data/hosts/2/ip", json!("192.0.2.200")),
                "data.hosts[2].ip",
                "192.0.2.200 is excluded by the job",
                CannotSay,
            ),
            (
                Set("/data/hosts/0/name", json!("a b\u{1b}[2J")),
                "data.hosts[0].name",
                "is not a host name",
                Refuses,
            ),
            (
                Set("/data/hosts/0/known_open", json!("ssh")),
                "data.hosts[0].known_open",
                "\"ssh\" is not a port",
                Refuses,
            ),
            (
                Set("/data/exclude/1", json!("printers")),
                "data.exclude[1]",
                "\"printers\" is not a target",
                Refuses,
            ),
            (
                Set("/data/exclude/1", json!("192.0.2.9-192.0.2.1")),
                "data.exclude[1]",
                "is not a range",
                CannotSay,
            ),
        ],
    );
}
