use portwatch_domain::change::{Change, ChangeId, HostRecord, Severity, Transition};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::PortState;
use portwatch_domain::target::Target;
use portwatch_store::history::HistoryFilter;
use portwatch_store::outbox::Topic;
use portwatch_store::snapshots::{Applied, Decide, Decided};
use portwatch_store::{Store, StoreError};

use crate::samples::{apply, at, differ, evidence, ip, message, part, report, sync, target};

pub async fn one_target(store: &Store) -> Target {
    let target = target("a");
    sync(store, std::slice::from_ref(&target)).await;
    target
}

pub async fn a_part_is_applied_once(store: Store) {
    let target = one_target(&store).await;
    assert_eq!(
        apply(&store, &target, 1, vec![report(ip(1), "22")]).await,
        Applied::Applied
    );
    let before = store.hosts(target.id).await.unwrap();
    assert_eq!(
        apply(&store, &target, 1, vec![report(ip(1), "80")]).await,
        Applied::Duplicate
    );
    assert_eq!(store.hosts(target.id).await.unwrap(), before);
    assert_eq!(store.outbox_depth(Topic::Change).await.unwrap(), 1);
}

pub async fn a_part_of_an_unknown_target_is_dropped(store: Store) {
    let unknown = target("never saved");
    assert_eq!(
        apply(&store, &unknown, 1, vec![report(ip(1), "22")]).await,
        Applied::NoTarget
    );
    assert_eq!(store.outbox_depth(Topic::Change).await.unwrap(), 0);
    // Nothing was noted either: when the target is there, the part counts.
    sync(&store, std::slice::from_ref(&unknown)).await;
    assert_eq!(
        apply(&store, &unknown, 1, vec![report(ip(1), "22")]).await,
        Applied::Applied
    );
}

pub async fn the_newest_history_comes_first(store: Store) {
    let target = one_target(&store).await;
    for run in 1..=5 {
        let open = if run % 2 == 1 { "22" } else { "" };
        apply(&store, &target, run, vec![report(ip(1), open)]).await;
    }
    let all = store
        .history(HistoryFilter::of(target.id, 100))
        .await
        .unwrap();
    assert_eq!(
        all.len(),
        6,
        "the host came up, and five transitions of port 22"
    );
    assert!(
        all.windows(2)
            .all(|pair| pair[0].change.at >= pair[1].change.at)
    );
    assert_eq!(all[0].change.at, at(5));
    assert_eq!(
        store
            .history(HistoryFilter::of(target.id, 3))
            .await
            .unwrap(),
        all[..3]
    );
}

/// Applies a decision that fails, and checks that nothing of it is left.
async fn fails(store: &Store, decide: Decide) -> StoreError {
    let target = one_target(store).await;
    apply(store, &target, 1, vec![report(ip(1), "22")]).await;
    let (hosts, history) = (
        store.hosts(target.id).await.unwrap(),
        store
            .history(HistoryFilter::of(target.id, 10))
            .await
            .unwrap(),
    );
    let reports = vec![report(ip(1), "80")];
    let job = JobId::derive(target.id, 2, 0);
    let part = part(&target, job, 0, &reports);
    let error = store
        .apply_snapshot(part.clone(), decide)
        .await
        .unwrap_err();
    assert_eq!(store.hosts(target.id).await.unwrap(), hosts);
    assert_eq!(
        store
            .history(HistoryFilter::of(target.id, 10))
            .await
            .unwrap(),
        history
    );
    assert_eq!(store.outbox_depth(Topic::Change).await.unwrap(), 1);
    // Not even the note that the part was here, so that it can be applied when it comes again.
    let again = store
        .apply_snapshot(part, differ(reports, 2, job, at(2)))
        .await;
    assert_eq!(again.unwrap(), Applied::Applied);
    assert!(!error.is_temporary(), "{error}");
    error
}

/// All that the differ would save, and a change of this port.
fn with_change_of(port: Port) -> Decide {
    Box::new(move |loaded| {
        let target = loaded.target.id;
        let job = JobId::derive(target, 2, 0);
        let mut decided = differ(vec![report(ip(1), "80")], 2, job, at(2))(loaded);
        decided.outbox.push(message(Topic::Change, job.0));
        let transition = Transition::Port {
            port,
            before: PortState::Closed,
            after: PortState::Open,
            evidence: evidence(),
            expected: false,
            service: None,
        };
        let id = ChangeId::of_port(target, ip(1), port, 1);
        decided.history.push((
            ip(1),
            Change {
                id,
                transition,
                severity: Severity::High,
                quiet: false,
                at: at(2),
            },
        ));
        decided
    })
}

pub async fn a_panic_saves_nothing(store: Store) {
    fails(&store, Box::new(|_| panic!("this panic is part of a test"))).await;
}

pub async fn a_violated_constraint_saves_nothing(store: Store) {
    let error = fails(&store, with_change_of(Port::tcp(0))).await;
    assert!(
        error.to_string().starts_with("applying a snapshot: "),
        "{error}"
    );
}

pub async fn a_host_that_was_not_loaded_is_refused(store: Store) {
    let decide: Decide = Box::new(|loaded| {
        let mut decided = Decided {
            hosts: loaded.hosts,
            ..Decided::default()
        };
        decided.hosts.push(HostRecord::new(ip(77)));
        decided
    });
    let error = fails(&store, decide).await;
    assert!(error.to_string().contains("198.18.0.77"), "{error}");
}

pub async fn a_port_that_was_left_out_is_forgotten(store: Store) {
    let target = one_target(&store).await;
    apply(
        &store,
        &target,
        1,
        vec![report(ip(1), "22,80"), report(ip(2), "22")],
    )
    .await;
    let reports = [report(ip(1), ""), report(ip(2), "")];
    let part = part(&target, JobId::derive(target.id, 2, 0), 0, &reports);
    let decide: Decide = Box::new(|mut loaded| {
        loaded.hosts[0].ports.remove(&Port::tcp(22));
        Decided {
            hosts: loaded.hosts,
            ..Decided::default()
        }
    });
    store.apply_snapshot(part, decide).await.unwrap();
    let hosts = store.hosts(target.id).await.unwrap();
    assert_eq!(hosts[0].ports.keys().collect::<Vec<_>>(), [&Port::tcp(80)]);
    assert_eq!(hosts[1].ports.keys().collect::<Vec<_>>(), [&Port::tcp(22)]);
}

pub async fn an_older_run_changes_nothing(store: Store) {
    let target = one_target(&store).await;
    apply(&store, &target, 2, vec![report(ip(1), "22")]).await;
    let (hosts, history) = (
        store.hosts(target.id).await.unwrap(),
        store
            .history(HistoryFilter::of(target.id, 10))
            .await
            .unwrap(),
    );
    assert_eq!(
        apply(&store, &target, 1, vec![report(ip(1), "80")]).await,
        Applied::Applied
    );
    assert_eq!(store.hosts(target.id).await.unwrap(), hosts);
    assert_eq!(
        store
            .history(HistoryFilter::of(target.id, 10))
            .await
            .unwrap(),
        history
    );
    assert_eq!(store.outbox_depth(Topic::Change).await.unwrap(), 1);
}
