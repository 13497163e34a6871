//! The examples in `ops/channels.md` are settings that work.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use portwatch_runtime::settings::parse;
use serde::Deserialize;

use super::{KINDS, configured};
use crate::Settings;

#[derive(Deserialize)]
struct Whole {
    notifier: Settings,
}

#[test]
fn there_is_an_example_of_every_kind_and_each_works() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ops/channels.md");
    let page = std::fs::read_to_string(page).unwrap();
    let examples = page.split("```toml\n").skip(1);
    for example in examples {
        let example = example.split("```").next().unwrap();
        let Whole { notifier } = parse(example, "ops/channels.md", []).unwrap();
        let made = configured(&notifier).map_err(|error| error.to_string());
        assert_eq!(made.err(), None, "{example}");
    }
    for kind in KINDS {
        let named = format!("kind = \"{}\"", kind.word);
        let listed = page.contains(&format!(", {}", kind.word));
        assert!(page.contains(&named) || listed, "{named}");
    }
}
