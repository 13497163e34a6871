#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;
use portwatch_domain::change::About;
use portwatch_schemas::decode_content;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::broker::Way;
use super::*;
use crate::settings::Settings;

fn reach() -> Reach {
    Reach::of(&Settings::default()).unwrap()
}

fn example(name: &str) -> Content {
    let file = format!(
        "{}/../../schemas/examples/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    decode_content(&std::fs::read(file).unwrap()).unwrap().1
}

fn of_group(group: &str) -> Content {
    let mut content = example("notification.v1.host-down");
    let Content::Changes(notification) = &mut content else {
        panic!("a notification");
    };
    let About::Host { target, .. } = &mut notification.changes.about else {
        panic!("a host");
    };
    group.clone_into(&mut target.group);
    content
}

#[test]
fn each_group_of_targets_is_told_in_its_own() {
    let groups = Groups::parse("lab-east = 2, a=b=3 , 1").unwrap();
    for (group, told) in [
        ("lab-east", 2),
        ("a=b", 3),
        ("office", 1),
        ("roxy-wi-7", 7),
        ("roxy-wi-x", 1),
    ] {
        assert_eq!(groups.of(&of_group(group)), told, "{group}");
    }
    for content in [
        "notification.v1.zone-unattended",
        "summary.v1.many-ports-opened",
    ] {
        assert_eq!(groups.of(&example(content)), 1, "{content}");
    }
    for wrong in [
        "",
        "lab-east=2",
        "1, 2",
        "lab=x, 1",
        "a=1, a=2, 3",
        "everybody",
    ] {
        assert_eq!(Groups::parse(wrong), Err(FORM.to_owned()), "{wrong}");
    }
}

#[test]
fn a_message_is_of_both_ways_as_recorded() {
    let event = Uuid::from_u128(5);
    let parcel = Parcel {
        event,
        group: 2,
        text: "warning: x".to_owned(),
        at: Timestamp::UNIX_EPOCH,
    };
    let (exchange, key, _, body) = Way::Queue("roxy-wi".to_owned()).address(&parcel);
    assert_eq!((exchange, key.as_str()), ("", "roxy-wi"));
    assert_eq!(body, json!({ "user_group": 2, "message": "warning: x" }));
    let (exchange, key, properties, body) = Way::Exchange.address(&parcel);
    assert_eq!((exchange, key.as_str()), ("roxy.notifications", "group.2"));
    assert_eq!(properties.delivery_mode(), &Some(2));
    let wanted = json!({
        "event_id": event.to_string(), "type": "socket.notification", "schema_version": 1, "source": "roxy-wi",
        "user_group": 2, "message": "warning: x", "created_at": "1970-01-01T00:00:00Z",
    });
    assert_eq!(body, wanted);
}

#[test]
fn an_address_is_read_or_the_form_is_shown() {
    let parse = |url: &str| Endpoint::parse(url, "", &reach()).map(drop);
    for good in [
        "amqp://roxy-wi:p%40ss@127.0.0.1:18672/%2F",
        "amqps://roxy-wi:secret@mq.example",
        "amqp://roxy-wi:secret@[::1]/roxy?queue=other",
    ] {
        assert_eq!(parse(good), Ok(()), "{good}");
    }
    for wrong in [
        "",
        "mq.example",
        "http://a:secret@mq.example",
        "amqp://mq.example",
        "amqp://a:secret@mq.example/?heartbeat=1",
    ] {
        let error = parse(wrong).unwrap_err();
        assert!(
            error.starts_with("url: write amqp://") && !error.contains("secret"),
            "{wrong}"
        );
    }
    let ca = Endpoint::parse("amqps://a:b@mq", "x", &reach()).map(drop);
    assert!(ca.unwrap_err().starts_with("ca: "));
}

#[test]
fn severities_have_the_panel_s_words() {
    let look = |severity| Look {
        title: "Port 22 opened; <b>ALERT</b> & alerts".to_owned(),
        lines: vec!["a".to_owned(), "b".to_owned()],
        footer: String::new(),
        severity,
    };
    let said = "Port 22 opened, ‹b›AL\u{ad}ERT‹/b› + al\u{ad}erts · a · b";
    for (severity, word) in [
        (Severity::Info, "info"),
        (Severity::Low, "warning"),
        (Severity::Medium, "warning"),
        (Severity::High, "critical"),
    ] {
        assert_eq!(text(&look(severity)), format!("{word}: {said}"));
    }
}

proptest! {
    #[test]
    fn no_text_splits_or_paints(title in ".*|(alert|[Aa]le|rt|;|&lt;|<|é){0,40}", lines in prop::collection::vec(".*", 0..4)) {
        let look = Look { title, lines, footer: String::new(), severity: Severity::High };
        let text = text(&look);
        prop_assert!(!text.to_lowercase().contains("alert"), "{}", text);
        prop_assert!(!text.contains([';', '<', '>', '&', '\n']), "{}", text);
        prop_assert!(text.starts_with("critical: ") && text.chars().count() < 1600);
    }
}
