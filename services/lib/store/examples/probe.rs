#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, missing_docs)]
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::{change::diff::diff, job::JobId, ports::*, snapshot::*, target::*};
use portwatch_store::{jobs::*, notifications::*, outbox::*, postgres::*, snapshots::*, *};
use std::time::Instant;
use uuid::Uuid;
fn target(n: usize, ports: &str) -> Target {
    Target {
        id: TargetId::derive("bench", &n.to_string()),
        name: n.to_string(),
        group: "g".into(),
        zone: Zone::default(),
        addresses: vec!["198.18.0.0/24".parse().unwrap()],
        exclude: vec![],
        ports: ports.parse().unwrap(),
        expected: None,
        interval: SignedDuration::from_secs(300),
        rate: 100,
        switches: Switches::default(),
    }
}
async fn part(store: &Store, t: &Target, run: u64, part: u32, open: u16) {
    let reports: Vec<HostReport> = (0..32u32)
        .map(|h| {
            let ip = std::net::Ipv4Addr::from_bits(0xc6120000 + part * 32 + h).into();
            HostReport {
                ip,
                name: None,
                state: HostState::Up,
                suspect: false,
                coverage: t.ports.clone(),
                filtered: PortSet::empty(),
                ports: (1..=open)
                    .map(|p| PortVerdict {
                        port: Port::tcp(p),
                        state: PortState::Open,
                        evidence: Evidence {
                            answer: Answer::SynAck,
                            ttl: Some(64),
                            rtt: Some(std::time::Duration::from_micros(run * 7 + u64::from(p))),
                            probes: 1,
                        },
                    })
                    .collect(),
            }
        })
        .collect();
    let now = Timestamp::now();
    let p = SnapshotPart {
        job: JobId::derive(t.id, run, 0),
        part,
        target: t.id,
        hosts: reports.iter().map(|r| r.ip).collect(),
        now,
    };
    let decide: Decide = Box::new(move |loaded| {
        let mut d = Decided::default();
        for (r, rec) in reports.iter().zip(loaded.hosts) {
            let o = diff(&loaded.target, rec, r, run, now);
            let ip = r.ip;
            d.history.extend(o.changes.into_iter().map(|c| (ip, c)));
            d.hosts.push(o.after);
        }
        d
    });
    assert_eq!(
        store.apply_snapshot(p, decide).await.unwrap(),
        Applied::Applied
    );
}
#[tokio::main]
async fn main() {
    let arg: Vec<String> = std::env::args().collect();
    let url = arg[2].clone();
    let store = if url.starts_with('/') {
        sqlite::open(std::path::Path::new(&url)).unwrap()
    } else {
        let s = PostgresSettings::new(url, 8);
        if arg[1] == "bench" {
            migrate(&s).await.unwrap();
        }
        connect(&s).await.unwrap()
    };
    if arg[1] == "bench" {
        let tasks: usize = arg[3].parse().unwrap();
        let open = 50;
        let targets: Vec<_> = (0..tasks).map(|n| target(n, "1-1000")).collect();
        store
            .sync_targets("bench", &targets, Timestamp::now())
            .await
            .unwrap();
        for (label, run, parts) in [
            ("baseline", 1u64, 20u32),
            ("unchanged", 2, 20),
            ("unchanged", 3, 20),
            ("unchanged", 4, 20),
        ] {
            let began = Instant::now();
            let mut set = tokio::task::JoinSet::new();
            for t in targets.clone() {
                let store = store.clone();
                set.spawn(async move {
                    for p in 0..parts {
                        part(&store, &t, run, p, open).await
                    }
                });
            }
            set.join_all().await;
            let s = began.elapsed().as_secs_f64();
            let hosts = tasks as f64 * f64::from(parts) * 32.0;
            println!(
                "{label}: {:.0} host-snapshots/s ({:.0} parts/s), {open} open ports each, {tasks} at once",
                hosts / s,
                hosts / 32.0 / s
            );
        }
        return;
    }
    let now = Timestamp::now();
    let l = SignedDuration::from_secs(30);
    let time = |label: &str, b: Instant| println!("{label}: {:?}", b.elapsed());
    for _ in 0..8 {
        let b = Instant::now();
        let due = store.claim_due(now, 100, l).await.unwrap();
        time("claim_due 100", b);
        let b = Instant::now();
        for d in &due {
            store
                .save_run(NewRun {
                    target: d.target.id,
                    slot: d.slot,
                    run: d.run,
                    next_slot: d.slot + SignedDuration::from_secs(300),
                    now,
                    jobs: vec![JobRow {
                        id: JobId::derive(d.target.id, d.run, 0),
                        parts: 1,
                        deadline: now + SignedDuration::from_secs(300),
                    }],
                    outbox: vec![OutboxMessage {
                        id: Uuid::new_v4(),
                        topic: Topic::Job,
                        route: "x".into(),
                        body: vec![0; 300],
                    }],
                })
                .await
                .unwrap();
        }
        time("save_run x100", b);
        let b = Instant::now();
        let m = store.claim_outbox(Topic::Job, now, 128, l).await.unwrap();
        time("claim_outbox 128", b);
        let ids: Vec<_> = m.iter().map(|m| m.id).collect();
        let b = Instant::now();
        store.outbox_postponed(&ids[..10], now).await.unwrap();
        store.outbox_published(&ids).await.unwrap();
        time("outbox postponed+published", b);
        let b = Instant::now();
        store.outbox_depth(Topic::Job).await.unwrap();
        time("outbox_depth", b);
        let b = Instant::now();
        store.count_jobs(now).await.unwrap();
        time("count_jobs", b);
        let b = Instant::now();
        store.next_due().await.unwrap();
        time("next_due", b);
        if let Some(d) = due.first() {
            let t = store
                .targets()
                .await
                .unwrap()
                .into_iter()
                .find(|t| t.id == d.target.id)
                .unwrap();
            let b = Instant::now();
            part(&store, &t, d.run, 0, 3).await;
            time("apply", b);
            let p = SnapshotPart {
                job: JobId::derive(t.id, d.run, 77),
                part: 0,
                target: t.id,
                hosts: vec!["198.18.0.1".parse().unwrap()],
                now,
            };
            store
                .apply_snapshot(
                    p,
                    Box::new(|mut l| {
                        l.hosts[0].ports.clear();
                        Decided {
                            hosts: l.hosts,
                            ..Decided::default()
                        }
                    }),
                )
                .await
                .unwrap();
            store.history(t.id, 50).await.unwrap();
            store.hosts(t.id).await.unwrap();
        }
        let ch = ["mail".to_owned(), "chat".to_owned()];
        let b = Instant::now();
        let c = store.claim_deliveries(&ch, now, 64, l).await.unwrap();
        time("claim_deliveries 64", b);
        let b = Instant::now();
        for d in &c {
            store
                .record_attempt(
                    d.id,
                    d.lease,
                    Attempt {
                        at: now,
                        latency: l,
                        status: Some(200),
                        error: None,
                        next: NextStep::Delivered,
                    },
                )
                .await
                .unwrap();
        }
        time("record x64", b);
        store.next_delivery(&ch).await.unwrap();
        store.count_deliveries().await.unwrap();
        let n = Uuid::new_v4();
        store
            .save_notification(NewNotification {
                id: n,
                created_at: now,
                body: vec![1],
                order_key: "k7".into(),
                deliveries: vec![NewDelivery {
                    id: Uuid::new_v4(),
                    channel: "mail".into(),
                }],
            })
            .await
            .unwrap();
    }
    let b = Instant::now();
    let p = store
        .prune(PruneBefore {
            working: now - SignedDuration::from_hours(2),
            history: now - SignedDuration::from_hours(48),
        })
        .await
        .unwrap();
    time("prune", b);
    println!("{p:?}");
}
