//! Users, tokens and the audit log, in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use portwatch_domain::access::Scope;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use uuid::Uuid;

use super::rows::{self, json};
use super::{Problem, Sqlite};
use crate::StoreError;
use crate::access::{
    Access, AuditEntry, Bearer, NewToken, Owner, SaveUser, SavedUser, Token, USED_TO_THE, User,
};
use crate::columns::access;

const UPDATE_USER: &str = "UPDATE users SET password = coalesce(?2, password), \
     role = coalesce(?3, role), groups = iif(?3 IS NULL, groups, ?4) WHERE name = ?1";

const ADD_TOKEN: &str = "INSERT INTO tokens (id, hash, name, user_name, role, groups, created_at, \
     expires_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 \
     WHERE ?4 IS NULL OR EXISTS (SELECT 1 FROM users WHERE name = ?4)";

const BEARER: &str = "SELECT t.id, coalesce(u.name, t.name) AS name, coalesce(u.role, t.role) AS role, \
     iif(u.name IS NULL, t.groups, u.groups) AS groups, t.last_used_at \
     FROM tokens t LEFT JOIN users u ON u.name = t.user_name \
     WHERE t.hash = ?1 AND (t.expires_at IS NULL OR t.expires_at > ?2)";

#[async_trait]
impl Access for Sqlite {
    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.transaction("reading users", |transaction| {
            let sql = "SELECT name, role, groups, created_at FROM users ORDER BY name";
            let found = rows::select(transaction, sql, [], |row| {
                Ok((
                    row.get("name")?,
                    scope(row)?,
                    rows::time(row, "created_at")?,
                ))
            })?;
            let users = found.into_iter().map(|(name, scope, created_at)| User {
                name,
                scope,
                created_at,
            });
            Ok(users.collect())
        })
        .await
    }

    async fn password_of(&self, user: &str) -> Result<Option<String>, StoreError> {
        let user = user.to_owned();
        self.transaction("reading a user", move |transaction| {
            let sql = "SELECT password FROM users WHERE name = ?1";
            let mut select = transaction.prepare_cached(sql)?;
            Ok(select.query_row([user], |row| row.get(0)).optional()?)
        })
        .await
    }

    async fn save_user(
        &self,
        user: SaveUser,
        by: &str,
        now: Timestamp,
    ) -> Result<SavedUser, StoreError> {
        let by = by.to_owned();
        self.transaction("saving a user", move |transaction| {
            let saved = save_user(transaction, &user, now)?;
            if saved != SavedUser::Incomplete {
                let detail = user.detail();
                audit(transaction, now, &by, "user.save", &user.name, &detail)?;
            }
            Ok(saved)
        })
        .await
    }

    async fn remove_user(&self, name: &str, by: &str, now: Timestamp) -> Result<bool, StoreError> {
        let (name, by) = (name.to_owned(), by.to_owned());
        self.transaction("removing a user", move |transaction| {
            let removed = transaction.execute("DELETE FROM users WHERE name = ?1", [&name])? > 0;
            if removed {
                audit(transaction, now, &by, "user.remove", &name, "")?;
            }
            Ok(removed)
        })
        .await
    }

    async fn add_token(
        &self,
        token: NewToken,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let by = by.to_owned();
        self.transaction("saving a token", move |transaction| {
            let expired = "DELETE FROM tokens WHERE expires_at <= ?1";
            transaction.execute(expired, [now.as_microsecond()])?;
            let (user, scope) = match &token.owner {
                Owner::User(name) => (Some(name), None),
                Owner::Program(scope) => (None, Some(scope)),
            };
            let groups = scope.and_then(access::groups);
            let added = transaction.execute(
                ADD_TOKEN,
                params![
                    token.id.as_bytes(),
                    token.hash,
                    token.name,
                    user,
                    scope.map(|scope| scope.role.as_str()),
                    groups.map(|groups| json(&groups)).transpose()?,
                    now.as_microsecond(),
                    token.expires_at.map(Timestamp::as_microsecond),
                ],
            )?;
            if let Some(detail) = token.detail() {
                audit(transaction, now, &by, "token.add", &token.name, &detail)?;
            }
            Ok(added > 0)
        })
        .await
    }

    async fn tokens(&self, now: Timestamp) -> Result<Vec<Token>, StoreError> {
        self.transaction("reading tokens", move |transaction| {
            let sql = "SELECT id, name, role, groups, created_at, expires_at, last_used_at FROM tokens \
                       WHERE user_name IS NULL AND (expires_at IS NULL OR expires_at > ?1) ORDER BY name, id";
            rows::select(transaction, sql, [now.as_microsecond()], |row| {
                Ok(Token {
                    id: rows::uuid(row, "id")?,
                    name: row.get("name")?,
                    scope: scope(row)?,
                    created_at: rows::time(row, "created_at")?,
                    expires_at: rows::optional_time(row, "expires_at")?,
                    last_used_at: rows::optional_time(row, "last_used_at")?,
                })
            })
        })
        .await
    }

    async fn revoke_token(&self, id: Uuid, by: &str, now: Timestamp) -> Result<bool, StoreError> {
        let by = by.to_owned();
        self.transaction("revoking a token", move |transaction| {
            let sql = "DELETE FROM tokens WHERE id = ?1 AND user_name IS NULL RETURNING name";
            let mut delete = transaction.prepare_cached(sql)?;
            let deleted = delete.query_row([id.as_bytes()], |row| row.get::<_, String>(0));
            let Some(name) = deleted.optional()? else {
                return Ok(false);
            };
            audit(transaction, now, &by, "token.revoke", &name, "")?;
            Ok(true)
        })
        .await
    }

    async fn log_out(&self, hash: [u8; 32]) -> Result<(), StoreError> {
        self.transaction("logging out", move |transaction| {
            let sql = "DELETE FROM tokens WHERE hash = ?1 AND user_name IS NOT NULL";
            transaction.execute(sql, [hash])?;
            Ok(())
        })
        .await
    }

    async fn bearer(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<Bearer>, StoreError> {
        self.transaction("reading a token", move |transaction| {
            let mut select = transaction.prepare_cached(BEARER)?;
            let found = select.query_row(params![hash, now.as_microsecond()], |row| {
                let bearer = Bearer {
                    name: row.get("name")?,
                    scope: scope(row)?,
                };
                let used = rows::optional_time(row, "last_used_at")?;
                Ok((rows::uuid(row, "id")?, used, bearer))
            });
            let Some((id, used, bearer)) = found.optional()? else {
                return Ok(None);
            };
            if used.is_none_or(|used| now.duration_since(used) >= USED_TO_THE) {
                let used = "UPDATE tokens SET last_used_at = ?2 WHERE id = ?1";
                transaction.execute(used, params![id.as_bytes(), now.as_microsecond()])?;
            }
            Ok(Some(bearer))
        })
        .await
    }

    async fn note(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.transaction("noting what was done", move |transaction| {
            let AuditEntry {
                at,
                actor,
                action,
                about,
                detail,
            } = &entry;
            audit(transaction, *at, actor, action, about, detail)
        })
        .await
    }

    async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.transaction("reading the audit log", move |transaction| {
            let sql =
                "SELECT at, actor, action, about, detail FROM audit ORDER BY id DESC LIMIT ?1";
            rows::select(transaction, sql, [limit], |row| {
                Ok(AuditEntry {
                    at: rows::time(row, "at")?,
                    actor: row.get("actor")?,
                    action: row.get("action")?,
                    about: row.get("about")?,
                    detail: row.get("detail")?,
                })
            })
        })
        .await
    }
}

