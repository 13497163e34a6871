//! No call that is made all the time reads a table that grows from end to end.
//!
//! The server counts how often it reads each table so (`pg_stat_user_tables.seq_scan`). The tables are filled, each
//! call is made until its statements have generic plans, and no count of a large table may have grown.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::SignedDuration;
use portwatch_domain::job::JobId;
use portwatch_domain::target::Switching;
use portwatch_store::deliveries::{DeliveryFilter, DeliveryState};
use portwatch_store::held::{Hold, NewHeld, Release, Waiting};
use portwatch_store::history::HistoryFilter;
use portwatch_store::jobs::JobProgress;
use portwatch_store::notifications::{Attempt, NewNotification, NextStep};
use portwatch_store::numbers::Numbered;
use portwatch_store::outbox::Topic;
use portwatch_store::postgres::{self, PostgresSettings};
use portwatch_store::problems::ProblemChange;
use portwatch_store::requests::{NewRequest, RequestKind};
use portwatch_store::targets::SetSwitches;
use portwatch_store::{PruneBefore, Store};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::databases::{client, on_empty_postgres};
use crate::notifications::notification;
use crate::samples::{LEASE, SOURCE, apply, at, ip, report, run, run_of_request, take_run, target};

/// A prepared statement has its generic plan after its fifth use.
const TIMES: u32 = 8;

/// 20,000 targets with two hosts of two ports each, two runs with a finished job each, and what hangs on those.
const FILL: &str = "
INSERT INTO targets (id, source, listed, name, group_name, zone, addresses, exclude, ports, interval_us, rate,
    enabled, notify, history, next_due_at, due_set_at, run, overdue_at)
    SELECT md5('t' || n)::uuid, 'filled', true, 'filled ' || n, 'default', 'default', '{192.0.2.1}', '{}', '22',
    300000000, 1000, true, true, true, '2100-01-01', '2000-01-01', 2, '2100-01-01' FROM generate_series(1, 20000) n;
INSERT INTO runs (target_id, run, slot, created_at, finished_at)
    SELECT md5('t' || n)::uuid, r, now() + r * interval '1 second', now(), now()
    FROM generate_series(1, 20000) n, generate_series(1, 2) r;
INSERT INTO jobs (id, target_id, run, parts, parts_in, deadline, finished_at, zone, created_at)
    SELECT md5('j' || n || '.' || r)::uuid, md5('t' || n)::uuid, r, 1, 1, now(), now(), 'default', now()
    FROM generate_series(1, 20000) n, generate_series(1, 2) r;
INSERT INTO inbox SELECT id, 0, now() FROM jobs;
INSERT INTO requests (id, target_id, kind, asked_at, due_at, run)
    SELECT md5('q' || n)::uuid, md5('t' || n)::uuid, 'verify', now(), now(), 2 FROM generate_series(1, 20000) n;
INSERT INTO hosts (target_id, ip, state, suspect, last_run, transition, baseline, open_ports)
    SELECT md5('t' || n)::uuid, '198.18.0.0'::inet + h, 'up', false, 2, 1, '22,80', 2
    FROM generate_series(1, 20000) n, generate_series(1, 2) h;
INSERT INTO ports (target_id, ip, protocol, port, state, since, first_seen, last_seen, transition, answer, probes)
    SELECT target_id, ip, 'tcp', p, 'open', now(), now(), now(), 1, 'syn-ack', 2 FROM hosts, unnest('{22,80}'::int[]) p;
INSERT INTO packed_ports SELECT target_id, ip, '\\x01' FROM hosts;
INSERT INTO history (at, change_id, target_id, ip, run, job_id, kind, severity, quiet, protocol, port, before, after,
    answer, probes, expected)
    SELECT now() - d * interval '1 second', md5(target_id::text || ip || port || d)::uuid, target_id, ip, 1,
    target_id, 'port.opened', 'high', false, 'tcp', port, 'closed', 'open', 'syn-ack', 2, false
    FROM ports, generate_series(1, 2) d;
INSERT INTO outbox (id, topic, route, body, due_at)
    SELECT md5('o' || n)::uuid, CASE n % 2 WHEN 0 THEN 'job' ELSE 'change' END, 'pw.test', 'x', '2100-01-01'
    FROM generate_series(1, 20000) n;
