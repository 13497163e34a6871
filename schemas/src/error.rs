//! What can be wrong with a message, and where.

use std::net::IpAddr;

use portwatch_domain::change::ChangeKind;
use portwatch_domain::snapshot::ReportError;
use portwatch_domain::spelling::UnknownWord;

/// A message could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// JSON cannot hold it.
    #[error("writing a {message} message as JSON")]
    Json {
        /// The message's type.
        message: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// Larger than the broker's messages may be.
    #[error(
        "the {message} message is too large: {bytes} bytes, and {} is the most",
        crate::MAX_MESSAGE_BYTES
    )]
    TooLarge {
        /// The message's type.
        message: &'static str,
        /// Its size.
        bytes: usize,
    },
}

/// A message that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Larger than any message is; nothing of it was read.
    #[error(
        "the message is too large: {bytes} bytes, and {} is the most",
        crate::MAX_MESSAGE_BYTES
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, or a field that is missing or ill-typed. The source says which line and column.
    #[error("{}: {source}", if path == "." { "the message" } else { path })]
    Field {
        /// The field (`data.hosts[2].ip`), or `.` for the message itself.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A version of the envelope that is not known.
    #[error("specversion: CloudEvents {0:?} is not known, only 1.0")]
    SpecVersion(String),
    /// Another message than was expected here.
    #[error("type: expected {expected}, found {found:?}")]
    Type {
        /// The type that belongs here.
        expected: &'static str,
        /// The type that came.
        found: String,
    },
    /// The data is not JSON by its own account.
    #[error("datacontenttype: {0:?} is not application/json")]
    ContentType(String),
    /// Well-formed, but it contradicts itself or the limits.
    #[error("{path}: {problem}")]
    Check {
        /// The field, such as `data.hosts[2].ip`.
        path: String,
        /// What is wrong with it.
        #[source]
        problem: Problem,
    },
}

impl DecodeError {
    /// The field that is wrong, such as `data.hosts[2].ip`; `.` is the message as a whole.
    pub fn path(&self) -> &str {
        match self {
            Self::TooLarge { .. } => ".",
            Self::Field { path, .. } | Self::Check { path, .. } => path,
            Self::SpecVersion(_) => "specversion",
            Self::Type { .. } => "type",
            Self::ContentType(_) => "datacontenttype",
        }
    }
}

/// What the domain does not allow in a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Problem {
    /// A list that may not be empty.
    #[error("is empty")]
    Empty,
    /// A number counted from 1.
    #[error("is 0")]
    Zero,
    /// A list that is too long.
    #[error("has {found} entries, and {most} is the most")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A host that the job itself excludes.
    #[error("{0} is excluded by the job")]
    Excluded(IpAddr),
    /// A host listed twice.
    #[error("{0} is listed twice")]
    Twice(IpAddr),
    /// A job that is over before it begins.
    #[error("is not after created_at")]
    Deadline,
    /// A part that the snapshot does not have.
    #[error("is part {part} of {parts}: parts are counted from 0")]
    Part {
        /// Which part.
        part: u32,
        /// How many there are.
        parts: u32,
    },
    /// A host report that contradicts itself.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A state that is none of those known.
    #[error(transparent)]
    Word(#[from] UnknownWord),
    /// An ICMP answer without its code, or another with one.
    #[error("belongs to icmp-unreachable, and only there")]
    Code,
    /// The name of a service without how it is known, or the other way round.
    #[error("belongs to a name, and a name has one")]
    NameSource,
    /// A field that a change of this kind has.
    #[error("is missing")]
    Missing,
    /// A field that changes of this kind do not have.
    #[error("does not belong to a change of the kind {0}")]
    Surplus(ChangeKind),
    /// A change that is told about something else.
    #[error("is {kind}, which is no change of {about}")]
    Elsewhere {
        /// The kind given.
        kind: ChangeKind,
        /// What the message is about.
        about: &'static str,
    },
    /// Neither a host of a target, nor a target, nor a zone.
    #[error("give a target and an ip, a target alone, or a zone alone")]
    About,
    /// Not an address.
    #[error(transparent)]
    Ip(#[from] crate::text::IpError),
    /// What listens on a port that is not open.
    #[error("belongs to a port that is open")]
    NotOpen,
    /// No transition ends in this state.
    #[error("is unknown: that is no verdict")]
    Unknown,
    /// Nothing changed.
    #[error("is the same as before")]
    Unchanged,
    /// The kind does not fit the states.
    #[error("is {found}, but the states say {expected}")]
    Kind {
        /// The kind given.
        found: ChangeKind,
        /// The kind that the states make.
        expected: ChangeKind,
    },
    /// A host that is neither its address nor a name.
    #[error("{0:?} is neither the host's address nor a host name")]
    Host(String),
}

/// A [`Problem`] and where it is, relative to the message's data.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    pub path: String,
    pub problem: Problem,
}

impl Misfit {
    pub fn new(path: impl Into<String>, problem: impl Into<Problem>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// Moves the path below `outer`.
    pub fn below(self, outer: &str) -> Self {
        Self {
            path: format!("{outer}.{}", self.path),
            ..self
        }
    }
}
