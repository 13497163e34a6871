//! Arbitrary changes of hosts, targets, zones and channels, and what is told of them. The parts are boxed: a value of all of
//! them in one does not fit a test thread's stack.

use portwatch_domain::change::{
    About, Change, ChangeId, Changes, ChannelEvent, Severity, Transition,
};
use portwatch_domain::job::JobId;
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::summary::Summary;
use portwatch_domain::snapshot::service::SafeText;
use portwatch_domain::snapshot::{HostState, PortState};
use portwatch_domain::target::{TargetId, TargetRef, Zone};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::{evidence, host_name, ip, port, service, timestamp, uuid, verdict_state};

fn any_port_state() -> impl Strategy<Value = PortState> {
    prop_oneof![verdict_state(), Just(PortState::Unknown)]
}

fn any_host_state() -> impl Strategy<Value = HostState> {
    prop_oneof![
        Just(HostState::Up),
        Just(HostState::Down),
        Just(HostState::Unknown)
    ]
}

fn of_port() -> BoxedStrategy<Transition> {
    let service = option::of(service().boxed());
    let states = (any_port_state(), verdict_state());
    let why = (evidence(), any::<bool>());
    (port(), states, why, service)
        .prop_filter("a transition goes elsewhere", |(_, (before, after), ..)| {
            before != after
        })
        .prop_map(
            |(port, (before, after), (evidence, expected), service)| Transition::Port {
                port,
                before,
                after,
                evidence,
                expected,
                service: service.filter(|_| after == PortState::Open),
            },
        )
        .boxed()
}

fn of_host() -> impl Strategy<Value = Transition> {
    let after = prop_oneof![Just(HostState::Up), Just(HostState::Down)];
    (any_host_state(), after, any::<bool>()).prop_map(|(before, after, suspect)| Transition::Host {
        before,
        after,
        suspect: suspect || before == after,
    })
}

/// What can happen to a host and its ports.
fn transition_of_host() -> BoxedStrategy<Transition> {
    let service = || service().boxed();
    let another =
        (port(), service(), service()).prop_map(|(port, before, after)| Transition::Service {
            port,
            before,
            after,
        });
    let port_flaps = (port(), any::<bool>(), any_port_state()).prop_map(|(port, begins, state)| {
        Transition::PortFlapping {
            port,
            begins,
            state,
        }
    });
    let host_flaps = (any::<bool>(), any_host_state())
        .prop_map(|(begins, state)| Transition::HostFlapping { begins, state });
    prop_oneof![4 => of_port(), 2 => of_host(), 2 => another, 1 => port_flaps, 1 => host_flaps]
        .boxed()
}

fn transition_of_target() -> BoxedStrategy<Transition> {
    let ips = || btree_set(ip(), 1..10).prop_map(Vec::from_iter);
    let address = (host_name(), ips(), ips())
        .prop_filter("other addresses", |(_, before, after)| before != after)
        .prop_map(|(name, before, after)| Transition::Address {
            name,
            before,
            after,
        });
    let overdue = (any::<bool>(), option::of(timestamp()))
        .prop_map(|(begins, scanned_at)| Transition::Overdue { begins, scanned_at });
    prop_oneof![address, overdue].boxed()
}

fn transition_of_zone() -> impl Strategy<Value = Transition> {
    any::<bool>().prop_map(|begins| Transition::Unattended { begins })
}

fn transition_of_channel() -> impl Strategy<Value = Transition> {
    let off = "\\PC{0,40}".prop_map(|reason| ChannelEvent::Off {
        reason: SafeText::new(&reason),
    });
    prop_oneof![off, Just(ChannelEvent::On), Just(ChannelEvent::Test)].prop_map(Transition::Channel)
}

fn change(transition: impl Strategy<Value = Transition> + 'static) -> BoxedStrategy<Change> {
    let severity = prop_oneof![
        Just(Severity::Info),
        Just(Severity::Low),
        Just(Severity::Medium),
        Just(Severity::High)
    ];
    (uuid(), transition, severity, any::<bool>(), timestamp())
        .prop_map(|(id, transition, severity, quiet, at)| Change {
            id: ChangeId(id),
            transition,
            severity,
            quiet,
            at,
        })
        .boxed()
}

fn zone() -> impl Strategy<Value = Zone> {
    "[a-z0-9-]{1,32}".prop_map(|zone| zone.parse().expect("a zone"))
}

prop_compose! {
    fn target()(
        id in uuid(),
        (name, group) in ("\\PC{0,20}", "\\PC{0,20}"),
        tags in vec("\\PC{0,10}", 0..4),
        zone in zone(),
    ) -> TargetRef {
        TargetRef { id: TargetId(id), name, group, tags, zone }
    }
}

/// What is told together, and of what.
fn told() -> BoxedStrategy<(About, Vec<Change>)> {
    let host = (target(), ip(), option::of(host_name()))
        .prop_map(|(target, ip, name)| About::Host { target, ip, name });
    prop_oneof![
        4 => (host, vec(change(transition_of_host()), 1..10)),
        2 => (target().prop_map(About::Target), vec(change(transition_of_target()), 1..4)),
        1 => (zone().prop_map(About::Zone), vec(change(transition_of_zone()), 1..3)),
        1 => (
            "\\PC{1,20}".prop_map(About::Channel),
            vec(change(transition_of_channel()), 1..3),
        ),
    ]
    .boxed()
}

prop_compose! {
    /// Changes that are told together.
    pub fn changes()(
        (about, changes) in told(),
        notify in any::<bool>(),
        job in option::of(uuid()),
    ) -> Changes {
        Changes { about, notify, job: job.map(JobId), changes }
    }
}

prop_compose! {
    /// A summary of what changed.
    pub fn summary()(
        all in vec(changes(), 1..5),
        created_at in timestamp(),
        reminder in any::<bool>(),
    ) -> Summary {
        let of = if reminder { Summary::reminder } else { Summary::of };
        of(&all, created_at).expect("there are changes")
    }
}

prop_compose! {
    /// A notification.
    pub fn notification()(
        id in uuid(),
        changes in changes(),
        created_at in timestamp(),
    ) -> Notification {
        Notification { id, changes, created_at }
    }
}
