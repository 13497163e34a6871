//! Which run each port of a host was last judged by.

use crate::ports::{Port, PortSet};

/// How many runs are told apart. What is older counts as judged by the last of them, which is the safe side: an
/// older snapshot is then left out.
const MOST: usize = 8;

/// The newest run that judged each port, so that an older snapshot never overwrites a newer one, and a job that
/// looks at a few ports again does not make the answer for the others look old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// By run, newest first; no port is in two of them.
    judged: Vec<(u64, PortSet)>,
    /// The newest run that told whether the host is up; 0 before the first.
    host: u64,
    /// The newest run that reported on the host at all; 0 before the first.
    newest: u64,
}

impl Runs {
    /// No run yet.
    pub const fn new() -> Self {
        Self {
            judged: Vec::new(),
            host: 0,
            newest: 0,
        }
    }

    /// As it was kept: the newest run, that of the host's state, and the ports by run, newest first.
    pub const fn kept(newest: u64, host: u64, judged: Vec<(u64, PortSet)>) -> Self {
        Self {
            judged,
            host,
            newest,
        }
    }

    /// The newest run that reported on the host at all; 0 before the first.
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// The newest run that told whether the host is up; 0 before the first.
    pub const fn host(&self) -> u64 {
        self.host
    }

    /// The ports by the run that judged them last, newest first. Together they are the host's baseline.
    pub fn judged(&self) -> &[(u64, PortSet)] {
        &self.judged
    }

    /// The newest run that judged the port; 0 if none has.
    pub fn of(&self, port: Port) -> u64 {
        let found = self.judged.iter().find(|(_, ports)| ports.contains(port));
        found.map_or(0, |&(run, _)| run)
    }

    /// Those of the ports that no run as new as this one has judged.
    pub(super) fn fresh(&self, run: u64, ports: &PortSet) -> PortSet {
        let newer = self.judged.iter().filter(|&&(judged, _)| judged >= run);
        newer.fold(ports.clone(), |fresh, (_, judged)| fresh.difference(judged))
    }

    /// Takes note that a run reported.
    pub(super) fn reported(&mut self, run: u64) {
        self.newest = self.newest.max(run);
    }

    /// Takes note that a run told whether the host is up. False if one as new has already.
    pub(super) fn judge_host(&mut self, run: u64) -> bool {
        let is_news = run > self.host;
        self.host = self.host.max(run);
        is_news
    }

    /// Takes note that a run judged these ports, which must be [`Runs::fresh`] for it.
    pub(super) fn judge(&mut self, run: u64, fresh: &PortSet) {
        for (_, ports) in &mut self.judged {
            *ports = ports.difference(fresh);
        }
        match self.judged.iter_mut().find(|(judged, _)| *judged == run) {
            Some((_, ports)) => *ports = ports.union(fresh),
            None => self.judged.push((run, fresh.clone())),
        }
        self.judged.retain(|(_, ports)| !ports.is_empty());
        self.judged.sort_by_key(|&(run, _)| std::cmp::Reverse(run));
        while self.judged.len() > MOST {
            let oldest = self.judged.pop().map(|(_, ports)| ports);
            if let (Some(oldest), Some((_, ports))) = (oldest, self.judged.last_mut()) {
                *ports = ports.union(&oldest);
            }
        }
    }

    /// Forgets ports that are no longer watched.
    pub(super) fn keep(&mut self, watched: &PortSet) {
        for (_, ports) in &mut self.judged {
            if !ports.is_subset(watched) {
                *ports = ports.intersection(watched);
            }
        }
        self.judged.retain(|(_, ports)| !ports.is_empty());
    }
}
