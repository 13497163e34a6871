//! The scanners: how each is called for the same work, and how what it prints is read.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use crate::rig::{DEVICE, Place, Rig, TARGET_MAC_TEXT};
use crate::work::Work;

/// A scanner and what sets it apart from itself elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tool {
    /// Portwatch; at this rate, or at the one that it finds.
    Ours(Option<u32>),
    /// nmap -T4; at this rate at least.
    Nmap(Option<u32>),
    /// masscan at this rate, waiting so many seconds for late answers.
    Masscan(u32, u32),
    /// zmap on one thread, at this rate (0: all it can), waiting so many seconds for late answers.
    Zmap(u32, u32),
    /// `RustScan` as it comes.
    Rustscan,
}

/// Where the programs are that are not in the path.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Portwatch.
    pub portwatch: PathBuf,
    /// `RustScan`.
    pub rustscan: PathBuf,
}

impl Tool {
    /// As tables call it.
    pub fn name(self) -> String {
        match self {
            Self::Ours(None) => "portwatch --rate auto".into(),
            Self::Ours(Some(rate)) => format!("portwatch --rate {rate}"),
            Self::Nmap(None) => "nmap -T4".into(),
            Self::Nmap(Some(rate)) => format!("nmap -T4 --min-rate {rate}"),
            Self::Masscan(rate, wait) => format!("masscan --rate {rate} --wait {wait}"),
            Self::Zmap(rate, wait) => format!("zmap -T 1 -r {rate} -c {wait}"),
            Self::Rustscan => "rustscan".into(),
        }
    }

    /// The command, in the scanner's place.
    pub fn command(self, rig: &Rig, programs: &Programs, work: &Work) -> Command {
        let (targets, ports) = (work.targets, work.ports);
        let mut command;
        match self {
            Self::Ours(rate) => {
                command = rig.command(&programs.portwatch);
                // Its settings are its own, not those of whoever measures.
                command
                    .env_clear()
                    .env("PATH", std::env::var_os("PATH").unwrap_or_default());
                let rate = rate.map_or_else(|| "auto".to_owned(), |rate| rate.to_string());
                command.args(["scan", targets, "--ports", ports]);
                command.args(["--rate", &rate, "--format", "ndjson"]);
            }
            Self::Nmap(rate) => {
                command = rig.command("nmap");
                command.args(["-n", "-Pn", "-sS", "-T4", "-oG", "-", "-p", ports, targets]);
                if let Some(rate) = rate {
                    command.args(["--min-rate", &rate.to_string()]);
                }
            }
            Self::Masscan(rate, wait) => {
                command = rig.command("masscan");
                command.args([targets, "-p", ports, "-oL", "-", "-e", DEVICE]);
                command.args([
                    "--adapter-ip",
                    "198.19.0.1",
                    "--router-mac",
                    TARGET_MAC_TEXT,
                ]);
                command.args(["--rate", &rate.to_string(), "--wait", &wait.to_string()]);
            }
            Self::Zmap(rate, wait) => {
                command = rig.command("zmap");
                command.args(["-q", "-p", ports, "-i", DEVICE, "-G", TARGET_MAC_TEXT]);
                command.args(["-S", "198.19.0.1", "-T", "1", "-o", "-"]);
                command.args(["-C", "/dev/null", "-b", "/dev/null"]);
                command.args(["-r", &rate.to_string(), "-c", &wait.to_string(), targets]);
            }
            Self::Rustscan => {
                command = rig.command(&programs.rustscan);
                command.args(["--no-config", "--no-banner", "-g", "--ulimit", "10000"]);
                command.args(["-a", targets, "-r", &both_ends(ports)]);
            }
        }
        command
    }

    /// What it says is open.
    pub fn open(self, said: &str, work: &Work) -> BTreeSet<Place> {
        let lines = said.lines();
        match self {
            Self::Ours(_) => lines.filter_map(ours).collect(),
            Self::Nmap(_) => lines.flat_map(nmap).collect(),
            Self::Masscan(..) => lines.filter_map(masscan).collect(),
            Self::Zmap(..) => {
                let port = work.ports.parse().unwrap_or(0);
                lines
                    .filter_map(|line| Some((line.trim().parse().ok()?, port)))
                    .collect()
            }
            Self::Rustscan => lines.flat_map(rustscan).collect(),
        }
    }
}

/// `RustScan` knows no range of one.
fn both_ends(ports: &str) -> String {
    if ports.contains('-') {
        ports.to_owned()
    } else {
        format!("{ports}-{ports}")
    }
}

