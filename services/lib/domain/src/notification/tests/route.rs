//! Rules as tables.

use super::super::matcher::{HostPattern, Matcher, Mismatch, Pattern};
use super::super::route::{Routes, Rule};
use super::{down, host, opened, unattended};
use crate::change::Severity;

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

#[test]
fn a_matcher_says_what_does_not_fit() {
    let any = Matcher::default;
    let fits = |matcher: Matcher| matcher.check(&host(), &opened());
    for (matcher, fitting) in [
        (any(), Ok(())),
        (
            Matcher {
                groups: patterns(&["x", "shop"]),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                groups: patterns(&["x"]),
                ..any()
            },
            Err("group"),
        ),
        (
            Matcher {
                targets: patterns(&["web-*"]),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                targets: patterns(&["db-*"]),
                ..any()
            },
            Err("target"),
        ),
        (
            Matcher {
                tags: patterns(&["us", "eu"]),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                tags: patterns(&["us"]),
                ..any()
            },
            Err("tag"),
        ),
        (
            Matcher {
                zones: patterns(&["dmz"]),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                zones: patterns(&["default"]),
                ..any()
            },
            Err("zone"),
        ),
        (
            Matcher {
                hosts: hosts(&["*.example.org"]),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                hosts: hosts(&["192.0.2.0/28"]),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                hosts: hosts(&["192.0.2.*"]),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                hosts: hosts(&["192.0.2.8", "ftp*"]),
                ..any()
            },
            Err("host"),
        ),
        (
            Matcher {
                kinds: patterns(&["port.opened"]),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                kinds: patterns(&["host.*"]),
                ..any()
            },
            Err("kind"),
        ),
        (
            Matcher {
                ports: Some("20-30".parse().unwrap()),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                ports: Some("80".parse().unwrap()),
                ..any()
            },
            Err("ports"),
        ),
        (
            Matcher {
                expected: Some(false),
                ..any()
            },
            Ok(()),
        ),
        (
            Matcher {
                expected: Some(true),
                ..any()
            },
            Err("expected"),
        ),
        (
            Matcher {
                severity: Some(Severity::High),
                ..any()
            },
            Ok(()),
        ),
    ] {
        assert_eq!(
            fits(matcher.clone()),
            fitting.map_err(Mismatch),
            "{matcher:?}"
        );
    }
    let high = Matcher {
        severity: Some(Severity::High),
        ..any()
    };
    assert_eq!(high.check(&host(), &down()), Err(Mismatch("severity")));
    let of_port = Matcher {
        ports: Some("all".parse().unwrap()),
        ..any()
    };
    assert_eq!(of_port.check(&host(), &down()), Err(Mismatch("ports")));
    let expected = Matcher {
        expected: Some(false),
        ..any()
    };
    assert_eq!(expected.check(&host(), &down()), Err(Mismatch("expected")));
    let (zone, change) = unattended();
    let of_zone = Matcher {
        zones: patterns(&["dmz"]),
        ..any()
    };
    assert_eq!(of_zone.check(&zone, &change), Ok(()));
    let of_group = Matcher {
        groups: patterns(&["*"]),
        ..any()
    };
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
        assert_eq!(routes(go_on).way(&host(), &change).channels, channels);
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
    assert_eq!(routes.way(&host(), &opened()).channels, ["chat"]);
    let nobody = routes.way(&host(), &down());
    assert_eq!(nobody.channels, [""; 0]);
    assert_eq!(nobody.steps.len(), 1);
    assert_eq!(routes.unknown_channels(&["chat"]), []);
    routes.rules[0].channels.push("pagr".to_owned());
    assert_eq!(routes.unknown_channels(&["chat"]), [("hosts", "pagr")]);
}
