//! Arbitrary values of the five nouns, each as the services could make it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::progress::Progress;
use portwatch_domain::job::{Job, JobHost, JobId, Priority};
use portwatch_domain::ports::{Port, PortSet, Protocol};
use portwatch_domain::snapshot::service::{
    Certificate, Http, MAX_CERTIFICATE_NAMES, NameSource, SafeText, Service, ServiceName, Tls,
};
use portwatch_domain::snapshot::{
    Answer, Evidence, HostReport, HostState, Method, PART_HOSTS, PortState, PortVerdict, Snapshot,
};
use portwatch_domain::target::{IpRange, TargetId, Zone};
use portwatch_schemas::{Meta, TraceParent};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

mod changes;
pub use changes::{changes, notification, summary};

/// The largest number that every JSON reader keeps exactly.
const MAX_EXACT: u64 = (1 << 53) - 1;

pub fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

pub fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0_i64..253_402_207_200, 0_i32..1_000_000_000)
        .prop_map(|(seconds, nanos)| Timestamp::new(seconds, nanos).expect("between 1970 and 9999"))
}

pub fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()),
    ]
}

pub fn host_name() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\\.[a-z]{2,8}){1,3}"
}

pub fn port() -> impl Strategy<Value = Port> {
    (any::<bool>(), 1_u16..).prop_map(|(is_udp, number)| Port {
        protocol: if is_udp { Protocol::Udp } else { Protocol::Tcp },
        number,
    })
}

fn ports(at_least: usize) -> impl Strategy<Value = PortSet> {
    vec((port(), 0_u16..50), at_least..6).prop_map(|runs| {
        let run = |(port, more): (Port, u16)| {
            (port.number..=port.number.saturating_add(more))
                .map(move |number| Port { number, ..port })
        };
        runs.into_iter().flat_map(run).collect()
    })
}

pub fn evidence() -> impl Strategy<Value = Evidence> {
    let answer = prop_oneof![
        Just(Answer::SynAck),
        Just(Answer::Rst),
        Just(Answer::UdpReply),
        Just(Answer::NoResponse),
        any::<u8>().prop_map(Answer::IcmpUnreachable),
    ];
    let rtt = option::of((0..MAX_EXACT).prop_map(Duration::from_micros));
    (answer, option::of(any::<u8>()), rtt, any::<u16>()).prop_map(|(answer, ttl, rtt, probes)| {
        Evidence {
            answer,
            ttl,
            rtt,
            probes,
        }
    })
}

pub fn verdict_state() -> impl Strategy<Value = PortState> {
    prop_oneof![
        Just(PortState::Open),
        Just(PortState::Closed),
        Just(PortState::Filtered)
    ]
}

/// What is known of the message beside what it says.
pub fn meta() -> impl Strategy<Value = Meta> {
    let trace =
        (1_u128.., 1_u64.., any::<u8>()).prop_map(|(trace_id, parent_id, flags)| TraceParent {
            flags,
            ..TraceParent::new(trace_id, parent_id)
        });
    (uuid(), "/portwatch/[a-z]{1,9}", timestamp(), trace).prop_map(|(id, source, time, trace)| {
        Meta {
            id,
            source,
            time,
            trace,
        }
    })
}

prop_compose! {
    /// A job with at least one host that is not excluded.
    pub fn job()(
        (id, target) in (uuid(), uuid()),
        (run, index) in (1..MAX_EXACT, any::<u32>()),
        zone in "[a-z0-9-]{1,32}",
        is_high in any::<bool>(),
        (created_at, lasts_ms) in (timestamp(), 1_i64..10_000_000),
        rate in 1_u32..,
        hosts in btree_map(ip(), (option::of(host_name()), ports(0)), 1..20),
        ports in ports(1),
        exclude in vec((ip(), ip()), 0..4),
    ) -> Job {
        let range = |(a, b): (IpAddr, IpAddr)| IpRange::new(a.min(b), a.max(b));
        let exclude: Vec<_> = exclude
            .into_iter()
            .filter_map(range)
            .filter(|range| !hosts.keys().any(|&ip| range.contains(ip)))
            .collect();
        let host = |(ip, (name, known_open))| JobHost { ip, name, known_open };
        Job {
            id: JobId(id),
            target: TargetId(target),
            run,
            index,
            zone: zone.parse::<Zone>().expect("a zone"),
            priority: if is_high { Priority::High } else { Priority::Normal },
            created_at,
            deadline: created_at + SignedDuration::from_millis(lasts_ms),
            rate,
            hosts: hosts.into_iter().map(host).collect(),
            ports,
            exclude,
        }
    }
}

