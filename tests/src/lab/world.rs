//! The namespaces of a trial with all that runs in them.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::address::{Family, host};
use super::carry::Report;
use super::namespace::{Namespace, Privilege, Role, Trouble};
use super::scenario::{Host, Link, Player, Scenario, Unreachable};
use super::topology as of;

/// A scanner's namespace, the target behind some link, and what it takes between them.
pub struct World {
    carrier: Option<Role>,
    listeners: Option<Role>,
    /// Where the scan runs.
    pub scanner: Namespace,
    /// Only kept alive: the target, and a router.
    others: Vec<Namespace>,
}

/// What is built.
pub struct Plan<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// And its file.
    pub file: &'a Path,
    /// Over which link.
    pub link: Link,
    /// In which family the target listens.
    pub family: Family,
}

impl World {
    /// Builds it all, and returns when everything is ready.
    pub fn build(plan: &Plan<'_>, privilege: Privilege, program: &Path) -> Result<Self, Trouble> {
        let scanner = Namespace::first(privilege, program)?;
        let mut world = Self {
            carrier: None,
            listeners: None,
            scanner,
            others: Vec::new(),
        };
        if plan.link != Link::Loopback {
            world.others.push(world.scanner.beside()?);
        }
        world.connect(plan)?;
        world.populate(plan)?;
        Ok(world)
    }

    /// Ends it; what the wire has seen, if there was one.
    pub fn end(mut self) -> Option<Report> {
        let told = self.carrier.take()?.finish();
        Some(serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told:?}")))
    }

    /// Where the target is.
    pub fn target(&self) -> &Namespace {
        self.others.first().unwrap_or(&self.scanner)
    }

    fn ip(&self, within: &Namespace, lines: &str) -> Result<(), Trouble> {
        let lines = lines
            .replace("SCANNER", &self.scanner.pid())
            .replace("TARGET", &self.target().pid());
        within.run("ip", &["-batch", "-"], lines.trim_start())
    }

    fn connect(&mut self, plan: &Plan<'_>) -> Result<(), Trouble> {
        match plan.link {
            Link::Loopback => return self.ip(&self.scanner, "link set lo up"),
            Link::Veth => self.ip(&self.scanner, of::VETH)?,
            Link::Wire | Link::Tun => {
                self.carrier = Some(self.carry(plan)?);
                self.ip(self.target(), of::CARRIED)?;
            }
            Link::Wireguard => self.wireguard()?,
            Link::BridgeNat => {
                let host = self.scanner.beside()?;
                self.ip(&host, of::BRIDGE_HOST)?;
                let forward = [
                    "-qw",
                    "net.ipv4.ip_forward=1",
                    "net.ipv6.conf.all.forwarding=1",
                ];
                host.run("sysctl", &forward, "")?;
                host.run("nft", &["-f", "-"], of::BRIDGE_NAT)?;
                self.others.push(host);
            }
        }
        let (scanner, target) = match plan.link {
            Link::Tun | Link::Wireguard => (of::SCANNER_POINT_TO_POINT, of::TARGET_POINT_TO_POINT),
            Link::BridgeNat => (of::CONTAINER, of::TARGET_ETHERNET),
            _ => (of::SCANNER_ETHERNET, of::TARGET_ETHERNET),
        };
        self.ip(self.target(), target)?;
        self.ip(self.target(), of::ANY_IP)?;
        // Listeners on each address of a block that is no interface's own; IPv4 needs no leave for that.
        let bind = ["-qw", "net.ipv6.ip_nonlocal_bind=1"];
        self.target().run("sysctl", &bind, "")?;
        self.ip(&self.scanner, scanner)
    }

    fn carry(&self, plan: &Plan<'_>) -> Result<Role, Trouble> {
        if !Path::new("/dev/net/tun").exists() {
            return Err(Trouble::Missing("there is no /dev/net/tun".into()));
        }
        let layer = if plan.link == Link::Tun { "tun" } else { "tap" };
        let arguments = [OsStr::new("carry"), plan.file.as_os_str(), layer.as_ref()];
        self.target().role(&arguments)
    }

