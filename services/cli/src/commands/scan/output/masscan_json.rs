//! The JSON of `masscan -oJ`: one array, an object for each open port, and one more for what it says.
//!
//! The comma stands before every object but the first, so that the array is whole whenever it ends.

use std::io::{self, Write};
use std::net::IpAddr;

use portwatch_domain::snapshot::{PortState, Service};
use serde::Serialize;

use super::super::seen::Seen;

#[derive(Serialize)]
struct Record<P> {
    ip: IpAddr,
    /// Seconds since 1970, as text.
    timestamp: String,
    ports: [P; 1],
}

/// That a port is open.
#[derive(Serialize)]
struct Open {
    port: u16,
    proto: &'static str,
    status: &'static str,
    reason: String,
    /// 0 if it is not known.
    ttl: u8,
}

/// What listens on it.
#[derive(Serialize)]
struct Banner<'a> {
    port: u16,
    proto: &'static str,
    service: Named<'a>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    banner: &'a str,
}

/// The head.
pub fn begin(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "[")
}

/// The open ports of a host.
pub fn host(out: &mut impl Write, seen: &Seen<'_>, begun: &mut bool) -> io::Result<()> {
    for row in seen.with(PortState::Open) {
        let (port, proto) = (row.port.number, row.port.protocol.as_str());
        let open = Open {
            port,
            proto,
            status: row.state.as_str(),
            reason: row.reason(),
            ttl: row.ttl().unwrap_or(0),
        };
        record(out, seen, open, begun)?;
        let named = row.service.and_then(|service| {
            let name = service.proven_name();
            let banner = Service::description(service);
            (name.is_some() || banner.is_some()).then(|| Named {
                name: name.unwrap_or("unknown"),
                banner: banner.unwrap_or_default(),
            })
        });
        if let Some(service) = named {
            let banner = Banner {
                port,
                proto,
                service,
            };
            record(out, seen, banner, begun)?;
        }
    }
    Ok(())
}

fn record<P: Serialize>(
    out: &mut impl Write,
    seen: &Seen<'_>,
    port: P,
    begun: &mut bool,
) -> io::Result<()> {
    if *begun {
        writeln!(out, ",")?;
    }
    *begun = true;
    let record = Record {
        ip: seen.report.ip,
        timestamp: seen.finished_at.as_second().to_string(),
        ports: [port],
    };
    serde_json::to_writer(&mut *out, &record)?;
    writeln!(out)
}

/// The end.
pub fn end(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "]")
}
