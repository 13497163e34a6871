//! A notification as a mail: text and HTML (RFC 2046), ids and threads (RFC 5322), marked as written by a machine
//! (RFC 3834). Pure: the same message is always the same bytes, all of them ASCII.

use std::time::SystemTime;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Letter, MultiPart, SinglePart};
use uuid::Uuid;

use crate::channels::Message;
use crate::channels::look::Look;
use crate::channels::text::{Room, Unit, as_is, html};

/// A subject that is longer is cut by those who show it.
const SUBJECT: Room = Room::plain(200);

const TEXT: Room = Room {
    limit: 60_000,
    unit: Unit::Chars,
    escape: as_is,
};
const HTML: Room = Room {
    escape: html,
    ..TEXT
};

/// Namespace of the ids of threads.
const THREADS: Uuid = Uuid::from_u128(0x3a1f_52c8_0d7e_4b69_9c14_e6b0_7f2d_a583);

/// Says that no person wrote it, so that no machine answers.
const BY_A_MACHINE: [(&str, &str); 2] = [
    ("Auto-Submitted", "auto-generated"),
    ("X-Auto-Response-Suppress", "All"),
];

/// The mail, ready to be sent.
///
/// All about the same host refers to one mail that never was: so programs for mail show it as one thread, also what
/// comes much later.
pub(super) fn write(
    from: &Mailbox,
    to: &[Mailbox],
    message: &Message,
    look: &Look,
) -> Result<Vec<u8>, String> {
    let id = |id: Uuid| format!("<{id}@{}>", from.email.domain());
    let content = &message.content;
    let thread = id(Uuid::new_v5(&THREADS, content.order_key().as_bytes()));
    let mut letter = Letter::builder()
        .date(SystemTime::from(content.created_at()))
        .from(from.clone())
        .subject(SUBJECT.line(&look.title))
        .message_id(Some(id(message.delivery)))
        .in_reply_to(thread.clone())
        .references(thread);
    for to in to {
        letter = letter.to(to.clone());
    }
    for (name, value) in BY_A_MACHINE {
        let name = HeaderName::new_from_ascii_str(name);
        letter = letter.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    let parts = MultiPart::alternative()
        .boundary(format!("portwatch-{}", message.delivery))
        .singlepart(SinglePart::plain(as_text(look)))
        .singlepart(SinglePart::html(as_html(look)));
    let letter = letter.multipart(parts).map_err(|error| error.to_string())?;
    Ok(letter.formatted())
}

fn as_text(look: &Look) -> String {
    let mut text = TEXT.line(&look.title);
    if !look.details().is_empty() {
        text = format!("{text}\n\n{}", TEXT.lines("- ", look.details()));
    }
    format!("{text}\n\n-- \n{}\n", TEXT.line(&look.footer))
}

fn as_html(look: &Look) -> String {
    let mut body = format!(
        "<p style=\"border-left:4px solid #{:06x};padding-left:8px\"><b>{}</b></p>\n",
        look.colour(),
        HTML.line(&look.title)
    );
    if !look.details().is_empty() {
        let items = HTML.lines("<li>", look.details());
        body = format!("{body}<ul>\n{items}\n</ul>\n");
    }
    format!(
        "<!DOCTYPE html>\n<html><body style=\"font-family:sans-serif\">\n{body}<p style=\"color:#666;font-size:small\">{}</p>\n</body></html>\n",
        HTML.line(&look.footer)
    )
}
