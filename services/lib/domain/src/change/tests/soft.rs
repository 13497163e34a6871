//! New states that wait for another scan, and states that change too often.

use super::super::Change;
use super::world::{Watch, at, seen, set, silent};
use crate::ports::{Port, PortSet};
use crate::snapshot::{HostReport, HostState, PortState};
use crate::target::Confirm;

const NOTHING: [&str; 0] = [];

/// Ports 22 and 80 of 1 to 100 are known open; opening, closing and going down take so many scans.
fn known(open: u8, close: u8, down: u8) -> Watch {
    let mut watch = Watch::of("1-100");
    watch.target.confirm = Confirm { open, close, down };
    watch.scan(&seen("1-100", "22,80", "", "", ""));
    watch
}

fn both_open() -> HostReport {
    seen("1-100", "22,80", "", "", "")
}

fn one_closed() -> HostReport {
    seen("1-100", "22", "80", "", "")
}

#[test]
fn the_baseline_needs_no_confirmation() {
    assert_eq!(known(9, 9, 9).record.open(), set("22,80"));
}

#[test]
fn a_closing_is_told_by_the_scan_that_confirms_it_and_dates_from_the_first() {
    let mut watch = known(1, 2, 1);
    let first = watch.apply(&one_closed());
    assert_eq!((first.changes, first.verify), (vec![], set("80")));
    assert_eq!(watch.record.open(), set("22,80"), "still");
    let second = watch.apply(&one_closed());
    assert_eq!(second.verify, PortSet::empty());
    assert_eq!(second.changes.len(), 1);
    assert_eq!(second.changes[0].at, at(20));
    assert_eq!(watch.record.ports[&Port::tcp(80)].since, at(20));
    assert_eq!(watch.record.ports[&Port::tcp(80)].last_seen, at(30));
    assert_eq!(watch.news(&one_closed()), NOTHING);
}

#[test]
fn what_another_scan_does_not_confirm_was_nothing() {
    let mut watch = known(2, 3, 1);
    for _ in 0..2 {
        assert_eq!(watch.news(&one_closed()), NOTHING);
        assert_eq!(watch.news(&one_closed()), NOTHING);
        assert_eq!(watch.news(&both_open()), NOTHING, "the count begins anew");
    }
    let opened = seen("1-100", "22,80,99", "", "", "");
    assert_eq!(watch.news(&opened), NOTHING);
    assert_eq!(watch.record.ports[&Port::tcp(99)].state, PortState::Closed);
    assert_eq!(watch.news(&both_open()), NOTHING, "closed, told in sum");
    assert!(!watch.record.ports.contains_key(&Port::tcp(99)));
    assert_eq!(watch.news(&opened), NOTHING);
    assert_eq!(watch.news(&opened), ["port.opened tcp/99"]);
    assert_eq!(watch.record.ports[&Port::tcp(99)].first_seen, at(100));
}

#[test]
fn a_port_that_was_not_covered_is_neither_confirmed_nor_denied() {
    let mut watch = known(1, 2, 1);
    assert_eq!(watch.apply(&one_closed()).verify, set("80"));
    let elsewhere = watch.apply(&seen("1-50", "22", "", "", ""));
    assert_eq!(
        elsewhere.verify,
        PortSet::empty(),
        "it was asked for already"
    );
    let only_that = seen("80", "", "80", "", "");
    assert_eq!(watch.news(&only_that), ["port.closed tcp/80"]);
}

#[test]
fn opening_and_closing_have_thresholds_of_their_own() {
    let mut watch = known(3, 1, 1);
    assert_eq!(watch.news(&one_closed()), ["port.closed tcp/80"]);
    assert_eq!(watch.news(&both_open()), NOTHING);
    assert_eq!(watch.news(&both_open()), NOTHING);
    assert_eq!(watch.news(&both_open()), ["port.opened tcp/80"]);
}

