//! Text from the other side, made safe to print and to keep.

use std::fmt::{self, Write as _};

/// At most `MAX` bytes of UTF-8 without anything that changes how the text around it is shown: no control
/// characters (and so no line ends and no ANSI escapes), nothing that turns the direction of writing, and
/// nothing that cannot be seen. Those are written as escapes (`\n`, `\x1b`, `\u{202e}`), bytes that are no
/// UTF-8 as U+FFFD. What is too long is cut between two characters, never within an escape.
///
/// Markup (`<script>`, `@everyone`) is left as it is: what means something depends on where it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeText<const MAX: usize>(String);

impl<const MAX: usize> SafeText<MAX> {
    /// Makes a text safe. A safe text stays as it is.
    pub fn new(text: &str) -> Self {
        let mut safe = String::new();
        let mut escape = String::new();
        for character in text.chars() {
            if is_plain(character) {
                if safe.len() + character.len_utf8() > MAX {
                    break;
                }
                safe.push(character);
                continue;
            }
            escape.clear();
            write_escape(&mut escape, character);
            if safe.len() + escape.len() > MAX {
                break;
            }
            safe.push_str(&escape);
        }
        Self(safe)
    }

    /// Makes bytes safe that may be text. Only so many of them are looked at as could be kept.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::new(&String::from_utf8_lossy(&bytes[..bytes.len().min(MAX)]))
    }

    /// The same, without white space around it; `None` if there is nothing else.
    pub fn trimmed(bytes: &[u8]) -> Option<Self> {
        let safe = Self::from_bytes(bytes.trim_ascii());
        (!safe.0.is_empty()).then_some(safe)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> fmt::Display for SafeText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn write_escape(to: &mut String, character: char) {
    let code = u32::from(character);
    // Writing to a text cannot fail.
    let _ = match character {
        '\n' => to.write_str("\\n"),
        '\r' => to.write_str("\\r"),
        '\t' => to.write_str("\\t"),
        _ if code < 0x80 => write!(to, "\\x{code:02x}"),
        _ => write!(to, "\\u{{{code:x}}}"),
    };
}

/// Whether a character shows as itself and nothing else.
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            // Soft hyphen, Arabic letter mark, Hangul fillers, Mongolian vowel separator.
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}'
            // Zero width, direction marks; line and paragraph separators, direction overrides; isolates, joiners.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Variation selectors, byte order mark, annotations, tags and the rest of their plane.
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}
