//! Rules as tables.

use super::super::matcher::{HostPattern, Matcher, Mismatch, Pattern};
use super::super::route::{Digest, Routes, Rule, Share};
use super::{down, host, opened, unattended};
use jiff::Timestamp;

use crate::change::{Change, Changes, Severity};

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn hosts(texts: &[&str]) -> Vec<HostPattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn patterns_match_whole_texts_without_regard_to_case() {
    for (pattern, text, fits) in [
        ("web", "web", true),
        ("web", "WEB", true),
        ("web", "web-1", false),
        ("web*", "web-1", true),
        ("*web", "web-1", false),
        ("*", "", true),
        ("port.*", "port.opened", true),
        ("*.opened", "port.opened", true),
        ("w*b*1", "web-b-1", true),
        ("w*b*1", "w1", false),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("*a*b*", "xxaxxbxx", true),
        ("*b*a*", "xxaxxbxx", false),
    ] {
        let pattern: Pattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(text), fits, "{pattern} {text:?}");
    }
    assert!(" ".parse::<Pattern>().is_err());
}

fn matcher(fill: impl FnOnce(&mut Matcher)) -> Matcher {
    let mut matcher = Matcher::default();
    fill(&mut matcher);
    matcher
}

#[test]
fn a_matcher_says_what_does_not_fit() {
    for (matcher, fitting) in [
        (matcher(|_| {}), Ok(())),
        (matcher(|m| m.groups = patterns(&["x", "shop"])), Ok(())),
        (matcher(|m| m.groups = patterns(&["x"])), Err("group")),
        (matcher(|m| m.targets = patterns(&["web-*"])), Ok(())),
        (matcher(|m| m.targets = patterns(&["db-*"])), Err("target")),
        (matcher(|m| m.tags = patterns(&["us", "eu"])), Ok(())),
        (matcher(|m| m.tags = patterns(&["us"])), Err("tag")),
        (matcher(|m| m.zones = patterns(&["dmz"])), Ok(())),
        (matcher(|m| m.zones = patterns(&["default"])), Err("zone")),
        (matcher(|m| m.hosts = hosts(&["*.example.org"])), Ok(())),
        (matcher(|m| m.hosts = hosts(&["192.0.2.0/28"])), Ok(())),
        (matcher(|m| m.hosts = hosts(&["192.0.2.*"])), Ok(())),
        (
            matcher(|m| m.hosts = hosts(&["192.0.2.8", "ftp*"])),
            Err("host"),
        ),
        (matcher(|m| m.kinds = patterns(&["port.opened"])), Ok(())),
        (matcher(|m| m.kinds = patterns(&["host.*"])), Err("kind")),
        (matcher(|m| m.ports = "20-30".parse().ok()), Ok(())),
        (matcher(|m| m.ports = "80".parse().ok()), Err("ports")),
        (matcher(|m| m.expected = Some(false)), Ok(())),
        (matcher(|m| m.expected = Some(true)), Err("expected")),
        (matcher(|m| m.severity = Some(Severity::High)), Ok(())),
    ] {
        let fits = matcher.check(&host(), &opened());
        assert_eq!(fits, fitting.map_err(Mismatch), "{matcher:?}");
    }
}

#[test]
fn what_a_change_is_not_about_does_not_fit() {
    for (matcher, misfit) in [
        (matcher(|m| m.severity = Some(Severity::High)), "severity"),
        (matcher(|m| m.ports = "all".parse().ok()), "ports"),
        (matcher(|m| m.expected = Some(false)), "expected"),
    ] {
        assert_eq!(matcher.check(&host(), &down()), Err(Mismatch(misfit)));
    }
    let (zone, change) = unattended();
    let of_zone = matcher(|m| m.zones = patterns(&["dmz"]));
    assert_eq!(of_zone.check(&zone, &change), Ok(()));
    let of_group = matcher(|m| m.groups = patterns(&["*"]));
    assert_eq!(of_group.check(&zone, &change), Err(Mismatch("group")));
}

