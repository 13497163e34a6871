//! The diff: what is told, what is not, and that nothing is told twice.

#![expect(clippy::unwrap_used, reason = "tests")]

mod baseline;
mod compare;
mod order;
mod policy;
mod properties;
mod soft;
mod transitions;
mod world;

use uuid::Uuid;

use crate::snapshot::HostState;

use super::*;

fn of_host(ip: &str, name: Option<&str>) -> About {
    About::Host {
        target: world::target("1").reference(),
        ip: ip.parse().unwrap(),
        name: name.map(ToOwned::to_owned),
    }
}

fn told(about: About, changes: Vec<Change>) -> Changes {
    Changes {
        about,
        notify: true,
        job: Some(JobId(Uuid::from_u128(2))),
        changes,
    }
}

#[test]
fn ids_are_of_target_address_port_and_transition() {
    let target = TargetId(Uuid::from_u128(1));
    let ip: IpAddr = "192.0.2.7".parse().unwrap();
    let id = ChangeId::of_port(target, ip, Port::tcp(22), 1);
    // Kept in history, and told to receivers: they may not become others by a change of the code.
    assert_eq!(id.0.to_string(), "768ec1d2-df0f-56e7-bb67-69618d55a619");
    assert_eq!(
        ChangeId::of_host(target, ip, 1).0.to_string(),
        "75891178-e1fd-577b-b976-ada309276c83"
    );
    let others = [
        ChangeId::of_port(TargetId(Uuid::from_u128(2)), ip, Port::tcp(22), 1),
        ChangeId::of_port(target, "192.0.2.8".parse().unwrap(), Port::tcp(22), 1),
        ChangeId::of_port(target, ip, Port::udp(22), 1),
        ChangeId::of_port(target, ip, Port::tcp(2), 21),
        ChangeId::of_port(target, ip, Port::tcp(22), 2),
        ChangeId::of_host(target, ip, 1),
    ];
    for other in others {
        assert_ne!(id, other);
    }
}

#[test]
fn what_is_told_together_has_an_id_of_its_own() {
    let target = TargetId(Uuid::from_u128(1));
    let change = |number| {
        let transition = Transition::Host {
            before: HostState::Up,
            after: HostState::Down,
            suspect: false,
        };
        Change {
            id: ChangeId::of_host(target, "192.0.2.7".parse().unwrap(), number),
            severity: Severity::of(&transition),
            transition,
            quiet: false,
            at: Timestamp::UNIX_EPOCH,
        }
    };
    let host = || of_host("192.0.2.7", None);
    let both = told(host(), vec![change(1), change(2)]);
    assert_eq!(both.id(), told(host(), vec![change(1)]).id());
    let target = || About::Target(world::target("1").reference());
    let others = [
        told(host(), vec![change(2)]),
        told(of_host("192.0.2.8", None), vec![change(1)]),
        told(target(), vec![change(1)]),
        Changes {
            job: Some(JobId(Uuid::from_u128(3))),
            ..both.clone()
        },
    ];
    for other in others {
        assert_ne!(both.id(), other.id());
    }
    assert_ne!(
        told(target(), vec![change(1)]).id(),
        told(target(), vec![change(2)]).id()
    );
}

#[test]
fn what_changes_are_about_has_a_name_and_an_order() {
    let named = told(of_host("192.0.2.7", Some("www.example.org")), Vec::new());
    let of = |about| told(about, Vec::new());
    let id = world::target("1").id;
    for (changes, subject, order) in [
        (
            of(of_host("192.0.2.7", None)),
            "192.0.2.7",
            format!("{id} 192.0.2.7"),
        ),
        (named, "www.example.org", format!("{id} 192.0.2.7")),
        (
            of(About::Target(world::target("1").reference())),
            "web",
            id.to_string(),
        ),
        (
            of(About::Zone(Zone::default())),
            "zone default",
            "zone default".to_owned(),
        ),
        (
            of(About::Channel("chat".to_owned())),
            "channel chat",
            "channel chat".to_owned(),
        ),
    ] {
        assert_eq!(changes.subject(), subject);
        assert_eq!(changes.order_key(), order);
    }
}

#[test]
fn kinds_return() {
    for word in [
        "port.opened",
        "port.closed",
        "port.filtered",
        "port.flapping",
        "port.steady",
        "port.service",
        "host.up",
        "host.down",
        "host.suspect",
        "host.flapping",
        "host.steady",
        "target.address",
        "target.overdue",
        "target.scanned",
        "zone.unattended",
        "zone.attended",
        "channel.off",
        "channel.on",
        "channel.test",
    ] {
        let kind: ChangeKind = word.parse().unwrap();
        assert_eq!(kind.to_string(), word);
    }
    let error = "port.exploded".parse::<ChangeKind>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown kind of change \"port.exploded\""
    );
}
