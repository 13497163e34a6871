//! Users, tokens and the audit log, in PostgreSQL.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use portwatch_domain::access::Scope;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Postgres, Problem};
use crate::StoreError;
use crate::access::{
    Access, AuditEntry, Bearer, NewToken, Owner, SaveUser, SavedUser, Token, USED_TO_THE, User,
};
use crate::columns::{access, cut};

const UPDATE_USER: &str = "UPDATE users SET password = coalesce($2, password), \
     role = coalesce($3::text, role), groups = CASE WHEN $3::text IS NULL THEN groups ELSE $4 END WHERE name = $1";

const ADD_TOKEN: &str = "INSERT INTO tokens (id, hash, name, user_name, role, groups, created_at, \
     expires_at) SELECT $1::uuid, $2::bytea, $3::text, $4::text, $5::text, $6::text[], $7::timestamptz, \
     $8::timestamptz WHERE $4::text IS NULL OR EXISTS (SELECT FROM users WHERE name = $4)";

const BEARER: &str = "SELECT t.id, coalesce(u.name, t.name) AS name, coalesce(u.role, t.role) AS role, \
     CASE WHEN u.name IS NULL THEN t.groups ELSE u.groups END AS groups, t.last_used_at \
     FROM tokens t LEFT JOIN users u ON u.name = t.user_name \
     WHERE t.hash = $1 AND (t.expires_at IS NULL OR t.expires_at > $2)";

#[async_trait]
impl Access for Postgres {
    async fn users(&self) -> Result<Vec<User>, StoreError> {
        transaction!(self, "reading users", |transaction| {
            let sql = "SELECT name, role, groups, created_at FROM users ORDER BY name";
            let rows = transaction.query(sql, &[]).await?;
            let user = |row: &Row| {
                Ok(User {
                    name: row.try_get("name")?,
                    scope: scope(row)?,
                    created_at: row.try_get("created_at")?,
                })
            };
            rows.iter().map(user).collect()
        })
    }

    async fn password_of(&self, user: &str) -> Result<Option<String>, StoreError> {
        let user = user.to_owned();
        transaction!(self, "reading a user", |transaction| {
            let sql = "SELECT password FROM users WHERE name = $1";
            let row = transaction.query_opt(sql, &[&user]).await?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        })
    }

    async fn save_user(
        &self,
        user: SaveUser,
        by: &str,
        now: Timestamp,
    ) -> Result<SavedUser, StoreError> {
        let by = by.to_owned();
        transaction!(self, "saving a user", |transaction| {
            let saved = save_user(transaction, &user, cut(now)).await?;
            if saved != SavedUser::Incomplete {
                let (action, detail) = ("user.save", user.detail());
                audit(transaction, now, &by, action, &user.name, &detail).await?;
            }
            Ok(saved)
        })
    }

    async fn remove_user(&self, name: &str, by: &str, now: Timestamp) -> Result<bool, StoreError> {
        let (name, by) = (name.to_owned(), by.to_owned());
        transaction!(self, "removing a user", |transaction| {
            let sql = "DELETE FROM users WHERE name = $1";
            let removed = transaction.execute(sql, &[&name]).await? > 0;
            if removed {
                audit(transaction, now, &by, "user.remove", &name, "").await?;
            }
            Ok(removed)
        })
    }

    async fn add_token(
        &self,
        token: NewToken,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let by = by.to_owned();
        transaction!(self, "saving a token", |transaction| {
            let expired = "DELETE FROM tokens WHERE expires_at <= $1";
            transaction.execute(expired, &[&cut(now)]).await?;
            let (user, scope) = match &token.owner {
                Owner::User(name) => (Some(name), None),
                Owner::Program(scope) => (None, Some(scope)),
            };
            let role = scope.map(|scope| scope.role.as_str());
            let groups = scope.and_then(access::groups);
            let (hash, until) = (token.hash.as_slice(), token.expires_at.map(cut));
            let (id, name, now) = (token.id, &token.name, cut(now));
            let added = transaction
                .execute(
                    ADD_TOKEN,
                    &[&id, &hash, name, &user, &role, &groups, &now, &until],
                )
                .await?;
            if let Some(detail) = token.detail() {
                audit(transaction, now, &by, "token.add", name, &detail).await?;
            }
            Ok(added > 0)
        })
    }

    async fn tokens(&self, now: Timestamp) -> Result<Vec<Token>, StoreError> {
        transaction!(self, "reading tokens", |transaction| {
            let sql = "SELECT id, name, role, groups, created_at, expires_at, last_used_at FROM tokens \
                       WHERE user_name IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY name, id";
            let rows = transaction.query(sql, &[&cut(now)]).await?;
            let token = |row: &Row| {
                Ok(Token {
                    id: row.try_get("id")?,
                    name: row.try_get("name")?,
                    scope: scope(row)?,
                    created_at: row.try_get("created_at")?,
                    expires_at: row.try_get("expires_at")?,
                    last_used_at: row.try_get("last_used_at")?,
                })
            };
            rows.iter().map(token).collect()
        })
    }