INSERT INTO notifications (id, created_at, body) SELECT md5('n' || n)::uuid, now(), 'x' FROM generate_series(1, 20000) n;
INSERT INTO deliveries (id, notification_id, channel, order_key, state, due_at, ended_at)
    SELECT md5('d' || n)::uuid, md5('n' || n)::uuid, 'mail', 'host ' || n, 'delivered', now(), now()
    FROM generate_series(1, 20000) n;
INSERT INTO delivery_attempts SELECT id, 1, now(), 1000, 200, NULL FROM deliveries;
INSERT INTO held (channel, digest, order_key, notification_id, due_at)
    SELECT 'later', n % 2 = 0, 'host ' || n, md5('n' || n)::uuid, '2100-01-01' FROM generate_series(1, 20000) n;
INSERT INTO told SELECT 'later', 'host ' || n, now() FROM generate_series(1, 20000) n;
INSERT INTO problems (id, at, body, ended, told_at)
    SELECT md5('p' || n)::uuid, now(), 'x', n % 2 = 0, now() FROM generate_series(1, 20000) n;
INSERT INTO numbers SELECT 'target', md5('t' || n), n FROM generate_series(1, 20000) n;
INSERT INTO users SELECT 'user ' || n, 'x', 'viewer', NULL, now() FROM generate_series(1, 20000) n;
INSERT INTO tokens (id, hash, name, user_name, created_at, expires_at)
    SELECT md5('k' || n)::uuid, decode(md5('a' || n) || md5('b' || n), 'hex'), 'login', 'user ' || n, now(), '2100-01-01'
    FROM generate_series(1, 20000) n;
INSERT INTO audit (at, actor, action, about) SELECT now(), 'a', 'b', 'c' FROM generate_series(1, 20000) n;
ANALYZE;
";

