//! Soft states, as JSON in one column: most hosts and ports have none.

use jiff::Timestamp;
use portwatch_domain::change::{SoftHost, SoftPort};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::service::ServiceJson;
use super::{EvidenceColumns, Unreadable, cut, parse};

const COLUMN: &str = "soft";

#[derive(Serialize, Deserialize)]
struct HostJson {
    state: String,
    since: Timestamp,
    scans: u8,
}

#[derive(Serialize, Deserialize)]
struct PortJson {
    state: String,
    since: Timestamp,
    scans: u8,
    answer: String,
    ttl: Option<i16>,
    rtt_us: Option<i64>,
    probes: i32,
    service: Option<ServiceJson>,
}

// Texts and numbers can always be written.

pub(super) fn of_host(soft: &SoftHost) -> Option<String> {
    let json = HostJson {
        state: soft.state.to_string(),
        since: cut(soft.since),
        scans: soft.scans,
    };
    serde_json::to_string(&json).ok()
}

pub(super) fn of_port(soft: &SoftPort) -> Option<String> {
    let evidence = EvidenceColumns::from(&soft.evidence);
    let json = PortJson {
        state: soft.state.to_string(),
        since: cut(soft.since),
        scans: soft.scans,
        answer: evidence.answer,
        ttl: evidence.ttl,
        rtt_us: evidence.rtt_us,
        probes: evidence.probes,
        service: soft.service.as_ref().map(ServiceJson::from),
    };
    serde_json::to_string(&json).ok()
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|error| Unreadable::new(COLUMN, error))
}

pub(super) fn host(text: &str) -> Result<SoftHost, Unreadable> {
    let json: HostJson = read(text)?;
    Ok(SoftHost {
        state: parse(COLUMN, &json.state)?,
        since: json.since,
        scans: json.scans,
    })
}

pub(super) fn port(text: &str) -> Result<SoftPort, Unreadable> {
    let json: PortJson = read(text)?;
    let evidence = EvidenceColumns {
        answer: json.answer,
        ttl: json.ttl,
        rtt_us: json.rtt_us,
        probes: json.probes,
    };
    Ok(SoftPort {
        state: parse(COLUMN, &json.state)?,
        evidence: evidence.evidence()?,
        service: json.service.map(ServiceJson::service).transpose()?,
        since: json.since,
        scans: json.scans,
    })
}
