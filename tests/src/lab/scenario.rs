//! What a scenario file may say. Every key is here or in [`Datagrams`]; any other is an error that names file and key.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::address::{Family, LAST_HOST, Place};
use super::ports::Ports;
use super::truth::Datagrams;

/// One file of `tests/scenarios`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What is played, and why it matters, in a sentence or two.
    pub about: String,
    /// It is run with each of them.
    #[serde(default = "both_families")]
    pub families: Vec<Family>,
    /// It is run with each: `scanner.method`.
    #[serde(default = "both_methods")]
    pub methods: Vec<Method>,
    /// It is run over each. Simulated hosts and wire conditions need `wire`.
    #[serde(default = "the_wire")]
    pub links: Vec<Link>,
    /// Repeats the same losses and delays.
    #[serde(default = "one")]
    pub seed: u64,
    /// What the wire does to packets; by default nothing.
    #[serde(default)]
    pub wire: Wire,
    /// The hosts, by blocks of equal ones.
    pub host: Vec<Host>,
    /// What is scanned.
    pub scan: Scan,
    /// What the scan must say, beside the rule of truth.
    pub expect: Expect,
}

/// How the scanner sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// SYN packets over raw sockets.
    Syn,
    /// `connect()`.
    Connect,
}

/// What the packets go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Two Ethernet devices with the lab's own wire between them.
    Wire,
    /// A veth pair.
    Veth,
    /// The scanner's own machine.
    Loopback,
    /// A pair of tun devices: no Ethernet.
    Tun,
    /// A `WireGuard` tunnel.
    Wireguard,
    /// A container on a bridge, masqueraded by its host, as Docker does.
    BridgeNat,
}

/// The wire, each way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// From the scanner to the targets.
    #[serde(default)]
    pub out: Conditions,
    /// From the targets to the scanner.
    #[serde(default)]
    pub back: Conditions,
}

/// What happens to packets in one direction. ARP and neighbour discovery always come through unharmed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// The probability of each packet to be lost, from 0 to 1.
    pub loss: f64,
    /// Losses that come together.
    pub burst: Option<Burst>,
    /// When everything is lost: from and to, in seconds after the first probe.
    pub blackouts: Vec<[f64; 2]>,
    /// In milliseconds.
    pub delay_ms: f64,
    /// Each packet's delay is this much more or less, evenly spread, so that packets overtake each other.
    pub jitter_ms: f64,
    /// The probability of each packet to arrive twice.
    pub duplicate: f64,
    /// The most packets per second; what comes faster waits, and is lost when 100 ms of them wait.
    pub packets_per_second: Option<f64>,
}

/// The two states of Gilbert and Elliott (Elliott 1963); the step is one packet.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// The probability of a good time to end.
    pub enter: f64,
    /// The probability of a bad time to end.
    pub leave: f64,
    /// The probability of a packet to be lost in a bad time.
    pub loss: f64,
}

/// A block of equal hosts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of its own in the file"
)]
pub struct Host {
    /// Its number, or the first and last of a block: `"7"`, `"1-256"`.
    pub at: Numbers,
    /// Who answers.
    #[serde(default)]
    pub played_by: Player,
    /// Simulated behind a router instead of on the scanner's link.
    #[serde(default)]
    pub routed: bool,
    /// Ports that are open.
    #[serde(default)]
    pub open: Ports,
    /// Ports that say nothing.
    #[serde(default)]
    pub silent: Ports,
    /// Ports that a SYN proxy or tarpit answers with a SYN-ACK although nothing listens there.
    #[serde(default)]
    pub proxied: Ports,
    /// What a proxied port does when the handshake is complete.
    #[serde(default)]
    pub after_handshake: AfterHandshake,
    /// Ports that are answered with ICMP unreachable.
    #[serde(default)]
    pub rejected: Vec<Rejected>,
    /// What is told falsely, beside the true answer.
    #[serde(default)]
    pub forged: Vec<Forged>,
    /// Nobody is there: not even ARP is answered.
    #[serde(default)]
    pub gone: bool,
    /// How long an answer takes: from and to, in milliseconds.
    pub answer_ms: Option<[f64; 2]>,
    /// The most RST per second, each host.
    pub rst_per_second: Option<f64>,
    /// The most ICMP messages per second, each host.
    pub icmp_per_second: Option<f64>,
    /// When it is away, as in a reboot: from and to, in seconds after the first probe. Its sequence numbers are
    /// others afterwards.
    pub away: Option<[f64; 2]>,
    /// Given to the scan with `--exclude`; that a packet goes there is an error.
    #[serde(default)]
    pub excluded: bool,
    /// It must be told suspect, and none of its ports told.
    #[serde(default)]
    pub suspect: bool,
    /// Its UDP ports.
    #[serde(default)]
    pub udp: Datagrams,
}

/// Who plays a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Player {
    /// The lab.
    #[default]
    Simulator,
    /// The kernel of another namespace, with real listeners and nftables.
    Kernel,
}

