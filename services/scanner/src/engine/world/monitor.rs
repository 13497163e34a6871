//! The whole that watches the world: slots and jobs, workers that scan, and what is remembered and told. Scans of all
//! workers go on at once, over one agenda of what happens next.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::HostRecord;
use portwatch_domain::change::diff::diff;
use portwatch_domain::job::cut::{Known, Run, Scope, jobs_in};
use portwatch_domain::job::{Job, JobId, Priority};
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::Snapshot;
use portwatch_domain::target::{Confirm, Schedule, Switches, Target, TargetId, Zone};

use super::dice::Dice;
use super::judge::{Judge, Report};
use super::network::Network;
use super::truth::{CYCLE, FIRST_PORT, Size, World};
use super::workers::{Running, Workers, snapshot};
use crate::engine::{Moment, Next};
use crate::wire::{Event, Probe};

/// A worker dies with a job so often; a job is done twice so often, because its worker dies before it says so.
const LOST: f64 = 0.002;
const REDELIVERED: f64 = 0.01;
/// So often a part of a snapshot comes twice, comes late, or one from before comes again.
const DOUBLED: f64 = 0.02;
const LATE: f64 = 0.05;
const OF_BEFORE: f64 = 0.02;
const REMEMBERED: usize = 60;
/// Nothing is polled more often: a call takes its time.
const LEAST_PAUSE: Duration = Duration::from_micros(50);

/// What happens.
enum What {
    Slot,
    Wake(u64),
    Heard(u64, Event),
    Queue(Rc<Job>),
    Ask(IpAddr, PortSet),
    Deliver(Rc<Snapshot>),
    Deadline(Rc<Job>),
}

struct Entry {
    at: Moment,
    number: u64,
    what: What,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Entry {}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

/// A job that the next slot waits for.
struct Out {
    parts: BTreeSet<u32>,
    /// It was made again already.
    again: bool,
}

pub(super) struct Monitor<'w> {
    world: &'w World,
    network: Network<'w>,
    judge: Judge<'w>,
    dice: Dice,
    target: Target,
    records: BTreeMap<IpAddr, HostRecord>,
    last_run: u64,
    slots: u32,
    agenda: BinaryHeap<Reverse<Entry>>,
    entered: u64,
    now: Moment,
    workers: Workers,
    scans: BTreeMap<u64, Box<Running>>,
    out: BTreeMap<JobId, Out>,
    before: VecDeque<Rc<Snapshot>>,
}

pub(super) fn timestamp(at: Moment) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::try_from(at).unwrap()
}

pub(super) fn moment(at: Timestamp) -> Moment {
    Moment::try_from(at.duration_since(Timestamp::UNIX_EPOCH)).unwrap()
}

fn target(world: &World) -> Target {
    let Size { ports, .. } = world.size;
    let addresses = world.hosts.iter().map(|host| host.ip.to_string().parse());
    Target {
        id: TargetId::derive("tests", "world"),
        name: "world".to_owned(),
        group: "default".to_owned(),
        tags: Vec::new(),
        zone: Zone::default(),
        addresses: addresses.collect::<Result<_, _>>().unwrap(),
        exclude: Vec::new(),
        ports: (FIRST_PORT..FIRST_PORT + ports).map(Port::tcp).collect(),
        expected: None,
        allowed: PortSet::empty(),
        confirm: Confirm::default(),
        schedule: Schedule::every(SignedDuration::try_from(CYCLE).unwrap()),
        discovery: false,
        follow_names: false,
        // So much that what is silent waits for nothing: at less, scans take longer and some ports stay unknown.
        rate: 4000,
        switches: Switches::default(),
    }
}

