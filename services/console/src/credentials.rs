//! Passwords and tokens: made, hashed, compared.
//!
//! Passwords are kept by Argon2id (RFC 9106) with OWASP's least parameters, which are the crate's own. Tokens are random
//! and long, so that SHA-256 is enough for them.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// What stands before each token, so that one that was published by mistake is found.
const PREFIX: &str = "pwt_";
/// Of a password that nobody has.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyBpdA$\
     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Shorter passwords are refused.
pub const SHORTEST_PASSWORD: usize = 10;
/// Longer ones as well: they only cost time.
pub const LONGEST_PASSWORD: usize = 256;

/// Why there is no password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CredentialError {
    /// It is too easy to guess, or too long to hash.
    #[error("a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")]
    Length,
    /// The system gives no random bytes.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// It could not be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// A token as it is shown once, and as it is kept.
pub struct FreshToken {
    /// What is shown.
    pub token: String,
    /// What is kept.
    pub hash: [u8; 32],
}

/// Makes a token of 256 random bits.
pub fn token() -> Result<FreshToken, CredentialError> {
    let token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?));
    let hash = hash_of_token(&token);
    Ok(FreshToken { token, hash })
}

/// What is kept of a token.
pub fn hash_of_token(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Makes a password of 120 random bits.
pub fn password() -> Result<String, CredentialError> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random::<15>()?))
}

/// What is kept of a password, as a PHC string. It takes some 20 ms and 19 MiB.
pub fn hash_of_password(password: &str) -> Result<String, CredentialError> {
    let length = password.chars().count();
    if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
        return Err(CredentialError::Length);
    }
    let failed = |error: argon2::password_hash::Error| CredentialError::Hash(error.to_string());
    let salt = SaltString::encode_b64(&random::<16>()?).map_err(failed)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(failed)?.to_string())
}

/// Whether it is the password. Without a hash it is none, and it takes as long.
pub(crate) fn is_password(password: &str, hash: Option<&str>) -> bool {
    if password.chars().count() > LONGEST_PASSWORD {
        return false;
    }
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODYS)) else {
        return false;
    };
    let verified = Argon2::default().verify_password(password.as_bytes(), &parsed);
    verified.is_ok() && hash.is_some()
}

fn random<const N: usize>() -> Result<[u8; N], CredentialError> {
    let mut bytes = [0; N];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| CredentialError::Random(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let hash = hash_of_password("correct horse").unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert_ne!(hash, hash_of_password("correct horse").unwrap(), "salted");
        assert!(is_password("correct horse", Some(&hash)));
        assert!(!is_password("correct house", Some(&hash)));
        assert!(!is_password("correct horse", None));
        assert!(!is_password("correct horse", Some("no hash")));
    }

    #[test]
    fn who_is_nobody_takes_as_long_to_refuse() {
        let (nobody, somebody) = (
            PasswordHash::new(NOBODYS),
            hash_of_password("correct horse"),
        );
        let somebody = somebody.unwrap();
        let somebody = PasswordHash::new(&somebody).unwrap();
        let nobody = nobody.unwrap();
        assert_eq!(nobody.algorithm, somebody.algorithm);
        assert_eq!(nobody.version, somebody.version);
        assert_eq!(nobody.params, somebody.params);
        let length = |hash: &PasswordHash<'_>| hash.hash.map(|output| output.len());
        assert_eq!(length(&nobody), length(&somebody));
    }

    #[test]
    fn a_password_has_a_length() {
        for wrong in ["", "too short", &"x".repeat(257)] {
            assert_eq!(hash_of_password(wrong), Err(CredentialError::Length));
        }
        assert!(hash_of_password(&password().unwrap()).is_ok());
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert_ne!(one.token, other.token);
        assert_eq!(one.token.len(), PREFIX.len() + 43);
        assert_eq!(one.hash, hash_of_token(&one.token));
    }
}
