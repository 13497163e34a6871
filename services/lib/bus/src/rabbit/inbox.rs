//! Messages that the broker has sent ahead and nobody has asked for yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::{BusError, Delivery};

/// At most one prefetch of each route; the lowest rank goes out first, in order of arrival.
pub(super) struct Inbox {
    state: Mutex<State>,
    arrived: Notify,
}

struct State {
    by_rank: Vec<VecDeque<Delivery>>,
    /// Takes no more: what arrives is handed back.
    is_stopped: bool,
    is_closed: bool,
}

impl Inbox {
    /// An inbox for ranks up to the highest of these.
    pub(super) fn new(ranks: &[usize]) -> Self {
        let lanes = ranks.iter().max().map_or(0, |highest| highest + 1);
        Self {
            state: Mutex::new(State {
                by_rank: std::iter::repeat_with(VecDeque::new).take(lanes).collect(),
                is_stopped: false,
                is_closed: false,
            }),
            arrived: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, rank: usize, delivery: Delivery) {
        let mut state = self.lock();
        if !state.is_stopped
            && let Some(lane) = state.by_rank.get_mut(rank)
        {
            lane.push_back(delivery);
        } else {
            // Handed back, and not under the lock.
            drop(state);
            drop(delivery);
            return;
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// The next message. For one caller at a time; loses nothing when it is dropped.
    pub(super) async fn next(&self) -> Result<Delivery, BusError> {
        loop {
            if let Some(next) = self.pop() {
                return next;
            }
            self.arrived.notified().await;
        }
    }

    fn pop(&self) -> Option<Result<Delivery, BusError>> {
        let mut state = self.lock();
        if state.is_closed {
            return Some(Err(BusError::Closed));
        }
        let mut lanes = state.by_rank.iter_mut();
        lanes.find_map(VecDeque::pop_front).map(Ok)
    }

    /// How many messages it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().by_rank.iter().map(VecDeque::len).sum()
    }

    /// Drops what is in it: handed back where the connection still stands, void where not.
    pub(super) fn clear(&self) {
        let dropped: Vec<VecDeque<Delivery>> =
            self.lock().by_rank.iter_mut().map(std::mem::take).collect();
        drop(dropped);
    }

    pub(super) fn stop(&self) {
        self.lock().is_stopped = true;
        self.clear();
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.clear();
        self.arrived.notify_one();
    }
}
