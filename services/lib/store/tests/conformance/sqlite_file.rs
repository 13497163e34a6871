//! What only a data file promises.

use std::os::unix::fs::PermissionsExt as _;

use portwatch_store::{StoreError, sqlite};
use rusqlite::Connection;

use crate::samples::{at, sync, target};

#[tokio::test]
async fn a_file_keeps_what_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portwatch.db");
    let store = sqlite::open(&path).unwrap();
    store.check().await.unwrap();
    sync(&store, &[target("a")]).await;
    drop(store);
    let store = sqlite::open(&path).unwrap();
    assert_eq!(store.targets().await.unwrap(), [target("a")]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portwatch.db");
    let store = sqlite::open(&path).unwrap();
    let error = sqlite::open(&path).err().unwrap().to_string();
    assert!(
        error.contains("another portwatch uses this data directory"),
        "{error}"
    );
    drop(store);
    sqlite::open(&path).unwrap();
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portwatch.db");
    let store = sqlite::open(&path).unwrap();
    let beside = Connection::open(&path).unwrap();
    beside
        .execute(
            "INSERT INTO refinery_schema_history SELECT 9999, 'later', applied_on, checksum \
             FROM refinery_schema_history WHERE version = 1",
            [],
        )
        .unwrap();
    let newer = |error| {
        matches!(
            error,
            StoreError::NewSchema {
                found: 9999,
                needed: 1..
            }
        )
    };
    assert!(newer(store.check().await.unwrap_err()));
    drop(store);
    assert!(newer(sqlite::open(&path).err().unwrap()));
    beside
        .execute("DELETE FROM refinery_schema_history", [])
        .unwrap();
    let old = sqlite::open(&folder.path().join("other.db")).unwrap();
    Connection::open(folder.path().join("other.db"))
        .unwrap()
        .execute("DELETE FROM refinery_schema_history", [])
        .unwrap();
    let error = old.check().await.unwrap_err();
    assert!(
        matches!(error, StoreError::OldSchema { found: 0, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portwatch.db");
    std::fs::write(
        &path,
        "not a database, but text that is longer than SQLite's header of 100 bytes, \
        so that it is looked at and found to be something else",
    )
    .unwrap();
    let error = sqlite::open(&path).err().unwrap();
    assert!(error.to_string().contains("not a database"), "{error}");
    let nowhere = sqlite::open(&folder.path().join("missing/portwatch.db"))
        .err()
        .unwrap();
    assert!(
        nowhere.to_string().contains("missing/portwatch.db"),
        "{nowhere}"
    );
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_leaves_the_store_usable() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite::open(&folder.path().join("portwatch.db")).unwrap();
    sync(&store, &[target("a")]).await;
    for _ in 0..50 {
        let call = store.claim_due(at(0), 1, jiff::SignedDuration::ZERO);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(50), call).await;
    }
    assert_eq!(store.targets().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_is_read_and_written_beside_the_process_that_owns_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portwatch.db");
    assert!(sqlite::open_beside(&path).is_err(), "nothing is made");
    assert!(!path.exists());

    let owner = sqlite::open(&path).unwrap();
    let beside = sqlite::open_beside(&path).unwrap();
    beside.check().await.unwrap();
    assert_eq!(
        beside.installation().await.unwrap(),
        owner.installation().await.unwrap()
    );
    drop(beside);
    assert!(sqlite::open(&path).is_err(), "the owner's lock still holds");

    // Also without an owner, and then it locks nobody out.
    drop(owner);
    let beside = sqlite::open_beside(&path).unwrap();
    sqlite::open(&path).unwrap();
    drop(beside);

    let older = "DELETE FROM refinery_schema_history WHERE version > 1";
    let connection = Connection::open(&path).unwrap();
    connection.execute(older, []).unwrap();
    let refused = sqlite::open_beside(&path).err().unwrap();
    assert!(matches!(refused, StoreError::OldSchema { .. }), "{refused}");
}