    async fn revoke_token(&self, id: Uuid, by: &str, now: Timestamp) -> Result<bool, StoreError> {
        let by = by.to_owned();
        transaction!(self, "revoking a token", |transaction| {
            let sql = "DELETE FROM tokens WHERE id = $1 AND user_name IS NULL RETURNING name";
            let Some(row) = transaction.query_opt(sql, &[&id]).await? else {
                return Ok(false);
            };
            let name: String = row.try_get(0)?;
            audit(transaction, now, &by, "token.revoke", &name, "").await?;
            Ok(true)
        })
    }

    async fn log_out(&self, hash: [u8; 32]) -> Result<(), StoreError> {
        transaction!(self, "logging out", |transaction| {
            let sql = "DELETE FROM tokens WHERE hash = $1 AND user_name IS NOT NULL";
            transaction.execute(sql, &[&hash.as_slice()]).await?;
            Ok(())
        })
    }

    async fn bearer(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<Bearer>, StoreError> {
        transaction!(self, "reading a token", |transaction| {
            let select = transaction.prepare_cached(BEARER).await?;
            let found = transaction
                .query_opt(&select, &[&hash.as_slice(), &cut(now)])
                .await?;
            let Some(row) = found else {
                return Ok(None);
            };
            let used: Option<Timestamp> = row.try_get("last_used_at")?;
            if used.is_none_or(|used| now.duration_since(used) >= USED_TO_THE) {
                let used = "UPDATE tokens SET last_used_at = $2 WHERE id = $1";
                let id: Uuid = row.try_get("id")?;
                transaction.execute(used, &[&id, &cut(now)]).await?;
            }
            Ok(Some(Bearer {
                name: row.try_get("name")?,
                scope: scope(&row)?,
            }))
        })
    }

    async fn note(&self, entry: AuditEntry) -> Result<(), StoreError> {
        transaction!(self, "noting what was done", |transaction| {
            let AuditEntry {
                at,
                actor,
                action,
                about,
                detail,
            } = &entry;
            audit(transaction, *at, actor, action, about, detail).await
        })
    }

    async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        transaction!(self, "reading the audit log", |transaction| {
            let sql =
                "SELECT at, actor, action, about, detail FROM audit ORDER BY id DESC LIMIT $1";
            let rows = transaction.query(sql, &[&i64::from(limit)]).await?;
            let entry = |row: &Row| {
                Ok(AuditEntry {
                    at: row.try_get("at")?,
                    actor: row.try_get("actor")?,
                    action: row.try_get("action")?,
                    about: row.try_get("about")?,
                    detail: row.try_get("detail")?,
                })
            };
            rows.iter().map(entry).collect()
        })
    }
}

async fn save_user(
    transaction: &Transaction<'_>,
    user: &SaveUser,
    now: Timestamp,
) -> Result<SavedUser, Problem> {
    let SaveUser {
        name,
        password,
        scope,
    } = user;
    let role = scope.as_ref().map(|scope| scope.role.as_str());
    let groups = scope.as_ref().and_then(access::groups);
    let changed = transaction
        .execute(UPDATE_USER, &[name, password, &role, &groups])
        .await?;
    if changed > 0 {
        if password.is_some() {
            let sql = "DELETE FROM tokens WHERE user_name = $1";
            transaction.execute(sql, &[name]).await?;
        }
        return Ok(SavedUser::Changed);
    }
    if password.is_none() || scope.is_none() {
        return Ok(SavedUser::Incomplete);
    }
    let sql =
        "INSERT INTO users (name, password, role, groups, created_at) VALUES ($1, $2, $3, $4, $5)";
    transaction
        .execute(sql, &[name, password, &role, &groups, &now])
        .await?;
    Ok(SavedUser::Created)
}

/// Puts on record what was changed, in the same transaction.
pub(super) async fn audit(
    transaction: &Transaction<'_>,
    at: Timestamp,
    actor: &str,
    action: &str,
    about: &str,
    detail: &str,
) -> Result<(), Problem> {
    let sql = "INSERT INTO audit (at, actor, action, about, detail) VALUES ($1, $2, $3, $4, $5)";
    let insert = transaction.prepare_cached(sql).await?;
    transaction
        .execute(&insert, &[&cut(at), &actor, &action, &about, &detail])
        .await?;
    Ok(())
}

fn scope(row: &Row) -> Result<Scope, Problem> {
    let role: String = row.try_get("role")?;
    Ok(access::scope(&role, row.try_get("groups")?)?)
}