prop_compose! {
    fn report_of_an_answering_host()(
        ip in ip(),
        name in option::of(host_name()),
        verdicts in btree_map(port(), (verdict_state(), evidence(), option::of(service())), 0..20),
        (filtered, closed) in (ports(0), ports(0)),
    ) -> HostReport {
        let told: PortSet = verdicts.keys().copied().collect();
        let filtered = filtered.difference(&told);
        let verdict =
            |(port, (state, evidence, service))| PortVerdict { port, state, evidence, service };
        HostReport {
            ip,
            name,
            state: HostState::Up,
            suspect: false,
            coverage: told.union(&filtered).union(&closed),
            ports: verdicts.into_iter().map(verdict).collect(),
            filtered,
        }
    }
}

fn safe<const MAX: usize>() -> impl Strategy<Value = SafeText<MAX>> {
    prop_oneof!["\\PC{0,20}", any::<String>()].prop_map(|text| SafeText::new(&text))
}

prop_compose! {
    fn certificate()(
        (subject, issuer) in (safe(), safe()),
        names in vec(safe(), 0..=MAX_CERTIFICATE_NAMES),
        (not_before, not_after) in (timestamp(), timestamp()),
        sha256 in any::<[u8; 32]>(),
    ) -> Certificate {
        Certificate { subject, issuer, names, not_before, not_after, sha256 }
    }
}

prop_compose! {
    fn http()(status in 100_u16..=999, server in option::of(safe()), title in option::of(safe())) -> Box<Http> {
        Box::new(Http { status, server, title })
    }
}

prop_compose! {
    fn tls()(
        (version, alpn, refused) in (option::of(safe()), option::of(safe()), option::of(safe())),
        certificate in option::of(certificate()),
    ) -> Box<Tls> {
        Box::new(Tls { version, alpn, certificate, refused })
    }
}

prop_compose! {
    /// What listens on a port.
    pub fn service()(
        name in option::of((safe(), any::<bool>())),
        (product, banner) in (option::of(safe()), option::of(safe())),
        (http, tls) in (option::of(http()), option::of(tls())),
    ) -> Service {
        let name = name.map(|(text, is_proven)| ServiceName {
            text,
            source: if is_proven { NameSource::Probe } else { NameSource::Port },
        });
        Service { name, product, banner, http, tls }
    }
}

fn report_of_a_silent_host() -> impl Strategy<Value = HostReport> {
    let state = prop_oneof![
        Just((HostState::Down, false)),
        Just((HostState::Unknown, false)),
        Just((HostState::Up, true)),
    ];
    (ip(), option::of(host_name()), state).prop_map(|(ip, name, (state, suspect))| HostReport {
        state,
        suspect,
        ..HostReport::unknown(ip, name)
    })
}

prop_compose! {
    /// A part of a snapshot.
    pub fn snapshot()(
        (job, target, run) in (uuid(), uuid(), 1..MAX_EXACT),
        (part, after) in (0_u32..1000, 1_u32..1000),
        is_syn in any::<bool>(),
        worker in "\\PC{1,20}",
        (started_at, finished_at) in (timestamp(), timestamp()),
        hosts in vec(
            prop_oneof![report_of_an_answering_host(), report_of_a_silent_host()],
            1..=PART_HOSTS,
        ),
    ) -> Snapshot {
        let mut hosts = hosts;
        hosts.sort_by_key(|host| host.ip);
        hosts.dedup_by_key(|host| host.ip);
        Snapshot {
            job: JobId(job),
            target: TargetId(target),
            run,
            part,
            parts: part + after,
            method: if is_syn { Method::Syn } else { Method::Connect },
            worker,
            started_at,
            finished_at,
            hosts,
        }
    }
}

prop_compose! {
    /// How far a job is.
    pub fn progress()(
        (job, target) in (uuid(), uuid()),
        worker in "\\PC{1,20}",
        at in timestamp(),
        (sent, planned) in (any::<u64>(), 1_u64..),
        (answered, open) in (any::<u64>(), any::<u64>()),
    ) -> Progress {
        let (job, target) = (JobId(job), TargetId(target));
        Progress { job, target, worker, at, sent, planned, answered, open }
    }
}
