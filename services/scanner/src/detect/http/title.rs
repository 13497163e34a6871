//! The title of a page.

use portwatch_domain::snapshot::service::SafeText;

use super::find;

/// What stands in `<title>`, with white space as single spaces and the usual character references resolved.
pub(super) fn title(body: &[u8]) -> Option<SafeText<256>> {
    let start = find(body, b"<title")?;
    let rest = &body[start..];
    let rest = &rest[rest.iter().position(|&byte| byte == b'>')? + 1..];
    let text = &rest[..find(rest, b"</title")?];
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    SafeText::trimmed(resolved(&words.join(" ")).as_bytes())
}

fn resolved(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let reference = rest.find(';').filter(|&end| end <= 10);
        let character = reference.and_then(|end| resolve(&rest[1..end]));
        if let (Some(end), Some(character)) = (reference, character) {
            plain.push(character);
            rest = &rest[end + 1..];
        } else {
            plain.push('&');
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    plain
}

fn resolve(reference: &str) -> Option<char> {
    Some(match reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "middot" => '·',
        "raquo" => '»',
        "copy" => '©',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "szlig" => 'ß',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}
