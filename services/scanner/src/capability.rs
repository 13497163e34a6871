//! Whether this process may open raw sockets, and what to do about it if it may not.

mod situation;

use std::fmt;

use crate::sockets::Sockets;
use crate::wire::WireError;
use situation::Situation;

/// Raw sockets are not permitted. Printed as what is missing; [`Denied::mend`] says how to grant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    cause: String,
    /// The number of the kernel's error.
    error: Option<i32>,
    situation: Situation,
}

/// Opens raw sockets and closes them again. Nothing is sent.
///
/// # Errors
/// If they cannot be opened.
pub fn raw_sockets() -> Result<(), Denied> {
    Sockets::open(0)
        .map(|_| ())
        .map_err(|error| Denied::because(&error))
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Denied {}

impl Denied {
    /// The sockets of a scan cannot be opened.
    pub(crate) fn because(error: &WireError) -> Self {
        let situation = Situation::of_this_process();
        let permission = error.source.kind() == std::io::ErrorKind::PermissionDenied;
        let cause = if permission && !situation.is_granted() {
            "this process lacks CAP_NET_RAW".to_owned()
        } else {
            format!("{error}: {}", error.source)
        };
        Self {
            cause,
            error: error.source.raw_os_error(),
            situation,
        }
    }

    /// What to do, in words for the one who runs the process.
    pub fn mend(&self) -> String {
        self.situation.mend(self.error)
    }
}
