//! Slack: an incoming webhook, or a bot's token and `chat.postMessage`.
//!
//! Formatting: <https://docs.slack.dev/messaging/formatting-message-text>. `verbatim` and `parse: none` keep Slack
//! from making links and mentions of what the network said; `&`, `<` and `>` are escaped.

use portwatch_domain::change::Severity;
use portwatch_domain::notification::Content;
use serde_json::{Value, json};

use super::http::{Answer, Plan, Post, said_no, usual};
use super::look::Look;
use super::template::Template;
use super::text::{Room, Unit, html};
use super::{Failed, Message, address};
use crate::settings::ChannelSettings;

/// Where a bot posts.
const API: &str = "https://slack.com/api/chat.postMessage";

/// A section of a message holds 3,000 characters.
const SECTION: Room = Room {
    limit: 3000,
    unit: Unit::Utf16,
    escape: html,
};

/// A line that stands out, and the line below.
const TITLE: Room = Room {
    limit: 1000,
    ..SECTION
};

/// Errors of the API that pass; the rest needs a person.
const PASSING: [&str; 9] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    // What it answers is no longer there; after a while it answers nothing.
    "cannot_reply_to_message",
    "message_not_found",
    "thread_not_found",
];

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let (token, to) = (settings.token.reveal(), settings.to.clone());
    if token.is_empty() {
        if !to.is_empty() {
            return Err("to: an incoming webhook has its own; it goes with token".to_owned());
        }
        let url = address(settings.url.reveal())?;
        return Ok(Plan::json(url, usual, |n, look| {
            vec![payload(n, look, None)]
        }));
    }
    if to.is_empty() {
        return Err("to: with token, say which channel".to_owned());
    }
    let url = address(settings.url_or(API))?;
    let posts = move |message: &Message, template: &Template| {
        let payload = answering(message, &template.look(&message.content), &to);
        Ok(vec![Post::json(&payload)])
    };
    let plan = Plan {
        posts: Box::new(posts),
        thread: Some(|answer| answer.json()["ts"].as_str().map(str::to_owned)),
        ..Plan::json(url, judge, |_, _| Vec::new())
    };
    plan.with_token(token)
}

/// A bot's message, in the thread of the one that it answers; what matters most is shown in the channel as well.
fn answering(message: &Message, look: &Look, to: &str) -> Value {
    let mut payload = payload(&message.content, look, Some(to));
    if let Some(thread) = &message.thread {
        payload["thread_ts"] = json!(thread);
        payload["reply_broadcast"] = json!(look.severity == Severity::High);
    }
    payload
}

/// The message; `to` is the channel, which only a bot names.
pub(crate) fn payload(_: &Content, look: &Look, to: Option<&str>) -> Value {
    let text = |text: String| json!({"type": "mrkdwn", "text": text, "verbatim": true});
    let title = TITLE.line(&look.title);
    let mut blocks = vec![json!({"type": "section", "text": text(title.clone())})];
    if !look.details().is_empty() {
        let lines = SECTION.lines("• ", look.details());
        blocks.push(json!({"type": "section", "text": text(lines)}));
    }
    let footer = TITLE.line(&look.footer);
    blocks.push(json!({"type": "context", "elements": [text(footer)]}));
    let mut message = json!({
        "text": title,
        "blocks": blocks,
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
    });
    if let Some(to) = to {
        message["channel"] = json!(to);
        message["parse"] = json!("none");
        message["link_names"] = json!(false);
    }
    message
}

/// The API says no with status 200.
fn judge(answer: &Answer) -> Result<(), Failed> {
    usual(answer)?;
    let said = answer.json();
    if said["ok"] == true {
        return Ok(());
    }
    let passing = said["error"]
        .as_str()
        .is_none_or(|error| PASSING.contains(&error));
    Err(said_no(answer, passing, None))
}
