//! What is expected of hosts, and which hosts differ from it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use portwatch_domain::change::{Findings, HostRecord};
use portwatch_domain::ports::PortSet;
use portwatch_domain::target::{Target, TargetId};

use crate::StoreError;

/// Which ports are approved to be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approve {
    /// Those that are open now.
    OpenNow,
    /// These.
    Ports(PortSet),
    /// None in particular any more: what the target expects counts again.
    Withdraw,
}

/// An approval, which goes before what the target expects of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The target.
    pub target: TargetId,
    /// One host of it; `None` for all that are known.
    pub ip: Option<IpAddr>,
    /// What is approved.
    pub ports: Approve,
    /// Who approves.
    pub by: String,
    /// When.
    pub now: Timestamp,
}

/// What is approved for a host from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// The host.
    pub ip: IpAddr,
    /// The ports; `None` if an approval was withdrawn.
    pub ports: Option<PortSet>,
}

/// A host that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexpected {
    /// The host's target.
    pub target: TargetId,
    /// What people call the target.
    pub target_name: String,
    /// The host.
    pub ip: IpAddr,
    /// Its name, if the target names it.
    pub name: Option<String>,
    /// How it differs.
    pub findings: Findings,
}

/// How all hosts of listed targets differ from what is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FindingTotals {
    /// Ports that are open and should not be.
    pub unexpected_open: u64,
    /// Ports that are not open and should be.
    pub expected_closed: u64,
}

/// Approves ports, and reads what is not as it should be.
#[async_trait]
pub trait Policies: Send + Sync {
    /// Sets what is approved for one host or all known hosts of a target, and by that what differs. Gives those
    /// hosts by address; none if the target or the host is not known.
    async fn approve(&self, approval: Approval) -> Result<Vec<Approved>, StoreError>;

    /// The hosts of listed targets, or of one target, that are not as expected, by target and address.
    async fn unexpected(
        &self,
        target: Option<TargetId>,
        limit: u32,
    ) -> Result<Vec<Unexpected>, StoreError>;

    /// How all hosts of listed targets differ from what is expected.
    async fn findings(&self) -> Result<FindingTotals, StoreError>;
}

/// What an approval makes of the hosts.
pub(crate) fn approve(
    target: &Target,
    hosts: BTreeMap<IpAddr, HostRecord>,
    ports: &Approve,
) -> Vec<HostRecord> {
    let hosts = hosts.into_values().map(|mut host| {
        host.approved = match ports {
            Approve::OpenNow => Some(host.open()),
            Approve::Ports(ports) => Some(ports.clone()),
            Approve::Withdraw => None,
        };
        host.findings = host.findings_by(target);
        host
    });
    hosts.collect()
}
