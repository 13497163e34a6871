//! The numbers under which programs written for Roxy-WI know servers and groups.

use std::collections::HashMap;

use async_trait::async_trait;
use portwatch_domain::spelling::words;

use crate::StoreError;

/// The first number of what Roxy-WI has not numbered itself; its own are far below.
pub(crate) const FIRST: i64 = 1_000_001;

/// What has numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numbered {
    /// Targets, by their ids.
    Target,
    /// Groups, by their names.
    Group,
}

words!(
    Numbered,
    "kind of number",
    Target = "target",
    Group = "group"
);

/// Keeps numbers.
#[async_trait]
pub trait Numbers: Send + Sync {
    /// The numbers of these names. One that has none is given the next, which it keeps.
    async fn numbers(
        &self,
        kind: Numbered,
        names: Vec<String>,
    ) -> Result<HashMap<String, u64>, StoreError>;

    /// What has this number.
    async fn numbered(&self, kind: Numbered, number: u64) -> Result<Option<String>, StoreError>;

    /// Gives these names the numbers that Roxy-WI has for them. Whatever has one of them otherwise loses it.
    async fn set_numbers(
        &self,
        kind: Numbered,
        numbers: HashMap<String, u64>,
    ) -> Result<(), StoreError>;
}