fn rule(name: &str, kinds: &[&str], channels: &[&str], go_on: bool) -> Rule {
    Rule {
        name: name.to_owned(),
        matcher: Matcher {
            kinds: patterns(kinds),
            ..Matcher::default()
        },
        channels: channels.iter().map(ToString::to_string).collect(),
        go_on,
        digest: None,
    }
}

#[test]
fn the_first_rule_that_fits_counts_unless_it_goes_on() {
    let routes = |go_on| Routes {
        rules: vec![
            rule("hosts", &["host.*"], &["pager"], false),
            rule("ports", &["port.*"], &["chat", "mail"], go_on),
            rule("all", &["*"], &["mail", "log"], false),
            rule("never", &["*"], &["never"], false),
        ],
        default: vec!["default".to_owned()],
    };
    for (go_on, change, channels) in [
        (false, opened(), vec!["chat", "mail"]),
        (true, opened(), vec!["chat", "mail", "log"]),
        (true, down(), vec!["pager"]),
    ] {
        assert_eq!(routes(go_on).way(&host(), &change).channels(), channels);
    }
    let routes = routes(false);
    let way = routes.way(&host(), &opened());
    let steps: Vec<_> = way
        .steps
        .iter()
        .map(|step| (step.rule.unwrap_or("default"), step.told.is_ok()))
        .collect();
    assert_eq!(steps, [("hosts", false), ("ports", true)]);
}

#[test]
fn what_no_rule_is_about_goes_the_default_way_and_a_rule_can_tell_nobody() {
    let mut routes = Routes {
        rules: vec![rule("hosts", &["host.*"], &[], true)],
        default: vec!["chat".to_owned()],
    };
    assert_eq!(routes.way(&host(), &opened()).channels(), ["chat"]);
    let nobody = routes.way(&host(), &down());
    assert_eq!(nobody.channels(), [""; 0]);
    assert_eq!(nobody.steps.len(), 1);
    assert_eq!(routes.unknown_channels(&["chat"]), []);
    routes.rules[0].channels.push("pagr".to_owned());
    assert_eq!(routes.unknown_channels(&["chat"]), [("hosts", "pagr")]);
}

#[test]
fn changes_are_shared_out() {
    let digest = Digest {
        cron: "0 8 * * *".parse().unwrap(),
        time_zone: "UTC".to_owned(),
    };
    let daily = Rule {
        digest: Some(digest.clone()),
        ..rule("daily", &["*"], &["mail"], true)
    };
    let routes = Routes {
        rules: vec![
            daily,
            rule("ports", &["port.*"], &["chat", "mail"], true),
            rule("hosts", &["host.*"], &["pager"], true),
        ],
        default: vec!["chat".to_owned()],
    };
    let changes = |changes: Vec<Change>| Changes {
        about: host(),
        notify: true,
        job: None,
        changes,
    };
    let shared = |quiet: &dyn Fn(&Change) -> bool| {
        let changes = changes(vec![opened(), down(), opened()]);
        let shares = routes.share(&changes, quiet);
        let share = |share: &Share<'_>| {
            let in_digest = share.stop.digest.is_some();
            (
                share.stop.channel.to_owned(),
                in_digest,
                share.places.clone(),
            )
        };
        shares.iter().map(share).collect::<Vec<_>>()
    };
    let to = |channel: &str, in_digest, places: &[usize]| {
        (channel.to_owned(), in_digest, places.to_vec())
    };
    assert_eq!(
        shared(&|_| false),
        [
            to("mail", true, &[0, 1, 2]),
            to("chat", false, &[0, 2]),
            to("mail", false, &[0, 2]),
            to("pager", false, &[1]),
        ]
    );
    let quiet = |change: &Change| change.transition.port().is_some();
    assert_eq!(
        shared(&quiet),
        [to("mail", true, &[1]), to("pager", false, &[1])]
    );
    assert_eq!(shared(&|_| true), []);

    let at: Timestamp = "2026-03-01T07:59:00Z".parse().unwrap();
    assert_eq!(digest.after(at).to_string(), "2026-03-01T08:00:00Z");
    assert_eq!(
        digest.after(digest.after(at)).to_string(),
        "2026-03-02T08:00:00Z"
    );
}
