//! Matrix: a message to a room, <https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>.
//!
//! The transaction is the delivery's id, so that one which comes twice is one message.

use jiff::SignedDuration;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::http::{Answer, Plan, Post, said_no, usual};
use super::look::Look;
use super::secrets::Secrets;
use super::template::Template;
use super::text::{Room, Unit, html_without_mentions, without_mentions};
use super::{Failed, Message, address};
use crate::settings::ChannelSettings;

/// An event has 65,536 bytes, with the text twice, and in JSON a character takes at most twice its bytes.
const TEXT: Room = Room {
    limit: 10_000,
    unit: Unit::Bytes,
    escape: without_mentions,
};
const HTML: Room = Room {
    escape: html_without_mentions,
    ..TEXT
};
/// The line that stands out, and the line below.
const SHORT: usize = 1000;

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let (token, to) = (settings.token.reveal(), &settings.to);
    if token.is_empty() {
        return Err("token: the account's access token is needed".to_owned());
    }
    if !to.starts_with('!') {
        return Err("to: a room's id is needed, !…:example.org (an alias #… is none)".to_owned());
    }
    let mut url = address(settings.url.reveal())?;
    if let Ok(mut path) = url.path_segments_mut() {
        let rooms = ["_matrix", "client", "v3", "rooms", to];
        path.pop_if_empty().extend(rooms);
        path.extend(["send", "m.room.message"]);
    }
    let plan = Plan {
        url,
        headers: HeaderMap::new(),
        posts: Box::new(|message, template| Ok(vec![event(message, template)])),
        judge,
        secrets: Secrets::default(),
        template: Template::default(),
    };
    plan.with_token(token)
}

fn event(message: &Message, template: &Template) -> Post {
    let look = template.look(&message.content);
    Post {
        headers: HeaderMap::new(),
        body: payload(&look).to_string().into_bytes(),
        put: Some(message.delivery.to_string()),
    }
}

/// The message. That `m.mentions` names nobody keeps it from calling anybody.
pub(crate) fn payload(look: &Look) -> Value {
    let short = |room: Room, text: &str| {
        let limit = SHORT;
        Room { limit, ..room }.line(text)
    };
    let mut text = short(TEXT, &look.title);
    let mut formatted = format!("<strong>{}</strong>", short(HTML, &look.title));
    if look.details().is_empty() {
        formatted.push_str("<br>");
    } else {
        text = format!("{text}\n{}", TEXT.lines("- ", look.details()));
        let items = HTML.lines("<li>", look.details());
        formatted = format!("{formatted}\n<ul>\n{items}\n</ul>");
    }
    json!({
        "msgtype": "m.text",
        "body": format!("{text}\n{}", short(TEXT, &look.footer)),
        "format": "org.matrix.custom.html",
        "formatted_body": format!("{formatted}\n<em>{}</em>", short(HTML, &look.footer)),
        "m.mentions": {},
    })
}

/// Older servers say only in the body how long to wait.
fn judge(answer: &Answer) -> Result<(), Failed> {
    let wait = answer.json()["retry_after_ms"].as_i64();
    match (usual(answer), wait) {
        (Err(_), Some(wait)) => Err(said_no(
            answer,
            true,
            Some(SignedDuration::from_millis(wait)),
        )),
        (result, _) => result,
    }
}
