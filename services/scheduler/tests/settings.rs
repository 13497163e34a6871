//! Groups and targets as operators write them.

#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::SignedDuration;
use portwatch_domain::target::{Confirm, Target};
use portwatch_runtime::settings;
use portwatch_scheduler::{Settings, Source};

fn read(text: &str) -> Settings {
    settings::parse(text, "portwatch.toml", []).unwrap()
}

fn targets(text: &str) -> Result<Vec<Target>, String> {
    let settings = read(text);
    let targets = Source::Settings.targets(&settings.groups, &settings.targets);
    targets.map_err(|error| error.to_string())
}

fn target(text: &str) -> Target {
    let targets = targets(text).unwrap();
    let [target] = targets.as_slice() else {
        panic!("{} targets", targets.len());
    };
    target.clone()
}

#[test]
fn a_target_needs_no_more_than_addresses() {
    let target = target("targets = [{ addresses = ['198.18.0.1', 'www.example'] }]");
    assert_eq!(target.name, "198.18.0.1,www.example");
    assert_eq!(
        (target.group.as_str(), target.zone.as_str()),
        ("default", "default")
    );
    assert_eq!((target.ports.len(), target.rate), (1000, 1000));
    assert_eq!(target.schedule.to_string(), "every 5m");
    assert_eq!(target.confirm, Confirm::default());
    assert_eq!((target.expected, target.allowed.is_empty()), (None, true));
    assert!(!target.discovery && !target.follow_names);
    let switches = target.switches;
    assert!(switches.enabled && switches.notify && switches.history);
}

const OFFICE: &str = "
    [[groups]]
    name = 'office'
    keep_history = '720h'
    zone = 'dmz'
    ports = '1-100'
    expected = 'none'
    allowed = '9000-9010'
    confirm_open = 2
    confirm_close = 3
    confirm_down = 4
    cron = '*/10 * * * *'
    time_zone = 'Europe/Berlin'
    closed = ['Mon-Fri 08:00-18:00', 'Sun 00:00-24:00']
    discovery = true
    follow_names = true
    rate = 50
    tags = ['internal', 'eu']
    enabled = false
    notify = false
    history = false
    [[groups]]
    name = 'default'
    rate = 7
    [[targets]]
    name = 'web'
    addresses = '198.18.0.1'
";

#[test]
fn a_target_says_what_its_group_says() {
    let web = target(&format!("{OFFICE}\ngroup = 'office'"));
    assert_eq!((web.group.as_str(), web.zone.as_str()), ("office", "dmz"));
    assert_eq!(web.ports.to_string(), "1-100");
    assert!(web.expected.unwrap().is_empty());
    assert_eq!(web.allowed.to_string(), "9000-9010");
    assert_eq!(
        [web.confirm.open, web.confirm.close, web.confirm.down],
        [2, 3, 4]
    );
    assert_eq!(
        web.schedule.to_string(),
        "at \"*/10 * * * *\" Europe/Berlin, not Mon-Fri 08:00-18:00 or Sun 00:00-24:00"
    );
    assert_eq!(
        (web.discovery, web.follow_names, web.rate),
        (true, true, 50)
    );
    assert_eq!(web.tags, ["internal", "eu"]);
    let switches = web.switches;
    assert!(!switches.enabled && !switches.notify && !switches.history);

    let alone = target(OFFICE);
    assert_eq!(
        (alone.group.as_str(), alone.rate),
        ("default", 7),
        "a group like any other"
    );
    let unlisted = target(&format!("{OFFICE}\ngroup = 'lab'"));
    assert_eq!((unlisted.group.as_str(), unlisted.rate), ("lab", 1000));
}

#[test]
fn what_a_target_says_goes_before_its_group() {
    let own = "
        group = 'office'
        zone = 'lan'
        ports = '22'
        expected = '22'
        allowed = 'none'
        confirm_close = 1
        interval = '1m'
        closed = []
        discovery = false
        rate = 51
        tags = []
        enabled = true
    ";
    let web = target(&format!("{OFFICE}\n{own}"));
    assert_eq!(
        (web.zone.as_str(), web.ports.to_string()),
        ("lan", "22".to_owned())
    );
    assert_eq!(
        (web.expected.unwrap().to_string(), web.allowed.is_empty()),
        ("22".to_owned(), true)
    );
    assert_eq!(
        [web.confirm.open, web.confirm.close, web.confirm.down],
        [2, 1, 4]
    );
    assert_eq!(web.schedule.to_string(), "every 1m");
    assert_eq!(
        (web.discovery, web.follow_names, web.rate),
        (false, true, 51)
    );
    assert!(web.tags.is_empty());
    assert!(web.switches.enabled && !web.switches.notify);
}

