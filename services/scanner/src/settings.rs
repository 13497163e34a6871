//! The `[scanner]` section.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;

use jiff::SignedDuration;
use portwatch_domain::target::{IpRange, Zone};
use portwatch_runtime::settings::List;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::engine::Rates;

/// How probes are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MethodSetting {
    /// SYN packets if this process may, else connections.
    #[default]
    Auto,
    /// SYN packets, or nothing.
    Syn,
    /// Connections, even if SYN packets were possible.
    Connect,
}

/// Which open ports are asked what listens there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServicesSetting {
    /// None.
    Off,
    /// Those that were not known to be open.
    #[default]
    New,
    /// All of them, in every scan.
    All,
}

/// How often a probe without an answer is sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retries {
    /// As often as the loss that is measured asks for, until there is a verdict.
    #[default]
    Auto,
    /// At most so often, then the port stays unknown.
    Most(u8),
}

/// The most that [`Retries::Most`] takes.
const MOST_RETRIES: u8 = 10;

impl FromStr for Retries {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match text.parse() {
            Ok(most) if most <= MOST_RETRIES => Ok(Self::Most(most)),
            _ => Err(format!(
                "{text:?} is neither \"auto\" nor a number from 0 to {MOST_RETRIES}"
            )),
        }
    }
}

/// The `[scanner]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Whose jobs are taken.
    #[serde(deserialize_with = "parsed")]
    pub zone: Zone,
    /// What this worker is called in snapshots; the machine's name if empty.
    pub worker: String,
    /// How many jobs are scanned at once.
    pub concurrency: u16,
    /// How probes are sent.
    pub method: MethodSetting,
    /// The most probes per second of this process, whatever the jobs allow.
    pub rate: NonZeroU32,
    /// The most probes per second to one IPv4 /24 or IPv6 /64.
    pub rate_per_network: NonZeroU32,
    /// The most probes per second to one host.
    pub rate_per_host: NonZeroU32,
    /// How often a probe without an answer is sent again.
    #[serde(deserialize_with = "parsed")]
    pub retries: Retries,
    /// Addresses, blocks and ranges to which no packet goes, whatever the jobs say.
    pub exclude: List<IpRange>,
    /// A host with more open ports than this answers *open* on everything, and is not judged.
    pub max_open_ports: u32,
    /// Which open ports are asked what listens there.
    pub services: ServicesSetting,
    /// The most connections at once, for the connect method.
    pub connections: usize,
    /// On shutdown, how long the jobs in hand may still take.
    pub grace: SignedDuration,
    /// Privileges are given up once the sockets are open ([`crate::privilege`]).
    pub sandbox: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: Zone::default(),
            worker: String::new(),
            concurrency: 4,
            method: MethodSetting::Auto,
            rate: rate(20_000),
            rate_per_network: rate(10_000),
            rate_per_host: rate(5_000),
            retries: Retries::Auto,
            exclude: List::default(),
            max_open_ports: 500,
            services: ServicesSetting::New,
            connections: 512,
            grace: SignedDuration::from_secs(20),
            sandbox: true,
        }
    }
}

impl Settings {
    /// Raises every limit of this process to `pps` probes per second at least, for an operator who
    /// asked for that rate on the command line. Those of networks and hosts, which hold a little of
    /// their rate back, to a little more: the scan as a whole is held to `pps`.
    pub fn permit_rate(&mut self, pps: u32) {
        self.rate = rate(pps).max(self.rate);
        for limit in [&mut self.rate_per_network, &mut self.rate_per_host] {
            *limit = rate(pps.saturating_add(pps / 8)).max(*limit);
        }
    }

    /// The rates of the process.
    pub(crate) fn rates(&self) -> Rates {
        Rates {
            total: self.rate,
            network: self.rate_per_network,
            host: self.rate_per_host,
        }
    }

    /// The worker's name.
    pub(crate) fn worker(&self) -> String {
        if !self.worker.is_empty() {
            return self.worker.clone();
        }
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        match name.trim() {
            "" => "scanner".to_owned(),
            name => name.to_owned(),
        }
    }
}

/// A rate that is not zero.
fn rate(pps: u32) -> NonZeroU32 {
    NonZeroU32::new(pps).unwrap_or(NonZeroU32::MIN)
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(D::Error::custom)
}
