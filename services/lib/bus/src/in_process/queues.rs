//! The queues in memory: who waits where, and what is dead.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::delivery::Letter;
use crate::{DeadLetter, Route};

/// The most messages in one queue; the next is refused, as by a full queue of the broker.
const MAX_WAITING: usize = 10_000;

/// The most dead letters kept; the oldest goes first.
const MAX_DEAD: usize = 1000;

/// A message in a queue, and the publisher who waits for its end.
pub(super) struct Waiting {
    pub letter: Letter,
    pub settled: Option<oneshot::Sender<()>>,
}

/// Why a queue does not take a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    Full,
    Closed,
}

#[derive(Default)]
pub(super) struct Queues {
    state: Mutex<State>,
    changed: Notify,
    closed: CancellationToken,
}

#[derive(Default)]
struct State {
    waiting: HashMap<Route, VecDeque<(u64, Waiting)>>,
    /// How many messages have come: the place of each in the order of arrival.
    arrivals: u64,
    dead: VecDeque<DeadLetter>,
}

impl Queues {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes with the next change of anything.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
    }

    pub(super) const fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Puts a new message at the end of its queue.
    pub(super) fn push(&self, waiting: Waiting) -> Result<(), Refusal> {
        if self.closed.is_cancelled() {
            return Err(Refusal::Closed);
        }
        let mut state = self.lock();
        if state.queue(&waiting.letter.route).len() >= MAX_WAITING {
            return Err(Refusal::Full);
        }
        state.append(waiting);
        drop(state);
        self.tell();
        Ok(())
    }

    /// Puts a new message at the end of its queue; if the queue is full, its oldest message makes room.
    pub(super) fn push_over(&self, waiting: Waiting) -> Result<(), Refusal> {
        if self.closed.is_cancelled() {
            return Err(Refusal::Closed);
        }
        let mut state = self.lock();
        let queue = state.queue(&waiting.letter.route);
        if queue.len() >= MAX_WAITING {
            queue.pop_front();
        }
        state.append(waiting);
        drop(state);
        self.tell();
        Ok(())
    }

    /// Puts a message that was in the queue before at its end, even if the queue is full by now.
    pub(super) fn push_again(&self, waiting: Waiting) {
        self.lock().append(waiting);
        self.tell();
    }

    /// Puts a message back where it was: before all others of its queue.
    pub(super) fn put_back(&self, waiting: Waiting) {
        let mut state = self.lock();
        let queue = state.queue(&waiting.letter.route);
        let place = queue.front().map_or(0, |(place, _)| *place);
        queue.push_front((place, waiting));
        drop(state);
        self.tell();
    }

    /// Takes the message that comes first by rank, then by arrival; with the index of its offer.
    pub(super) fn pop<'a>(
        &self,
        offers: impl Iterator<Item = (&'a Route, usize)>,
    ) -> Option<(usize, Waiting)> {
        let mut state = self.lock();
        let (_, _, index, route) = offers
            .enumerate()
            .filter_map(|(index, (route, rank))| {
                let (place, _) = state.waiting.get(route)?.front()?;
                Some((rank, *place, index, route))
            })
            .min_by_key(|(rank, place, index, _)| (*rank, *place, *index))?;
        let (_, waiting) = state.waiting.get_mut(route)?.pop_front()?;
        Some((index, waiting))
    }

    /// Keeps a message among the dead.
    pub(super) fn bury(&self, letter: Letter, queue: Option<String>, reason: String) {
        let key = letter.route.to_string();
        let mut state = self.lock();
        if state.dead.len() == MAX_DEAD {
            state.dead.pop_front();
        }
        state.dead.push_back(DeadLetter {
            id: letter
                .id
                .unwrap_or_else(|| DeadLetter::derived_id(&key, &letter.body)),
            key,
            route: Some(letter.route),
            queue,
            reason,
            attempts: letter.attempt,
            died_at: Some(Timestamp::now()),
            body: letter.body,
        });
    }

    pub(super) fn dead_letters(&self, limit: usize) -> Vec<DeadLetter> {
        self.lock().dead.iter().take(limit).cloned().collect()
    }

    /// Puts a dead letter into its queue again; false if there is none of this id.
    pub(super) fn resend_dead(&self, id: Uuid) -> Result<bool, (Route, Refusal)> {
        let mut state = self.lock();
        let found = state.dead.iter().position(|dead| dead.id == id);
        let Some(dead) = found.and_then(|index| state.dead.remove(index)) else {
            return Ok(false);
        };
        drop(state);
        let Some(route) = dead.route.clone() else {
            return Ok(false);
        };
        let letter = Letter {
            route: route.clone(),
            id: Some(dead.id),
            body: dead.body.clone(),
            attempt: 1,
        };
        let waiting = Waiting {
            letter,
            settled: None,
        };
        if let Err(refusal) = self.push(waiting) {
            self.lock().dead.push_back(dead);
            return Err((route, refusal));
        }
        Ok(true)
    }

    /// Drops what waits, and takes no more.
    pub(super) fn close(&self) {
        self.closed.cancel();
        self.lock().waiting.clear();
        self.tell();
    }
}

impl State {
    fn queue(&mut self, route: &Route) -> &mut VecDeque<(u64, Waiting)> {
        self.waiting.entry(route.clone()).or_default()
    }

    fn append(&mut self, waiting: Waiting) {
        self.arrivals += 1;
        let place = self.arrivals;
        self.queue(&waiting.letter.route)
            .push_back((place, waiting));
    }
}
