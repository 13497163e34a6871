//! What the doctor looks at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::target::Target;
use portwatch_scheduler::RoxyWi;

use crate::listing::counted;
use crate::settings::{BrokerSettings, StoreSettings, until_good};

/// How far the clocks of this machine and the database may lie apart before it is worth a word.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// A worker with fewer open files than this has to connect to few ports at once.
const ENOUGH_FILES: u64 = 1024;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Note,
    Wrong,
}

/// One thing that was looked at.
pub struct Finding {
    pub what: String,
    pub verdict: Verdict,
    pub detail: String,
    pub mend: Option<String>,
}

impl Finding {
    /// Without anything to mend.
    pub fn new(what: impl Into<String>, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            verdict,
            detail: detail.into(),
            mend: None,
        }
    }

    /// With how to mend it.
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

/// The settings were read, else the doctor would not have come this far.
pub fn settings(file: Option<&Path>, targets: usize) -> Finding {
    let origin = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    Finding::new(
        "settings",
        Verdict::Good,
        format!("{origin}, {targets} targets"),
    )
}

/// Whether SYN packets can be sent.
pub fn raw_sockets() -> Finding {
    match portwatch_scanner::capability::raw_sockets() {
        Ok(()) => Finding::new(
            "raw sockets",
            Verdict::Good,
            "permitted: scans send SYN packets",
        ),
        Err(denied) => Finding::new(
            "raw sockets",
            Verdict::Note,
            format!("{denied}: scans connect instead"),
        )
        .mend(denied.mend()),
    }
}

/// Whether enough files can be open.
pub fn open_files() -> Finding {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    match soft.and_then(|soft| soft.parse::<u64>().ok()) {
        Some(soft) if soft < ENOUGH_FILES => Finding::new(
            "open files",
            Verdict::Note,
            format!("{soft}: fewer connections at once"),
        )
        .mend("raise it: `ulimit -n 4096`, or LimitNOFILE= in the systemd unit"),
        Some(soft) => Finding::new("open files", Verdict::Good, format!("{soft}")),
        None => Finding::new(
            "open files",
            Verdict::Note,
            "the limit cannot be read from /proc",
        ),
    }
}

/// Whether the broker answers.
pub async fn broker(settings: &BrokerSettings) -> Finding {
    if settings.url.reveal().is_empty() {
        return Finding::new(
            "broker",
            Verdict::Note,
            "broker.url is not set: `portwatch up` and `portwatch scan` need none, the four services do",
        );
    }
    let bus = match settings.connect("doctor").await {
        Ok(bus) => bus,
        Err(error) => return Finding::new("broker", Verdict::Wrong, format!("{error:#}")),
    };
    let answered = until_good(|| bus.check()).await;
    bus.close().await;
    match answered {
        Ok(()) => Finding::new(
            "broker",
            Verdict::Good,
            "connected, and its queues are declared",
        ),
        Err(error) => Finding::new("broker", Verdict::Wrong, error.to_string()).mend(
            "check that RabbitMQ runs, and the user, password and virtual host in broker.url",
        ),
    }
}

/// Whether the database answers and has the right tables, and whether its clock agrees with ours.
pub async fn database_and_clock(settings: &StoreSettings) -> (Finding, Finding) {
    let clock = clock(None);
    if settings.url.reveal().is_empty() {
        let note =
            "store.url is not set: the scheduler, differ and notifier need it, nothing else does";
        return (Finding::new("database", Verdict::Note, note), clock);
    }
    let store = match settings.connect().await {
        Ok(store) => store,
        Err(error) => {
            return (
                Finding::new("database", Verdict::Wrong, format!("{error:#}")),
                clock,
            );
        }
    };
    if let Err(error) = until_good(|| store.check()).await {
        let mend = "check that PostgreSQL runs, and the user, password and database in store.url";
        return (
            Finding::new("database", Verdict::Wrong, error.to_string()).mend(mend),
            clock,
        );
    }
    let database = Finding::new(
        "database",
        Verdict::Good,
        "connected, and its tables are up to date",
    );
    (database, self::clock(store.clock().await.ok()))
}

/// Whether Roxy-WI lets us read what the scheduler needs.
pub async fn roxy_wi(roxy_wi: &RoxyWi) -> Finding {
    match roxy_wi.servers().await {
        Ok(servers) => Finding::new(
            "Roxy-WI",
            Verdict::Good,
            format!("lists {}", counted(servers as u64, "server")),
        ),
        Err(error) => Finding::new("Roxy-WI", Verdict::Wrong, error.to_string())
            .mend("ops/roxy-wi.md says which user is needed"),
    }
}

/// Whether the clock can be right: later than this program, and near the database's.
fn clock(database: Option<Timestamp>) -> Finding {
    let now = Timestamp::now();
    let mend = "set the clock, and keep it set: apt-get install systemd-timesyncd";
    let oldest = Timestamp::from_second(1_767_225_600).unwrap_or_default();
    if now < oldest {
        return Finding::new("clock", Verdict::Wrong, format!("{now} is in the past")).mend(mend);
    }
    let Some(database) = database else {
        return Finding::new(
            "clock",
            Verdict::Good,
            format!("{now:.0} (nothing to compare it with)"),
        );
    };
    let apart = now.duration_since(database);
    if apart.abs() > CLOCK_TOLERANCE {
        let detail = format!("{apart:#} apart from the database's");
        return Finding::new("clock", Verdict::Wrong, detail).mend(mend);
    }
    Finding::new("clock", Verdict::Good, "agrees with the database's")
}

/// Whether there is a route to a target's first address. Nothing is sent: a UDP socket that is
/// connected only asks the routing table.
pub async fn route(target: &Target) -> Finding {
    let what = format!("route to {}", target.name);
    let mut addresses: Vec<IpAddr> = target.literal_hosts().take(1).collect();
    for name in target.names() {
        match tokio::net::lookup_host((name, 0)).await {
            Ok(found) => addresses.extend(found.map(|address| address.ip())),
            Err(error) => {
                return Finding::new(what, Verdict::Wrong, format!("{name}: {error}"))
                    .mend("check the name, and the DNS servers in /etc/resolv.conf");
            }
        }
    }
    let Some(&address) = addresses.first() else {
        return Finding::new(what, Verdict::Wrong, "it has no address");
    };
    match source_for(address) {
        Ok(source) => Finding::new(
            what,
            Verdict::Good,
            format!("{address} is reached from {source}"),
        ),
        Err(error) => Finding::new(what, Verdict::Wrong, format!("{address}: {error}"))
            .mend("check the address, the routing table (ip route get ADDRESS), and the zone"),
    }
}

fn source_for(address: IpAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // Port 9 is "discard"; nothing is sent to it.
    socket.connect(SocketAddr::new(address, 9))?;
    Ok(socket.local_addr()?.ip())
}
