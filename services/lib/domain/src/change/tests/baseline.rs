//! Nobody is told what was there before Portwatch looked.

use super::super::{HostRecord, Transition};
use super::world::{Watch, seen, set, silent, words};
use crate::ports::Port;
use crate::snapshot::{HostState, PortState};

#[test]
fn the_first_scan_is_silent_and_makes_history() {
    let mut watch = Watch::of("1-100");
    let changes = watch.scan(&seen("1-100", "22,80", "23", "24", "30-40"));
    assert!(changes.iter().all(|change| !change.is_news()));
    let told: Vec<String> = changes.iter().map(words).collect();
    assert_eq!(
        told,
        ["host.up", "port.opened tcp/22", "port.opened tcp/80"]
    );
    for change in &changes {
        match change.transition {
            Transition::Host { before, .. } => assert_eq!(before, HostState::Unknown),
            Transition::Port { before, .. } => assert_eq!(before, PortState::Unknown),
            _ => panic!("{change:?}"),
        }
    }
    assert_eq!(watch.record.open(), set("22,80"));
    assert_eq!(watch.record.baseline, set("1-100"));
}

#[test]
fn a_port_that_was_closed_or_filtered_at_first_is_news_when_it_opens() {
    let mut watch = Watch::of("1-100");
    watch.scan(&seen("1-100", "22", "23", "24", "30-40"));
    let news = watch.news(&seen("1-100", "22,23,24,30,50", "", "", "31-40"));
    let opened = [23, 24, 30, 50].map(|port| format!("port.opened tcp/{port}"));
    assert_eq!(news, opened);
}

#[test]
fn a_port_that_the_first_scan_could_not_judge_has_its_baseline_later() {
    let mut watch = Watch::of("1-100");
    watch.scan(&seen("1-50", "22", "", "", ""));
    assert_eq!(watch.news(&seen("1-100", "22,80", "", "", "")), [""; 0]);
    assert_eq!(
        watch.news(&seen("1-100", "22", "80", "", "")),
        ["port.closed tcp/80"]
    );
}

#[test]
fn a_host_that_is_down_at_first_is_not_news_but_its_coming_is() {
    let mut watch = Watch::of("1-100");
    assert_eq!(watch.news(&silent(HostState::Down, false)), [""; 0]);
    assert_eq!(watch.record.state, HostState::Down);
    // Its ports were never seen before: their baseline is now.
    assert_eq!(watch.news(&seen("1-100", "22", "", "", "")), ["host.up"]);
    assert_eq!(
        watch.news(&seen("1-100", "22,80", "", "", "")),
        ["port.opened tcp/80"]
    );
}

#[test]
fn a_scan_that_was_blind_at_first_leaves_nothing() {
    let mut watch = Watch::of("1-100");
    assert_eq!(watch.scan(&silent(HostState::Unknown, false)), []);
    assert_eq!(watch.record.runs.newest(), 1);
    watch.record.runs = HostRecord::new(watch.record.ip).runs;
    assert_eq!(watch.record, HostRecord::new(watch.record.ip));
}

#[test]
fn ports_added_later_are_silent_once() {
    let mut watch = Watch::of("22");
    watch.scan(&seen("22", "22", "", "", ""));
    watch.target.ports = set("22,80,443");
    assert_eq!(watch.news(&seen("22,80,443", "22,80", "", "", "")), [""; 0]);
    assert_eq!(watch.record.open(), set("22,80"));
    let news = watch.news(&seen("22,80,443", "22,443", "80", "", ""));
    assert_eq!(news, ["port.opened tcp/443", "port.closed tcp/80"]);
}

#[test]
fn ports_taken_out_and_added_again_are_silent() {
    let mut watch = Watch::of("22,80");
    watch.scan(&seen("22,80", "22,80", "", "", ""));
    watch.target.ports = set("22");
    // A job made before the change still scans it; nothing comes of that.
    assert_eq!(watch.news(&seen("22,80", "22", "80", "", "")), [""; 0]);
    assert_eq!(watch.record.ports[&Port::tcp(80)].state, PortState::Open);

    watch.target.ports = set("22,80");
    let changes = watch.scan(&seen("22,80", "22", "80", "", ""));
    let told: Vec<String> = changes.iter().map(words).collect();
    assert_eq!(told, ["port.closed tcp/80"], "for the history");
    assert!(!changes[0].is_news());
    assert_eq!(
        watch.news(&seen("22,80", "22,80", "", "", "")),
        ["port.opened tcp/80"]
    );
}

#[test]
fn a_port_still_open_when_added_again_is_silent() {
    let mut watch = Watch::of("22,80");
    watch.scan(&seen("22,80", "22,80", "", "", ""));
    watch.target.ports = set("22");
    watch.scan(&seen("22", "22", "", "", ""));
    watch.target.ports = set("22,80");
    assert_eq!(watch.news(&seen("22,80", "22,80", "", "", "")), [""; 0]);
    assert_eq!(
        watch.news(&seen("22,80", "22", "", "80", "")),
        ["port.filtered tcp/80"]
    );
}
