//! The jobs of one scan.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::cut::{self, Known, Run};
use portwatch_domain::job::{Job, Priority};
use portwatch_runtime::settings::List;
use portwatch_scheduler::{Source, TargetSettings};

use super::Arguments;

/// Reads the arguments, resolves names, and cuts it all into jobs.
pub async fn jobs(arguments: &Arguments) -> Result<Vec<Job>> {
    let exclude = arguments.exclude.iter().flat_map(|list| list.split(','));
    let settings = TargetSettings {
        addresses: List(arguments.targets.clone()),
        exclude: List(exclude.map(|item| item.trim().to_owned()).collect()),
        ports: arguments.ports.clone(),
        rate: arguments.rate,
        interval: SignedDuration::from_hours(1),
        ..TargetSettings::default()
    };
    let target = settings.target(Source::CommandLine)?;
    let mut resolved = Vec::new();
    for name in target.names() {
        let found = tokio::net::lookup_host((name, 0)).await;
        let found = found.with_context(|| format!("{name:?} cannot be resolved"))?;
        let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        resolved.push((name.to_owned(), addresses));
    }
    let run = Run {
        number: 1,
        now: Timestamp::now(),
        priority: Priority::High,
    };
    let known = Known {
        resolved,
        ..Known::default()
    };
    let jobs = cut::jobs(&target, run, &known);
    if jobs.is_empty() {
        bail!("no address is left to scan");
    }
    Ok(jobs)
}