/// How often each large table was read from end to end so far.
async fn whole_reads(client: &Client) -> BTreeMap<String, i64> {
    let large = "SELECT relname, seq_scan FROM pg_stat_user_tables \
         WHERE (SELECT reltuples FROM pg_class WHERE oid = relid) > 5000";
    let rows = client.query(large, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Makes a call on connections of its own. They count when they are closed.
async fn reads(url: &str, client: &Client, call: impl AsyncFn(Store, u32)) -> Vec<String> {
    let before = whole_reads(client).await;
    assert!(before.len() >= 10, "not all is filled: {before:?}");
    let store = postgres::connect(&PostgresSettings::new(url, 1))
        .await
        .unwrap();
    for time in 0..TIMES {
        call(store.clone(), time).await;
    }
    drop(store);
    let others = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    while client
        .query_one(others, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {
        tokio::task::yield_now().await;
    }
    let after = whole_reads(client).await;
    let grown = after
        .into_iter()
        .filter(|(table, count)| before[table] < *count);
    grown.map(|(table, _)| table).collect()
}

async fn slots(store: &Store, now: i64) {
    let due = store.claim_due(at(now), 5, LEASE).await.unwrap();
    let runs = due.iter().map(|due| run(due, &[1], at(now + 1))).collect();
    store.save_runs(runs).await.unwrap();
}

async fn requests(store: &Store, time: u32) {
    let owner = target("a");
    let id = Uuid::from_u128(u128::from(time) + 1);
    let asked = NewRequest {
        id,
        target: owner.id,
        kind: RequestKind::Verify,
        hosts: Some(vec![ip(1)]),
        ports: None,
        asked_at: at(0),
        due_at: at(0),
    };
    store.add_requests(vec![asked]).await.unwrap();
    for due in store.claim_requests(at(1), 5, LEASE).await.unwrap() {
        take_run(store, run_of_request(&due, &[1], at(100), at(1))).await;
    }
    store.request(id, at(1)).await.unwrap().unwrap();
}

async fn deliveries(store: &Store, time: u32) {
    let number = u128::from(time) + 1_000_000;
    let new = notification(number, 0, "some host", &["mail"]);
    assert!(store.save_notification(new).await.unwrap());
    let channels = ["mail".to_owned()];
    for due in store
        .claim_deliveries(&channels, at(1), 9, LEASE)
        .await
        .unwrap()
    {
        let attempt = Attempt {
            at: at(1),
            latency: SignedDuration::ZERO,
            status: Some(200),
            error: None,
            answer: None,
            thread: None,
            next: NextStep::Delivered,
        };
        store
            .record_attempt(due.id, due.lease, attempt)
            .await
            .unwrap();
    }
    store.next_delivery(&channels).await.unwrap();
    store.count_deliveries().await.unwrap();
}

async fn held(store: &Store, time: u32) {
    let number = u128::from(time) + 2_000_000;
    let new = NewNotification {
        held: vec![NewHeld {
            channel: "chat".to_owned(),
            hold: Hold::Group {
                wait: SignedDuration::ZERO,
                interval: SignedDuration::from_secs(300),
            },
        }],
        problems: vec![ProblemChange {
            id: Uuid::from_u128(number),
            at: at(0),
            begins: time.is_multiple_of(2).then(|| vec![1]),
        }],
        ..notification(number, 0, &format!("host {time}"), &[])
    };
    assert!(store.save_notification(new).await.unwrap());
    for waiting in [Waiting::Groups, Waiting::Digest] {
        let found = store.held("chat", waiting, at(1), 100).await.unwrap();
        let release = Release {
            seqs: found.iter().map(|one| one.seq).collect(),
            notifications: Vec::new(),
            channel: "chat".to_owned(),
            told: vec![format!("host {time}")],
            now: at(1),
        };
        assert!(store.release(release).await.unwrap());
    }
    let channels = ["chat".to_owned(), "later".to_owned()];
    store.next_held(&channels).await.unwrap();
    store.problems(100).await.unwrap();
    let hour = SignedDuration::from_hours(1);
    store.take_reminders(at(1), hour, 100).await.unwrap();
}

async fn log(store: &Store) {
    store
        .deliveries(DeliveryFilter::default(), 50)
        .await
        .unwrap();
    let given_up = DeliveryFilter {
        channel: Some("mail".to_owned()),
        state: Some(DeliveryState::GivenUp),
    };
    store.deliveries(given_up, 50).await.unwrap();
    let id = Uuid::from_u128(1);
    store.deliveries_between(id, id, 2).await.unwrap();
    store.attempts(id).await.unwrap();
    store.resend(id, at(0)).await.unwrap();
    store.thread("mail", "host 1", at(0)).await.unwrap();
    store.channels().await.unwrap();
    store.channels_in_trouble().await.unwrap();
}

async fn outbox(store: &Store) {
    for topic in [Topic::Job, Topic::Change] {
        let claimed = store.claim_outbox(topic, at(10), 9, LEASE).await.unwrap();
        let ids: Vec<Uuid> = claimed.iter().map(|message| message.id).collect();
        store.outbox_postponed(&ids, at(11)).await.unwrap();
        store.outbox_published(&ids).await.unwrap();
    }
}

async fn history(store: &Store, owner: portwatch_domain::target::TargetId) {
    store.history(HistoryFilter::of(owner, 50)).await.unwrap();
    let host: IpAddr = ip(1);
    let of_host = HistoryFilter {
        ip: Some(host),
        limit: 50,
        ..HistoryFilter::of(owner, 50)
    };
    store.history(of_host).await.unwrap();
    store.changes_after(owner, 1).await.unwrap();
    store.scans(owner, 10).await.unwrap();
}

async fn watch(store: &Store) {
    store.zones().await.unwrap();
    store.lateness(at(2), 10).await.unwrap();
    store
        .ahead(at(0), SignedDuration::from_secs(10), 10)
        .await
        .unwrap();
    store
        .rebase(at(0), vec![(target("a").id, at(9), at(9))])
        .await
        .unwrap();
    store.findings().await.unwrap();
    store.unexpected(None, 10).await.unwrap();
}

/// What each request to the console does, that looks at one target.
async fn console(store: &Store, time: u32) {
    let owner = target("a").id;
    store.bearer([7; 32], at(1)).await.unwrap();
    store.numbered(Numbered::Target, 7).await.unwrap();
    let name = format!("target {time}");
    store.numbers(Numbered::Target, vec![name]).await.unwrap();
    store.target_state(owner).await.unwrap().unwrap();
    let notify = Switching {
        notify: Some(time.is_multiple_of(2)),
        ..Switching::default()
    };
    let set = SetSwitches::These(notify);
    store.set_switches(owner, set, "a", at(1)).await.unwrap();
    store.audit(100).await.unwrap();
}

/// Makes a call, and says which large tables it reads from end to end.
macro_rules! check {
    ($url:ident, $client:ident, $found:ident, $name:literal, |$store:ident, $time:ident| $call:expr) => {{
        let call = async |$store: Store, $time: u32| {
            let _ = (&$store, $time);
            $call;
        };
        for table in reads($url, $client, call).await {
            $found.push(format!("{} reads all of {table}", $name));
        }
    }};
}

/// What the scheduler does.
async fn of_jobs(url: &str, client: &Client) -> Vec<String> {
    let owner = target("a");
    let mut found = Vec::new();
    check!(url, client, found, "slots", |store, time| slots(
        &store,
        i64::from(time) * 300
    )
    .await);
    check!(url, client, found, "requests", |store, time| requests(
        &store, time
    )
    .await);
    check!(url, client, found, "next_due", |store, time| store
        .next_due()
        .await
        .unwrap());
    check!(url, client, found, "count_jobs", |store, time| store
        .count_jobs(at(5000))
        .await
        .unwrap());
    check!(url, client, found, "note_progress", |store, time| {
        let job = JobId::derive(owner.id, 1, 0);
        store
            .note_progress(vec![(job, JobProgress::default())])
            .await
            .unwrap();
    });
    check!(url, client, found, "prune", |store, time| {
        let before = PruneBefore {
            now: at(0),
            working: at(-10_000_000_000),
            history: at(-10_000_000_000),
        };
        store.prune(before).await.unwrap();
    });
    found
}

/// What the differ, the notifier and those who ask do.
async fn of_state(url: &str, client: &Client) -> Vec<String> {
    let owner = target("a");
    let mut found = Vec::new();
    check!(url, client, found, "apply_snapshot", |store, time| {
        let run = u64::from(time) + 1;
        let open = if time.is_multiple_of(2) {
            "22,80"
        } else {
            "22"
        };
        apply(
            &store,
            &owner,
            run,
            vec![report(ip(1), open), report(ip(2), "")],
        )
        .await;
    });
    check!(url, client, found, "hosts", |store, time| store
        .hosts(owner.id)
        .await
        .unwrap());
    check!(url, client, found, "history", |store, time| history(
        &store, owner.id
    )
    .await);
    check!(url, client, found, "watch", |store, time| watch(&store)
        .await);
    check!(url, client, found, "outbox", |store, time| outbox(&store)
        .await);
    check!(url, client, found, "deliveries", |store, time| deliveries(
        &store, time
    )
    .await);
    check!(url, client, found, "held", |store, time| held(&store, time)
        .await);
    check!(url, client, found, "console", |store, time| console(
        &store, time
    )
    .await);
    check!(url, client, found, "log", |store, time| log(&store).await);
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn no_frequent_call_reads_a_large_table_from_end_to_end() {
    on_empty_postgres(async |url| {
        let settings = PostgresSettings::new(&url, 2);
        postgres::migrate(&settings).await.unwrap();
        let client = client(&url).await;
        let store = postgres::connect(&settings).await.unwrap();
        let owner = target("a");
        store
            .sync_targets(SOURCE, std::slice::from_ref(&owner), at(0))
            .await
            .unwrap();
        drop(store);
        client.batch_execute(FILL).await.unwrap();

        let whole = reads(&url, &client, async |_, _| {
            client
                .query("SELECT count(*) FROM hosts WHERE state = 'up'", &[])
                .await
                .unwrap();
            client
                .execute("SELECT pg_stat_force_next_flush()", &[])
                .await
                .unwrap();
        });
        assert_eq!(whole.await, ["hosts"], "the count does not count");

        let mut found = of_jobs(&url, &client).await;
        found.extend(of_state(&url, &client).await);
        assert_eq!(found, [""; 0]);
    })
    .await;
}
