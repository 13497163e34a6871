//! Telegram: a bot's `sendMessage`, <https://core.telegram.org/bots/api#sendmessage>.

use jiff::SignedDuration;
use portwatch_domain::notification::Content;
use serde_json::{Value, json};

use super::http::{Answer, Plan, said_no, usual};
use super::look::Look;
use super::text::{Room, Unit, html_without_mentions};
use super::{Failed, address};
use crate::settings::ChannelSettings;

/// Where bots are.
const API: &str = "https://api.telegram.org";

/// A message has 4,096 UTF-16 units once the entities are read. Escaped text is never shorter, so that what is
/// counted here is on the safe side.
const TITLE: Room = Room {
    limit: 800,
    unit: Unit::Utf16,
    escape: html_without_mentions,
};
const LINES: Room = Room {
    limit: 2800,
    ..TITLE
};
const FOOTER: Room = Room {
    limit: 400,
    ..TITLE
};

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let (token, to) = (settings.token.reveal(), settings.to.clone());
    let of_a_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
    if token.is_empty() || !token.chars().all(of_a_token) {
        return Err("token: the bot's token is needed, 123456:ABC-…".to_owned());
    }
    if to.is_empty() {
        return Err("to: the chat's number, or @channel, is needed".to_owned());
    }
    let base = settings.url_or(API).trim_end_matches('/');
    let url = address(&format!("{base}/bot{token}/sendMessage"))?;
    Ok(Plan::json(url, judge, move |n, look| {
        vec![payload(n, look, &to)]
    }))
}

/// The message to this chat.
pub(crate) fn payload(_: &Content, look: &Look, to: &str) -> Value {
    let mut text = format!("<b>{}</b>", TITLE.line(&look.title));
    if !look.details().is_empty() {
        text = format!("{text}\n{}", LINES.lines("• ", look.details()));
    }
    let text = format!("{text}\n<i>{}</i>", FOOTER.line(&look.footer));
    json!({
        "chat_id": to,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": true},
    })
}

/// Says no with `ok: false`, and how long to wait in the body.
fn judge(answer: &Answer) -> Result<(), Failed> {
    let said = answer.json();
    let wait = said["parameters"]["retry_after"].as_i64();
    let wait = wait.map(SignedDuration::from_secs);
    match usual(answer) {
        Ok(()) if said["ok"] == true => Ok(()),
        Ok(()) => Err(said_no(answer, true, wait)),
        Err(_) if wait.is_some() => Err(said_no(answer, true, wait)),
        Err(failed) => Err(failed),
    }
}

#[cfg(test)]
mod tests {
    use portwatch_domain::notification::retry::Failure;

    use super::*;

    #[test]
    fn how_long_to_wait_stands_in_the_body() {
        let answer = |status: u16, body: &str| {
            judge(&Answer {
                status: reqwest::StatusCode::from_u16(status).unwrap_or_default(),
                retry_after: None,
                body: body.to_owned(),
            })
            .map_err(|failed| failed.failure)
        };
        let retry_after = Some(SignedDuration::from_secs(35));
        let limited = r#"{"ok":false,"error_code":429,"parameters":{"retry_after":35}}"#;
        assert_eq!(answer(200, r#"{"ok":true}"#), Ok(()));
        assert_eq!(
            answer(429, limited),
            Err(Failure::Temporary { retry_after })
        );
        assert_eq!(answer(403, r#"{"ok":false}"#), Err(Failure::Permanent));
        assert_eq!(
            answer(200, "<html>"),
            Err(Failure::Temporary { retry_after: None })
        );
    }
}
