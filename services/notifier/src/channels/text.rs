//! Text that fits a receiver: cut at whole characters, then escaped, never the other way round.

#[cfg(test)]
mod tests;

/// Writes one character as the receiver needs it.
pub(crate) type Escape = fn(char, &mut String);

/// What a receiver counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// Unicode scalar values.
    Chars,
    /// UTF-16 code units.
    Utf16,
    /// Bytes of UTF-8.
    Bytes,
}

impl Unit {
    fn of(self, text: &str) -> usize {
        match self {
            Self::Chars => text.chars().count(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Bytes => text.len(),
        }
    }
}

/// So much room, counted in this unit after escaping, for text that is escaped this way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub limit: usize,
    pub unit: Unit,
    pub escape: Escape,
}

impl Room {
    /// Room for so many characters of text that needs no escaping.
    pub const fn plain(limit: usize) -> Self {
        Self {
            limit,
            unit: Unit::Chars,
            escape: as_is,
        }
    }

    /// One line: escaped, and cut with an ellipsis if it is too long. Line breaks and other control
    /// characters become spaces; what turns the direction of text or shows nothing is left out.
    pub fn line(self, text: &str) -> String {
        let ellipsis = self.unit.of("…");
        let mut line = String::new();
        let mut used = 0;
        // Where the line is cut, should what follows not fit.
        let mut cut = 0;
        for c in text.chars().filter_map(printable) {
            let before = line.len();
            (self.escape)(c, &mut line);
            used += line.get(before..).map_or(0, |added| self.unit.of(added));
            if used > self.limit {
                line.truncate(cut);
                if self.limit >= ellipsis {
                    line.push('…');
                }
                return line;
            }
            if used + ellipsis <= self.limit {
                cut = line.len();
            }
        }
        line
    }

    /// Lines, each after `bullet`; those which do not fit are counted in a last line. `bullet` is the receiver's
    /// own markup and not escaped.
    pub fn lines(self, bullet: &str, lines: &[String]) -> String {
        let mut text = String::new();
        let mut used = 0;
        for (n, line) in lines.iter().enumerate() {
            let more = format!("{bullet}… and {} more", lines.len() - n);
            // Room for the last line is kept, unless this is the last line.
            let kept = if n + 1 == lines.len() {
                0
            } else {
                self.unit.of(&more) + 1
            };
            let gap = usize::from(!text.is_empty());
            let left = self
                .limit
                .saturating_sub(used + gap + kept + self.unit.of(bullet));
            let room = Self {
                limit: left.min(MOST_OF_A_LINE),
                ..self
            };
            let fits = left >= SHORTEST_LINE || self.unit.of(line) <= left;
            let line = if fits { room.line(line) } else { String::new() };
            if gap == 1 {
                text.push('\n');
            }
            if line.is_empty() {
                text.push_str(&more);
                return text;
            }
            text.push_str(bullet);
            text.push_str(&line);
            used += gap + self.unit.of(bullet) + self.unit.of(&line);
        }
        text
    }
}

/// A line of several is no longer than this, so that one does not take the room of all.
const MOST_OF_A_LINE: usize = 500;

/// A line is not cut to less than this: it would say nothing.
const SHORTEST_LINE: usize = 60;

/// For receivers that show text as it is.
pub(crate) fn as_is(c: char, out: &mut String) {
    out.push(c);
}

/// For text without markup in which `@name` may still be a mention.
pub(crate) fn without_mentions(c: char, out: &mut String) {
    out.push(c);
    if c == '@' {
        out.push(NOTHING);
    }
}

/// For HTML, and for Slack, whose control sequences begin with `<` and whose entities are these three.
pub(crate) fn html(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        _ => out.push(c),
    }
}

/// As [`html`], for receivers which also turn `@name` into a mention.
pub(crate) fn html_without_mentions(c: char, out: &mut String) {
    html(c, out);
    if c == '@' {
        out.push(NOTHING);
    }
}

/// For Markdown: what has a meaning gets a backslash, and `@name` is no mention.
pub(crate) fn markdown(c: char, out: &mut String) {
    if matches!(
        c,
        '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '<' | '>' | '~' | '|' | '#'
    ) {
        out.push('\\');
    }
    without_mentions(c, out);
}

/// A zero-width space, which keeps apart what must not be read as one word.
const NOTHING: char = '\u{200b}';

/// The character as it may be shown; `None` if it is left out.
fn printable(c: char) -> Option<char> {
    match c {
        c if c.is_control() => Some(' '),
        '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => None,
        c => Some(c),
    }
}
