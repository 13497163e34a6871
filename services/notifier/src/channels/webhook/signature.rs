//! Secrets and signatures of Standard Webhooks 1.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What every secret begins with.
const PREFIX: &str = "whsec_";

/// The lengths of a key that the specification allows, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// It does not begin with `whsec_`.
    #[error("a secret begins with whsec_")]
    Prefix,
    /// What follows is not base64.
    #[error("what follows whsec_ is not base64")]
    Base64,
    /// Too short to be safe, or too long.
    #[error("the key has {0} bytes: 24 to 64 are needed")]
    Length(usize),
}

/// A key to sign with.
pub struct Key(Hmac<Sha256>);

impl Key {
    /// Reads `whsec_…`.
    ///
    /// # Errors
    /// Says what is wrong, never what the secret is.
    pub fn parse(secret: &str) -> Result<Self, KeyError> {
        let encoded = secret.trim().strip_prefix(PREFIX).ok_or(KeyError::Prefix)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::Base64)?;
        if !KEY_BYTES.contains(&bytes.len()) {
            return Err(KeyError::Length(bytes.len()));
        }
        Hmac::new_from_slice(&bytes)
            .map(Self)
            .map_err(|_| KeyError::Length(bytes.len()))
    }

    /// The value of `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// A new secret of 32 random bytes, `whsec_…`.
///
/// # Errors
/// If the system has no randomness to give.
pub fn new_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_public_library_accepts_our_signature() {
        let secret = new_secret().unwrap();
        let body = br#"{"changes":[]}"#;
        let now = jiff::Timestamp::now().as_second();
        let signature = Key::parse(&secret).unwrap().sign("msg_1", now, body);
        let verifier = standardwebhooks::Webhook::new(&secret).unwrap();
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        verifier.verify(body, &headers).unwrap();
        assert!(verifier.verify(b"{}", &headers).is_err());
    }

    #[test]
    fn bad_secrets_are_told_apart() {
        let error = |secret| Key::parse(secret).err();
        assert_eq!(error("abc"), Some(KeyError::Prefix));
        assert_eq!(error("whsec_%%%"), Some(KeyError::Base64));
        assert_eq!(error("whsec_c2hvcnQ="), Some(KeyError::Length(5)));
    }
}
