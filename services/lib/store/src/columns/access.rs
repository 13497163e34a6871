//! What somebody may see and do, as columns.

use portwatch_domain::access::{Groups, Scope};

use super::{Unreadable, parse};

/// The groups; none for those of all.
pub(crate) fn groups(scope: &Scope) -> Option<Vec<String>> {
    match &scope.groups {
        Groups::All => None,
        Groups::These(groups) => Some(groups.clone()),
    }
}

/// The scope of a row.
pub(crate) fn scope(role: &str, groups: Option<Vec<String>>) -> Result<Scope, Unreadable> {
    Ok(Scope {
        role: parse("role", role)?,
        groups: groups.map_or(Groups::All, Groups::These),
    })
}