#[test]
fn history_is_kept_by_group() {
    let kept = read(OFFICE).retention();
    let [office] = kept.as_slice() else {
        panic!("{kept:?}");
    };
    assert_eq!(office.group, "office");
    assert_eq!(office.keep_history, SignedDuration::from_hours(30 * 24));
}

const WRONG_VALUES: &[(&str, &str)] = &[
    (
        "exclude = ['198.18.0.0/24', 'www.example']",
        "target \"web\": exclude: \"www.example\" is not",
    ),
    (
        "exclude = '198.18.0.0/24'",
        "target \"web\": exclude: the target \"web\" has no address left",
    ),
    ("ports = '80,'", "target \"web\": ports: empty item"),
    (
        "expected = 'x'",
        "target \"web\": expected: \"x\" is not a port",
    ),
    ("allowed = '0'", "target \"web\": allowed: "),
    (
        "zone = 'EU West'",
        "target \"web\": zone: \"EU West\" is not a zone",
    ),
    (
        "interval = '0s'",
        "target \"web\": interval: an interval under 1 s",
    ),
    (
        "cron = '* * * *'",
        "target \"web\": cron: \"* * * *\" is not a cron expression",
    ),
    (
        "cron = '* * * * *'\ninterval = '5m'",
        "target \"web\": interval and cron are both set",
    ),
    (
        "time_zone = 'Mars'",
        "target \"web\": time_zone: \"Mars\" is not a time zone",
    ),
    (
        "closed = 'at night'",
        "target \"web\": closed: \"at night\" is not a window",
    ),
    (
        "closed = '00:00-24:00'",
        "target \"web\": closed: its windows leave no time",
    ),
    (
        "confirm_open = 0",
        "target \"web\": confirm_open, confirm_close, confirm_down: ",
    ),
    (
        "rate = 0",
        "target \"web\": rate: the target \"web\" has a rate of 0",
    ),
];

#[test]
fn what_is_wrong_with_a_value_is_named_with_its_place() {
    let of_target = |line: &str| {
        targets(&format!(
            "[[targets]]\nname = 'web'\naddresses = '198.18.0.1'\n{line}"
        ))
        .unwrap_err()
    };
    for (line, expected) in WRONG_VALUES {
        let told = of_target(line);
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn what_is_wrong_with_a_table_is_named_with_its_place() {
    for (text, expected) in [
        (
            "[[targets]]\nname = 'web'",
            "target \"web\": addresses: the target \"web\" has no addresses",
        ),
        (
            "[[targets]]\naddresses = '0.0.0.0'",
            "target \"0.0.0.0\": addresses: ",
        ),
        (
            "[[targets]]\naddresses = 'a;b'",
            "target \"a;b\": addresses: \"a;b\" is not a target",
        ),
        (
            "[[groups]]\nrate = 5",
            "group \"\": name: a group needs one",
        ),
        (
            "[[groups]]\nname = 'x'\nports = 'y'",
            "group \"x\": ports: \"y\" is not a port",
        ),
        (
            "[[groups]]\nname = 'x'\nkeep_history = '0s'",
            "group \"x\": keep_history: ",
        ),
        (
            "[[groups]]\nname = 'x'\n[[groups]]\nname = 'x'",
            "group \"x\": another group has this name",
        ),
    ] {
        let told = targets(text).unwrap_err();
        assert!(told.starts_with(expected), "{told}");
    }
    let twice = "targets = [{ addresses = '198.18.0.1' }, { addresses = '198.18.0.1' }]";
    let told = targets(twice).unwrap_err();
    assert_eq!(told, "target \"198.18.0.1\": another target has this name");
    let unknown =
        settings::parse::<Settings>("[[groups]]\nname = 'x'\nintervall = '1m'", "x.toml", []);
    let told = unknown.unwrap_err().to_string();
    assert!(told.contains("did you mean `groups.0.interval`"), "{told}");
}
