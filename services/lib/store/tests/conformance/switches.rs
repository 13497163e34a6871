//! Switches that are set in the place of what a target's source says.

use portwatch_domain::target::{Switches, Switching, Target};
use portwatch_store::Store;
use portwatch_store::targets::SetSwitches;

use crate::samples::{LEASE, SOURCE, at, sync, target};

const ON: Switches = Switches {
    enabled: true,
    notify: true,
    history: true,
};

fn these(enabled: Option<bool>, notify: Option<bool>) -> SetSwitches {
    SetSwitches::These(Switching {
        enabled,
        notify,
        history: None,
    })
}

async fn counts(store: &Store) -> Switches {
    store.targets().await.unwrap().remove(0).switches
}

pub async fn what_is_set_goes_before_what_the_source_says(store: Store) {
    let listed = target("a");
    sync(&store, std::slice::from_ref(&listed)).await;
    let quiet = Switches {
        notify: false,
        ..ON
    };
    let set = store.set_switches(listed.id, these(None, Some(false)), "anna", at(1));
    assert_eq!(set.await.unwrap(), Some(quiet));
    let synced = store.sync_targets(SOURCE, std::slice::from_ref(&listed), at(2));
    assert_eq!(synced.await.unwrap().updated, 0, "nothing new");
    assert_eq!(counts(&store).await, quiet);

    // What the source says of the others is followed.
    let other = Target {
        switches: Switches {
            history: false,
            ..ON
        },
        ..listed.clone()
    };
    let synced = store.sync_targets(SOURCE, &[other], at(3)).await;
    assert_eq!(synced.unwrap().updated, 1);
    let both = Switches {
        history: false,
        ..quiet
    };
    assert_eq!(counts(&store).await, both);
    let state = store.target_states().await.unwrap().remove(0);
    assert_eq!(
        (state.set.notify, state.set.history),
        (Some(false), None),
        "what is set is shown"
    );
    assert_eq!(
        (state.source.as_str(), state.set_by.as_deref()),
        (SOURCE, Some("anna"))
    );

    let reset = store.set_switches(listed.id, SetSwitches::AsConfigured, "anna", at(4));
    let configured = Switches {
        history: false,
        ..ON
    };
    assert_eq!(reset.await.unwrap(), Some(configured));
    let state = store.target_states().await.unwrap().remove(0);
    assert_eq!((state.set, state.set_by), (Switching::default(), None));

    let log: Vec<_> = store.audit(10).await.unwrap();
    let said: Vec<_> = log
        .iter()
        .map(|entry| (entry.about.as_str(), entry.detail.as_str()))
        .collect();
    assert_eq!(
        said,
        [("default/a", "as configured"), ("default/a", "notify off")]
    );
}

pub async fn a_source_that_comes_to_say_the_same_is_followed_again(store: Store) {
    let listed = target("a");
    sync(&store, std::slice::from_ref(&listed)).await;
    for is_on in [false, true] {
        let set = store.set_switches(listed.id, these(None, Some(is_on)), "anna", at(1));
        assert_eq!(set.await.unwrap().unwrap().notify, is_on);
    }
    let log = store.audit(1).await.unwrap();
    assert_eq!(log[0].detail, "notify on", "what was asked for");
    let quiet = Target {
        switches: Switches {
            notify: false,
            ..ON
        },
        ..listed
    };
    sync(&store, &[quiet]).await;
    assert!(!counts(&store).await.notify);
}

pub async fn a_target_that_is_switched_on_is_due_at_once(store: Store) {
    let off = Target {
        switches: Switches {
            enabled: false,
            ..ON
        },
        ..target("a")
    };
    sync(&store, std::slice::from_ref(&off)).await;
    let due = store.claim_due(at(900), 10, LEASE).await.unwrap();
    assert!(due.is_empty(), "it is switched off");
    let set = store.set_switches(off.id, these(Some(true), None), "anna", at(901));
    assert!(set.await.unwrap().unwrap().enabled);
    let state = store.target_states().await.unwrap().remove(0);
    assert_eq!(state.next_due_at, at(901));
    let due = store.claim_due(at(901), 10, LEASE).await.unwrap();
    assert_eq!(due.len(), 1);

    // A new switch of another kind makes nothing due.
    let due = store.target_states().await.unwrap().remove(0).next_due_at;
    let set = store.set_switches(off.id, these(None, Some(false)), "anna", at(902));
    set.await.unwrap().unwrap();
    let state = store.target_states().await.unwrap().remove(0);
    assert_eq!(state.next_due_at, due);
}

pub async fn nothing_is_set_of_what_is_not_listed(store: Store) {
    let gone = target("a");
    sync(&store, std::slice::from_ref(&gone)).await;
    sync(&store, &[]).await;
    for id in [gone.id, target("never").id] {
        let set = store.set_switches(id, these(None, Some(false)), "anna", at(1));
        assert_eq!(set.await.unwrap(), None);
    }
    assert_eq!(store.audit(10).await.unwrap(), []);
}
