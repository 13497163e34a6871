//! The examples in `ops/channels.md` are settings that work.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use portwatch_runtime::settings::parse;
use serde::Deserialize;

use super::{KINDS, configured};
use crate::{InvalidChannel, Settings};

#[derive(Deserialize)]
struct Whole {
    notifier: Settings,
}

fn read(text: &str) -> Result<(), InvalidChannel> {
    let Whole { notifier } = parse(text, "test", []).unwrap();
    configured(&notifier).map(drop)
}

#[test]
fn templates_can_stand_in_files_and_webhooks_have_none() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("line");
    std::fs::write(&file, "{{ change.kind }}\n{{ change.prot }}\n").unwrap();
    let error = |kind: &str| {
        let url = "https://example.org";
        let file = file.display();
        let text = format!(
            "[[notifier.channels]]\nname = 'ops'\nkind = '{kind}'\nurl = '{url}'\ntemplate = {{ line_file = '{file}' }}"
        );
        read(&text).unwrap_err().to_string()
    };
    let told = error("teams");
    assert!(
        told.starts_with("notifier.channels.ops.template.line: line 2: "),
        "{told}"
    );
    let told = error("webhook");
    assert_eq!(
        told,
        "notifier.channels.ops.template.line: webhook has url, secret, previous_secret, body and nothing else"
    );
}

#[test]
fn there_is_an_example_of_every_kind_and_each_works() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ops/channels.md");
    let page = std::fs::read_to_string(page).unwrap();
    let examples = page.split("```toml\n").skip(1);
    for example in examples {
        let example = example.split("```").next().unwrap();
        let read = read(example).map_err(|error| error.to_string());
        assert_eq!(read, Ok(()), "{example}");
    }
    for kind in KINDS {
        let named = format!("kind = \"{}\"", kind.word);
        let listed = page.contains(&format!(", {}", kind.word));
        assert!(page.contains(&named) || listed, "{named}");
    }
}
