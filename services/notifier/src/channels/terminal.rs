//! Prints changes in words, for `portwatch up`.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use portwatch_domain::notification::words;

use super::{Channel, Failed, Sent};

/// The channel's name.
pub(super) const NAME: &str = "terminal";

/// A channel that hands each line to `print`: the time, then what happened.
pub fn channel(print: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Channel {
    let print = Arc::new(print);
    Channel::new(NAME, move |message| {
        let print = Arc::clone(&print);
        Box::pin(async move {
            let changes = &message.notification.changes;
            let host = changes.subject();
            for change in &changes.changes {
                print(&line(change.at, &words::sentence(&host, change))).map_err(|error| {
                    Failed::temporary(format!("writing to the terminal: {error}"))
                })?;
            }
            Ok(Sent { status: None })
        })
    })
}

fn line(at: Timestamp, sentence: &str) -> String {
    format!("{}  {sentence}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
}
