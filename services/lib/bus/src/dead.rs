//! What became of a message that nobody could handle.

use jiff::Timestamp;
use uuid::Uuid;

use crate::Route;

/// A message in the dead queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's id; of a message without one, an id made of its key and body.
    pub id: Uuid,
    /// The routing key it was published with.
    pub key: String,
    /// The route of that key; `None` if it is not one of ours.
    pub route: Option<Route>,
    /// The queue it died in; `None` if it never reached one.
    pub queue: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it died.
    pub died_at: Option<Timestamp>,
    /// The message.
    pub body: Vec<u8>,
}

/// Namespace of the ids of messages that came without one.
const NAMELESS: Uuid = Uuid::from_u128(0x0f86_5f4e_6c17_4a53_9b0a_57c1_92dd_40be);

impl DeadLetter {
    /// The id of a message that came without one.
    pub(crate) fn derived_id(key: &str, body: &[u8]) -> Uuid {
        Uuid::new_v5(&Uuid::new_v5(&NAMELESS, key.as_bytes()), body)
    }

    /// Why a message that fits no queue is dead.
    pub(crate) fn unroutable(key: &str) -> String {
        format!("unroutable: no queue for key {key:?}")
    }
}
