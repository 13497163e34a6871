use super::*;

const HOSTILE: &str = "<script>@everyone\r\n\u{1b}[31m<!channel> *b* \u{202e}&";

fn room(limit: usize, unit: Unit, escape: Escape) -> Room {
    Room {
        limit,
        unit,
        escape,
    }
}

#[test]
fn hostile_text_is_harmless_everywhere() {
    let line = |escape| room(200, Unit::Chars, escape).line(HOSTILE);
    assert_eq!(line(as_is), "<script>@everyone   [31m<!channel> *b* &");
    assert_eq!(
        line(html),
        "&lt;script&gt;@everyone   [31m&lt;!channel&gt; *b* &amp;"
    );
    assert_eq!(
        line(html_without_mentions),
        "&lt;script&gt;@\u{200b}everyone   [31m&lt;!channel&gt; *b* &amp;"
    );
    assert_eq!(
        line(markdown),
        "\\<script\\>@\u{200b}everyone   \\[31m\\<!channel\\> \\*b\\* &"
    );
}

#[test]
fn a_line_is_never_longer_than_its_room_and_never_ends_in_half_an_escape() {
    let text = "a<b>&c🦀é".repeat(20);
    for unit in [Unit::Chars, Unit::Utf16, Unit::Bytes] {
        for limit in 0..400 {
            let line = room(limit, unit, html).line(&text);
            assert!(unit.of(&line) <= limit, "{limit}: {line}");
            let open = line.rfind('&').unwrap_or(0);
            assert!(!line.contains('&') || line[open..].contains(';'), "{line}");
        }
    }
}

#[test]
fn what_fits_is_whole_and_what_does_not_ends_in_an_ellipsis() {
    assert_eq!(Room::plain(5).line("abcde"), "abcde");
    assert_eq!(Room::plain(5).line("abcdef"), "abcd…");
    assert_eq!(room(5, Unit::Bytes, as_is).line("abcdef"), "ab…");
}

#[test]
fn lines_that_do_not_fit_are_counted() {
    let lines: Vec<String> = (0..50)
        .map(|n| format!("line {n} {}", "x".repeat(40)))
        .collect();
    for limit in 100..600 {
        let text = Room::plain(limit).lines("• ", &lines);
        assert!(text.chars().count() <= limit, "{limit}: {text}");
        let shown = text.lines().count() - 1;
        let last = text.lines().last().unwrap_or_default();
        assert_eq!(last, format!("• … and {} more", 50 - shown));
    }
    let all = Room::plain(10_000).lines("• ", &lines);
    assert_eq!(all.lines().count(), 50);
}
