//! The `traceparent` of W3C Trace Context, level 1.

use std::fmt;
use std::str::FromStr;

/// The sampled flag, the only one that level 1 knows.
const SAMPLED: u8 = 1;

/// Which trace a message belongs to, and under which span it was sent.
///
/// Printed as `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`.
/// <https://www.w3.org/TR/trace-context-1/#traceparent-header>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The whole trace, from the job to the webhook; never 0.
    pub trace_id: u128,
    /// The span of the sender; never 0.
    pub parent_id: u64,
    /// Bit 0: sampled.
    pub flags: u8,
}

impl TraceParent {
    /// A sampled trace. An id of 0 is not valid and becomes 1.
    pub const fn new(trace_id: u128, parent_id: u64) -> Self {
        Self {
            trace_id: if trace_id == 0 { 1 } else { trace_id },
            parent_id: if parent_id == 0 { 1 } else { parent_id },
            flags: SAMPLED,
        }
    }

    /// The same trace under another span. Flags that level 1 does not know are not passed on.
    #[must_use]
    pub const fn child(&self, parent_id: u64) -> Self {
        let mut child = Self::new(self.trace_id, parent_id);
        child.flags = self.flags & SAMPLED;
        child
    }

    /// True if the sender records this trace.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            parent_id,
            flags,
        } = self;
        write!(f, "00-{trace_id:032x}-{parent_id:016x}-{flags:02x}")
    }
}

/// The text is no `traceparent`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TraceParentError {
    /// Not of the form that level 1 prescribes.
    #[error(
        "{0:?} is not a traceparent: 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, lower case"
    )]
    Form(String),
    /// The trace id or the parent id is all zero.
    #[error("{0:?} is not a traceparent: an id of zeros stands for none")]
    Zero(String),
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Versions above 00 are read as 00 up to the flags, as level 1 asks for; ff is no version.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || TraceParentError::Form(text.to_owned());
        let mut fields = text.splitn(5, '-');
        let mut field = |digits: usize| fields.next().and_then(|field| hex(field, digits));
        let version = field(2).ok_or_else(form)?;
        let (Some(trace_id), Some(parent_id), Some(flags)) = (field(32), field(16), field(2))
        else {
            return Err(form());
        };
        let is_longer = fields.next().is_some();
        if version == 0xff || (version == 0 && is_longer) {
            return Err(form());
        }
        if trace_id == 0 || parent_id == 0 {
            return Err(TraceParentError::Zero(text.to_owned()));
        }
        Ok(Self {
            trace_id,
            parent_id: u64::try_from(parent_id).map_err(|_| form())?,
            flags: u8::try_from(flags).map_err(|_| form())?,
        })
    }
}

/// Exactly this many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == digits && text.bytes().all(is_hex))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn reads_and_prints_the_example_of_the_standard() {
        let parent: TraceParent = EXAMPLE.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parent.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(parent.parent_id, 0xb7ad_6b71_6920_3331);
        assert!(parent.is_sampled());
        assert_eq!(parent.to_string(), EXAMPLE);
        assert_eq!(TraceParent::new(parent.trace_id, parent.parent_id), parent);
    }

    #[test]
    fn a_child_keeps_the_trace_and_the_sampled_flag_only() {
        let parent = TraceParent {
            flags: 0xfe,
            ..TraceParent::new(7, 8)
        };
        let child = parent.child(9);
        assert_eq!((child.trace_id, child.parent_id, child.flags), (7, 9, 0));
        assert_eq!(TraceParent::new(0, 0), TraceParent::new(1, 1));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for text in [
            EXAMPLE.replacen("00", "01", 1),
            EXAMPLE.replacen("00", "cc", 1) + "-what-the-future-brings",
        ] {
            let parent: Result<TraceParent, _> = text.parse();
            assert_eq!(
                parent.map(|parent| parent.to_string()),
                Ok(EXAMPLE.to_owned())
            );
        }
    }

    #[test]
    fn refuses_what_is_none() {
        let form = |text: &str| Err(TraceParentError::Form(text.to_owned()));
        for text in [
            String::new(),
            EXAMPLE.to_uppercase(),
            EXAMPLE.replacen("00", "ff", 1),
            EXAMPLE.to_owned() + "-",
            EXAMPLE.to_owned() + "1",
            EXAMPLE.replace('-', "_"),
            EXAMPLE.replacen("0a", "+a", 1),
            EXAMPLE[..54].to_owned(),
        ] {
            assert_eq!(text.parse::<TraceParent>(), form(&text), "{text}");
        }
        for text in [
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            let zero = TraceParentError::Zero(text.to_owned());
            assert_eq!(text.parse::<TraceParent>(), Err(zero));
        }
    }
}
