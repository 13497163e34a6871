//! How much a change matters.

use crate::spelling::words;

/// How much a change matters, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// As it should be.
    Info,
    /// Worth knowing.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
}

words!(
    Severity,
    "severity",
    Info = "info",
    Low = "low",
    Medium = "medium",
    High = "high"
);
