//! The wire, from outside: every value travels, old messages stay readable, broken ones are refused,
//! and the documents say what the code does.

#![expect(clippy::expect_used, reason = "tests")]

mod arbitrary;
mod asyncapi;
mod broken;
mod examples;
mod round_trip;
mod schemas;
