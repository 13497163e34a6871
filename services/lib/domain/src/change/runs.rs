//! Which run each port of a host was last judged by.

use crate::ports::{Port, PortSet};

/// The newest run that judged each port, so that an older snapshot never overwrites a newer one, and a job that
/// looks at a few ports again does not make the answer for the others look old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// By run, newest first; no port is in two of them.
    judged: Vec<(u64, PortSet)>,
    /// The newest run that told anything of the host; 0 before the first.
    newest: u64,
}

impl Runs {
    /// No run yet.
    pub const fn new() -> Self {
        Self {
            judged: Vec::new(),
            newest: 0,
        }
    }

    /// The newest run that told anything of the host; 0 before the first.
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// The newest run that judged the port; 0 if none has.
    pub fn of(&self, port: Port) -> u64 {
        let found = self.judged.iter().find(|(_, ports)| ports.contains(port));
        found.map_or(0, |&(run, _)| run)
    }

    /// Takes note that a run judged these ports. Ports that a newer run judged stay with that.
    pub fn judge(&mut self, run: u64, ports: &PortSet) {
        self.newest = self.newest.max(run);
        let mut fresh = ports.clone();
        for (judged, older) in &mut self.judged {
            if *judged > run {
                fresh = fresh.difference(older);
            } else {
                *older = older.difference(&fresh);
            }
        }
        self.judged.push((run, fresh));
        self.judged.retain(|(_, ports)| !ports.is_empty());
        self.judged.sort_by_key(|&(run, _)| std::cmp::Reverse(run));
    }
}