impl<'w> Monitor<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        let record = |ip| (ip, HostRecord::new(ip));
        Self {
            world,
            network: Network::new(world),
            judge: Judge::new(world),
            dice: Dice::of(world.seed, 2 << 60),
            target: target(world),
            records: world.hosts.iter().map(|host| record(host.ip)).collect(),
            last_run: 0,
            slots: 0,
            agenda: BinaryHeap::new(),
            entered: 0,
            now: Moment::ZERO,
            workers: Workers::new(world.deaf.len()),
            scans: BTreeMap::new(),
            out: BTreeMap::new(),
            before: VecDeque::new(),
        }
    }

    /// Watches until the world ends.
    pub(super) fn run(mut self) -> Report {
        self.enter(Moment::ZERO, What::Slot);
        while let Some(Reverse(Entry { at, what, .. })) = self.agenda.pop() {
            self.now = at;
            match what {
                What::Slot => self.slot(),
                What::Wake(scan) => self.wake(scan),
                What::Heard(scan, event) => self.heard(scan, event),
                What::Queue(job) => self.workers.queue(job),
                What::Ask(ip, ports) => self.ask(ip, ports),
                What::Deliver(snapshot) => self.deliver(&snapshot, true),
                What::Deadline(job) => self.deadline(&job),
            }
            self.hand_out();
        }
        self.judge.report(&self.network)
    }

    fn enter(&mut self, at: Moment, what: What) {
        self.entered += 1;
        let number = self.entered;
        self.agenda.push(Reverse(Entry { at, number, what }));
    }

    fn after(&mut self, least: Duration, most: Duration, what: What) {
        let at = self.now + self.dice.between(least, most);
        self.enter(at, what);
    }

    fn slot(&mut self) {
        self.slots += 1;
        if self.slots < self.world.size.cycles {
            self.enter(CYCLE * self.slots, What::Slot);
        }
        if self.out.is_empty() {
            self.judge.runs += 1;
            self.make(&Scope::Whole, Priority::Normal, false);
        } else {
            self.judge.merged += 1;
        }
    }

    /// The differ wants to see these ports again.
    fn ask(&mut self, ip: IpAddr, ports: PortSet) {
        self.judge.verifications += 1;
        let scope = Scope::Part {
            hosts: Some(vec![ip]),
            ports: Some(ports),
        };
        self.make(&scope, Priority::High, false);
    }

    fn make(&mut self, scope: &Scope, priority: Priority, again: bool) {
        self.last_run += 1;
        let run = Run {
            number: self.last_run,
            now: timestamp(self.now),
            priority,
        };
        let open = |(&ip, record): (&IpAddr, &HostRecord)| (ip, record.open());
        let known = Known {
            resolved: Vec::new(),
            open: match scope {
                Scope::Part {
                    hosts: Some(hosts), ..
                } => hosts
                    .iter()
                    .map(|ip| open((ip, &self.records[ip])))
                    .collect(),
                _ => self.records.iter().map(open).collect(),
            },
        };
        for job in jobs_in(&self.target, run, &known, scope) {
            let job = Rc::new(job);
            if priority == Priority::Normal {
                let parts = (0..job.parts()).collect();
                self.out.insert(job.id, Out { parts, again });
                self.enter(moment(job.deadline), What::Deadline(job.clone()));
            }
            self.workers.queue(job);
        }
    }

    /// A job that was not answered by then is made again, once.
    fn deadline(&mut self, job: &Job) {
        if self.out.remove(&job.id).is_some_and(|out| !out.again) {
            let scope = Scope::Part {
                hosts: Some(job.hosts.iter().map(|host| host.ip).collect()),
                ports: Some(job.ports.clone()),
            };
            self.make(&scope, Priority::Normal, true);
        }
    }

    fn hand_out(&mut self) {
        while let Some((worker, job)) = self.workers.next(&mut self.dice) {
            if self.dice.happens(LOST) {
                self.workers.done(worker);
                self.judge.lost(&job, self.now);
                continue;
            }
            if self.dice.happens(REDELIVERED) {
                let again = What::Queue(job.clone());
                self.after(Duration::from_secs(5), Duration::from_mins(1), again);
            }
            self.judge.checks += (job.hosts.len() * job.ports.len()) as u64;
            self.entered += 1;
            let scan = self.entered;
            let running = self.workers.start(worker, job, self.now, &mut self.dice);
            self.scans.insert(scan, Box::new(running));
            self.enter(self.now, What::Wake(scan));
        }
    }

    fn wake(&mut self, scan: u64) {
        let is_due = |running: &Running| running.wake == self.now;
        if self.scans.get(&scan).is_some_and(|running| is_due(running)) {
            self.poll(scan);
        }
    }

    fn heard(&mut self, scan: u64, event: Event) {
        if let Some(running) = self.scans.get_mut(&scan) {
            running.engine.event(self.now, event);
            self.poll(scan);
        }
    }

    fn poll(&mut self, scan: u64) {
        let Some(mut running) = self.scans.remove(&scan) else {
            return;
        };
        let mut batch: Vec<Probe> = Vec::new();
        let next = running.engine.poll(self.now, self.now, &mut batch);
        for probe in &batch {
            for (at, event) in self.network.send(running.worker, probe, self.now) {
                self.enter(at, What::Heard(scan, event));
            }
        }
        match next {
            Next::Done => self.finish(&running),
            Next::At(wake) => {
                let wake = wake.max(self.now + LEAST_PAUSE);
                if running.wake != wake {
                    running.wake = wake;
                    self.enter(wake, What::Wake(scan));
                }
                self.scans.insert(scan, running);
            }
        }
    }

    fn finish(&mut self, running: &Running) {
        self.workers.done(running.worker);
        for part in snapshot(running, self.now) {
            let part = Rc::new(part);
            let most = Duration::from_millis(500);
            if self.dice.happens(DOUBLED) {
                let again = What::Deliver(part.clone());
                self.after(most, CYCLE / 2, again);
            }
            let most = if self.dice.happens(LATE) {
                Duration::from_mins(1)
            } else {
                most
            };
            self.after(Duration::from_millis(5), most, What::Deliver(part));
        }
    }

    fn deliver(&mut self, part: &Rc<Snapshot>, may_lead_back: bool) {
        for report in &part.hosts {
            let Some(before) = self.records.remove(&report.ip) else {
                continue;
            };
            let outcome = diff(&self.target, before, report, part.run, part.finished_at);
            self.judge.seen(part, report, &outcome, self.now);
            self.records.insert(report.ip, outcome.after);
            if !outcome.verify.is_empty() {
                let ask = What::Ask(report.ip, outcome.verify);
                self.after(Duration::from_millis(50), Duration::from_millis(1500), ask);
            }
        }
        if let Some(out) = self.out.get_mut(&part.job) {
            out.parts.remove(&part.part);
            if out.parts.is_empty() {
                self.out.remove(&part.job);
            }
        }
        self.before.push_back(part.clone());
        if self.before.len() > REMEMBERED {
            self.before.pop_front();
        }
        if may_lead_back && self.dice.happens(OF_BEFORE) {
            let one = self.dice.one_of(self.before.len());
            let again = self.before[one].clone();
            self.deliver(&again, false);
        }
    }
}
