//! The jobs of one scan.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::cut::{self, Known, Run};
use portwatch_domain::job::{Job, MAX_JOB_HOSTS, Priority};
use portwatch_runtime::settings::List;
use portwatch_scheduler::{Source, TargetSettings};

use super::Arguments;

/// How many (host, port) pairs to scan at once, if the least number of hosts allows it.
const PAIRS_AT_ONCE: usize = 1 << 22;
const MOST_HOSTS_AT_ONCE: usize = 1 << 16;

/// Reads the arguments, resolves names, and cuts it all into jobs.
pub async fn jobs(arguments: &Arguments, targets: Vec<String>) -> Result<Vec<Job>> {
    let exclude = arguments.exclude.iter().flat_map(|list| list.split(','));
    let settings = TargetSettings {
        name: name(&targets),
        addresses: List(targets),
        exclude: List(exclude.map(|item| item.trim().to_owned()).collect()),
        ports: Some(ports(&arguments.ports, arguments.udp.as_deref())),
        rate: Some(arguments.rate.per_second()),
        interval: Some(SignedDuration::from_hours(1)),
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
    let mut jobs = cut::jobs_of(&target, run, &known, hosts_at_once(target.ports.len()));
    // Told in the order that people look for; probes have an order of their own.
    let mut hosts: Vec<_> = jobs.iter().flat_map(|job| job.hosts.clone()).collect();
    hosts.sort_by_key(|host| host.ip);
    let mut hosts = hosts.into_iter();
    for job in &mut jobs {
        job.hosts = hosts.by_ref().take(job.hosts.len()).collect();
    }
    if jobs.is_empty() {
        bail!("no address is left to scan");
    }
    Ok(jobs)
}

/// How many hosts to scan at once: as many as take a few megabytes to keep track of.
fn hosts_at_once(ports: usize) -> usize {
    (PAIRS_AT_ONCE / ports.max(1)).clamp(MAX_JOB_HOSTS, MOST_HOSTS_AT_ONCE)
}

/// What messages call the whole: the only target, or the first and how many more.
fn name(targets: &[String]) -> String {
    match targets {
        [] => String::new(),
        [only] => only.clone(),
        [first, more @ ..] => format!("{first} and {} more", more.len()),
    }
}

/// The port set of `--ports` and `--udp` in one text.
fn ports(tcp: &str, udp: Option<&str>) -> String {
    let mut items = vec![tcp.to_owned()];
    if let Some(udp) = udp {
        items.extend(udp.split(',').map(|item| match item.trim() {
            "top" => "udp:top100".to_owned(),
            item => format!("udp:{item}"),
        }));
    }
    items.join(",")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use portwatch_domain::ports::{PortSet, Protocol};

    use super::*;

    #[test]
    fn udp_ports_join_the_others() {
        let set: PortSet = ports("22,80", Some("53, 123,60000-60001")).parse().unwrap();
        assert_eq!(set, "22,80,udp:53,udp:123,udp:60000-60001".parse().unwrap());
        let set: PortSet = ports("22", Some("top")).parse().unwrap();
        assert_eq!(set.ranges(Protocol::Tcp), [(22, 22)]);
        assert_eq!(set.len(), 101);
        for wrong in ["", "53,,123", "dns", "udp:53"] {
            assert!(
                ports("22", Some(wrong)).parse::<PortSet>().is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_long_list_has_a_short_name() {
        let targets = ["127.0.0.1", "127.0.0.2", "::1"].map(str::to_owned);
        assert_eq!(name(&targets), "127.0.0.1 and 2 more");
        assert_eq!(name(&targets[..1]), "127.0.0.1");
    }
}
