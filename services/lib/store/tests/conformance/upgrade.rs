//! What an older program wrote is there after an upgrade.

use jiff::Timestamp;
use portwatch_domain::change::{Change, ChangeId, Findings, Runs, Severity, Transition};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::{Answer, Evidence, HostState, PortState};
use portwatch_domain::target::TargetId;
use portwatch_store::history::{HistoryFilter, HistoryRow, Scan, Subject};
use portwatch_store::postgres::{self, PostgresSettings};
use portwatch_store::requests::RunKind;
use portwatch_store::{Store, sqlite};
use refinery::Target::Version;
use uuid::Uuid;

use crate::databases::{client, on_empty_postgres};
use crate::samples::{ip, ports};

mod of_postgres {
    refinery::embed_migrations!("../../../migrations/postgres");
}

mod of_sqlite {
    refinery::embed_migrations!("../../../migrations/sqlite");
}

/// The last version before soft states.
const BEFORE: i32 = 3;

const TARGET: TargetId = TargetId(Uuid::from_u128(1));
const JOB: JobId = JobId(Uuid::from_u128(2));
const HOST: u128 = 3;
const OPENED: u128 = 4;
const CLOSED: u128 = 5;

/// A target whose run 7 is finished, with one host, two ports, and three transitions, of which one is older than
/// any day that is made, and one was found by a job that is forgotten. `{now}` and the like are filled in.
const ROWS: &str = "
INSERT INTO targets (id, source, listed, name, group_name, zone, addresses, exclude, ports, interval_us, rate,
    enabled, notify, history, run, next_due_at)
VALUES ({1}, 'settings', {true}, 'a', 'g', 'default', {one_address}, {none}, '22,80', 300000000, 100,
    {true}, {true}, {true}, 7, {now});
INSERT INTO runs (target_id, run, slot, created_at) VALUES ({1}, 7, {now}, {now});
INSERT INTO jobs (id, target_id, run, parts, parts_in, deadline, finished_at)
VALUES ({2}, {1}, 7, 1, 1, {now}, {now});
INSERT INTO hosts (target_id, ip, state, suspect, since, last_seen, last_run, transition, baseline)
VALUES ({1}, '198.18.0.1', 'up', {false}, {now}, {now}, 7, 1, '22,80');
INSERT INTO ports (target_id, ip, protocol, port, state, since, first_seen, last_seen, transition, answer, probes)
VALUES ({1}, '198.18.0.1', 'tcp', 22, 'open', {now}, {now}, {now}, 1, 'syn-ack', 1),
    ({1}, '198.18.0.1', 'tcp', 80, 'closed', {now}, {now}, {now}, 2, 'rst', 1);
INSERT INTO history (change_id, target_id, ip, job_id, at, before, after, suspect)
VALUES ({3}, {1}, '198.18.0.1', {2}, {long_ago}, 'unknown', 'up', {false});
INSERT INTO history (change_id, target_id, ip, job_id, at, protocol, port, before, after, answer, probes, expected)
VALUES ({4}, {1}, '198.18.0.1', {5}, {now}, 'tcp', 80, 'closed', 'open', 'syn-ack', 1, {false}),
    ({5}, {1}, '198.18.0.1', {2}, {now}, 'tcp', 80, 'open', 'closed', 'rst', 1, {false});
";

fn rows(literals: &[(&str, String)]) -> String {
    literals.iter().fold(ROWS.to_owned(), |rows, (name, text)| {
        rows.replace(&format!("{{{name}}}"), text)
    })
}

