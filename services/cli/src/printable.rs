//! Text from anywhere, made fit for a terminal.

/// The text without what would move a cursor, change a colour, or turn the order of letters around:
/// control characters and the bidirectional controls of Unicode (UAX #9).
pub fn printable(text: &str) -> String {
    let shown = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_through_that_a_terminal_obeys() {
        let hostile = "\u{1b}[2Jssh\r\n\u{9b}31m\u{202e}txt\u{2066}é";
        let shown = printable(hostile);
        assert_eq!(shown, "�[2Jssh���31m�txt�é");
    }
}
