//! What never stands in an error, an answer or the log: receivers repeat what they were sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::settings::ChannelSettings;

/// What is shorter hides nothing, and would tear holes into every text.
const SHORTEST: usize = 4;
/// A part of an address that is so long may be a token; a shorter one is a word.
const SHORTEST_IN_A_PATH: usize = 12;
/// What begins the secrets of Standard Webhooks.
const WEBHOOK_SECRET: &str = "whsec_";

/// The secrets of a channel, in every form in which a receiver may repeat them.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Those in a channel's settings.
    pub fn of(settings: &ChannelSettings) -> Self {
        let mut found = Vec::new();
        for secret in [&settings.token, &settings.secret, &settings.previous_secret] {
            let secret = secret.reveal();
            found.push(
                secret
                    .strip_prefix(WEBHOOK_SECRET)
                    .unwrap_or(secret)
                    .to_owned(),
            );
        }
        if let Ok(url) = settings.url.reveal().parse::<Url>() {
            found.extend(in_url(&url));
        }
        found.retain(|secret| secret.len() >= SHORTEST);
        // A longer one first: a shorter one may be part of it.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.dedup();
        Self(found)
    }

    /// The text without them.
    pub fn hidden(&self, text: String) -> String {
        let hide = |text: String, secret: &String| {
            if text.contains(secret) {
                text.replace(secret, "…")
            } else {
                text
            }
        };
        self.0.iter().fold(text, hide)
    }
}

fn in_url(url: &Url) -> Vec<String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut found = Vec::new();
    if let Some(password) = url.password() {
        let (user, plain) = (decoded(url.username()), decoded(password));
        // As HTTP (RFC 7617) and SMTP (RFC 4616) send them.
        found.push(STANDARD.encode(format!("{user}:{plain}")));
        found.push(STANDARD.encode(format!("\0{user}\0{plain}")));
        found.push(STANDARD.encode(&plain));
        found.extend([password.to_owned(), plain]);
    }
    let path = url.path_segments().into_iter().flatten().map(str::to_owned);
    let query = url.query_pairs().map(|(_, value)| value.into_owned());
    let long = path
        .chain(query)
        .filter(|part| part.len() >= SHORTEST_IN_A_PATH);
    found.extend(long);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(url: &str, token: &str, secret: &str) -> Secrets {
        Secrets::of(&ChannelSettings {
            url: url.to_owned().into(),
            token: token.to_owned().into(),
            secret: secret.to_owned().into(),
            ..ChannelSettings::default()
        })
    }

    #[test]
    fn every_form_of_a_secret_is_hidden() {
        let url = "smtps://ann:p%40ssword@mail.example.org";
        let mail = secrets(url, "", "");
        for said in [
            "password p@ssword is wrong",
            "p%40ssword",
            "AUTH PLAIN AGFubgBwQHNzd29yZA==",
            "Basic YW5uOnBAc3N3b3Jk",
            "cEBzc3dvcmQ=",
        ] {
            let hidden = mail.hidden(said.to_owned());
            assert!(hidden.contains('…'), "{hidden}");
            assert!(
                !hidden.contains("@ss") && !hidden.contains("%40") && !hidden.contains("nB"),
                "{hidden}"
            );
        }
        let hook = "https://hooks.example.org/services/T0000/B0123456789/verysecrettoken?key=anothersecret";
        let hook = secrets(hook, "xoxb-1-2", "whsec_c2VjcmV0c2VjcmV0");
        let said = "no verysecrettoken, no anothersecret, no xoxb-1-2, no c2VjcmV0c2VjcmV0";
        assert_eq!(hook.hidden(said.to_owned()), "no …, no …, no …, no …");
    }

    #[test]
    fn words_are_no_secrets() {
        let plain = secrets("https://example.org/api/hooks/a?b=c", "abc", "");
        let said = "api hooks abc failed";
        assert_eq!(plain.hidden(said.to_owned()), said);
    }
}
