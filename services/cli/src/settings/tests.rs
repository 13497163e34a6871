#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_runtime::settings::parse;

use super::*;

const SAMPLE: &str = include_str!("../../../../ops/portwatch.toml");

fn read(text: &str) -> Settings {
    parse(text, "portwatch.toml", []).unwrap()
}

#[test]
fn the_sample_says_the_defaults() {
    assert_eq!(
        format!("{:?}", read(SAMPLE)),
        format!("{:?}", Settings::default())
    );
}

/// Every key that the sample shows as a comment is one.
#[test]
fn what_the_sample_comments_out_can_be_taken_in() {
    let is_setting = |line: &str| {
        let line = line.trim_start_matches("# ");
        line.starts_with('[')
            || line
                .split_once(" = ")
                .is_some_and(|(key, _)| !key.contains(' '))
    };
    let all: Vec<&str> = SAMPLE
        .lines()
        .map(|line| {
            if line.starts_with('#') && is_setting(line) {
                &line[2..]
            } else {
                line
            }
        })
        .collect();
    let settings = read(&all.join("\n"));
    let [target] = settings.scheduler.targets.as_slice() else {
        panic!("{settings:?}")
    };
    target
        .target(portwatch_scheduler::Source::Settings)
        .unwrap();
    assert!(settings.notifier.webhook.is_some() && settings.runtime.log.is_some());
}
