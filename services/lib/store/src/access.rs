//! Who may use the console, with which tokens, and what was changed by whom.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::access::Scope;
use uuid::Uuid;

use crate::StoreError;

/// When a token was last shown is kept to this.
pub(crate) const USED_TO_THE: SignedDuration = SignedDuration::from_mins(1);

/// A user of the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name to log in with.
    pub name: String,
    /// What may be seen and done.
    pub scope: Scope,
    /// Since when there is one.
    pub created_at: Timestamp,
}

/// A user as it is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveUser {
    /// The name to log in with.
    pub name: String,
    /// The hash of a new password, as a PHC string; `None` keeps the one that is known.
    pub password: Option<String>,
    /// What may be seen and done; `None` keeps it.
    pub scope: Option<Scope>,
}

/// What became of a user that was to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedUser {
    /// There was none of this name.
    Created,
    /// There was one. With a new password, whoever was logged in no longer is.
    Changed,
    /// There is none of this name, and password or scope are missing to make one.
    Incomplete,
}

/// Whose role and groups count for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Those of the user who has logged in, as they are when the token is shown.
    User(String),
    /// A program: its own.
    Program(Scope),
}

/// A token that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Its id, by which people know it.
    pub id: Uuid,
    /// SHA-256 of the token: the token itself is not kept.
    pub hash: [u8; 32],
    /// What people call it.
    pub name: String,
    /// Who shows it.
    pub owner: Owner,
    /// From when on it counts no longer; `None`: it counts until it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// A token of a program, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What may be seen and done with it.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it counts no longer.
    pub expires_at: Option<Timestamp>,
    /// When it was last shown, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Who shows a token that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The user's name, or that of the token.
    pub name: String,
    /// What may be seen and done.
    pub scope: Scope,
}

/// What somebody has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a user, a token, or the user of the command line.
    pub actor: String,
    /// What: `user.save`, `switches.set`, …
    pub action: String,
    /// Of what.
    pub about: String,
    /// How, in words.
    pub detail: String,
}

/// Keeps users, tokens and the audit log. What changes a user or a token of a program is on record with the change.
#[async_trait]
pub trait Access: Send + Sync {
    /// All users, by name.
    async fn users(&self) -> Result<Vec<User>, StoreError>;

    /// The hash of a user's password; `None` if there is no such user.
    async fn password_of(&self, user: &str) -> Result<Option<String>, StoreError>;

    /// Makes a user, or changes one.
    async fn save_user(
        &self,
        user: SaveUser,
        by: &str,
        now: Timestamp,
    ) -> Result<SavedUser, StoreError>;

    /// Deletes a user, who is logged in no longer. False if there is none.
    async fn remove_user(&self, name: &str, by: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Makes a token, and deletes those that have expired. False if its user is gone.
    async fn add_token(
        &self,
        token: NewToken,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The tokens of programs that count at `now`, by name.
    async fn tokens(&self, now: Timestamp) -> Result<Vec<Token>, StoreError>;

    /// Deletes a token of a program. False if there is none.
    async fn revoke_token(&self, id: Uuid, by: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Deletes the token with this hash of a user who logs out.
    async fn log_out(&self, hash: [u8; 32]) -> Result<(), StoreError>;

    /// Who shows the token with this hash; `None` if none counts at `now`.
    async fn bearer(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<Bearer>, StoreError>;

    /// Puts something on record that changes nothing here.
    async fn note(&self, entry: AuditEntry) -> Result<(), StoreError>;

    /// The newest entries of the audit log, newest first.
    async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
}

impl SaveUser {
    /// What is on record of it, in words.
    pub(crate) fn detail(&self) -> String {
        let scope = self.scope.as_ref().map(described);
        let password = self.password.as_ref().map(|_| "password set".to_owned());
        let parts: Vec<_> = [scope, password].into_iter().flatten().collect();
        parts.join(", ")
    }
}

impl NewToken {
    /// What is on record of it, in words; `None` of a login.
    pub(crate) fn detail(&self) -> Option<String> {
        let Owner::Program(scope) = &self.owner else {
            return None;
        };
        let until = self.expires_at.map_or_else(
            || "until it is revoked".to_owned(),
            |at| format!("until {at:.0}"),
        );
        Some(format!("{}, {until}", described(scope)))
    }
}

/// A scope in words.
fn described(scope: &Scope) -> String {
    format!("{} of {}", scope.role, scope.groups)
}
