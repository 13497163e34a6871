//! Two targets, and one differ for each.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::diff::diff;
use portwatch_domain::job::JobId;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{
    Answer, Evidence, HostReport, HostState, PART_HOSTS, PortState, PortVerdict,
};
use portwatch_domain::target::{Confirm, Schedule, Switches, Target, TargetId, Zone};
use portwatch_store::Store;
use portwatch_store::jobs::{Cause, JobRow, NewRun};
use portwatch_store::requests::RunKind;
use portwatch_store::snapshots::{Applied, Decide, Decided, SnapshotPart};
use tokio::task::JoinSet;

/// Open ports of each host.
pub const PORTS: u16 = 50;
const HOSTS: u16 = 2048;
const SOURCE: &str = "bench";
const INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// What scans find.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Finds {
    /// What is known.
    Known,
    /// One port of each host closed, or the same opened again.
    Changes,
}

impl fmt::Display for Finds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known => "unchanged",
            Self::Changes => "one changed",
        })
    }
}

pub struct World {
    store: Store,
    targets: Vec<Target>,
    now: Timestamp,
}

impl World {
    /// Two targets, scanned once.
    pub async fn make(store: Store) -> Self {
        let targets = [18, 19].map(target).to_vec();
        let now = Timestamp::now();
        store.sync_targets(SOURCE, &targets, now).await.unwrap();
        let mut world = Self {
            store,
            targets,
            now,
        };
        world.scan(2, Finds::Known, Duration::MAX).await;
        world
    }

    /// Applies scans with so many differs, each on a target of its own, for so long: how many snapshots of
    /// hosts they applied, and in what time.
    pub async fn scans(&mut self, differs: u16, finds: Finds, long: Duration) -> (u32, Duration) {
        let (mut hosts, mut took) = (0, Duration::ZERO);
        while took < long {
            let rest = long.saturating_sub(took);
            let (of_run, of_time) = self.scan(differs, finds, rest).await;
            hosts += of_run;
            took += of_time;
        }
        (hosts, took)
    }

    /// Scans until no port is written any more because of what changed: its last 20 verdicts are kept.
    pub async fn settle(&mut self) {
        for _ in 0..21 {
            self.scan(2, Finds::Known, Duration::MAX).await;
        }
    }

    /// One run of each target, of which the first so many are applied, at once.
    async fn scan(&mut self, differs: u16, finds: Finds, long: Duration) -> (u32, Duration) {
        let runs = self.start().await;
        let begun = Instant::now();
        let mut at_work = JoinSet::new();
        for (target, run) in self.targets.iter().zip(runs).take(differs.into()) {
            let scan = Scan {
                store: self.store.clone(),
                target: target.clone(),
                run,
                now: self.now,
                open: PORTS - u16::from(finds == Finds::Changes && run % 2 == 0),
            };
            at_work.spawn(async move { scan.apply(begun, long).await });
        }
        let hosts = at_work.join_all().await.into_iter().sum();
        (hosts, begun.elapsed())
    }

    /// Makes the next run of each target, with one job; the runs' numbers.
    async fn start(&mut self) -> Vec<u64> {
        self.now += INTERVAL;
        let lease = SignedDuration::from_secs(30);
        let due = self.store.claim_due(self.now, 2, lease).await.unwrap();
        assert_eq!(due.len(), 2);
        let mut runs = Vec::new();
        for target in &self.targets {
            let due = due.iter().find(|due| due.target.id == target.id).unwrap();
            let job = JobRow {
                id: JobId::derive(target.id, due.known.run, 0),
                parts: u32::from(HOSTS) / 32,
                deadline: self.now + SignedDuration::from_secs(60),
                hosts: Vec::new(),
                ports: target.ports.clone(),
            };
            let cause = Cause::Slot {
                slot: due.slot,
                next_slot: self.now + INTERVAL,
                overdue_at: self.now + INTERVAL * 4,
            };
            let run = NewRun {
                target: target.id,
                cause,
                kind: RunKind::Slot,
                run: due.known.run,
                now: self.now,
                jobs: vec![job],
                names: None,
                moved: Vec::new(),
                changes: Vec::new(),
                outbox: Vec::new(),
            };
            assert_eq!(self.store.save_runs(vec![run]).await.unwrap(), [true]);
            runs.push(due.known.run);
        }
        runs
    }
}

