//! Words that are spelled the same in messages, tables and logs.

/// Words that appear in the same spelling in messages, tables and logs.
#[macro_export]
macro_rules! words {
    ($type:ident, $what:literal, $($variant:ident = $word:literal),+) => {
        impl $type {
            /// The word used for it everywhere.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl std::str::FromStr for $type {
            type Err = $crate::spelling::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err($crate::spelling::UnknownWord { what: $what, word: other.to_owned() }),
                }
            }
        }
    };
}
pub use words;

/// A word that is none of those known.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown {what} {word:?}")]
pub struct UnknownWord {
    /// What it should have been.
    pub what: &'static str,
    /// What it was.
    pub word: String,
}
