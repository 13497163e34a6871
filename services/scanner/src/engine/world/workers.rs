//! Workers, each with its seats, its pacer and its way to the world.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use portwatch_domain::job::{Job, Priority};
use portwatch_domain::snapshot::{Method, Snapshot};
use portwatch_packet::{Addresses, Key};

use super::dice::Dice;
use super::monitor::{moment, timestamp};
use crate::engine::{Engine, Moment, Pacer, Plan, PlannedHost, Rates, SOURCE_PORTS, Secrets};
use crate::parts::parts;
use crate::scan::Scan;

/// How many jobs a worker does at once.
const SEATS: usize = 4;
const US: [u8; 4] = [198, 18, 254, 1];

/// A scan in progress.
pub(super) struct Running {
    pub(super) engine: Engine,
    pub(super) job: Rc<Job>,
    pub(super) worker: usize,
    pub(super) started: Moment,
    /// When it wants to be called again.
    pub(super) wake: Moment,
}

pub(super) struct Workers {
    pacers: Vec<Arc<Pacer>>,
    busy: Vec<usize>,
    /// Those of high priority, and the others.
    waiting: [VecDeque<Rc<Job>>; 2],
}

fn rates() -> Rates {
    let [total, network, host] = [20_000, 10_000, 5_000].map(|rate| NonZeroU32::new(rate).unwrap());
    Rates {
        total,
        network,
        host,
    }
}

impl Workers {
    pub(super) fn new(count: usize) -> Self {
        Self {
            pacers: (0..count).map(|_| Arc::new(Pacer::new(rates()))).collect(),
            busy: vec![0; count],
            waiting: Default::default(),
        }
    }

    pub(super) fn queue(&mut self, job: Rc<Job>) {
        let queue = usize::from(job.priority == Priority::Normal);
        self.waiting[queue].push_back(job);
    }

    /// The next job that somebody takes, and who.
    pub(super) fn next(&mut self, dice: &mut Dice) -> Option<(usize, Rc<Job>)> {
        if self.waiting.iter().all(VecDeque::is_empty) {
            return None;
        }
        let free: Vec<usize> = (0..self.busy.len())
            .filter(|&worker| self.busy[worker] < SEATS)
            .collect();
        if free.is_empty() {
            return None;
        }
        let worker = free[dice.one_of(free.len())];
        let [high, normal] = &mut self.waiting;
        let job = high.pop_front().or_else(|| normal.pop_front())?;
        self.busy[worker] += 1;
        Some((worker, job))
    }

    pub(super) fn done(&mut self, worker: usize) {
        self.busy[worker] -= 1;
    }

    pub(super) fn start(
        &self,
        worker: usize,
        job: Rc<Job>,
        now: Moment,
        dice: &mut Dice,
    ) -> Running {
        let host = |host: &portwatch_domain::job::JobHost| PlannedHost {
            addresses: Addresses::new(US.into(), host.ip).unwrap(),
            known_open: host.known_open.clone(),
        };
        let mut key = || {
            let bits = [dice.bits().to_le_bytes(), dice.bits().to_le_bytes()];
            Key::new(bits.concat().try_into().unwrap())
        };
        let secrets = Secrets {
            sweep: key(),
            verify: key(),
            order: dice.bits(),
        };
        let place = u16::try_from(dice.one_of(800)).unwrap_or_default();
        let plan = Plan {
            hosts: job.hosts.iter().map(host).collect(),
            ports: job.ports.clone(),
            rate: job.rate,
            window: None,
            attempts: u8::MAX,
            deadline: moment(job.deadline),
            max_open_ports: 500,
            first_source_port: 30_000 + place * SOURCE_PORTS,
            secrets,
        };
        Running {
            engine: Engine::new(plan, self.pacers[worker].clone(), now),
            job,
            worker,
            started: now,
            wake: now,
        }
    }
}

/// What the scan has to say, in parts.
pub(super) fn snapshot(running: &Running, now: Moment) -> Vec<Snapshot> {
    let hosts = running.engine.reports();
    for report in &hosts {
        report.check().unwrap();
    }
    let scan = Scan {
        hosts,
        rejected: Vec::new(),
        undecided: Vec::new(),
        method: Method::Syn,
        probes: 0,
        answers: 0,
        unproven: 0,
        overflows: 0,
        complete: true,
        started_at: timestamp(running.started),
        finished_at: timestamp(now),
    };
    parts(&running.job, &scan, "worker")
}
