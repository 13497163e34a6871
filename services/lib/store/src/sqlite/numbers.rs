//! Numbers of targets and groups, in SQLite.

use std::collections::HashMap;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, params};

use super::{Sqlite, rows};
use crate::StoreError;
use crate::columns::{number, signed};
use crate::numbers::{FIRST, Numbered, Numbers};

const KNOWN: &str = "SELECT number FROM numbers WHERE kind = ?1 AND name = ?2";

const GIVE: &str = "INSERT INTO numbers (kind, name, number) \
     SELECT ?1, ?2, max(coalesce(max(number), 0) + 1, ?3) FROM numbers WHERE kind = ?1 RETURNING number";

#[async_trait]
impl Numbers for Sqlite {
    async fn numbers(
        &self,
        kind: Numbered,
        mut names: Vec<String>,
    ) -> Result<HashMap<String, u64>, StoreError> {
        names.sort();
        names.dedup();
        self.transaction("reading numbers", move |transaction| {
            let mut known = transaction.prepare_cached(KNOWN)?;
            let mut give = transaction.prepare_cached(GIVE)?;
            let mut numbers = HashMap::with_capacity(names.len());
            for name in names {
                let found = known
                    .query_row(params![kind.as_str(), name], |row| row.get(0))
                    .optional()?;
                let given = match found {
                    Some(found) => found,
                    None => {
                        give.query_row(params![kind.as_str(), name, FIRST], |row| row.get(0))?
                    }
                };
                numbers.insert(name, number("number", given)?);
            }
            Ok(numbers)
        })
        .await
    }

    async fn numbered(&self, kind: Numbered, number: u64) -> Result<Option<String>, StoreError> {
        self.transaction("reading what has a number", move |transaction| {
            let sql = "SELECT name FROM numbers WHERE kind = ?1 AND number = ?2";
            rows::optional(transaction, sql, params![kind.as_str(), signed(number)])
        })
        .await
    }

    async fn set_numbers(
        &self,
        kind: Numbered,
        numbers: HashMap<String, u64>,
    ) -> Result<(), StoreError> {
        self.transaction("saving numbers", move |transaction| {
            let mut delete = transaction.prepare_cached(
                "DELETE FROM numbers WHERE kind = ?1 AND (name = ?2 OR number = ?3)",
            )?;
            let mut insert = transaction
                .prepare_cached("INSERT INTO numbers (kind, name, number) VALUES (?1, ?2, ?3)")?;
            let kind = kind.as_str();
            for (name, number) in &numbers {
                delete.execute(params![kind, name, signed(*number)])?;
            }
            for (name, number) in &numbers {
                insert.execute(params![kind, name, signed(*number)])?;
            }
            Ok(())
        })
        .await
    }
}
