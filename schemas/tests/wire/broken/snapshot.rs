//! Broken snapshots.

use serde_json::json;

use super::Edit::{Remove, Set};
use super::Schema::{CannotSay, Refuses};
use super::{check, hosts};

#[test]
fn a_snapshot() {
    let name = "snapshot.v1.every-kind-of-evidence.json";
    check(
        name,
        vec![
            (
                Set("/data/part", json!(1)),
                "data.part",
                "is part 1 of 1",
                CannotSay,
            ),
            (
                Set("/data/parts", json!(0)),
                "data.part",
                "is part 0 of 0",
                Refuses,
            ),
            (Set("/data/run", json!(0)), "data.run", "is 0", Refuses),
            (
                Set("/data/method", json!("udp")),
                "data.method",
                "unknown scan method",
                Refuses,
            ),
            (
                Remove("/data/worker"),
                "data",
                "missing field `worker`",
                Refuses,
            ),
            (
                Set("/data/finished_at", json!(0)),
                "data.finished_at",
                "0",
                Refuses,
            ),
            (
                Set("/data/hosts", json!([])),
                "data.hosts",
                "is empty",
                Refuses,
            ),
            (
                Set("/data/hosts", hosts(name, 33, 0)),
                "data.hosts",
                "has 33 entries, and 32 is the most",
                Refuses,
            ),
            (
                Set("/data/hosts/0/state", json!("asleep")),
                "data.hosts[0].state",
                "unknown host state \"asleep\"",
                Refuses,
            ),
            (
                Set("/data/hosts/0/state", json!("down")),
                "data.hosts[0]",
                "ports are covered although the host is down",
                Refuses,
            ),
            (
                Set("/data/hosts/0/suspect", json!(true)),
                "data.hosts[0]",
                "up and suspect",
                Refuses,
            ),
            (
                Set("/data/hosts/0/coverage", json!("22,443,8000-8100,udp:53")),
                "data.hosts[0]",
                "tcp/80 has a verdict but is not covered",
                CannotSay,
            ),
            (
                Set("/data/hosts/0/filtered", json!("8002-8101")),
                "data.hosts[0]",
                "tcp/8101 has a verdict but is not covered",
                CannotSay,
            ),
            (
                Set("/data/hosts/0/filtered", json!("8001-8100")),
                "data.hosts[0]",
                "tcp/8001 has two verdicts",
                CannotSay,
            ),
            (
                Set("/data/hosts/0/ports/1/port", json!(80)),
                "data.hosts[0]",
                "tcp/80 has two verdicts",
                CannotSay,
            ),
            (
                Set("/data/hosts/0/ports/1/port", json!(0)),
                "data.hosts[0].ports[1].port",
                "nonzero",
                Refuses,
            ),
            (
                Set("/data/hosts/0/ports/1/port", json!(65536)),
                "data.hosts[0].ports[1].port",
                "65536",
                Refuses,
            ),
            (
                Set("/data/hosts/0/ports/1/protocol", json!("sctp")),
                "data.hosts[0].ports[1].protocol",
                "unknown protocol \"sctp\"",
                Refuses,
            ),
            (
                Set("/data/hosts/0/ports/1/state", json!("unknown")),
                "data.hosts[0]",
                "tcp/443 is listed as unknown",
                Refuses,
            ),
            (
                Set("/data/hosts/0/ports/0/evidence/answer", json!("maybe")),
                "data.hosts[0].ports[0].evidence.answer",
                "unknown variant `maybe`",
                Refuses,
            ),
            (
                Set("/data/hosts/0/ports/0/evidence/code", json!(3)),
                "data.hosts[0].ports[0].evidence.code",
                "belongs to icmp-unreachable",
                Refuses,
            ),
            (
                Remove("/data/hosts/0/ports/2/evidence/code"),
                "data.hosts[0].ports[2].evidence.code",
                "belongs to icmp-unreachable",
                Refuses,
            ),
            (
                Set("/data/hosts/0/ports/0/evidence/ttl", json!(256)),
                "data.hosts[0].ports[0].evidence.ttl",
                "256",
                Refuses,
            ),
            (
                Set("/data/hosts/0/ports/0/evidence/rtt_us", json!(-3)),
                "data.hosts[0].ports[0].evidence.rtt_us",
                "-3",
                Refuses,
            ),
            (
                Remove("/data/hosts/0/ports/0/evidence/probes"),
                "data.hosts[0].ports[0].evidence",
                "missing field `probes`",
                Refuses,
            ),
        ],
    );
}
