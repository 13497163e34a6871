//! When nobody is told.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::matcher::Matcher;
use super::super::quiet::{Maintenance, Quiet, Silence, quiet};
use super::{host, opened, unattended};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn of_shop() -> Matcher {
    Matcher {
        groups: vec!["shop".parse().unwrap()],
        ..Matcher::default()
    }
}

#[test]
fn a_silence_lasts_from_its_beginning_to_before_its_end() {
    let silence = Silence {
        id: Uuid::nil(),
        matcher: of_shop(),
        reason: "migration".to_owned(),
        author: "ada".to_owned(),
        from: at("2026-03-01T10:00:00Z"),
        until: at("2026-03-01T12:00:00Z"),
    };
    let silences = [silence];
    for (now, is_quiet) in [
        ("2026-03-01T09:59:59Z", false),
        ("2026-03-01T10:00:00Z", true),
        ("2026-03-01T11:59:59Z", true),
        ("2026-03-01T12:00:00Z", false),
    ] {
        let why = quiet(&silences, &[], &host(), &opened(), at(now));
        let by_silence = Some(Quiet::Silenced(&silences[0]));
        assert_eq!(why, by_silence.filter(|_| is_quiet), "{now}");
    }
    let (zone, change) = unattended();
    let elsewhere = quiet(&silences, &[], &zone, &change, at("2026-03-01T11:00:00Z"));
    assert_eq!(elsewhere, None);
}

#[test]
fn maintenance_recurs_in_its_own_time_zone() {
    let maintenance = [Maintenance {
        name: "patch night".to_owned(),
        matcher: of_shop(),
        windows: vec!["Sat 22:00-02:00".parse().unwrap()],
        time_zone: "Europe/Berlin".to_owned(),
    }];
    // 2026-03-28 is a Saturday; in the night after it clocks are set forward at 2.
    for (now, is_quiet) in [
        ("2026-03-28T20:59:59Z", false),
        ("2026-03-28T21:00:00Z", true),
        ("2026-03-29T00:59:59Z", true),
        ("2026-03-29T01:00:00Z", false),
        ("2026-03-29T21:30:00Z", false),
        ("2026-04-04T20:00:00Z", true),
    ] {
        let why = quiet(&[], &maintenance, &host(), &opened(), at(now));
        let maintained = Some(Quiet::Maintained(&maintenance[0]));
        assert_eq!(why, maintained.filter(|_| is_quiet), "{now}");
    }
}
