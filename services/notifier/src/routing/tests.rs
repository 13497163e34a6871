#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use jiff::SignedDuration;
use portwatch_runtime::settings::load;
use serde::Deserialize;

use super::*;
use crate::channels;

#[derive(Deserialize)]
struct File {
    notifier: Settings,
}

const CHANNELS: &str = "[[notifier.channels]]\nname = 'chat'\nkind = 'mattermost'\nurl = 'http://127.0.0.1:9/'\n\
     [[notifier.channels]]\nname = 'pager'\nkind = 'pagerduty'\ntoken = '0123456789abcdef0123456789abcdef'\n\
     [[notifier.channels]]\nname = 'alerts'\nkind = 'alertmanager'\nurl = 'http://127.0.0.1:9/'\n";

fn settings(text: &str) -> Settings {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portwatch.toml");
    std::fs::write(&file, format!("[notifier]\n{text}")).unwrap();
    load::<File>(Some(&file), std::iter::empty())
        .unwrap()
        .notifier
}

fn read(text: &str) -> Result<Routing, String> {
    let settings = settings(text);
    let channels = channels::configured(&settings).unwrap();
    Routing::read(&settings, &channels).map_err(|error| error.to_string())
}

#[test]
fn without_rules_every_channel_is_told() {
    let routing = read(CHANNELS).unwrap();
    assert_eq!(routing.routes.default, ["chat", "pager", "alerts"]);
    assert_eq!(routing.routes.rules, []);
    let routing = read(&format!("default = ['chat']\n{CHANNELS}")).unwrap();
    assert_eq!(routing.routes.default, ["chat"]);
}

#[test]
fn rules_are_read_in_their_order() {
    let routing = read(&format!(
        "{CHANNELS}[[notifier.routes]]\nname = 'bad'\nmatch = {{ severity = 'high', ports = '22,3389', expected = \
         false }}\nchannels = 'pager,chat'\ncontinue = true\n\
         [[notifier.routes]]\nname = 'daily'\nchannels = ['chat']\ndigest = '0 8 * * *'\ntime_zone = \
         'Europe/Berlin'\n[[notifier.maintenance]]\nname = 'sunday'\nmatch.groups = ['db-*']\nwindows = 'Sun \
         02:00-04:00'\n"
    ))
    .unwrap();
    let [bad, daily] = routing.routes.rules.as_slice() else {
        panic!("two rules");
    };
    assert_eq!(bad.channels, ["pager", "chat"]);
    assert!(bad.go_on && bad.digest.is_none());
    assert_eq!(bad.matcher.expected, Some(false));
    assert!(!daily.go_on);
    assert_eq!(daily.digest.as_ref().unwrap().time_zone, "Europe/Berlin");
    assert_eq!(routing.maintenance[0].windows.len(), 1);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let route = |rest: &str| format!("{CHANNELS}[[notifier.routes]]\nname = 'night'\n{rest}");
    let window =
        |rest: &str| format!("{CHANNELS}[[notifier.maintenance]]\nname = 'sunday'\n{rest}");
    for (text, expected) in [
        (
            route("channels = ['pagr']"),
            "notifier.routes.night.channels: there is no channel \"pagr\"; there are chat, pager, alerts",
        ),
        (
            route("match = { ports = '99999' }"),
            "notifier.routes.night: match.ports: ",
        ),
        (
            route("match = { severity = 'huge' }"),
            "notifier.routes.night: match.severity: unknown severity \"huge\"",
        ),
        (
            route("match = { groups = [' '] }"),
            "notifier.routes.night: match.groups: an empty pattern",
        ),
        (
            route("digest = 'daily'"),
            "notifier.routes.night: digest: \"daily\" is not a cron expression",
        ),
        (
            route("digest = '0 8 * * *'\ntime_zone = 'Mars'"),
            "notifier.routes.night: digest: \"Mars\" is not a time zone",
        ),
        (
            route("time_zone = 'UTC'"),
            "notifier.routes.night: time_zone: it goes with digest",
        ),
        (
            route("[[notifier.routes]]\nname = 'night'"),
            "notifier.routes.night: name: another route has it",
        ),
        (
            format!("{CHANNELS}[[notifier.routes]]\n"),
            "notifier.routes.0: name: it needs one",
        ),
        (
            format!("default = ['mail']\n{CHANNELS}"),
            "notifier.default: there is no channel \"mail\"",
        ),
        (window(""), "notifier.maintenance.sunday: windows: say when"),
        (
            window("windows = ['noon']"),
            "notifier.maintenance.sunday: windows: \"noon\" is not a window",
        ),
        (
            window("windows = ['Sun 02:00-04:00']\ntime_zone = 'Mars'"),
            "notifier.maintenance.sunday: time_zone: \"Mars\"",
        ),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn people_are_told_together_and_programs_at_once() {
    let settings = settings(&format!("group_wait = '10s'\n{CHANNELS}storm = 3\n"));
    let channels = channels::configured(&settings).unwrap();
    let habits: Vec<_> = channels.iter().map(Channel::habits).collect();
    assert_eq!(habits[0].wait, SignedDuration::from_secs(10));
    assert_eq!(habits[0].interval, SignedDuration::from_mins(5));
    assert_eq!(habits[0].storm, Some(20));
    assert_eq!(habits[2].wait, SignedDuration::ZERO);
    assert_eq!(habits[2].storm, Some(3), "its own setting");
    let long = Duration::from_hours(25).as_secs();
    let settings = self::settings(&format!("group_wait = '{long}s'\n{CHANNELS}"));
    let error = channels::configured(&settings).err().unwrap().to_string();
    assert_eq!(error, "notifier.channels.chat.group_wait: from 0s to 24h");
}
