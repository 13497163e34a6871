//! What is told of a host that is known.

use super::super::{Change, ChangeId, ChangeKind, Severity, Transition};
use super::world::{Watch, at, ip, seen, set, silent};
use crate::ports::Port;
use crate::snapshot::service::SafeText;
use crate::snapshot::{Answer, Evidence, HostReport, HostState, PortState, Service};

/// A host whose ports 22 and 80 of 1 to 100 are known open.
fn known() -> Watch {
    let mut watch = Watch::of("1-100");
    watch.scan(&seen("1-100", "22,80", "", "", ""));
    watch
}

const NOTHING: [&str; 0] = [];

#[test]
fn opened_closed_filtered_each_once() {
    let mut watch = known();
    let closed = seen("1-100", "22", "80", "", "");
    assert_eq!(watch.news(&closed), ["port.closed tcp/80"]);
    assert_eq!(watch.news(&closed), NOTHING);
    assert_eq!(
        watch.news(&seen("1-100", "22,80", "", "", "")),
        ["port.opened tcp/80"]
    );
    let filtered = seen("1-100", "22", "", "80", "");
    assert_eq!(watch.news(&filtered), ["port.filtered tcp/80"]);
    assert_eq!(watch.news(&filtered), NOTHING);
    assert_eq!(watch.record.ports[&Port::tcp(80)].transition, 4);
}

#[test]
fn between_closed_and_filtered_is_history_not_news() {
    let mut watch = known();
    watch.scan(&seen("1-100", "22", "80", "", ""));
    let changes = watch.scan(&seen("1-100", "22", "", "80", ""));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].kind(), ChangeKind::PortFiltered);
    assert!(!changes[0].is_news());
}

#[test]
fn a_summary_does_not_close_what_was_open() {
    let mut watch = known();
    assert_eq!(watch.scan(&seen("1-100", "22", "", "", "")), []);
    assert_eq!(watch.scan(&seen("1-100", "22", "", "", "80")), []);
    assert_eq!(watch.record.open(), set("22,80"));
    let unconfirmed = &watch.record.ports[&Port::tcp(80)];
    assert_eq!(
        unconfirmed.last_seen,
        at(10),
        "and does not confirm it either"
    );
}

#[test]
fn a_summary_confirms_what_it_agrees_with() {
    let mut watch = known();
    watch.scan(&seen("1-100", "22", "80", "", ""));
    watch.scan(&seen("1-100", "22", "", "", "80"));
    assert_eq!(
        watch.record.ports[&Port::tcp(80)].last_seen,
        at(20),
        "filtered is not closed"
    );
    watch.scan(&seen("1-100", "22", "", "", ""));
    assert_eq!(watch.record.ports[&Port::tcp(80)].last_seen, at(40));
    assert_eq!(watch.record.ports[&Port::tcp(80)].since, at(20));
}

#[test]
fn a_host_that_goes_down_is_one_change_and_closes_nothing() {
    let mut watch = known();
    let down = silent(HostState::Down, false);
    assert_eq!(watch.news(&down), ["host.down"]);
    assert_eq!(watch.news(&down), NOTHING);
    assert_eq!(watch.record.open(), set("22,80"));
    assert_eq!(watch.record.last_seen, Some(at(10)));
    assert_eq!(watch.record.since, Some(at(20)));
    let news = watch.news(&seen("1-100", "22", "80", "", ""));
    assert_eq!(news, ["host.up", "port.closed tcp/80"]);
}

#[test]
fn a_blind_scan_changes_nothing() {
    let mut watch = known();
    let before = watch.record.clone();
    assert_eq!(watch.scan(&silent(HostState::Unknown, false)), []);
    watch.record.runs.clone_from(&before.runs);
    assert_eq!(watch.record, before);
}

#[test]
fn a_suspect_host_is_one_change_and_its_ports_stay() {
    let mut watch = known();
    let suspect = silent(HostState::Up, true);
    assert_eq!(watch.news(&suspect), ["host.suspect"]);
    assert_eq!(watch.news(&suspect), NOTHING);
    assert_eq!(watch.record.open(), set("22,80"));
    assert_eq!(watch.news(&seen("1-100", "22,80", "", "", "")), NOTHING);
    assert!(!watch.record.suspect);
    assert_eq!(
        watch.news(&suspect),
        ["host.suspect"],
        "and again when it is again"
    );
}

#[test]
fn changes_say_why_and_whether_it_was_expected() {
    let mut watch = known();
    watch.target.expected = Some(set("22,443"));
    let changes = watch.scan(&seen("1-100", "22,25", "80", "", ""));
    let said: Vec<(Port, Answer, bool)> = changes
        .iter()
        .map(|change| match change.transition {
            Transition::Port {
                port,
                evidence,
                expected,
                ..
            } => (port, evidence.answer, expected),
            _ => panic!("only ports changed"),
        })
        .collect();
    assert_eq!(
        said,
        [
            (Port::tcp(25), Answer::SynAck, false),
            (Port::tcp(80), Answer::Rst, true)
        ]
    );
    assert!(changes.iter().all(|change| change.at == at(20)));
}

