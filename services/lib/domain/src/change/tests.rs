//! The diff: what is told, what is not, and that nothing is told twice.

#![expect(clippy::unwrap_used, reason = "tests")]

mod baseline;
mod properties;
mod transitions;
mod world;

use uuid::Uuid;

use super::*;

fn host_changes(changes: Vec<Change>) -> HostChanges {
    HostChanges {
        target: TargetId(Uuid::from_u128(1)),
        target_name: "web".to_owned(),
        group: "default".to_owned(),
        notify: true,
        job: JobId(Uuid::from_u128(2)),
        ip: "192.0.2.7".parse().unwrap(),
        host_name: None,
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
    let change = |transition| Change {
        id: ChangeId::of_host(target, "192.0.2.7".parse().unwrap(), transition),
        transition: Transition::Host {
            before: HostState::Up,
            after: HostState::Down,
            suspect: false,
        },
        at: Timestamp::UNIX_EPOCH,
    };
    let told = host_changes(vec![change(1), change(2)]);
    assert_eq!(told.id(), host_changes(vec![change(1)]).id());
    assert_ne!(told.id(), host_changes(vec![change(2)]).id());
    let of_another_job = HostChanges {
        job: JobId(Uuid::from_u128(3)),
        ..told.clone()
    };
    let of_another_host = HostChanges {
        ip: "192.0.2.8".parse().unwrap(),
        ..told.clone()
    };
    assert_ne!(told.id(), of_another_job.id());
    assert_ne!(told.id(), of_another_host.id());
    assert_eq!(told.host(), "192.0.2.7");
    let named = HostChanges {
        host_name: Some("www.example.org".to_owned()),
        ..told
    };
    assert_eq!(named.host(), "www.example.org");
}

#[test]
fn kinds_return() {
    use ChangeKind::{HostDown, HostSuspect, HostUp, PortClosed, PortFiltered, PortOpened};
    for (kind, word) in [
        (PortOpened, "port.opened"),
        (PortClosed, "port.closed"),
        (PortFiltered, "port.filtered"),
        (HostUp, "host.up"),
        (HostDown, "host.down"),
        (HostSuspect, "host.suspect"),
    ] {
        assert_eq!(kind.to_string(), word);
        assert_eq!(word.parse(), Ok(kind));
    }
    let error = "port.exploded".parse::<ChangeKind>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown kind of change \"port.exploded\""
    );
}
