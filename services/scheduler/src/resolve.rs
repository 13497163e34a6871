//! Names to addresses, by the system's resolver.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;
use portwatch_domain::target::Target;
use portwatch_domain::target::names::Names;

/// A name that has no address now.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {cause}")]
pub(crate) struct Unresolved {
    name: String,
    cause: String,
}

/// The addresses of each name that has any, sorted.
pub(crate) type Found = Names;

/// Every name of the target with its addresses. Those that could not be resolved are counted, and missing.
pub(crate) async fn names(target: &Target, timeout: SignedDuration) -> Found {
    let timeout = Duration::try_from(timeout).unwrap_or_default();
    let answers = join_all(target.names().map(|name| resolve(name.to_owned(), timeout))).await;
    let mut found = Found::new();
    for answer in answers {
        match answer {
            Ok((name, addresses)) => {
                found.insert(name, addresses);
            }
            Err(error) => {
                metrics::counter!("portwatch_target_unresolved_total").increment(1);
                tracing::warn!(target = target.name, %error, "a name could not be resolved: the addresses that it last had are scanned, if any");
            }
        }
    }
    found
}

async fn resolve(name: String, timeout: Duration) -> Result<(String, Vec<IpAddr>), Unresolved> {
    match tokio::time::timeout(timeout, look_up(&name)).await {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(Unresolved {
            name,
            cause: "the name has no address".to_owned(),
        }),
        Ok(Ok(addresses)) => Ok((name, addresses)),
        Ok(Err(error)) => Err(Unresolved {
            name,
            cause: error.to_string(),
        }),
        Err(_) => {
            let cause = format!("no answer within {} s", timeout.as_secs());
            Err(Unresolved { name, cause })
        }
    }
}

async fn look_up(name: &str) -> std::io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip().to_canonical()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}
