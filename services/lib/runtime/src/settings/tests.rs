#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use jiff::SignedDuration;
use serde::Deserialize;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct All {
    scanner: Scanner,
    notifier: Notifier,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Scanner {
    rate: u32,
    zone: String,
    exclude: List<std::net::IpAddr>,
    pause: SignedDuration,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Notifier {
    webhook: Option<Webhook>,
    targets: Vec<Webhook>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Webhook {
    url: String,
    secret: Secret,
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<All, SettingsError> {
    let environment = environment
        .iter()
        .map(|&(k, v)| (k.to_owned(), v.to_owned()));
    parse(text, "portwatch.toml", environment)
}

fn error(text: &str, environment: &[(&str, &str)]) -> String {
    read(text, environment).unwrap_err().to_string()
}

#[test]
fn the_environment_goes_over_the_file() {
    let text = "[scanner]\nrate = 10\nzone = 'a'\npause = '1m 30s'\nexclude = ['192.0.2.1']";
    let environment = [
        ("PORTWATCH__SCANNER__RATE", "20"),
        ("PORTWATCH__SCANNER__EXCLUDE", "192.0.2.2, 192.0.2.3"),
        ("PORTWATCH__NOTIFIER__WEBHOOK__URL", "http://127.0.0.1/"),
        ("PORTWATCH_WEBHOOK_SECRET", "not ours to read"),
        ("HOME", "/"),
    ];
    let all = read(text, &environment).unwrap();
    assert_eq!(all.scanner.rate, 20);
    assert_eq!(all.scanner.zone, "a");
    assert_eq!(all.scanner.pause, SignedDuration::from_secs(90));
    assert_eq!(all.scanner.exclude.0.len(), 2);
    assert_eq!(all.notifier.webhook.unwrap().url, "http://127.0.0.1/");
}

#[test]
fn a_number_can_be_a_text() {
    let all = read("", &[("PORTWATCH__SCANNER__ZONE", "42")]).unwrap();
    assert_eq!(all.scanner.zone, "42");
}

#[test]
fn unknown_keys_are_named_with_the_nearest_right_one() {
    for (text, environment, expected) in [
        (
            "[scanner]\nrat = 1",
            vec![],
            "portwatch.toml: unknown key `scanner.rat`: did you mean `scanner.rate`?",
        ),
        (
            "[scaner]\nrate = 1",
            vec![],
            "portwatch.toml: unknown key `scaner`: did you mean `scanner`?",
        ),
        (
            "[notifier.webhook]\nurll = ''",
            vec![],
            "portwatch.toml: unknown key `notifier.webhook.urll`: did you mean `notifier.webhook.url`?",
        ),
        (
            "[[notifier.targets]]\nsecrt = ''",
            vec![],
            "portwatch.toml: unknown key `notifier.targets.0.secrt`: did you mean `notifier.targets.0.secret`?",
        ),
        (
            "[scanner]\nqqqq = 1",
            vec![],
            "portwatch.toml: unknown key `scanner.qqqq`",
        ),
        (
            "",
            vec![("PORTWATCH__SCANNER__ZON", "a")],
            "PORTWATCH__SCANNER__ZON: unknown key `scanner.zon`: did you mean `scanner.zone`?",
        ),
    ] {
        assert_eq!(error(text, &environment), expected);
    }
}

#[test]
fn a_wrong_value_says_which_key() {
    let told = error("[scanner]\nrate = 'fast'", &[]);
    assert!(
        told.starts_with("portwatch.toml: ") && told.contains("rate"),
        "{told}"
    );
    let told = error("[scanner]\nexclude = ['nowhere']", &[]);
    assert!(told.contains("invalid IP address"), "{told}");
    let told = error("[scanner\n", &[]);
    assert!(told.contains("TOML"), "{told}");
}

#[test]
fn a_value_can_stand_in_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"whsec_abc\n").unwrap();
    let path = file.path().display().to_string();
    let by_variable = read("", &[("PORTWATCH__NOTIFIER__WEBHOOK__SECRET_FILE", &path)]).unwrap();
    let by_key = read(&format!("[notifier.webhook]\nsecret_file = '{path}'"), &[]).unwrap();
    assert_eq!(by_variable, by_key);
    let webhook = by_key.notifier.webhook.unwrap();
    assert_eq!(webhook.secret.reveal(), "whsec_abc");
    assert_eq!(format!("{:?}", webhook.secret), "Secret(…)");
    let second = format!("[[notifier.targets]]\n[[notifier.targets]]\nsecret_file = '{path}'");
    let targets = read(&second, &[]).unwrap().notifier.targets;
    assert_eq!(targets[1].secret.reveal(), "whsec_abc");

    let both = format!("[notifier.webhook]\nsecret = 'x'\nsecret_file = '{path}'");
    assert_eq!(
        error(&both, &[]),
        "notifier.webhook.secret and notifier.webhook.secret_file are both set: keep one"
    );
    let missing = error("[notifier.webhook]\nsecret_file = '/nonexistent'", &[]);
    assert!(
        missing.starts_with("notifier.webhook.secret_file: reading /nonexistent: "),
        "{missing}"
    );
}
