//! The network of the benchmark: two namespaces that nothing leads out of.
//!
//! The scanner is 198.19.0.1, the target's kernel 198.19.0.2, and every address of 198.18.0.0/16 is the target's own
//! (`AnyIP`). Between them is a veth pair, or the lab's wire, which loses and delays.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::Fault;

/// The scanner's device.
pub const DEVICE: &str = "scan0";
/// The scanner's address on Ethernet.
pub const SCANNER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The target's.
pub const TARGET_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// The same for command lines.
pub const TARGET_MAC_TEXT: &str = "02:00:00:00:00:02";

/// An open port: where.
pub type Place = (Ipv4Addr, u16);

const ENDS: &str = "
link set lo up
address add 198.19.0.ME/24 dev DEVICE
link set DEVICE address 02:00:00:00:00:0ME
link set DEVICE up
neigh replace 198.19.0.PEER lladdr 02:00:00:00:00:0PEER dev DEVICE nud permanent
";

const DROP_ALL: &str = "table netdev benchmark {
    chain arriving { type filter hook ingress device \"lab0\" priority 0; policy drop; }
}
";

/// What lies between the scanner and the target.
#[derive(Clone, Copy, Debug)]
pub enum Between<'a> {
    /// A veth pair.
    Veth,
    /// The lab's wire, as this scenario has it.
    Wire(&'a Path),
}

/// A process that ends when its standard input does.
struct Role {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Role {
    fn start(mut command: Command) -> Result<Self, Fault> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut role = Self {
            child,
            output: BufReader::new(output),
        };
        let mut line = String::new();
        role.output.read_line(&mut line)?;
        if line.trim() == "ready" {
            return Ok(role);
        }
        Err(format!("{command:?} does not get ready").into())
    }

    fn finish(mut self) -> Result<String, Fault> {
        drop(self.child.stdin.take());
        let mut told = String::new();
        self.output.read_to_string(&mut told)?;
        Ok(told)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Packets that an interface has counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Came in.
    pub received: u64,
    /// Went out.
    pub sent: u64,
    /// Were dropped on their way out.
    pub sent_dropped: u64,
}

/// The namespaces and what runs in them.
pub struct Rig {
    wire: Option<Role>,
    listeners: Option<Role>,
    scanner: Role,
    target: Role,
}

impl Rig {
    /// Makes the namespaces and connects them.
    pub fn new(between: Between<'_>) -> Result<Self, Fault> {
        let [scanner, target] = [namespace()?, namespace()?];
        let mut rig = Self {
            wire: None,
            listeners: None,
            scanner,
            target,
        };
        let (scanner, target) = (rig.scanner.child.id(), rig.target.child.id());
        match between {
            Between::Veth => run(
                scanner,
                "ip",
                &["-batch", "-"],
                &format!("link add {DEVICE} type veth peer name lab0 netns {target}\n"),
            )?,
            Between::Wire(scenario) => {
                let lab = std::env::current_exe()?.with_file_name("portwatch-lab");
                let mut carry = inside(target, lab);
                carry.arg("carry").arg(scenario).arg("tap");
                rig.wire = Some(Role::start(carry)?);
                let queues = format!(
                    "link set lab0 txqueuelen 20000\nlink set {DEVICE} txqueuelen 20000\nlink set {DEVICE} netns {scanner}\n"
                );
                run(target, "ip", &["-batch", "-"], &queues)?;
            }
        }
        let end = |me: &str, peer: &str, device: &str| {
            ENDS.trim_start()
                .replace("ME", me)
                .replace("PEER", peer)
                .replace("DEVICE", device)
        };
        let listening = [
            "-qw",
            "net.core.somaxconn=65535",
            "net.ipv4.tcp_max_syn_backlog=65536",
            "net.ipv4.icmp_ratelimit=0",
        ];
        run(target, "sysctl", &listening, "")?;
        let any_ip = end("2", "1", "lab0") + "route add local 198.18.0.0/16 dev lo\n";
        run(target, "ip", &["-batch", "-"], &any_ip)?;
        let route = end("1", "2", DEVICE) + "route add 198.18.0.0/16 via 198.19.0.2\n";
        run(scanner, "ip", &["-batch", "-"], &route)?;
        for (within, device) in [(scanner, DEVICE), (target, "lab0")] {
            let off = ["tx", "rx", "gro", "tso", "gso"].map(|offload| [offload, "off"]);
            let arguments: Vec<&str> = ["-K", device].into_iter().chain(off.concat()).collect();
            run(within, "ethtool", &arguments, "")?;
        }
        Ok(rig)
    }

    /// The target drops all that comes.
    pub fn drop_all(&self) -> Result<(), Fault> {
        run(self.target.child.id(), "nft", &["-f", "-"], DROP_ALL)
    }

    /// The target listens there.
    pub fn listen(&mut self, open: &BTreeSet<Place>) -> Result<(), Fault> {
        let mut command = inside(self.target.child.id(), std::env::current_exe()?);
        command.arg("listen");
        command.args(open.iter().map(|(ip, port)| format!("{ip}:{port}")));
        self.listeners = Some(Role::start(command)?);
        Ok(())
    }

    /// A command where the scanner is.
    pub fn command<P: AsRef<OsStr>>(&self, program: P) -> Command {
        inside(self.scanner.child.id(), program)
    }

    /// What the scanner's interface has counted (`/proc/net/dev`).
    pub fn counters(&self) -> Result<Counters, Fault> {
        counters(self.scanner.child.id(), DEVICE)
    }

    /// What the target's interface has counted.
    pub fn target_counters(&self) -> Result<Counters, Fault> {
        counters(self.target.child.id(), "lab0")
    }

    /// Ends it; what the wire has to say, if there is one.
    pub fn end(mut self) -> Result<Option<portwatch_tests::lab::Report>, Fault> {
        let Some(wire) = self.wire.take() else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&wire.finish()?)?))
    }
}

/// A network namespace that lives as long as the role.
fn namespace() -> Result<Role, Fault> {
    let mut unshare = Command::new("unshare");
    unshare
        .arg("--net")
        .arg(std::env::current_exe()?)
        .arg("hold");
    Role::start(unshare)
}

fn inside<P: AsRef<OsStr>>(namespace: u32, program: P) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{namespace}/ns/net"));
    command.arg("--").arg(program);
    command
}

fn run(namespace: u32, program: &str, arguments: &[&str], input: &str) -> Result<(), Fault> {
    let mut child = inside(namespace, program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that has failed reads no more; its exit code says so.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {arguments:?}: {told}\n{input}").into())
}

fn counters(namespace: u32, device: &str) -> Result<Counters, Fault> {
    let table = fs::read_to_string(format!("/proc/{namespace}/net/dev"))?;
    let row = table
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(device)?.strip_prefix(':'));
    let row = row.ok_or_else(|| format!("{device} is gone"))?;
    let columns: Vec<u64> = row
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let column = |number: usize| columns.get(number).copied().unwrap_or(0);
    Ok(Counters {
        received: column(1),
        sent: column(9),
        sent_dropped: column(11),
    })
}
