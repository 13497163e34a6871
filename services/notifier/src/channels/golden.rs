//! What each channel sends, against the files in `golden/`. With `PORTWATCH_WRITE_GOLDEN=1` they are written anew.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use portwatch_domain::change::{About, Transition};
use portwatch_domain::notification::Content;
use portwatch_domain::snapshot::Service;
use portwatch_domain::snapshot::service::SafeText;
use portwatch_schemas::decode_content;
use serde_json::{Value, json};

use super::look::Look;
use super::template::Template;
use super::{
    alertmanager, discord, googlechat, incidentrelay, matrix, mattermost, ntfy, pagerduty, roxy_wi,
    slack, teams, telegram,
};
use crate::settings::TemplateSettings;

/// A channel's name and its payload.
type Payload = (&'static str, fn(&Content, &Look) -> Value);

const PAYLOADS: [Payload; 13] = [
    ("alertmanager", alertmanager::payload),
    ("discord", discord::payload),
    ("googlechat", googlechat::payload),
    ("incidentrelay", |n, look| {
        incidentrelay::payloads(n, look, "ports").into()
    }),
    ("matrix", |_, look| matrix::payload(look)),
    ("mattermost", mattermost::payload),
    ("ntfy", |n, look| ntfy::payload(n, look, "ports")),
    ("pagerduty", |n, look| {
        pagerduty::payloads(n, look, "KEY").into()
    }),
    ("roxy-wi-webhook", |n, look| {
        roxy_wi::webhook::sample(n, look).into()
    }),
    ("slack", |n, look| slack::payload(n, look, None)),
    ("slack-bot", |n, look| slack::payload(n, look, Some("C1"))),
    ("teams", teams::payload),
    ("telegram", |n, look| telegram::payload(n, look, "-100")),
];

fn folder(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// One of the wire's examples.
fn example(name: &str) -> Content {
    let file = format!("../../schemas/examples/{name}.json");
    let body = std::fs::read(folder(&file)).unwrap();
    decode_content(&body).unwrap().1
}

const SEVERAL: &str = "notification.v1.several-ports-of-a-named-host";

/// What a hostile host may want to have said.
const HOSTILE: &str = "<script>alert(1)</script> @everyone @here <!channel> </b>*bold*\r\n\u{1b}[31m[link](https://e.example) `&amp;` \"\\\u{202e}";

fn hostile(content: &Content) -> Look {
    let mut look = Look::of(content);
    HOSTILE.clone_into(&mut look.title);
    HOSTILE.clone_into(&mut look.footer);
    for line in &mut look.lines {
        HOSTILE.clone_into(line);
    }
    look
}

/// The same where the network's words come in, in a template that shows all of them.
fn hostile_in_a_template(mut content: Content) -> Look {
    let Content::Changes(notification) = &mut content else {
        panic!("a notification");
    };
    if let About::Host { target, name, .. } = &mut notification.changes.about {
        HOSTILE.clone_into(&mut target.name);
        *name = Some(HOSTILE.to_owned());
    }
    for change in &mut notification.changes.changes {
        if let Transition::Port { service, .. } = &mut change.transition {
            let product = Some(SafeText::new(HOSTILE));
            *service = Some(Service {
                product,
                ..Service::default()
            });
        }
    }
    let words = TemplateSettings {
        title: "{{ host }} {{ target }}".to_owned(),
        line: "{{ change.said }} {{ host }}\n{{ change.text }}".to_owned(),
        footer: "{{ target }}\n{{ summary }}".to_owned(),
    };
    Template::new(&words).unwrap().look(&content)
}

fn endless(content: &mut Content) -> Look {
    let Content::Changes(notification) = content else {
        panic!("a notification");
    };
    let first = notification.changes.changes[0].clone();
    notification.changes.changes = vec![first; 200];
    let mut look = hostile(content);
    look.title = HOSTILE.repeat(200);
    look.footer = HOSTILE.repeat(200);
    look.lines = (0..200)
        .map(|n| format!("{n}. {}", HOSTILE.repeat(20)))
        .collect();
    look
}

#[test]
fn payloads_are_as_they_were() {
    for (channel, payload) in PAYLOADS {
        let mut made = json!({});
        for name in [
            "notification.v1.port-opened-and-what-listens-there",
            SEVERAL,
            "notification.v1.host-down",
            "notification.v1.host-up-again",
            "notification.v1.zone-unattended",
            "notification.v1.channel-off",
            "notification.v1.channel-test",
            "summary.v1.many-ports-opened",
        ] {
            let notification = example(name);
            let short = name.trim_start_matches("notification.v1.");
            made[short] = payload(&notification, &Look::of(&notification));
        }
        let several = example(SEVERAL);
        made["hostile"] = payload(&several, &hostile(&several));
        let file = folder(&format!("src/channels/golden/{channel}.json"));
        if std::env::var_os("PORTWATCH_WRITE_GOLDEN").is_some() {
            std::fs::write(&file, format!("{made:#}\n")).unwrap();
        }
        let golden: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(made, golden, "{channel}");
    }
}

/// All texts in a payload.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

#[test]
fn no_payload_is_longer_than_its_receiver_takes() {
    let mut notification = example(SEVERAL);
    let look = endless(&mut notification);
    let made = |channel: &str| {
        let (_, payload) = PAYLOADS.iter().find(|(name, _)| *name == channel).unwrap();
        payload(&notification, &look)
    };
    let utf16 = |text: &Value| text.as_str().unwrap().encode_utf16().count();
    let chars = |text: &Value| text.as_str().unwrap().chars().count();
    assert!(utf16(&made("telegram")["text"]) <= 4096);
    let discord = made("discord");
    let embed = &discord["embeds"][0];
    assert!(utf16(&discord["content"]) <= 2000);
    assert!(utf16(&embed["description"]) <= 4096);
    assert!(utf16(&embed["description"]) + utf16(&embed["footer"]["text"]) <= 6000);
    let mattermost = made("mattermost");
    let attachment = &mattermost["attachments"][0];
    let parts = ["fallback", "text", "footer"].map(|part| chars(&attachment[part]));
    assert!(parts.iter().sum::<usize>() <= 16_383, "{parts:?}");
    assert!(made("teams").to_string().len() <= 28_000);
    assert!(made("googlechat").to_string().len() <= 32_000);
    assert!(made("matrix").to_string().len() <= 60_000);
    assert!(made("ntfy")["message"].as_str().unwrap().len() <= 4096);
    for channel in ["slack", "slack-bot"] {
        for block in made(channel)["blocks"].as_array().unwrap() {
            let text = block.get("text").unwrap_or(&block["elements"][0]);
            assert!(utf16(&text["text"]) <= 3000);
        }
    }
    let events = made("pagerduty");
    assert_eq!(events.as_array().unwrap().len(), 100);
    for event in events.as_array().unwrap() {
        assert!(event["dedup_key"].as_str().unwrap().len() <= 255);
        if event["event_action"] == "trigger" {
            assert!(chars(&event["payload"]["summary"]) <= 1024);
        }
    }
}

#[test]
fn nothing_from_the_network_is_markup_a_mention_or_a_control_character() {
    let notification = example(SEVERAL);
    let looks = [
        hostile(&notification),
        hostile_in_a_template(notification.clone()),
    ];
    assert!(
        looks[1].lines[0].starts_with("<script>alert(1)</script> @everyone"),
        "{looks:?}"
    );
    for ((channel, payload), look) in PAYLOADS
        .into_iter()
        .flat_map(|one| looks.iter().map(move |look| (one, look)))
    {
        let mut all = Vec::new();
        texts(&payload(&notification, look), &mut all);
        for text in all {
            let control = |c: char| c.is_control() && c != '\n';
            assert!(!text.contains(control), "{channel}: {text:?}");
            assert!(!text.contains('\u{202e}'), "{channel}: {text:?}");
            let without: &[&str] = match channel {
                "slack" | "slack-bot" | "googlechat" => &["<script", "<!channel", "`&amp;`"],
                "telegram" => &["<script", "@everyone", "@here"],
                "matrix" if text.starts_with("<strong>") => &["<script", "@everyone", "</b>"],
                "matrix" | "discord" => &["@everyone", "@here"],
                "mattermost" => &[">*bold", "1m[link", "@everyone", "@here"],
                // Their receivers show text as it is, or escape it themselves.
                _ => &[],
            };
            for forbidden in without {
                assert!(!text.contains(*forbidden), "{channel}: {text:?}");
            }
        }
    }
}
