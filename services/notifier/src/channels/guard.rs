//! Where connections may go: to public addresses, and to those that `notifier.allow` names.
//!
//! A receiver's address comes from settings, and soon from people who may not look into the network that Portwatch
//! stands in. So it is judged where a connection begins: names after they were resolved, and the connection goes to
//! the very addresses that were judged. A name that resolves otherwise a moment later gains nothing.

mod ranges;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use ranges::Kind;

/// Addresses that may be connected to although they are not public: `10.0.0.5` or `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed(IpNet);

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = text.parse::<IpAddr>().map(IpNet::from);
        let block = single.or_else(|_| text.parse());
        let block =
            block.map_err(|_| format!("{text}: write an address or a block, 10.0.0.0/8"))?;
        Ok(Self(block))
    }
}

impl Allowed {
    /// What a person means who types this address: the IP address that it holds, or the machine itself for
    /// `localhost`. A name holds none.
    pub fn typed(url: &Url) -> Vec<Self> {
        let loopback = ["127.0.0.0/8", "::1/128"];
        match literal(url) {
            Some(ip) => vec![Self(ip.into())],
            None if is_localhost(url) => {
                loopback.iter().filter_map(|net| net.parse().ok()).collect()
            }
            None => Vec::new(),
        }
    }
}

/// No connection is made to this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ip} {kind}: add it to notifier.allow if it is meant")]
pub(crate) struct Refused {
    ip: IpAddr,
    kind: Kind,
}

/// Whether this address may be connected to: it is public and holds no other that is not, or it is allowed.
pub(crate) fn judge(ip: IpAddr, allow: &[Allowed]) -> Result<(), Refused> {
    let allowed = |ip: IpAddr| allow.iter().any(|Allowed(net)| net.contains(&ip));
    if allowed(ip) {
        return Ok(());
    }
    if let Some(kind) = Kind::of(ip) {
        return Err(Refused { ip, kind });
    }
    for within in ranges::embedded(ip).into_iter().flatten().map(IpAddr::V4) {
        if let Some(kind) = Kind::of(within).filter(|_| !allowed(within)) {
            return Err(Refused { ip, kind });
        }
    }
    Ok(())
}

/// The addresses among these that may be connected to.
///
/// # Errors
/// If there are some and none of them may; says why of the first.
pub(crate) fn permitted(
    found: Vec<SocketAddr>,
    allow: &[Allowed],
) -> Result<Vec<SocketAddr>, Refused> {
    let mut refused = None;
    let mut permitted = Vec::with_capacity(found.len());
    for address in found {
        match judge(address.ip(), allow) {
            Ok(()) => permitted.push(address),
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    match refused {
        Some(why) if permitted.is_empty() => Err(why),
        _ => Ok(permitted),
    }
}

/// The IP address that an address holds in place of a name. Whatever way it was written in (`0x7f.1`, `2130706433`),
/// it is in its usual form since the address was parsed.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// RFC 6761 section 6.3.
fn is_localhost(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// Looks at what no resolver is asked for, before a request is made: the address itself, and with a proxy, which
/// resolves names in its own place, the one name whose meaning is known.
pub(crate) fn check(url: &Url, allow: &[Allowed], proxied: bool) -> Result<(), Refused> {
    match literal(url) {
        Some(ip) => judge(ip, allow),
        None if proxied && is_localhost(url) => judge(Ipv4Addr::LOCALHOST.into(), allow),
        None => Ok(()),
    }
}

/// Resolves names as the system does, and hands out only what may be connected to.
pub(crate) struct Guard(pub Arc<[Allowed]>);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted = permitted(found.collect(), &allow)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// The refusal that this error comes from, if it comes from one.
pub(crate) fn refusal(error: &reqwest::Error) -> Option<Refused> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Some(*refused);
        }
        source = cause.source();
    }
    None
}
