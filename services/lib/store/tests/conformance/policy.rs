//! What is expected of hosts.

use portwatch_domain::change::Findings;
use portwatch_domain::ports::PortSet;
use portwatch_domain::target::{Target, TargetId};
use portwatch_store::Store;
use portwatch_store::policy::{Approval, Approve, Approved, FindingTotals, Unexpected};

use crate::samples::{SOURCE, apply, at, ip, ports, report, sync, target};

/// A target that should have 22 and 443 open, with two hosts of which one has.
async fn one_differs(store: &Store) -> Target {
    let target = Target {
        expected: Some(ports("22,443")),
        ..target("a")
    };
    sync(store, std::slice::from_ref(&target)).await;
    let reports = vec![report(ip(1), "22,443"), report(ip(2), "22,80")];
    apply(store, &target, 1, reports).await;
    target
}

fn approval(target: TargetId, ports: Approve) -> Approval {
    Approval {
        target,
        ip: None,
        ports,
        by: "an operator".to_owned(),
        now: at(5),
    }
}

fn totals(unexpected_open: u64, expected_closed: u64) -> FindingTotals {
    FindingTotals {
        unexpected_open,
        expected_closed,
    }
}

pub async fn what_is_not_as_expected_is_listed(store: Store) {
    let target = one_differs(&store).await;
    let differs = Unexpected {
        target: target.id,
        target_name: "a".to_owned(),
        ip: ip(2),
        name: None,
        findings: Findings {
            unexpected_open: 1,
            expected_closed: 1,
        },
    };
    for of in [None, Some(target.id)] {
        let found = store.unexpected(of, 10).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&differs));
    }
    let other = TargetId::derive(SOURCE, "b");
    assert_eq!(store.unexpected(Some(other), 10).await.unwrap(), []);
    assert_eq!(store.unexpected(None, 0).await.unwrap(), []);
    assert_eq!(store.findings().await.unwrap(), totals(1, 1));

    apply(&store, &target, 2, vec![report(ip(2), "80")]).await;
    assert_eq!(store.findings().await.unwrap(), totals(1, 2));
    // What nobody lists any more is no finding.
    store.sync_targets(SOURCE, &[], at(9)).await.unwrap();
    assert_eq!(store.unexpected(None, 10).await.unwrap(), []);
    assert_eq!(store.findings().await.unwrap(), totals(0, 0));
}

pub async fn what_is_approved_goes_before_what_is_expected(store: Store) {
    let target = one_differs(&store).await;
    let approved = |ip, ports| Approved {
        ip,
        ports: Some(ports),
    };
    let open_now = approval(target.id, Approve::OpenNow);
    assert_eq!(
        store.approve(open_now.clone()).await.unwrap(),
        [
            approved(ip(1), ports("22,443")),
            approved(ip(2), ports("22,80"))
        ]
    );
    assert_eq!(store.findings().await.unwrap(), totals(0, 0));
    // Scans compare with it, and leave it as it is.
    apply(&store, &target, 2, vec![report(ip(2), "22,443")]).await;
    assert_eq!(store.findings().await.unwrap(), totals(1, 1));
    let hosts = store.hosts(target.id).await.unwrap();
    assert_eq!(hosts[1].approved, Some(ports("22,80")));

    let one = |ports| Approval {
        ip: Some(ip(2)),
        ..approval(target.id, ports)
    };
    let explicit = store.approve(one(Approve::Ports(ports("443"))));
    assert_eq!(explicit.await.unwrap(), [approved(ip(2), ports("443"))]);
    assert_eq!(store.findings().await.unwrap(), totals(1, 0));
    let none = store.approve(one(Approve::Ports(PortSet::empty())));
    assert_eq!(none.await.unwrap(), [approved(ip(2), PortSet::empty())]);
    assert_eq!(store.findings().await.unwrap(), totals(2, 0));
    let withdrawn = Approved {
        ip: ip(2),
        ports: None,
    };
    assert_eq!(
        store.approve(one(Approve::Withdraw)).await.unwrap(),
        [withdrawn]
    );
    assert_eq!(store.findings().await.unwrap(), totals(0, 0));
    let hosts = store.hosts(target.id).await.unwrap();
    assert_eq!(hosts[0].approved, Some(ports("22,443")));
    assert_eq!(hosts[1].approved, None);
}

pub async fn nothing_is_approved_for_what_is_not_known(store: Store) {
    let target = one_differs(&store).await;
    let unknown_host = Approval {
        ip: Some(ip(9)),
        ..approval(target.id, Approve::OpenNow)
    };
    assert_eq!(store.approve(unknown_host).await.unwrap(), []);
    let unknown = approval(TargetId::derive(SOURCE, "b"), Approve::OpenNow);
    assert_eq!(store.approve(unknown).await.unwrap(), []);
    assert_eq!(store.findings().await.unwrap(), totals(1, 1));
}
