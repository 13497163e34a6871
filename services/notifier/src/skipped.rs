//! For tests that cannot run on the machine they are on.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

/// Says that this test, or a part of it, cannot run here, where the test run counts it.
pub fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    if let Some(list) = std::env::var_os("PORTWATCH_TEST_SKIPPED") {
        let mut list = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(list)
            .unwrap();
        writeln!(list, "{test}: {reason}").unwrap();
    }
}
