use jiff::SignedDuration;
use portwatch_domain::target::{Schedule, Switches, Target, TargetId};
use portwatch_store::Store;
use portwatch_store::history::HistoryFilter;
use portwatch_store::targets::Synced;

use crate::samples::{LEASE, SOURCE, apply, at, ip, ports, report, sync, take_run, target};

fn everything() -> Target {
    Target {
        group: "branch \"north\", Ω".to_owned(),
        zone: "dmz-1".parse().unwrap(),
        addresses: [
            "192.0.2.1",
            "198.18.0.0/22",
            "198.18.8.1-198.18.8.9",
            "db.example.org",
            "fd00:198:18::/120",
        ]
        .map(|text| text.parse().unwrap())
        .to_vec(),
        exclude: ["198.18.1.0/24", "198.18.8.2"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        ports: ports("22,80,8000-8100,udp:53"),
        expected: Some(ports("22")),
        schedule: Schedule::every(SignedDuration::from_millis(1500)),
        rate: u32::MAX,
        switches: Switches {
            enabled: false,
            notify: false,
            history: false,
        },
        ..target("every field")
    }
}

pub async fn what_is_saved_comes_back(store: Store) {
    let nothing_expected = Target {
        expected: Some(portwatch_domain::ports::PortSet::empty()),
        ..target("nothing expected")
    };
    let saved = [everything(), nothing_expected, target("plain")];
    sync(&store, &saved).await;
    assert_eq!(store.targets().await.unwrap(), saved);
    let with = async |address: &str| store.targets_with(address).await.unwrap();
    for address in ["db.example.org", "192.0.2.1", "fd00:198:18::/120"] {
        assert_eq!(with(address).await, [everything().id], "{address}");
    }
    assert_eq!(with("198.18.0.0/24").await.len(), 2);
    assert_eq!(with("198.18.0.1").await, []);
}

pub async fn a_sync_creates_updates_and_retires(store: Store) {
    let counts = |created, updated, retired| Synced {
        created,
        updated,
        retired,
    };
    let first = [target("a"), target("b")];
    assert_eq!(
        store.sync_targets(SOURCE, &first, at(0)).await.unwrap(),
        counts(2, 0, 0)
    );
    assert_eq!(
        store.sync_targets(SOURCE, &first, at(1)).await.unwrap(),
        counts(0, 0, 0)
    );

    let renamed = Target {
        group: "other".to_owned(),
        ..target("a")
    };
    let second = [renamed, target("c")];
    assert_eq!(
        store.sync_targets(SOURCE, &second, at(2)).await.unwrap(),
        counts(1, 1, 1)
    );
    assert_eq!(store.targets().await.unwrap(), second);

    assert_eq!(
        store.sync_targets(SOURCE, &[], at(3)).await.unwrap(),
        counts(0, 0, 2)
    );
    assert!(store.targets().await.unwrap().is_empty());
    assert!(
        store
            .claim_due(at(10_000), 10, LEASE)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub async fn a_sync_touches_no_other_source(store: Store) {
    sync(&store, &[target("a")]).await;
    let other = Target {
        id: TargetId::derive("command-line", "a"),
        ..target("a")
    };
    let synced = store
        .sync_targets("command-line", std::slice::from_ref(&other), at(0))
        .await
        .unwrap();
    assert_eq!((synced.created, synced.retired), (1, 0));
    assert_eq!(store.targets_of("command-line").await.unwrap(), [other]);
    assert_eq!(store.targets_of(SOURCE).await.unwrap(), [target("a")]);
    let synced = store
        .sync_targets("command-line", &[], at(0))
        .await
        .unwrap();
    assert_eq!(synced.retired, 1);
    assert_eq!(store.targets_of("command-line").await.unwrap(), []);
    assert_eq!(store.targets().await.unwrap(), [target("a")]);
}

pub async fn only_a_new_schedule_makes_a_target_due(store: Store) {
    sync(&store, &[target("a")]).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    assert!(take_run(&store, crate::samples::run(&due[0], &[], at(0))).await);
    assert_eq!(store.next_due().await.unwrap(), Some(at(300)));

    let same_slot = Target {
        group: "other".to_owned(),
        rate: 7,
        expected: Some(ports("22")),
        switches: Switches {
            notify: false,
            ..Switches::default()
        },
        ..target("a")
    };
    store
        .sync_targets(SOURCE, std::slice::from_ref(&same_slot), at(10))
        .await
        .unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(300)));

    let interval = Target {
        schedule: Schedule::every(SignedDuration::from_secs(60)),
        ..same_slot
    };
    let more_ports = Target {
        ports: ports("22,23"),
        ..interval.clone()
    };
    let elsewhere = Target {
        addresses: vec!["198.18.7.0/24".parse().unwrap()],
        ..more_ports.clone()
    };
    for (seconds, changed) in [(20, interval), (30, more_ports), (40, elsewhere)] {
        store
            .sync_targets(SOURCE, &[changed], at(seconds))
            .await
            .unwrap();
        assert_eq!(store.next_due().await.unwrap(), Some(at(seconds)));
    }
}

pub async fn a_target_that_is_listed_again_takes_up_its_state(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    apply(&store, &target, 1, vec![report(ip(1), "22")]).await;
    let (hosts, history) = (
        store.hosts(target.id).await.unwrap(),
        store
            .history(HistoryFilter::of(target.id, 10))
            .await
            .unwrap(),
    );
    assert_eq!(
        (hosts.len(), history.len()),
        (1, 2),
        "the host came up, and port 22 opened"
    );

    store.sync_targets(SOURCE, &[], at(10)).await.unwrap();
    let synced = store
        .sync_targets(SOURCE, std::slice::from_ref(&target), at(20))
        .await
        .unwrap();
    assert_eq!(
        synced,
        Synced {
            created: 0,
            updated: 1,
            retired: 0
        }
    );
    assert_eq!(store.hosts(target.id).await.unwrap(), hosts);
    assert_eq!(
        store
            .history(HistoryFilter::of(target.id, 10))
            .await
            .unwrap(),
        history
    );
    let due = store.claim_due(at(20), 1, LEASE).await.unwrap();
    assert_eq!(
        due[0].slot,
        at(20),
        "the slots that passed meanwhile are not made up for"
    );
}

pub async fn a_target_that_is_listed_twice_is_refused(store: Store) {
    let refused = store
        .sync_targets(SOURCE, &[target("a"), target("a")], at(0))
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("\"a\" is listed twice")
    );
    assert!(store.targets().await.unwrap().is_empty());
}
