//! Hosts on the far side of a lossy wire, which a test changes while they are watched. A kernel plays them: it listens
//! on every port, and nftables refuses what is shut.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::address::{Family, Place, host};
use super::forward::relay;
use super::namespace::{Privilege, Role, Trouble};
use super::scenario::{Link, Scenario};
use super::world::{Plan, World};

/// Where within the scanner's namespace a service of this machine is reached.
const SERVICE: &str = "127.0.0.1:5672";

/// What of the hosts is not as it was built.
const SWITCHES: &str = "
table inet stage {
    set shut { type ipv4_addr . inet_service; }
    set away { type ipv4_addr; flags interval; }
    chain arriving {
        type filter hook input priority -1;
        ip daddr @away drop
        ip daddr . tcp dport @shut tcp flags & (syn | ack) == syn reject with tcp reset
    }
    chain leaving {
        type filter hook output priority -1;
        ip saddr @away drop
    }
}
";

/// How a port can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It accepts connections.
    Open,
    /// It refuses them.
    Shut,
}

/// What a test changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// A port of a host.
    Port {
        /// The host's number.
        host: u16,
        /// The port's number.
        port: u16,
        /// The other of the two that it can be.
        door: Door,
    },
    /// Whether a host is there.
    Host {
        /// Its number.
        host: u16,
        /// Neither hears nor says anything.
        away: bool,
    },
    /// Whether the whole network is cut off.
    Dark(bool),
}

/// The hosts, the wire and the scanner's end of it.
pub struct Stage {
    way_out: Option<Role>,
    world: World,
    folder: TempDir,
}

impl Stage {
    /// `hosts` hosts that accept connections to `ports` (as `"1000-1019"`), behind a wire that loses this share of
    /// all packets each way. `program` is `portwatch-lab`. `Err` with the reason if this machine cannot have it.
    pub fn build(hosts: u16, ports: &str, loss: f64, program: &str) -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("stage.toml");
        let conditions = format!("{{ loss = {loss}, delay_ms = 5, jitter_ms = 4 }}");
        let text = format!(
            "about = 'Hosts that are watched.'\nwire.out = {conditions}\nwire.back = {conditions}\n\
             [[host]]\nat = '1-{hosts}'\nplayed_by = 'kernel'\nopen = '{ports}'\n\
             [scan]\nports = '{ports}'\nrate = 1000\n[expect]\nwithin_s = 60\n"
        );
        std::fs::write(&file, text).unwrap();
        let scenario = Scenario::read(&file).unwrap();
        let plan = Plan {
            scenario: &scenario,
            file: &file,
            link: Link::Wire,
            family: Family::V4,
        };
        let built = Privilege::find()
            .and_then(|privilege| World::build(&plan, privilege, Path::new(program)))
            .and_then(|world| {
                world.target().run("nft", &["-f", "-"], SWITCHES)?;
                Ok(world)
            });
        match built {
            Ok(world) => Ok(Self {
                way_out: None,
                world,
                folder,
            }),
            Err(Trouble::Missing(why)) => Err(why),
            Err(Trouble::Failed(why)) => panic!("{why}"),
        }
    }

    /// The address of a host.
    pub fn address(number: u16) -> IpAddr {
        host(Place::Kernel, number, Family::V4)
    }

    /// Makes a server of this machine, `HOST:PORT`, known in the scanner's namespace, by the address that it gives
    /// back. Once.
    pub fn let_out_to(&mut self, server: &str) -> &'static str {
        let socket: PathBuf = self.folder.path().join("way-out");
        relay(&socket, server.to_owned()).unwrap();
        let arguments = ["forward".as_ref(), SERVICE.as_ref(), socket.as_os_str()];
        let role = self.world.scanner.role(&arguments);
        self.way_out = Some(role.unwrap_or_else(|trouble| panic!("{trouble:?}")));
        SERVICE
    }

    /// A command at the scanner's end of the wire, which can reach nothing else.
    pub fn command(&self, program: &Path) -> Command {
        self.world.scanner.command(program)
    }

    /// Changes some things at once.
    pub fn switch(&self, switches: &[Switch]) {
        let mut lines = String::new();
        for switch in switches {
            match *switch {
                Switch::Port { host, port, door } => {
                    let place = format!("{} . {port}", Self::address(host));
                    let what = if door == Door::Shut { "add" } else { "delete" };
                    line(&mut lines, what, "shut", &place);
                }
                Switch::Host { host, away } => {
                    let what = if away { "add" } else { "delete" };
                    line(&mut lines, what, "away", &Self::address(host).to_string());
                }
                Switch::Dark(dark) => {
                    let what = if dark { "add" } else { "delete" };
                    line(&mut lines, what, "away", "198.19.0.0/17");
                }
            }
        }
        let done = self.world.target().run("nft", &["-f", "-"], &lines);
        done.unwrap_or_else(|trouble| panic!("{trouble:?}"));
    }
}

fn line(lines: &mut String, what: &str, set: &str, element: &str) {
    writeln!(lines, "{what} element inet stage {set} {{ {element} }}").unwrap();
}
