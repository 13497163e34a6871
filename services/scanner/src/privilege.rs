//! Gives up every privilege once the raw sockets are open, for good and for every thread.
//!
//! Whoever takes over the process later has the sockets, and nothing else that an ordinary process
//! would not have: no capability, no way to gain one (`no_new_privs`), and no way to run a program,
//! look into other processes, or reach the parts of the kernel where most of its holes are found.

mod filter;
#[cfg(test)]
mod tests;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};

/// What may not be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing is kept.
    Nothing,
    /// Files that belong to others can be read, written and handed to them: `CAP_DAC_OVERRIDE` and
    /// `CAP_CHOWN`. For root that keeps state in a directory of another user.
    FileAccess,
}

/// A privilege that should be given up could not be.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// It would be given up by one thread only.
    #[error(
        "privileges cannot be dropped: the process has {threads} threads already, and each has its own"
    )]
    Threads {
        /// How many.
        threads: usize,
    },
    /// The kernel refused.
    #[error(
        "cannot clear the {set} capabilities of this process (scanner.sandbox = false goes on with all of them)"
    )]
    Capabilities {
        /// Which set.
        set: &'static str,
        /// What the kernel said.
        source: CapsError,
    },
    /// The kernel did not refuse, and yet.
    #[error(
        "the {set} capabilities of this process are still there after they were cleared (scanner.sandbox = false goes on with them)"
    )]
    Kept {
        /// Which set.
        set: &'static str,
    },
    /// The filter for system calls could not be set.
    #[error(
        "cannot restrict the system calls of this process by seccomp (scanner.sandbox = false goes on without)"
    )]
    Filter(#[source] seccompiler::Error),
}

/// The sets that can be cleared without `CAP_SETPCAP`, in an order in which each can be.
const SETS: [(CapSet, &str); 4] = [
    (CapSet::Ambient, "ambient"),
    (CapSet::Inheritable, "inheritable"),
    (CapSet::Effective, "effective"),
    (CapSet::Permitted, "permitted"),
];

/// Drops all capabilities, sets `no_new_privs`, and restricts the system calls. To be called while the
/// process has one thread: those that are started later have no more than this one.
///
/// The bounding set can only be emptied with `CAP_SETPCAP`, which root has. Without it, it stays, and is
/// worth nothing: nothing can be gained from it under `no_new_privs`.
///
/// # Errors
/// If anything is left that was to be dropped. If there was nothing to drop, because the process had no
/// capability at all, a kernel without seccomp is only logged.
pub fn drop(keep: Keep) -> Result<(), PrivilegeError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(PrivilegeError::Threads { threads });
    }
    give_up(keep)
}

/// Does it, for this thread and those that it will start.
fn give_up(keep: Keep) -> Result<(), PrivilegeError> {
    let had = read(CapSet::Permitted, "permitted")?;
    capabilities(keep, &had)?;
    match filter::apply() {
        Ok(denied) => tracing::debug!(
            capabilities = had.len(),
            ?keep,
            denied_system_calls = denied,
            "privileges dropped: capabilities, new ones, and system calls that are not needed"
        ),
        Err(error) if had.is_empty() => {
            tracing::warn!(%error, "no seccomp: system calls that are not needed stay possible");
        }
        Err(error) => return Err(PrivilegeError::Filter(error)),
    }
    Ok(())
}

fn capabilities(keep: Keep, had: &CapsHashSet) -> Result<(), PrivilegeError> {
    let kept = match keep {
        Keep::Nothing => CapsHashSet::new(),
        Keep::FileAccess => [Capability::CAP_DAC_OVERRIDE, Capability::CAP_CHOWN]
            .into_iter()
            .filter(|capability| had.contains(capability))
            .collect(),
    };
    if had.contains(&Capability::CAP_SETPCAP) {
        for capability in read(CapSet::Bounding, "bounding")?.difference(&kept) {
            caps::drop(None, CapSet::Bounding, *capability)
                .map_err(|source| refused("bounding", source))?;
        }
    }
    for (set, name) in SETS {
        let wanted = match set {
            CapSet::Effective | CapSet::Permitted => kept.clone(),
            _ => CapsHashSet::new(),
        };
        let done = if matches!(set, CapSet::Ambient) {
            caps::clear(None, set)
        } else {
            caps::set(None, set, &wanted)
        };
        done.map_err(|source| refused(name, source))?;
        if read(set, name)? != wanted {
            return Err(PrivilegeError::Kept { set: name });
        }
    }
    Ok(())
}

fn read(set: CapSet, name: &'static str) -> Result<CapsHashSet, PrivilegeError> {
    caps::read(None, set).map_err(|source| refused(name, source))
}

fn refused(set: &'static str, source: CapsError) -> PrivilegeError {
    PrivilegeError::Capabilities { set, source }
}
