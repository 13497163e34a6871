#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::SignedDuration;
use portwatch_domain::target::Every;
use proptest::prelude::*;

use super::*;
use crate::roxy_wi::compare::{Becomes, compare};
use crate::roxy_wi::contract::{Listed, Monitoring};
use crate::settings::GroupSettings;

const INSTALLATION: Uuid = Uuid::from_u128(7);

const ON: Switches = Switches {
    enabled: true,
    notify: true,
    history: true,
};

fn server(id: u64, name: &str, ip: &str) -> Server {
    Server {
        listed: Listed {
            id,
            group: 2,
            name: name.to_owned(),
            ip: ip.to_owned(),
            enabled: true,
            is_virtual: false,
        },
        switches: Some(ON),
        user: 0,
    }
}

fn seen(servers: Vec<Server>) -> Seen {
    Seen {
        groups: [(2, "lab-east".to_owned())].into(),
        servers,
        monitoring: Monitoring {
            interval: Some(SignedDuration::from_mins(7)),
            keep_history: Some(SignedDuration::from_hours(24 * 14)),
        },
    }
}

fn rules(groups: &[GroupSettings]) -> Rules {
    Rules {
        prefix: String::new(),
        group_names: BTreeMap::new(),
        groups: Groups::read(groups).unwrap(),
    }
}

fn planned(seen: &Seen) -> Vec<Target> {
    plan(seen, &rules(&[]), &[], INSTALLATION).targets()
}

#[test]
fn switches_and_the_server_s_own_decide_together() {
    let off = Switches {
        enabled: false,
        notify: false,
        history: false,
    };
    let quiet = Switches {
        notify: false,
        ..ON
    };
    for (enabled, said, switches) in [
        (true, Some(ON), ON),
        (true, Some(quiet), quiet),
        (
            false,
            Some(ON),
            Switches {
                enabled: false,
                ..ON
            },
        ),
        (true, None, off),
        (false, None, off),
    ] {
        let mut server = server(1, "lb-1", "127.0.0.2");
        (server.listed.enabled, server.switches) = (enabled, said);
        assert_eq!(planned(&seen(vec![server]))[0].switches, switches);
    }
}

#[test]
fn the_settings_of_a_group_go_before_what_holds_for_all() {
    let group = |name: &str| GroupSettings {
        name: name.to_owned(),
        ..GroupSettings::default()
    };
    let usual = Every::Interval(SignedDuration::from_mins(7));
    let hour = SignedDuration::from_hours(1);
    let seen = seen(vec![server(1, "lb-1", "127.0.0.2")]);
    let with = |settings: GroupSettings| plan(&seen, &rules(&[settings]), &[], INSTALLATION);

    let plain = with(group("other"));
    assert_eq!(plain.targets[0].target.schedule.every, usual);
    assert_eq!(plain.retention.len(), 1);
    assert_eq!(plain.retention[0].group, "lab-east");

    let mut own = group("lab-east");
    (own.interval, own.enabled) = (Some(hour), Some(false));
    let own = with(own);
    assert_eq!(own.targets[0].target.schedule.every, Every::Interval(hour));
    assert!(
        own.targets[0].target.switches.enabled,
        "switches are Roxy-WI's"
    );

    let mut keeps = group("lab-east");
    keeps.keep_history = Some(hour);
    assert!(
        with(keeps).retention.is_empty(),
        "the settings say it themselves"
    );
}

#[test]
fn a_server_has_one_address() {
    for (ip, wanted) in [
        ("127.0.0.2", Ok("127.0.0.2")),
        ("[::1]", Ok("::1")),
        ("Web.Example.", Ok("web.example")),
        ("10.0.0.0/8", Err("more than one")),
        ("10.0.0.1-10.0.0.9", Err("more than one")),
        ("", Err("is not a target")),
        ("10.0.0.1; rm", Err("is not a target")),
        ("fe80::1%eth0", Err("names an interface")),
    ] {
        match (address(ip), wanted) {
            (Ok(is), Ok(wanted)) => assert_eq!(is, wanted),
            (Err(is), Err(wanted)) => {
                assert!(is.contains(wanted) && is.contains("in Roxy-WI"), "{is}");
            }
            (is, _) => panic!("{ip}: {is:?}"),
        }
    }
}

#[test]
fn a_refused_server_that_is_off_is_nobody_s_trouble() {
    let mut wrong = server(1, "lb-1", "nowhere at all");
    let on = plan(&seen(vec![wrong.clone()]), &rules(&[]), &[], INSTALLATION);
    assert_eq!((on.targets.len(), on.refused.len()), (0, 1));
    wrong.listed.enabled = false;
    let off = plan(&seen(vec![wrong]), &rules(&[]), &[], INSTALLATION);
    assert_eq!((off.targets.len(), off.refused.len()), (0, 0));
}

fn any_server() -> impl Strategy<Value = Server> {
    let names = prop::sample::select(vec!["a", "b", "it's", "", "x y"]);
    let ips = prop::sample::select(vec![
        "127.0.0.2",
        "::1",
        "db.example",
        "10.0.0.0/8",
        "nowhere at all",
        "",
    ]);
    let switches = prop::option::of(any::<(bool, bool, bool)>());
    (
        0_u64..6,
        1_u64..4,
        names,
        ips,
        any::<(bool, bool)>(),
        switches,
    )
        .prop_map(
            |(id, group, name, ip, (enabled, is_virtual), switches)| Server {
                listed: Listed {
                    id,
                    group,
                    name: name.to_owned(),
                    ip: ip.to_owned(),
                    enabled,
                    is_virtual,
                },
                switches: switches.map(|(enabled, notify, history)| Switches {
                    enabled,
                    notify,
                    history,
                }),
                user: 0,
            },
        )
}

fn any_seen() -> impl Strategy<Value = Seen> {
    prop::collection::vec(any_server(), 0..8).prop_map(|mut servers| {
        servers.sort_by_key(|server| server.listed.id);
        servers.dedup_by_key(|server| server.listed.id);
        seen(servers)
    })
}

proptest! {
    /// Whatever becomes of servers: ids are theirs, each once; a second look changes nothing; what is refused stays as
    /// it was but for its switches; nothing is scanned that is virtual or switched off.
    #[test]
    fn plans_follow_each_other(before in any_seen(), after in any_seen()) {
        let rules = rules(&[]);
        let first = plan(&before, &rules, &[], INSTALLATION).targets();
        let second = plan(&after, &rules, &first, INSTALLATION);
        let targets = second.targets();
        prop_assert!(compare(&targets, &plan(&after, &rules, &targets, INSTALLATION).targets()).is_empty());

        let mut ids: Vec<_> = targets.iter().map(|target| target.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), targets.len());
        for planned in &second.targets {
            let server = after.servers.iter().find(|server| server.listed.id == planned.server);
            let server = server.unwrap();
            prop_assert_eq!(planned.target.id, id(planned.server, INSTALLATION));
            prop_assert!(!server.listed.is_virtual);
            let scanned = server.listed.enabled && server.switches.is_some_and(|said| said.enabled);
            prop_assert_eq!(planned.target.switches.enabled, scanned);
            prop_assert!(planned.target.check().is_ok());
            if address(&server.listed.ip).is_err() {
                let known = first.iter().find(|target| target.id == planned.target.id).unwrap();
                let kept = Target { switches: planned.target.switches, ..known.clone() };
                prop_assert_eq!(&planned.target, &kept);
            }
        }
        for difference in compare(&first, &targets) {
            prop_assert_eq!(difference.what.is_empty(), difference.becomes == Becomes::Gone);
        }
    }
}
