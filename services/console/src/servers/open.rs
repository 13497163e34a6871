//! Which ports of a server are open now.

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::change::HostRecord;
use portwatch_domain::ports::{Port, service_name};
use portwatch_domain::snapshot::{HostState, PortState, Service};
use portwatch_domain::target::Target;

use super::Server;
use crate::Shared;
use crate::answer::Refusal;

/// A port that is open.
pub(crate) struct OpenPort {
    /// Of which host.
    pub ip: IpAddr,
    /// The host's name, if the target names it.
    pub host: Option<String>,
    /// How the host stands: of one that is down, the last that is known.
    pub host_state: HostState,
    /// Which port.
    pub port: Port,
    /// What listens there: as it was found, else what usually does.
    pub service: Option<String>,
    /// Since when it is open.
    pub since: Timestamp,
    /// When it was first seen open.
    pub first_seen: Timestamp,
    /// When it was last seen open.
    pub last_seen: Timestamp,
    /// Whether it should be open; `None` where nobody has said.
    pub expected: Option<bool>,
}

/// All of them, by host and port.
pub(crate) async fn open_ports(shared: &Shared, server: &Server) -> Result<Vec<OpenPort>, Refusal> {
    let target = &server.state.target;
    let hosts = shared.deps.store.hosts(target.id).await?;
    Ok(hosts
        .iter()
        .flat_map(|host| of_host(target, host))
        .collect())
}

fn of_host(target: &Target, host: &HostRecord) -> Vec<OpenPort> {
    let unexpected = host.unexpected_open(target);
    let has_policy = host.approved.is_some() || target.expected.is_some();
    let open = host.ports.iter();
    let open = open
        .filter(|&(&port, record)| record.state == PortState::Open && target.ports.contains(port));
    open.map(|(&port, record)| {
        let found = record.service.as_ref().and_then(Service::proven_name);
        OpenPort {
            ip: host.ip,
            host: host.name.as_ref().map(ToString::to_string),
            host_state: host.state,
            port,
            service: found.or_else(|| service_name(port)).map(str::to_owned),
            since: record.since,
            first_seen: record.first_seen,
            last_seen: record.last_seen,
            expected: has_policy.then(|| !unexpected.contains(port)),
        }
    })
    .collect()
}