fn target(network: u8) -> Target {
    let name = format!("198.{network}.0.0/16");
    Target {
        id: TargetId::derive(SOURCE, &name),
        addresses: vec![name.parse().unwrap()],
        name,
        group: "default".to_owned(),
        zone: Zone::default(),
        exclude: Vec::new(),
        ports: "1-1000".parse().unwrap(),
        expected: None,
        allowed: PortSet::empty(),
        tags: Vec::new(),
        confirm: Confirm {
            close: 1,
            ..Confirm::default()
        },
        schedule: Schedule::every(INTERVAL),
        discovery: false,
        follow_names: false,
        rate: 1000,
        switches: Switches::default(),
    }
}

/// One run of a target.
struct Scan {
    store: Store,
    target: Target,
    run: u64,
    now: Timestamp,
    /// How many of the ports are open.
    open: u16,
}

impl Scan {
    /// Applies the parts one after the other, for so long at most; the hosts in them.
    async fn apply(&self, begun: Instant, long: Duration) -> u32 {
        let network = if self.target.name.starts_with("198.18") {
            18
        } else {
            19
        };
        let (run, now) = (self.run, self.now);
        let mut applied = 0;
        for (number, first) in (0..HOSTS).step_by(PART_HOSTS).enumerate() {
            if begun.elapsed() > long {
                break;
            }
            let hosts = first..first + u16::try_from(PART_HOSTS).unwrap();
            let report = |host| report(network, host, self.open);
            let reports: Vec<_> = hosts.map(report).collect();
            let part = SnapshotPart {
                job: JobId::derive(self.target.id, run, 0),
                part: u32::try_from(number).unwrap(),
                target: self.target.id,
                run,
                hosts: reports.iter().map(|report| report.ip).collect(),
                now,
            };
            applied += u32::try_from(reports.len()).unwrap();
            let decide = decide(reports, run, now);
            let outcome = self.store.apply_snapshot(part, decide).await;
            assert_eq!(outcome.unwrap(), Applied::Applied);
        }
        applied
    }
}

/// A host that is up, with every twentieth port of 1 to 1000 open, or closed from that number on.
fn report(network: u8, host: u16, open: u16) -> HostReport {
    let [high, low] = host.to_be_bytes();
    let ip = IpAddr::V4(Ipv4Addr::new(198, network, high, low));
    let verdict = |number: u16| PortVerdict {
        port: Port::tcp(number * 20),
        state: if number <= open {
            PortState::Open
        } else {
            PortState::Closed
        },
        evidence: Evidence {
            answer: if number <= open {
                Answer::SynAck
            } else {
                Answer::Rst
            },
            ttl: Some(64),
            rtt: Some(Duration::from_micros(300)),
            probes: 1,
        },
        service: None,
    };
    HostReport {
        state: HostState::Up,
        coverage: "1-1000".parse().unwrap(),
        ports: (1..=PORTS).map(verdict).collect(),
        filtered: PortSet::empty(),
        ..HostReport::unknown(ip, None)
    }
}

/// What the differ does with reports in which nothing is news.
fn decide(reports: Vec<HostReport>, run: u64, at: Timestamp) -> Decide {
    Box::new(move |loaded| {
        let mut decided = Decided::default();
        for (report, record) in reports.iter().zip(loaded.hosts) {
            let outcome = diff(&loaded.target, record, report, run, at);
            assert!(!outcome.stale);
            let changes = outcome
                .changes
                .into_iter()
                .map(|change| (report.ip, change));
            decided.history.extend(changes);
            decided.hosts.push(outcome.after);
        }
        decided
    })
}
