//! The console over a real store: what is answered to whom, in which shape, and what comes of it.

#![expect(clippy::unwrap_used, reason = "tests")]

mod api;
mod login;
mod openapi;
mod pages;
mod roxy_wi;
mod site;
mod who_sees_what;
