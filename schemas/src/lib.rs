//! The wire: what Portwatch's services send each other and its receivers.
//!
//! A message is a CloudEvents 1.0 envelope in structured JSON around one of the five nouns. [`encode`]
//! makes the bytes; [`decode`] checks whatever came off the broker and gives the domain's type back,
//! so that nothing behind it ever sees JSON. The files in `json/` say the same as JSON Schema, for
//! people and other programs; tests hold both together.
//!
//! Readers ignore fields they do not know, so that a newer writer may add some.

mod change;
mod envelope;
mod error;
mod evidence;
mod job;
mod notification;
mod progress;
mod service;
mod snapshot;
mod summary;
mod text;
mod trace;

pub use envelope::{MAX_MESSAGE_BYTES, Message, Meta, decode, encode};
pub use error::{DecodeError, EncodeError, Problem};
pub use notification::notification_body;
pub use summary::{content_body, decode_content};
pub use trace::{TraceParent, TraceParentError};
