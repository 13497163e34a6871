//! The days that PostgreSQL keeps history in.

use jiff::SignedDuration;
use portwatch_store::history::HistoryFilter;
use portwatch_store::postgres::{self, PostgresSettings};
use portwatch_store::{PruneBefore, Store};
use tokio_postgres::Client;

use crate::databases::{client, on_empty_postgres};
use crate::samples::{apply, at, ip, report, sync, target};

const DAY: i64 = 86_400;

async fn with_tables(test: impl AsyncFnOnce(Store, Client)) {
    on_empty_postgres(async |url| {
        let settings = PostgresSettings::new(&url, 4);
        postgres::migrate(&settings).await.unwrap();
        let store = postgres::connect(&settings).await.unwrap();
        test(store, client(&url).await).await;
    })
    .await;
}

/// Keeps two days, as of the beginning of a day.
fn two_days(day: i64) -> PruneBefore {
    let now = at(day * DAY);
    PruneBefore {
        now,
        working: now,
        history: now - SignedDuration::from_hours(48),
    }
}

/// The days that there are, and how many rows are in each table.
async fn days(beside: &Client) -> (Vec<String>, Vec<(String, i64)>) {
    let days = "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
         WHERE inhparent = 'history'::regclass AND relname <> 'history_default' ORDER BY 1";
    let rows = "SELECT tableoid::regclass::text, count(*) FROM history GROUP BY 1 ORDER BY 1";
    let days = beside.query(days, &[]).await.unwrap();
    let rows = beside.query(rows, &[]).await.unwrap();
    (
        days.iter().map(|row| row.get(0)).collect(),
        rows.iter().map(|row| (row.get(0), row.get(1))).collect(),
    )
}

fn names(first: u32, last: u32) -> Vec<String> {
    (first..=last)
        .map(|day| format!("history_202701{day:02}"))
        .collect()
}

fn in_table(name: &str, rows: i64) -> (String, i64) {
    (name.to_owned(), rows)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn days_are_made_ahead_and_dropped_as_a_whole() {
    with_tables(async |store, beside| {
        let target = target("a");
        sync(&store, std::slice::from_ref(&target)).await;
        // Nobody made the 15th of January 2027, on which this is.
        apply(&store, &target, 1, vec![report(ip(1), "22")]).await;
        let (_, rows) = days(&beside).await;
        assert_eq!(rows, [in_table("history_default", 2)]);
        let all = HistoryFilter::of(target.id, 10);
        let before = store.history(all.clone()).await.unwrap();

        store.prune(two_days(0)).await.unwrap();
        let made = days(&beside).await;
        assert_eq!(made.0, names(15, 22));
        assert_eq!(made.1, [in_table("history_20270115", 2)]);
        assert_eq!(store.history(all.clone()).await.unwrap(), before);
        assert_eq!(store.prune(two_days(0)).await.unwrap().history_days, 0);
        assert_eq!(days(&beside).await, made);

        // A day is dropped when all of it is old enough.
        store.prune(two_days(2)).await.unwrap();
        let (there, rows) = days(&beside).await;
        assert_eq!(there, names(15, 24));
        assert_eq!(rows.len(), 1);
        assert_eq!(store.prune(two_days(3)).await.unwrap().history_days, 1);
        let (there, rows) = days(&beside).await;
        assert_eq!(there, names(16, 25));
        assert_eq!(rows, []);
        // What is of a day that was dropped goes with the next.
        apply(&store, &target, 2, vec![report(ip(1), "22,80")]).await;
        assert_eq!(store.history(all.clone()).await.unwrap().len(), 1);
        assert_eq!(store.prune(two_days(3)).await.unwrap().history, 1);
        assert_eq!(store.history(all).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn a_day_that_is_in_use_is_left_for_the_next_time() {
    with_tables(async |store, mut beside| {
        store.prune(two_days(0)).await.unwrap();
        let reading = beside.transaction().await.unwrap();
        reading.query("SELECT * FROM history", &[]).await.unwrap();
        assert_eq!(store.prune(two_days(3)).await.unwrap().history_days, 0);
        reading.rollback().await.unwrap();
        assert_eq!(store.prune(two_days(3)).await.unwrap().history_days, 1);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn any_number_of_schedulers_make_and_drop_days() {
    with_tables(async |store, beside| {
        for day in [0, 8] {
            let calls = (0..4).map(|_| store.prune(two_days(day)));
            for pruned in futures_util::future::join_all(calls).await {
                pruned.unwrap();
            }
        }
        assert_eq!(days(&beside).await.0, names(21, 30));
    })
    .await;
}