#[test]
fn closings_that_come_before_a_host_goes_down_are_held_until_it_is_back() {
    let mut watch = known(1, 2, 2);
    let down = silent(HostState::Down, false);
    assert_eq!(watch.news(&seen("1-100", "", "", "22,80", "")), NOTHING);
    let first = watch.apply(&down);
    assert_eq!(first.changes, []);
    assert_eq!(first.verify, set("22,80"), "by them it is seen to be down");
    assert_eq!(watch.record.state, HostState::Up);
    assert_eq!(watch.news(&down), ["host.down"]);
    assert_eq!(watch.record.since, Some(at(30)));
    assert_eq!(watch.record.open(), set("22,80"));

    assert_eq!(watch.news(&one_closed()), ["host.up"]);
    assert_eq!(watch.news(&one_closed()), ["port.closed tcp/80"]);
}

#[test]
fn a_host_that_answers_in_between_was_not_down() {
    let mut watch = known(1, 1, 2);
    for _ in 0..2 {
        assert_eq!(watch.news(&silent(HostState::Down, false)), NOTHING);
        assert_eq!(watch.news(&silent(HostState::Unknown, false)), NOTHING);
        assert_eq!(watch.news(&both_open()), NOTHING);
    }
    assert_eq!(watch.record.soft, None);
}

#[test]
fn openings_of_a_host_that_answers_open_on_everything_are_dropped() {
    let mut watch = known(2, 1, 1);
    assert_eq!(watch.news(&seen("1-100", "1-100", "", "", "")), NOTHING);
    assert_eq!(watch.news(&silent(HostState::Up, true)), ["host.suspect"]);
    assert_eq!(watch.record.ports.len(), 2);
    assert_eq!(watch.news(&seen("1-100", "1-100", "", "", "")), NOTHING);
    assert_eq!(watch.news(&silent(HostState::Up, true)), ["host.suspect"]);
}

#[test]
fn a_port_that_flaps_is_told_once_and_when_it_is_steady() {
    let mut watch = known(1, 1, 1);
    let mut news = Vec::new();
    let mut history = 0;
    for scan in 0..40 {
        let report = if scan % 2 == 0 {
            one_closed()
        } else {
            both_open()
        };
        let changes = watch.scan(&report);
        history += changes.len();
        news.extend(changes.into_iter().filter(Change::is_news));
    }
    let kinds: Vec<String> = news
        .iter()
        .map(|change| change.kind().to_string())
        .collect();
    let before = [
        "port.closed",
        "port.opened",
        "port.closed",
        "port.opened",
        "port.closed",
    ];
    assert_eq!(kinds[..5], before);
    assert_eq!(kinds[5..], ["port.flapping"]);
    assert_eq!(history, 41, "every transition, and the beginning");

    let steady: Vec<Vec<String>> = (0..30).map(|_| watch.news(&one_closed())).collect();
    let told: Vec<&String> = steady.iter().flatten().collect();
    assert_eq!(told, ["port.steady tcp/80"]);
    assert_eq!(watch.record.ports[&Port::tcp(80)].state, PortState::Closed);
    assert_eq!(watch.news(&both_open()), ["port.opened tcp/80"]);
}

#[test]
fn a_host_that_flaps_is_told_once_and_when_it_is_steady() {
    let mut watch = known(1, 1, 1);
    let mut told = Vec::new();
    for scan in 0..40 {
        let report = if scan % 2 == 0 {
            silent(HostState::Down, false)
        } else {
            both_open()
        };
        told.extend(watch.news(&report));
    }
    assert_eq!(told[5..], ["host.flapping"]);
    for _ in 0..30 {
        told.extend(watch.news(&both_open()));
    }
    assert_eq!(told[5..], ["host.flapping", "host.steady"]);
}

#[test]
fn a_summary_that_is_filtered_where_the_port_was_closed_counts_as_a_quiet_scan() {
    let mut watch = known(1, 1, 1);
    for report in [
        one_closed(),
        both_open(),
        one_closed(),
        both_open(),
        one_closed(),
    ] {
        watch.scan(&report);
    }
    assert_ne!(watch.record.ports[&Port::tcp(80)].flapping.window, 0);
    for _ in 0..20 {
        assert_eq!(watch.news(&seen("1-100", "22", "", "", "80")), NOTHING);
    }
    let port = &watch.record.ports[&Port::tcp(80)];
    assert_eq!((port.flapping.window, port.state), (0, PortState::Closed));
}
