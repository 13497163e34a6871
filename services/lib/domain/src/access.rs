//! Who may see and do what in the console.

use std::fmt;

use crate::spelling::words;
use crate::target::Target;

/// What somebody may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May look.
    Viewer,
    /// May set switches and ask for scans.
    Operator,
    /// May also see who has done what.
    Admin,
}

words!(
    Role,
    "role",
    Viewer = "viewer",
    Operator = "operator",
    Admin = "admin"
);

/// Whose targets somebody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// Those of every group.
    All,
    /// Those of these groups.
    These(Vec<String>),
}

/// What somebody may see and do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What may be done.
    pub role: Role,
    /// With the targets of which groups.
    pub groups: Groups,
}

impl Scope {
    /// Whether this target is shown. Of one that is not, nothing is told, not even that it is there.
    pub fn sees(&self, target: &Target) -> bool {
        match &self.groups {
            Groups::All => true,
            Groups::These(groups) => groups.contains(&target.group),
        }
    }

    /// Whether what needs this role may be done.
    pub fn may(&self, needed: Role) -> bool {
        self.role >= needed
    }
}

impl fmt::Display for Groups {
    /// `all groups`, or their names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all groups"),
            Self::These(groups) if groups.is_empty() => f.write_str("no group"),
            Self::These(groups) => f.write_str(&groups.join(", ")),
        }
    }
}