fn save_user(
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
    let groups = groups.map(|groups| json(&groups)).transpose()?;
    let changed = transaction.execute(UPDATE_USER, params![name, password, role, groups])?;
    if changed > 0 {
        if password.is_some() {
            transaction.execute("DELETE FROM tokens WHERE user_name = ?1", [name])?;
        }
        return Ok(SavedUser::Changed);
    }
    if password.is_none() || scope.is_none() {
        return Ok(SavedUser::Incomplete);
    }
    transaction.execute(
        "INSERT INTO users (name, password, role, groups, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![name, password, role, groups, now.as_microsecond()],
    )?;
    Ok(SavedUser::Created)
}

/// Puts on record what was changed, in the same transaction.
pub(super) fn audit(
    transaction: &Transaction<'_>,
    at: Timestamp,
    actor: &str,
    action: &str,
    about: &str,
    detail: &str,
) -> Result<(), Problem> {
    let sql = "INSERT INTO audit (at, actor, action, about, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = transaction.prepare_cached(sql)?;
    insert.execute(params![at.as_microsecond(), actor, action, about, detail])?;
    Ok(())
}

fn scope(row: &Row<'_>) -> rusqlite::Result<Scope> {
    let role: String = row.get("role")?;
    let groups = rows::optional_list(row, "groups")?;
    access::scope(&role, groups).map_err(|error| rows::unreadable(Type::Text, error))
}