    /// Keys and peers by `wg`, whose kernel module not every kernel has.
    fn wireguard(&self) -> Result<(), Trouble> {
        let [scanner, target] = of::UNDER_WIREGUARD;
        let missing = |trouble| match trouble {
            Trouble::Failed(why) if why.contains("Unknown device type") => {
                Trouble::Missing("this kernel has no WireGuard".into())
            }
            other => other,
        };
        self.ip(&self.scanner, scanner).map_err(missing)?;
        self.ip(self.target(), target)?;
        let secrets = [wg("genkey", "")?, wg("genkey", "")?];
        let ends = [
            (&self.scanner, "scan0", "198.18.254.2"),
            (self.target(), "lab0", "198.18.254.1"),
        ];
        for (side, (within, device, peer)) in ends.into_iter().enumerate() {
            let public = wg("pubkey", &secrets[1 - side])?;
            let settings = format!(
                "[Interface]\nPrivateKey = {}\nListenPort = 51820\n[Peer]\nPublicKey = {public}\n\
                 Endpoint = {peer}:51820\nAllowedIPs = 198.18.0.0/15, fd00:198:18::/48\n",
                secrets[side]
            );
            within.run("wg", &["setconf", device, "/dev/stdin"], &settings)?;
        }
        Ok(())
    }

    /// What the target's kernel drops, rejects and accepts.
    fn populate(&mut self, plan: &Plan<'_>) -> Result<(), Trouble> {
        let played = plan
            .scenario
            .host
            .iter()
            .filter(|host| host.played_by == Player::Kernel);
        let rules: String = played.clone().map(|host| rules(plan, host)).collect();
        if !rules.is_empty() {
            let table = format!(
                "table inet lab {{\nchain arriving {{\ntype filter hook input priority 0;\n{rules}}}\n}}\n"
            );
            self.target().run("nft", &["-f", "-"], &table)?;
        }
        if plan.family == Family::V6
            && plan.link != Link::Loopback
            && !plan.scenario.scan.udp.is_empty()
        {
            // To an address that is no interface's own, ICMPv6 errors would come from the router (RFC 4443 section
            // 2.2), and a port is closed only if its host says so.
            let mut lines = String::new();
            for block in played.clone() {
                for number in block.at.iter() {
                    let ip = host(block.place(plan.link), number, plan.family);
                    writeln!(lines, "address add {ip}/128 dev lo nodad").unwrap();
                }
            }
            self.ip(self.target(), &lines)?;
        }
        if played.count() > 0 {
            let place = if plan.link == Link::Loopback {
                "loopback"
            } else {
                "routed"
            };
            let arguments = [
                OsStr::new("listen"),
                plan.file.as_os_str(),
                plan.family.word().as_ref(),
                place.as_ref(),
            ];
            self.listeners = Some(self.target().role(&arguments)?);
        }
        Ok(())
    }
}

/// The rules of nftables for one block of hosts.
fn rules(plan: &Plan<'_>, block: &Host) -> String {
    let place = block.place(plan.link);
    let [first, last] = [block.at.first, block.at.last].map(|at| host(place, at, plan.family));
    let (ip, icmp) = if first.is_ipv4() {
        ("ip", "icmp")
    } else {
        ("ip6", "icmpv6")
    };
    let to = if first == last {
        format!("{ip} daddr {first}")
    } else {
        format!("{ip} daddr {first}-{last}")
    };
    let mut rules = String::new();
    let mut rule = |protocol: &str, ports: &str, what: &str| {
        writeln!(rules, "{to} {protocol} dport {{ {ports} }} {what}").unwrap();
    };
    for (protocol, silent) in [("tcp", &block.silent), ("udp", &block.udp.silent)] {
        if !silent.is_empty() {
            rule(protocol, silent.text(), "drop");
        }
    }
    let tcp = block.rejected.iter().map(|rejected| ("tcp", rejected));
    let udp = block.udp.rejected.iter().map(|rejected| ("udp", rejected));
    for (protocol, rejected) in tcp.chain(udp) {
        let code = match (rejected.code, first.is_ipv4()) {
            (Unreachable::Net, true) => "net-unreachable",
            (Unreachable::Net, false) => "no-route",
            (Unreachable::Host, true) => "host-unreachable",
            (Unreachable::Host, false) => "addr-unreachable",
            (Unreachable::Port, _) => "port-unreachable",
            (Unreachable::Admin, _) => "admin-prohibited",
        };
        rule(
            protocol,
            rejected.ports.text(),
            &format!("reject with {icmp} type {code}"),
        );
    }
    if block.gone {
        writeln!(rules, "{to} drop").unwrap();
    }
    rules
}

fn wg(command: &str, input: &str) -> Result<String, Trouble> {
    let missing = |error| Trouble::Missing(format!("cannot run wg: {error}"));
    let mut child = Command::new("wg")
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(missing)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
