//! What a target's names resolve to, as JSON.

use portwatch_domain::target::names::Names;

use super::Unreadable;

const COLUMN: &str = "names";

pub(crate) fn to_json(names: &Names) -> Result<String, Unreadable> {
    serde_json::to_string(names).map_err(|error| Unreadable::new(COLUMN, error))
}

pub(crate) fn from_json(text: &str) -> Result<Names, Unreadable> {
    serde_json::from_str(text).map_err(|error| Unreadable::new(COLUMN, error))
}
