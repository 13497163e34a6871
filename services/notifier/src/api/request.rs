//! What is asked over HTTP.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use portwatch_domain::ports::{Port, PortSet};
use serde::Deserialize;

use crate::ask::Asked;

/// A change to try the routes with, in the words of `portwatch route`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteRequest {
    kind: String,
    target: Option<String>,
    zone: Option<String>,
    channel: Option<String>,
    host: Option<IpAddr>,
    host_name: Option<String>,
    /// A number, or `udp:53`.
    port: Option<serde_json::Value>,
    #[serde(default)]
    expected: bool,
    severity: Option<String>,
}

impl RouteRequest {
    /// Reads it; the error says what is wrong, and where.
    pub fn read(body: &[u8]) -> Result<Asked, String> {
        let request: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let given = [&request.target, &request.zone, &request.channel];
        if given.into_iter().flatten().count() != 1 {
            return Err("give a target, a zone or a channel, and only one of them".to_owned());
        }
        Ok(Asked {
            kind: word("kind", &request.kind)?,
            target: request.target,
            zone: optional("zone", request.zone.as_deref())?,
            channel: request.channel,
            host: request.host,
            host_name: request.host_name,
            port: request.port.map(port).transpose()?,
            expected: request.expected,
            severity: optional("severity", request.severity.as_deref())?,
        })
    }
}

fn word<T: FromStr<Err: Display>>(key: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{key}: {error}"))
}

fn optional<T: FromStr<Err: Display>>(key: &str, text: Option<&str>) -> Result<Option<T>, String> {
    text.map(|text| word(key, text)).transpose()
}

fn port(value: serde_json::Value) -> Result<Port, String> {
    let text = match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let ports: PortSet = word("port", &text)?;
    let mut ports = ports.iter();
    match (ports.next(), ports.next()) {
        (Some(port), None) => Ok(port),
        _ => Err("port: one port, as in 22 or \"udp:53\"".to_owned()),
    }
}
