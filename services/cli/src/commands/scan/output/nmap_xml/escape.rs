//! Text in an attribute of XML.

use std::fmt::Write as _;

/// The text, such that it stands between double quotes for itself and for nothing else.
///
/// White space is written as references, because a parser would make spaces of it (XML 1.0, 3.3.3).
/// What may not be in a document in any form (XML 1.0, 2.2) becomes U+FFFD.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_attribute_or_the_document() {
        let hostile = "\"/><port portid='1'>&#0;]]>\0\u{1b}\u{ffff}\r\n\té";
        assert_eq!(
            escaped(hostile),
            "&quot;/&gt;&lt;port portid=&apos;1&apos;&gt;&amp;#0;]]&gt;\u{fffd}\u{fffd}\u{fffd}&#13;&#10;&#9;é"
        );
    }
}
