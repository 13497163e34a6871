//! Whether this process may open raw sockets, and what to do about it if it may not.

use std::fmt;
use std::path::Path;

use crate::sockets::Sockets;
use crate::wire::WireError;

/// The number of `CAP_NET_RAW` in capability sets (linux/capability.h).
const CAP_NET_RAW: u32 = 13;

/// Raw sockets are not permitted. Printed as what is missing; [`Denied::mend`] says how to grant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    cause: String,
    situation: Situation,
}

/// What the kernel says of this process in /proc/self/status, and where it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Situation {
    /// `CAP_NET_RAW` can be had at all: it is in the bounding set.
    obtainable: bool,
    /// `no_new_privs` is set, so that capabilities on the file do not count.
    no_new_privileges: bool,
    place: Place,
}

/// Where a process gets its capabilities from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Shell,
    Container,
    Unit,
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
        let permission = error.source.kind() == std::io::ErrorKind::PermissionDenied;
        let cause = if permission {
            "this process lacks CAP_NET_RAW".to_owned()
        } else {
            format!("{error}: {}", error.source)
        };
        Self {
            cause,
            situation: Situation::of_this_process(),
        }
    }

    /// What to do, in words for the one who runs the process.
    pub fn mend(&self) -> String {
        self.situation.mend()
    }
}

impl Situation {
    fn of_this_process() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let marks = ["/.dockerenv", "/run/.containerenv"];
        let place = if marks.iter().any(|mark| Path::new(mark).exists()) {
            Place::Container
        } else if std::env::var_os("INVOCATION_ID").is_some() {
            Place::Unit
        } else {
            Place::Shell
        };
        Self {
            place,
            ..Self::of_status(&status)
        }
    }

    fn of_status(status: &str) -> Self {
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)
        };
        let bounding = field("CapBnd:").and_then(|set| u64::from_str_radix(set, 16).ok());
        Self {
            obtainable: bounding.is_none_or(|set| set & (1 << CAP_NET_RAW) != 0),
            no_new_privileges: field("NoNewPrivs:") == Some("1"),
            ..Self::default()
        }
    }

    fn mend(self) -> String {
        if self.place == Place::Container {
            return if self.obtainable {
                "in a container, run it as root, or grant the capability to its user: docker run --cap-add NET_RAW --user 0".to_owned()
            } else {
                "the container was started without it: docker run --cap-add NET_RAW, or cap_add: [NET_RAW] in docker-compose.yml".to_owned()
            };
        }
        if self.place == Place::Unit {
            return "in the systemd unit: AmbientCapabilities=CAP_NET_RAW and CapabilityBoundingSet=CAP_NET_RAW".to_owned();
        }
        if !self.obtainable {
            return "it is not in this process' bounding set: start it from somewhere that has CAP_NET_RAW".to_owned();
        }
        let program = std::env::current_exe().map_or_else(
            |_| "portwatch".to_owned(),
            |path| path.display().to_string(),
        );
        if self.no_new_privileges {
            return format!(
                "no_new_privs is set, so a capability on the file does not count: run `sudo {program} …`, or grant CAP_NET_RAW as an ambient capability"
            );
        }
        format!("run `sudo setcap cap_net_raw+ep {program}` once, or run it with sudo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str =
        "Name:\tportwatch\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\n";

    #[test]
    fn the_status_of_the_process_decides_the_advice() {
        let free = Situation::of_status(STATUS);
        assert!(free.obtainable && !free.no_new_privileges);
        assert!(free.mend().contains("setcap cap_net_raw+ep"));

        let locked = Situation::of_status(&STATUS.replace("NoNewPrivs:\t0", "NoNewPrivs:\t1"));
        assert!(!locked.mend().contains("setcap"), "it would not help");
        assert!(locked.mend().contains("ambient"));

        // Docker without NET_RAW: bit 13 is missing.
        let bare = Situation::of_status(&STATUS.replace("1ffffffffff", "00000005fb"));
        assert!(!bare.obtainable);
        assert!(bare.mend().contains("bounding set"));
        let container = Situation {
            place: Place::Container,
            ..bare
        };
        assert!(container.mend().contains("--cap-add NET_RAW"));
        let unit = Situation {
            place: Place::Unit,
            ..free
        };
        assert!(unit.mend().contains("AmbientCapabilities=CAP_NET_RAW"));
    }

    #[test]
    fn an_unreadable_status_is_no_reason_to_despair() {
        assert!(Situation::of_status("").obtainable);
    }
}
