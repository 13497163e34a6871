//! The wire, from outside: every domain value travels, old messages stay readable, broken ones are
//! refused.

#![expect(clippy::expect_used, reason = "tests")]

mod arbitrary;
mod round_trip;