/// The ports of the record with what listens there.
fn remembered(watch: &Watch) -> Vec<(u16, Option<String>)> {
    let ports = watch.record.ports.iter();
    let told = ports.map(|(port, record)| {
        let service = record.service.as_ref();
        let text = service.and_then(Service::description);
        (port.number, text.map(ToOwned::to_owned))
    });
    told.collect()
}

#[test]
fn what_listens_there_is_told_with_the_change_and_kept_until_the_port_closes() {
    let with = |mut report: HostReport, text: &str| -> HostReport {
        for verdict in &mut report.ports {
            verdict.service = Some(Service {
                product: Some(SafeText::new(text)),
                ..Service::default()
            });
        }
        report
    };
    let kept = |text: &str| vec![(22, Some(text.to_owned()))];
    let mut watch = Watch::of("1-100");
    watch.scan(&seen("1-100", "", "", "", ""));
    let changes = watch.scan(&with(seen("1-100", "22", "", "", ""), "first"));
    let [change] = changes.as_slice() else {
        panic!("one port opened: {changes:?}")
    };
    let Transition::Port {
        service: Some(told),
        ..
    } = &change.transition
    else {
        panic!("it says what listens there: {change:?}")
    };
    assert_eq!(told.description(), Some("first"));
    assert_eq!(remembered(&watch), kept("first"));
    watch.scan(&seen("1-100", "22", "", "", ""));
    assert_eq!(remembered(&watch), kept("first"), "it was not asked again");
    assert_eq!(
        watch.news(&with(seen("1-100", "22", "", "", ""), "second")),
        ["port.service tcp/22"],
        "another program"
    );
    assert_eq!(remembered(&watch), kept("second"));

    let changes = watch.scan(&with(seen("1-100", "", "22", "", ""), "a lie"));
    let Transition::Port { service, .. } = &changes[0].transition else {
        panic!("the port closed: {changes:?}")
    };
    assert_eq!(*service, None, "nothing listens on a closed port");
    assert_eq!(remembered(&watch), [(22, None)]);
    watch.scan(&seen("1-100", "22", "", "", ""));
    assert_eq!(
        remembered(&watch),
        [(22, None)],
        "who listens now is not known"
    );
}

/// Every transition there can be: its kind, and whether anybody is told.
#[test]
fn kinds_and_news() {
    use ChangeKind::{HostDown, HostSuspect, HostUp, PortClosed, PortFiltered, PortOpened};
    use PortState::{Closed, Filtered, Open, Unknown};
    let change = |transition| Change {
        id: ChangeId::of_host(super::world::target("1").id, ip(), 1),
        severity: Severity::of(&transition),
        transition,
        quiet: false,
        at: at(0),
    };
    for (before, after, kind, is_news) in [
        (Unknown, Open, PortOpened, false),
        (Unknown, Closed, PortClosed, false),
        (Unknown, Filtered, PortFiltered, false),
        (Closed, Open, PortOpened, true),
        (Filtered, Open, PortOpened, true),
        (Open, Closed, PortClosed, true),
        (Open, Filtered, PortFiltered, true),
        (Filtered, Closed, PortClosed, false),
        (Closed, Filtered, PortFiltered, false),
    ] {
        let change = change(Transition::Port {
            port: Port::tcp(22),
            before,
            after,
            evidence: Evidence {
                answer: Answer::NoResponse,
                ttl: None,
                rtt: None,
                probes: 3,
            },
            expected: false,
            service: None,
        });
        assert_eq!(change.kind(), kind, "{before} to {after}");
        assert_eq!(change.is_news(), is_news, "{before} to {after}");
    }
    for (before, after, suspect, kind, is_news) in [
        (HostState::Unknown, HostState::Up, false, HostUp, false),
        (HostState::Unknown, HostState::Down, false, HostDown, false),
        (HostState::Unknown, HostState::Up, true, HostSuspect, false),
        (HostState::Up, HostState::Down, false, HostDown, true),
        (HostState::Down, HostState::Up, false, HostUp, true),
        (HostState::Down, HostState::Up, true, HostSuspect, true),
        (HostState::Up, HostState::Up, true, HostSuspect, true),
    ] {
        let change = change(Transition::Host {
            before,
            after,
            suspect,
        });
        assert_eq!(change.kind(), kind, "{before} to {after}");
        assert_eq!(change.is_news(), is_news, "{before} to {after}");
    }
}
