//! The probes of one host that wait for their turn.

use std::collections::VecDeque;

/// A probe that waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The next attempt on a port, by its place in the scan.
    Port(u32),
    /// A port that has answered, to see whether the host still does.
    Control(u16),
    /// A port that should not be open.
    Decoy(u16),
}

/// First what is due (retransmissions, verification, controls), then ports that are begun.
#[derive(Debug, Default)]
pub(crate) struct Line {
    due: VecDeque<Attempt>,
    begun: VecDeque<Attempt>,
}

impl Line {
    /// Goes after everything else that is due.
    pub(crate) fn add_due(&mut self, attempt: Attempt) {
        self.due.push_back(attempt);
    }

    /// Goes before everything.
    pub(crate) fn add_first(&mut self, attempt: Attempt) {
        self.due.push_front(attempt);
    }

    /// Goes after everything.
    pub(crate) fn add_begun(&mut self, attempt: Attempt) {
        self.begun.push_back(attempt);
    }

    /// Whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Attempt> {
        self.due.pop_front().or_else(|| self.begun.pop_front())
    }

    /// True if it is a control's.
    pub(crate) fn begins_with_control(&self) -> bool {
        matches!(self.due.front(), Some(Attempt::Control(_)))
    }

    /// How many ports that are begun still stand here.
    pub(crate) fn begun(&self) -> usize {
        self.begun.len()
    }

    /// Sends all away.
    pub(crate) fn clear(&mut self) {
        self.due.clear();
        self.begun.clear();
    }
}
