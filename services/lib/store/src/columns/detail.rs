//! What some transitions hold besides the columns of the history, as JSON.

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::change::Transition;
use portwatch_domain::ports::Port;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::service::ServiceJson;
use super::{Unreadable, cut};

const COLUMN: &str = "detail";

#[derive(Serialize, Deserialize)]
struct ServiceDetail {
    before: ServiceJson,
    after: ServiceJson,
}

#[derive(Serialize, Deserialize)]
struct AddressDetail {
    name: String,
    before: Vec<IpAddr>,
    after: Vec<IpAddr>,
}

#[derive(Serialize, Deserialize)]
struct OverdueDetail {
    scanned_at: Option<Timestamp>,
}

/// The JSON of those transitions that need it.
pub(super) fn of(transition: &Transition) -> Option<String> {
    let json = match transition {
        Transition::Service { before, after, .. } => serde_json::to_string(&ServiceDetail {
            before: before.into(),
            after: after.into(),
        }),
        Transition::Address {
            name,
            before,
            after,
        } => serde_json::to_string(&AddressDetail {
            name: name.clone(),
            before: before.clone(),
            after: after.clone(),
        }),
        Transition::Overdue { scanned_at, .. } => serde_json::to_string(&OverdueDetail {
            scanned_at: scanned_at.map(cut),
        }),
        _ => return None,
    };
    // Texts and numbers can always be written.
    json.ok()
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|error| Unreadable::new(COLUMN, error))
}

pub(super) fn service(port: Port, text: &str) -> Result<Transition, Unreadable> {
    let ServiceDetail { before, after } = read(text)?;
    Ok(Transition::Service {
        port,
        before: before.service()?,
        after: after.service()?,
    })
}

pub(super) fn address(text: &str) -> Result<Transition, Unreadable> {
    let AddressDetail {
        name,
        before,
        after,
    } = read(text)?;
    Ok(Transition::Address {
        name,
        before,
        after,
    })
}

pub(super) fn overdue(begins: bool, text: &str) -> Result<Transition, Unreadable> {
    let OverdueDetail { scanned_at } = read(text)?;
    Ok(Transition::Overdue { begins, scanned_at })
}
