//! Twenty hosts on the far side of a wire that loses 5 % of all packets each way, watched by all services over
//! RabbitMQ and PostgreSQL. Ports open and close, a host goes away, the whole network goes dark: everything that
//! really changed is told, once, and nothing else is.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use portwatch_tests::lab::{Door, Stage, Switch};
use portwatch_tests::{Portwatch, Receiver, SECRET, Servers, skip, until};
use tempfile::TempDir;

const HOSTS: u16 = 20;
const FIRST: u16 = 1000;
const LAST: u16 = 1019;
/// Up to here they stay open.
const ALWAYS: u16 = 1002;
const LOSS: f64 = 0.05;

/// What is told of a host or of a port of it.
type Told = (String, String, u64);

fn settings(
    folder: &Path,
    name: &str,
    broker: &str,
    servers: &Servers,
    receiver: &Receiver,
) -> String {
    let (store, url) = (servers.store(), receiver.url());
    let [first, last] = [1, HOSTS].map(Stage::address);
    let mut text = String::new();
    writeln!(
        text,
        "[runtime]\nlisten = '127.0.0.1:0'\n[broker]\nurl = '{broker}'\n[store]\nurl = '{store}'\n\
         [notifier]\nallow = '127.0.0.0/8'\n[notifier.webhook]\nurl = '{url}'\nsecret = '{SECRET}'\n[scanner]\nmethod = 'syn'\nservices = 'off'\n\
         [[scheduler.targets]]\nname = 'world'\naddresses = ['{first}-{last}']\nports = '{FIRST}-{LAST}'\n\
         interval = '5s'"
    )
    .unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The services around the stage, and how the ports are.
struct Watched {
    stage: Stage,
    servers: Servers,
    receiver: Receiver,
    services: Vec<Portwatch>,
    doors: Vec<Vec<Door>>,
    dice: u64,
}

impl Watched {
    async fn start(mut stage: Stage, folder: &Path) -> Self {
        let (servers, receiver) = (Servers::make(), Receiver::start().await);
        let broker = servers.broker();
        let server = broker.split(['@', '/']).nth(3).unwrap();
        let within = broker.replace(server, stage.let_out_to(server));
        let config = settings(folder, "outside.toml", &broker, &servers, &receiver);
        let inside = settings(folder, "inside.toml", &within, &servers, &receiver);
        let migrated = Portwatch::output(&["migrate", "--config", &config], &[]).await;
        assert!(migrated.status.success());
        let mut scanner = stage.command(&Portwatch::path());
        scanner.args(["scanner", "--config", &inside]).env_clear();
        scanner.env("PATH", std::env::var_os("PATH").unwrap());
        let mut services = vec![Portwatch::spawn(scanner.into())];
        for role in ["scheduler", "differ", "notifier"] {
            services.push(Portwatch::start(&[role, "--config", &config], &[]));
        }
        let ports = usize::from(LAST - FIRST) + 1;
        Self {
            stage,
            servers,
            receiver,
            services,
            doors: vec![vec![Door::Open; ports]; usize::from(HOSTS)],
            dice: 1,
        }
    }

    fn number(&self, sql: &str) -> u64 {
        self.servers.query(sql).trim().parse().unwrap()
    }

    /// Every port of every host has had its first verdict.
    async fn baseline(&self) {
        let known = "SELECT count(*) FROM hosts JOIN targets ON targets.id = target_id \
                     WHERE baseline = targets.ports";
        until("every port to be known", || async {
            (self.number(known) == u64::from(HOSTS)).then_some(())
        })
        .await;
    }

    /// So many scans that begin after this is called are done.
    async fn scans(&self, more: u64) {
        let newest = self.number("SELECT coalesce(max(run), 0) FROM runs");
        let done = format!(
            "SELECT count(*) FROM runs WHERE run > {newest} AND kind = 'slot' \
             AND EXISTS (SELECT FROM jobs WHERE jobs.run = runs.run AND finished_at IS NOT NULL) \
             AND NOT EXISTS (SELECT FROM jobs WHERE jobs.run = runs.run AND finished_at IS NULL)"
        );
        until("more scans", || async {
            (self.number(&done) >= more).then_some(())
        })
        .await;
    }

    fn roll(&mut self, below: u16) -> u16 {
        // Knuth's MMIX.
        let dice = self.dice.wrapping_mul(6_364_136_223_846_793_005);
        self.dice = dice.wrapping_add(1_442_695_040_888_963_407);
        u16::try_from((self.dice >> 33) % u64::from(below)).unwrap()
    }

    /// Opens a port that is shut, or shuts it, and what is told of that.
    fn turn(&mut self, host: u16, port: u16) -> (Switch, Told) {
        let is = &mut self.doors[usize::from(host - 1)][usize::from(port - FIRST)];
        let (door, kind) = match *is {
            Door::Shut => (Door::Open, "port.opened"),
            Door::Open => (Door::Shut, "port.closed"),
        };
        *is = door;
        let ip = Stage::address(host).to_string();
        let switch = Switch::Port { host, port, door };
        (switch, (kind.to_owned(), ip, port.into()))
    }

    /// Turns so many ports of any hosts at once; what must be told of that.
    fn turn_some(&mut self, count: usize) -> BTreeSet<Told> {
        let mut turned = BTreeSet::new();
        while turned.len() < count {
            let port = ALWAYS + 1 + self.roll(LAST - ALWAYS);
            turned.insert((1 + self.roll(HOSTS), port));
        }
        let turned = turned.into_iter().map(|(host, port)| self.turn(host, port));
        let (switches, told): (Vec<_>, BTreeSet<_>) =
            turned.collect::<Vec<_>>().into_iter().unzip();
        self.stage.switch(&switches);
        told
    }

    /// Waits until all of this is told, and fails if anything else is.
    async fn told(&mut self, what: &str, mut expected: BTreeSet<Told>) {
        let (began, count) = (Instant::now(), expected.len());
        while !expected.is_empty() {
            let change = self.receiver.change().await;
            let text = |key: &str| change[key].as_str().unwrap().to_owned();
            let told = (
                text("kind"),
                text("ip"),
                change["port"].as_u64().unwrap_or(0),
            );
            assert!(
                expected.remove(&told),
                "{what}: told: {change:#}; expected: {expected:#?}"
            );
        }
        eprintln!("{what}: {count} told after {:?}", began.elapsed());
    }

    async fn nothing_told(&mut self, what: &str) {
        let rest = self.receiver.rest(Duration::from_millis(500)).await;
        assert!(rest.is_empty(), "{what}: told: {rest:#?}");
    }
}

/// Some ports are shut from the beginning: one in four.
fn shut_some(watched: &mut Watched) {
    let mut switches = Vec::new();
    for host in 1..=HOSTS {
        for port in ALWAYS + 1..=LAST {
            if watched.roll(4) == 0 {
                switches.push(watched.turn(host, port).0);
            }
        }
    }
    watched.stage.switch(&switches);
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and network namespaces: run ./tests/run"]
async fn all_that_changes_is_told_and_nothing_else() {
    let ports = format!("{FIRST}-{LAST}");
    let stage = match Stage::build(HOSTS, &ports, LOSS, env!("CARGO_BIN_EXE_portwatch-lab")) {
        Ok(stage) => stage,
        Err(why) => return skip("all that changes is told and nothing else", &why),
    };
    let folder = TempDir::new().unwrap();
    let mut watched = Watched::start(stage, folder.path()).await;
    shut_some(&mut watched);
    watched.baseline().await;
    watched.nothing_told("the baseline").await;

    for round in 1..=2 {
        let expected = watched.turn_some(30);
        watched
            .told(&format!("ports, round {round}"), expected)
            .await;
    }
    dark(&mut watched).await;
    away(&mut watched).await;

    watched.scans(2).await;
    watched.nothing_told("at the end").await;
    for service in watched.services {
        let (code, printed) = service.stop().await;
        assert_eq!(code, Some(0), "{printed}");
    }
}

/// The network is dark for a whole scan, and ports change meanwhile.
async fn dark(watched: &mut Watched) {
    watched.stage.switch(&[Switch::Dark(true)]);
    let expected = watched.turn_some(10);
    watched.scans(1).await;
    watched.nothing_told("in the dark").await;
    watched.stage.switch(&[Switch::Dark(false)]);
    watched.told("after the dark", expected).await;
}

/// A host goes away, some of its ports change, and it comes back.
async fn away(watched: &mut Watched) {
    let host = 7;
    let told = |kind: &str| {
        let ip = Stage::address(host).to_string();
        BTreeSet::from([(kind.to_owned(), ip, 0)])
    };
    watched.stage.switch(&[Switch::Host { host, away: true }]);
    watched.told("a host went away", told("host.down")).await;
    let turned: Vec<_> = (ALWAYS + 1..ALWAYS + 4)
        .map(|port| watched.turn(host, port))
        .collect();
    let (switches, expected): (Vec<_>, BTreeSet<_>) = turned.into_iter().unzip();
    watched.stage.switch(&switches);
    watched.scans(1).await;
    watched.nothing_told("while the host is away").await;
    watched.stage.switch(&[Switch::Host { host, away: false }]);
    let expected = expected.into_iter().chain(told("host.up")).collect();
    watched.told("the host is back", expected).await;
}
