//! Numbers of targets and groups, in PostgreSQL.

use std::collections::HashMap;

use async_trait::async_trait;
use deadpool_postgres::Transaction;

use super::{Postgres, Problem};
use crate::StoreError;
use crate::columns::{number, signed};
use crate::numbers::{FIRST, Numbered, Numbers};

/// The key of the advisory lock under which one process gives numbers at a time.
const LOCK: i64 = 0x706f_7274_6e75_6d62;

const KNOWN: &str = "SELECT name, number FROM numbers WHERE kind = $1 AND name = ANY($2)";

const GIVE: &str = "INSERT INTO numbers (kind, name, number) SELECT $1, name, first + place FROM \
     (SELECT greatest(coalesce(max(number), 0) + 1, $3) - 1 AS first FROM numbers WHERE kind = $1) f, \
     unnest($2::text[]) WITH ORDINALITY AS n (name, place)";

#[async_trait]
impl Numbers for Postgres {
    async fn numbers(
        &self,
        kind: Numbered,
        names: Vec<String>,
    ) -> Result<HashMap<String, u64>, StoreError> {
        transaction!(self, "reading numbers", |transaction| {
            let mut numbers = known(transaction, kind, &names).await?;
            if names.iter().all(|name| numbers.contains_key(name)) {
                return Ok(numbers);
            }
            lock(transaction).await?;
            // Somebody else may have given them meanwhile.
            numbers = known(transaction, kind, &names).await?;
            let mut new: Vec<&String> = names.iter().collect();
            new.retain(|name| !numbers.contains_key(*name));
            new.sort();
            new.dedup();
            let give = transaction.prepare_cached(GIVE).await?;
            transaction
                .execute(&give, &[&kind.as_str(), &new, &FIRST])
                .await?;
            known(transaction, kind, &names).await
        })
    }

    async fn numbered(&self, kind: Numbered, number: u64) -> Result<Option<String>, StoreError> {
        transaction!(self, "reading what has a number", |transaction| {
            let sql = "SELECT name FROM numbers WHERE kind = $1 AND number = $2";
            let select = transaction.prepare_cached(sql).await?;
            let row = transaction
                .query_opt(&select, &[&kind.as_str(), &signed(number)])
                .await?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        })
    }

    async fn set_numbers(
        &self,
        kind: Numbered,
        numbers: HashMap<String, u64>,
    ) -> Result<(), StoreError> {
        transaction!(self, "saving numbers", |transaction| {
            lock(transaction).await?;
            let names: Vec<String> = numbers.keys().cloned().collect();
            let known = known(transaction, kind, &names).await?;
            let (mut names, mut values) = (Vec::new(), Vec::new());
            for (name, number) in &numbers {
                if known.get(name) != Some(number) {
                    names.push(name);
                    values.push(signed(*number));
                }
            }
            let delete = transaction
                .prepare_cached(
                    "DELETE FROM numbers WHERE kind = $1 AND (name = ANY($2) OR number = ANY($3))",
                )
                .await?;
            let insert = transaction
                .prepare_cached(
                    "INSERT INTO numbers (kind, name, number) \
                     SELECT $1, * FROM unnest($2::text[], $3::bigint[])",
                )
                .await?;
            for statement in [&delete, &insert] {
                transaction
                    .execute(statement, &[&kind.as_str(), &names, &values])
                    .await?;
            }
            Ok(())
        })
    }
}

async fn lock(transaction: &Transaction<'_>) -> Result<(), Problem> {
    let lock = "SELECT pg_advisory_xact_lock($1)";
    transaction.execute(lock, &[&LOCK]).await?;
    Ok(())
}

async fn known(
    transaction: &Transaction<'_>,
    kind: Numbered,
    names: &[String],
) -> Result<HashMap<String, u64>, Problem> {
    let select = transaction.prepare_cached(KNOWN).await?;
    let rows = transaction
        .query(&select, &[&kind.as_str(), &names])
        .await?;
    let mut numbers = HashMap::with_capacity(rows.len());
    for row in rows {
        numbers.insert(row.try_get(0)?, number("number", row.try_get(1)?)?);
    }
    Ok(numbers)
}