async fn everything_is_there(store: &Store, now: Timestamp, long_ago: Timestamp) {
    let host = store.hosts(TARGET).await.unwrap().remove(0);
    assert_eq!(host.runs, Runs::kept(7, 7, vec![(7, ports("22,80"))]));
    assert_eq!((host.soft, host.approved), (None, None));
    assert_eq!(host.findings, Findings::default());
    assert_eq!(host.ports.len(), 2);
    let scan = Scan {
        run: 7,
        kind: RunKind::Slot,
        slot: Some(now),
        created_at: now,
        finished_at: None,
        summary: None,
    };
    assert_eq!(store.scans(TARGET, 10).await.unwrap(), [scan]);

    let row = |id, run, job, severity, transition, at| HistoryRow {
        about: Subject::Host {
            target: TARGET,
            ip: ip(1),
        },
        run,
        job: Some(job),
        change: Change {
            id: ChangeId(Uuid::from_u128(id)),
            transition,
            severity,
            quiet: false,
            at,
        },
    };
    let of_port = |before, after, answer| Transition::Port {
        port: Port::tcp(80),
        before,
        after,
        evidence: Evidence {
            answer,
            ttl: None,
            rtt: None,
            probes: 1,
        },
        expected: false,
        service: None,
    };
    let closed = of_port(PortState::Open, PortState::Closed, Answer::Rst);
    let opened = of_port(PortState::Closed, PortState::Open, Answer::SynAck);
    let up = Transition::Host {
        before: HostState::Unknown,
        after: HostState::Up,
        suspect: false,
    };
    let forgotten = JobId(Uuid::from_u128(5));
    let history = [
        row(CLOSED, Some(7), JOB, Severity::Medium, closed, now),
        row(OPENED, None, forgotten, Severity::High, opened, now),
        row(HOST, Some(7), JOB, Severity::Info, up, long_ago),
    ];
    let all = HistoryFilter::of(TARGET, 10);
    assert_eq!(store.history(all).await.unwrap(), history);
}

/// Now, and a year ago.
fn times() -> [Timestamp; 2] {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    [now, now - jiff::SignedDuration::from_hours(24 * 365)]
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn history_and_state_are_carried_over_in_postgres() {
    on_empty_postgres(async |url| {
        let mut beside = client(&url).await;
        of_postgres::migrations::runner()
            .set_target(Version(BEFORE))
            .run_async(&mut beside)
            .await
            .unwrap();
        let [now, long_ago] = times();
        let mut literals = vec![
            ("true", "true".to_owned()),
            ("false", "false".to_owned()),
            ("one_address", "'{198.18.0.1}'".to_owned()),
            ("none", "'{}'".to_owned()),
            ("now", format!("'{now}'")),
            ("long_ago", format!("'{long_ago}'")),
        ];
        let ids = [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5)];
        literals.extend(ids.map(|(name, id)| (name, format!("'{}'", Uuid::from_u128(id)))));
        beside.batch_execute(&rows(&literals)).await.unwrap();

        let settings = PostgresSettings::new(&url, 2);
        postgres::migrate(&settings).await.unwrap();
        let store = postgres::connect(&settings).await.unwrap();
        everything_is_there(&store, now, long_ago).await;
        let of_default = "SELECT count(*) FROM history_default";
        let stray: i64 = beside.query_one(of_default, &[]).await.unwrap().get(0);
        assert_eq!(stray, 1, "only what is a year old");
    })
    .await;
}

#[tokio::test]
async fn history_and_state_are_carried_over_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portwatch.db");
    let mut beside = rusqlite::Connection::open(&path).unwrap();
    of_sqlite::migrations::runner()
        .set_target(Version(BEFORE))
        .run(&mut beside)
        .unwrap();
    let [now, long_ago] = times();
    let mut literals = vec![
        ("true", "1".to_owned()),
        ("false", "0".to_owned()),
        ("one_address", "'[\"198.18.0.1\"]'".to_owned()),
        ("none", "'[]'".to_owned()),
        ("now", now.as_microsecond().to_string()),
        ("long_ago", long_ago.as_microsecond().to_string()),
    ];
    let ids = [("1", 1_u128), ("2", 2), ("3", 3), ("4", 4), ("5", 5)];
    literals.extend(ids.map(|(name, id)| (name, format!("x'{id:032x}'"))));
    beside.execute_batch(&rows(&literals)).unwrap();
    drop(beside);
    let store = sqlite::open(&path).unwrap();
    everything_is_there(&store, now, long_ago).await;
}