/// What follows a handshake with a port that is not really open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterHandshake {
    /// Nothing: a tarpit.
    #[default]
    Nothing,
    /// A RST: a SYN proxy that found nothing behind it.
    Reset,
}

/// Ports answered with ICMP unreachable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// Which.
    pub ports: Ports,
    /// With which code.
    pub code: Unreachable,
}

/// Codes of ICMP type 3 (RFC 792, RFC 1812) and `ICMPv6` type 1 (RFC 4443).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unreachable {
    /// Network unreachable, no route.
    Net,
    /// Host or address unreachable.
    Host,
    /// Port unreachable.
    Port,
    /// Communication administratively prohibited.
    Admin,
}

/// False tales about ports.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forged {
    /// About which.
    pub ports: Ports,
    /// Which tales; each is told for each probe, before the true answer.
    pub tales: Vec<Tale>,
}

/// A packet that someone who does not see our probes, or a broken box, could send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tale {
    /// A SYN-ACK that acknowledges what was never sent.
    SynAckWrongAck,
    /// A RST that acknowledges what was never sent.
    RstWrongAck,
    /// The right SYN-ACK, from the port above.
    SynAckOtherPort,
    /// The right SYN-ACK, from the address above.
    SynAckOtherAddress,
    /// The right SYN-ACK, to the port above that from which was asked.
    SynAckToOtherPort,
    /// ICMP host unreachable that quotes another sequence number.
    IcmpWrongSequence,
    /// ICMP host unreachable that quotes another source port.
    IcmpWrongPort,
    /// ICMP host unreachable that quotes another destination.
    IcmpWrongDestination,
    /// ICMP host unreachable that quotes the IP header alone.
    IcmpShort,
}

/// The scan.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The ports, as in `--ports`, in numbers.
    pub ports: Ports,
    /// UDP ports, as in `--udp`.
    #[serde(default)]
    pub udp: Ports,
    /// `--rate`: a number of packets per second.
    pub rate: u32,
    /// More arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Settings: `rate_per_host = "100000"` of section `scanner`.
    #[serde(default)]
    pub settings: std::collections::BTreeMap<String, String>,
}

/// What must be said.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The scan must have ended by then, in seconds. A deadline, no measure of speed.
    pub within_s: f64,
    /// The most ports without a verdict, on hosts that say anything and are not suspect.
    #[serde(default)]
    pub unknown: usize,
    /// The most ports that are told silent (filtered; of UDP, open or filtered) though they answer.
    #[serde(default)]
    pub told_silent: usize,
    /// How many hosts are told up; by default those that say anything.
    pub hosts_up: Option<usize>,
    /// The most SYN packets in any 100 ms.
    pub most_per_100_ms: Option<usize>,
}

/// The numbers of a block of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Numbers {
    /// In order.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.first..=self.last
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if 0 < first && first <= last && last <= LAST_HOST => {
                Ok(Self { first, last })
            }
            _ => Err(serde::de::Error::custom(format!(
                "{text:?} is no number or range of numbers from 1 to {LAST_HOST}"
            ))),
        }
    }
}

impl Host {
    /// Where it lives.
    pub fn place(&self, link: Link) -> Place {
        match (self.played_by, link) {
            (Player::Kernel, Link::Loopback) => Place::Loopback,
            (Player::Kernel, _) => Place::Kernel,
            (Player::Simulator, _) if self.routed => Place::Far,
            (Player::Simulator, _) => Place::Near,
        }
    }
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
        let scenario: Self = toml::from_str(&text).map_err(|error| told(&error))?;
        scenario.check().map_err(|error| told(&error))?;
        Ok(scenario)
    }

    /// What the types cannot say.
    fn check(&self) -> Result<(), String> {
        let simulates = self
            .host
            .iter()
            .any(|host| host.played_by == Player::Simulator);
        let other_link = self.links.iter().any(|link| *link != Link::Wire);
        if simulates && other_link {
            return Err(
                "simulated hosts are on link \"wire\" only; say played_by = \"kernel\"".into(),
            );
        }
        for host in self
            .host
            .iter()
            .filter(|host| host.played_by == Player::Kernel)
        {
            let impossible = !host.proxied.is_empty()
                || !host.forged.is_empty()
                || host.answer_ms.or(host.away).is_some()
                || host.rst_per_second.or(host.icmp_per_second).is_some()
                || host.routed;
            if impossible {
                return Err(format!("host {}: a kernel cannot play that", host.at.first));
            }
        }
        if simulates && !self.scan.udp.is_empty() {
            return Err("only a kernel plays UDP: say played_by = \"kernel\"".into());
        }
        Ok(())
    }
}

/// Where the scenarios are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn both_families() -> Vec<Family> {
    vec![Family::V4, Family::V6]
}

fn both_methods() -> Vec<Method> {
    vec![Method::Syn, Method::Connect]
}

fn the_wire() -> Vec<Link> {
    vec![Link::Wire]
}

const fn one() -> u64 {
    1
}
