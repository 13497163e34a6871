//! Text from the other side does no harm.

use proptest::prelude::*;

use super::*;

#[test]
fn what_would_change_the_screen_is_escaped() {
    for (bytes, text) in [
        (&b"SSH-2.0-OpenSSH_9.2p1"[..], "SSH-2.0-OpenSSH_9.2p1"),
        (b"220 mail\r\n220 ready\t!", "220 mail\\r\\n220 ready\\t!"),
        (b"\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        (b"\x00\x7f", "\\x00\\x7f"),
        ("\u{9b}2J".as_bytes(), "\\u{9b}2J"),
        ("a\u{202e}cod.exe".as_bytes(), "a\\u{202e}cod.exe"),
        (
            "\u{2066}\u{200b}\u{feff}".as_bytes(),
            "\\u{2066}\\u{200b}\\u{feff}",
        ),
        ("\u{2028}\u{e0041}".as_bytes(), "\\u{2028}\\u{e0041}"),
        (b"\xff\xfe ok", "\u{fffd}\u{fffd} ok"),
        ("Grüße, 世界".as_bytes(), "Grüße, 世界"),
        (b"<script>@everyone", "<script>@everyone"),
    ] {
        assert_eq!(SafeText::<64>::from_bytes(bytes).as_str(), text);
    }
}

#[test]
fn a_text_is_cut_between_characters_and_escapes() {
    assert_eq!(SafeText::<5>::new("abcdefgh").as_str(), "abcde");
    assert_eq!(SafeText::<5>::new("abcdü").as_str(), "abcd");
    assert_eq!(SafeText::<5>::new("abc\x1bd").as_str(), "abc");
    assert_eq!(SafeText::<0>::new("a").as_str(), "");
    assert!(SafeText::<8>::trimmed(b" \r\n ").is_none());
    let trimmed = SafeText::<8>::trimmed(b" \r\nhi\r\n");
    assert_eq!(trimmed.as_ref().map(SafeText::as_str), Some("hi"));
}

#[test]
fn the_most_telling_text_describes_a_service() {
    let banner = Service {
        banner: Some(SafeText::new("hello")),
        ..Service::default()
    };
    let page = Service {
        http: Some(Box::new(Http {
            status: 200,
            server: None,
            title: Some(SafeText::new("Login")),
        })),
        ..banner.clone()
    };
    let named = Service {
        name: Some(ServiceName {
            text: SafeText::new("http"),
            source: NameSource::Port,
        }),
        product: Some(SafeText::new("nginx")),
        ..page.clone()
    };
    assert_eq!(Service::default().description(), None);
    assert_eq!(banner.description(), Some("hello"));
    assert_eq!(page.description(), Some("Login"));
    assert_eq!(named.description(), Some("nginx"));
    assert_eq!(named.proven_name(), None);
    assert!(named.weight() > page.weight() && page.weight() > banner.weight());
    assert_eq!(named.in_short().description(), Some("nginx"));
    assert_eq!(named.in_short().http, None);
}

proptest! {
    #[test]
    fn any_bytes_make_a_safe_text_that_stays_as_it_is(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let safe = SafeText::<64>::from_bytes(&bytes);
        prop_assert!(safe.len() <= 64);
        prop_assert!(!safe.as_str().chars().any(char::is_control));
        prop_assert_eq!(SafeText::new(safe.as_str()), safe);
    }

    #[test]
    fn any_text_makes_a_safe_text_that_stays_as_it_is(text: String) {
        let safe = SafeText::<64>::new(&text);
        prop_assert!(safe.len() <= 64);
        let turns = |c| ('\u{202a}'..='\u{202e}').contains(&c);
        prop_assert!(!safe.as_str().chars().any(|c| c.is_control() || turns(c)));
        prop_assert_eq!(SafeText::new(safe.as_str()), safe);
    }
}
