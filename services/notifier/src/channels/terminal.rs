//! Prints changes in words, for `portwatch up`.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use portwatch_domain::change::Change;
use portwatch_domain::notification::Content;
use portwatch_domain::notification::words::{self, many};

use super::{Channel, Failed, Sent};

/// The channel's name.
pub(super) const NAME: &str = "terminal";

/// A channel that hands each line to `print`: the time, then what happened.
pub fn channel(print: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Channel {
    let print = Arc::new(print);
    Channel::new(NAME, move |message| {
        let print = Arc::clone(&print);
        Box::pin(async move {
            for line in lines(&message.content) {
                print(&line).map_err(|error| {
                    Failed::temporary(format!("writing to the terminal: {error}"))
                })?;
            }
            Ok(Sent::default())
        })
    })
    .always_told()
}

fn lines(content: &Content) -> Vec<String> {
    match content {
        Content::Changes(notification) => {
            let changes = &notification.changes;
            let host = changes.subject();
            let one = |change: &Change| line(change.at, &words::sentence(&host, change));
            changes.changes.iter().map(one).collect()
        }
        Content::Summary(summary) => vec![line(summary.created_at, &many::headline(summary))],
    }
}

fn line(at: Timestamp, sentence: &str) -> String {
    format!("{}  {sentence}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
}