fn ours(line: &str) -> Option<Place> {
    told(line, "open")
}

/// How many ports Portwatch told filtered.
pub fn filtered(said: &str) -> usize {
    said.lines()
        .filter_map(|line| told(line, "filtered"))
        .count()
}

/// The port of a line of Portwatch, if it is told to be in this state.
fn told(line: &str, state: &str) -> Option<Place> {
    let row: serde_json::Value = serde_json::from_str(line).ok()?;
    if row.get("state")?.as_str()? != state || row.get("protocol")?.as_str()? != "tcp" {
        return None;
    }
    let port = u16::try_from(row.get("port")?.as_u64()?).ok()?;
    Some((row.get("ip")?.as_str()?.parse().ok()?, port))
}

/// A number of the line that sums up what Portwatch found.
pub fn summary(said: &str, key: &str) -> Option<u64> {
    let line = said.lines().last()?;
    let row: serde_json::Value = serde_json::from_str(line).ok()?;
    (row.get("type")?.as_str()? == "summary").then(|| row.get(key)?.as_u64())?
}

/// `Host: 198.18.0.1 () Ports: 22/open/tcp//ssh///, 23/closed/…`
fn nmap(line: &str) -> Vec<Place> {
    let ip = line
        .strip_prefix("Host: ")
        .and_then(|rest| rest.split(' ').next()?.parse::<Ipv4Addr>().ok());
    let (Some(ip), Some((_, ports))) = (ip, line.split_once("Ports: ")) else {
        return Vec::new();
    };
    let ports = ports.split('\t').next().unwrap_or_default().split(", ");
    ports
        .filter_map(|port| port.split_once("/open/tcp"))
        .filter_map(|(port, _)| Some((ip, port.trim().parse().ok()?)))
        .collect()
}

/// `open tcp 80 198.18.0.1 1700000000`
fn masscan(line: &str) -> Option<Place> {
    let mut words = line.strip_prefix("open tcp ")?.split(' ');
    let port = words.next()?.parse().ok()?;
    Some((words.next()?.parse().ok()?, port))
}

/// `198.18.0.1 -> [80,443]`
fn rustscan(line: &str) -> Vec<Place> {
    let Some((ip, ports)) = line.split_once(" -> [") else {
        return Vec::new();
    };
    let Ok(ip) = ip.trim().parse() else {
        return Vec::new();
    };
    let ports = ports.trim_end_matches(']').split(',');
    ports
        .filter_map(|port| Some((ip, port.trim().parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_prints_is_read() {
        let work = Work::ports();
        let place = |port| (Ipv4Addr::new(198, 18, 0, 1), port);
        let both = BTreeSet::from([place(22), place(80)]);
        let ours = "{\"ip\":\"198.18.0.1\",\"port\":22,\"protocol\":\"tcp\",\"state\":\"open\"}\n\
            {\"ip\":\"198.18.0.1\",\"port\":80,\"protocol\":\"tcp\",\"state\":\"open\"}\n\
            {\"ip\":\"198.18.0.1\",\"port\":81,\"protocol\":\"tcp\",\"state\":\"filtered\"}\n\
            {\"type\":\"summary\",\"filtered\":1,\"unknown\":3}";
        assert_eq!(Tool::Ours(None).open(ours, &work), both);
        assert_eq!((summary(ours, "unknown"), filtered(ours)), (Some(3), 1));
        let nmap = "# Nmap\nHost: 198.18.0.1 ()\tStatus: Up\n\
            Host: 198.18.0.1 ()\tPorts: 22/open/tcp//ssh///, 23/filtered/tcp/////, 80/open/tcp//http///\tIgnored State: closed (9)\n";
        assert_eq!(Tool::Nmap(None).open(nmap, &work), both);
        let masscan = "#masscan\nopen tcp 22 198.18.0.1 1700000000\nopen tcp 80 198.18.0.1 1700000000\n# end\n";
        assert_eq!(Tool::Masscan(1, 1).open(masscan, &work), both);
        let rustscan = "198.18.0.1 -> [22,80]\n";
        assert_eq!(Tool::Rustscan.open(rustscan, &work), both);
        let addresses = Work::addresses();
        let zmap = Tool::Zmap(1, 1).open("198.18.3.4\n", &addresses);
        assert_eq!(zmap, BTreeSet::from([(Ipv4Addr::new(198, 18, 3, 4), 8080)]));
    }
}
