//! What to scan: from the command line, standard input and files.

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use portwatch_domain::target::Address;

use super::Arguments;

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The targets that were named, those of the lists, or why there can be no scan.
pub fn all(arguments: &Arguments) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    let mut has_read = false;
    let mut standard_input = || {
        if has_read {
            bail!("standard input is named twice, and can be read once");
        }
        has_read = true;
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("reading targets from standard input")?;
        list("standard input", &bytes)
    };
    for target in &arguments.targets {
        if target == STANDARD_INPUT {
            targets.extend(standard_input()?);
        } else {
            targets.push(target.clone());
        }
    }
    for path in &arguments.input {
        if path == Path::new(STANDARD_INPUT) {
            targets.extend(standard_input()?);
            continue;
        }
        let origin = path.display().to_string();
        let bytes =
            std::fs::read(path).with_context(|| format!("reading targets from {origin}"))?;
        targets.extend(list(&origin, &bytes)?);
    }
    Ok(targets)
}

/// One target a line. `#` starts a comment; blank lines, spaces around, a byte order mark and the
/// carriage returns of other systems are no part of a target.
fn list(origin: &str, bytes: &[u8]) -> Result<Vec<String>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut targets = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let Ok(text) = std::str::from_utf8(line) else {
            let shown = String::from_utf8_lossy(line);
            bail!("{origin}, line {number}: {shown:?} is not UTF-8");
        };
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        if let Err(error) = text.parse::<Address>() {
            bail!("{origin}, line {number}: {error}");
        }
        targets.push(text.to_owned());
    }
    if targets.is_empty() {
        bail!("{origin} names no target");
    }
    Ok(targets)
}
