//! What is expected, and how much a change matters by that.

use super::super::{Findings, Severity, Transition};
use super::world::{Watch, seen, set, silent};
use crate::snapshot::HostState;

/// Ports 22 and 80 of 1 to 100 are known open.
fn known(expected: Option<&str>, allowed: &str, approved: Option<&str>) -> Watch {
    let mut watch = Watch::of("1-100");
    watch.scan(&seen("1-100", "22,80", "", "", ""));
    watch.target.expected = expected.map(set);
    watch.target.allowed = set(allowed);
    watch.record.approved = approved.map(set);
    watch
}

/// What a change of port 25, which opens, and of port 80, which closes, are held to be.
fn judged(mut watch: Watch) -> [(bool, Severity); 2] {
    let changes = watch.scan(&seen("1-100", "22,25", "80", "", ""));
    let said = changes.iter().map(|change| match change.transition {
        Transition::Port { expected, .. } => (expected, change.severity),
        _ => panic!("{change:?}"),
    });
    said.collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn an_unexpected_opening_matters_most_and_what_is_as_it_should_be_least() {
    use Severity::{High, Info, Medium};
    let no_policy = known(None, "", None);
    assert_eq!(judged(no_policy), [(false, High), (false, Medium)]);
    let both_as_wanted = known(Some("22,25"), "", None);
    assert_eq!(judged(both_as_wanted), [(true, Info), (true, Info)]);
    let neither = known(Some("22,80"), "", None);
    assert_eq!(judged(neither), [(false, High), (false, Medium)]);
    let may_be_open = known(Some("22,80"), "20-30", None);
    assert_eq!(judged(may_be_open), [(true, Info), (false, Medium)]);
    let only_allowed = known(None, "25,80", None);
    assert_eq!(judged(only_allowed), [(true, Info), (false, Medium)]);
}

#[test]
fn what_was_approved_for_a_host_goes_before_what_the_target_expects() {
    use Severity::{High, Info, Medium};
    let approved = known(Some("22,80"), "", Some("22,25"));
    assert_eq!(judged(approved), [(true, Info), (true, Info)]);
    let nothing = known(Some("22,25"), "", Some(""));
    assert_eq!(judged(nothing), [(false, High), (true, Info)]);
    let no_longer = known(Some("22,25"), "", Some("80"));
    assert_eq!(judged(no_longer), [(false, High), (false, Medium)]);
}

#[test]
fn a_host_knows_how_it_differs_from_its_policy() {
    for (expected, allowed, approved, unexpected_open, expected_closed) in [
        (None, "", None, 0, 0),
        (Some("22,80"), "", None, 0, 0),
        (Some("22,90,91"), "", None, 1, 2),
        (Some("22,90,91,200"), "70-80", None, 0, 2),
        (Some("22,90"), "", Some("22,80"), 0, 0),
        (None, "", Some(""), 2, 0),
    ] {
        let mut watch = known(expected, allowed, approved);
        watch.scan(&seen("1-100", "22,80", "", "", ""));
        let findings = Findings {
            unexpected_open,
            expected_closed,
        };
        assert_eq!(
            watch.record.findings, findings,
            "{expected:?} {allowed} {approved:?}"
        );
    }
}

#[test]
fn a_host_that_is_down_misses_nothing_more() {
    let mut watch = known(Some("22,90"), "", None);
    watch.scan(&seen("1-100", "22,80", "", "", ""));
    assert_eq!(watch.record.findings.expected_closed, 1);
    let changes = watch.scan(&silent(HostState::Down, false));
    assert_eq!(changes[0].severity, Severity::High);
    assert_eq!(watch.record.findings.expected_closed, 0);
    assert_eq!(watch.record.findings.unexpected_open, 1);
}
