//! What Portwatch decides, without doing anything: no clock, randomness, JSON, SQL or network here.
//!
//! Everything flows as job → snapshot → change → notification, and each of the four nouns is a
//! module. Whatever a decision depends on (the time, ids, settings) comes in as an argument, so
//! that a year of monitoring can be replayed in a test.

pub mod access;
pub mod change;
pub mod job;
pub mod notification;
pub mod ports;
pub mod snapshot;
pub mod spelling;
pub mod target;
