//! Compares what is told with how the world is.

mod missed;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use portwatch_domain::change::diff::Outcome;
use portwatch_domain::change::{Change, ChangeId, Transition};
use portwatch_domain::job::Job;
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::{HostReport, HostState, PortState, Snapshot};

use super::monitor::moment;
use super::network::Network;
use super::truth::{CYCLE, Host, Periods, World};
use crate::engine::Moment;
use missed::{Missed, share};

/// Of what is wrong, so much is told in full.
const SHOWN: usize = 20;
/// Flapping is measured over 20 verdicts. A state that is soft for a moment is one more, and while a host is away (12
/// cycles at the most) or its network is dark (4), there are none.
const WINDOW: Duration = Duration::from_secs(CYCLE.as_secs() * (22 + 12 + 4));
/// Fewer changes than that are no flapping.
const FLAPS: usize = 4;

/// What was told of a port or a host, and when.
#[derive(Debug)]
struct History<S> {
    states: Vec<(Moment, S)>,
    /// When it was told to flap.
    flapping: Vec<(Moment, Option<Moment>)>,
}

impl<S> Default for History<S> {
    fn default() -> Self {
        Self {
            states: Vec::new(),
            flapping: Vec::new(),
        }
    }
}

impl<S: Copy + PartialEq + fmt::Debug> History<S> {
    fn flaps(&mut self, begins: bool, now: Moment) -> Result<(), &'static str> {
        match self.flapping.last_mut() {
            Some((_, end @ None)) if !begins => *end = Some(now),
            Some((_, None)) => return Err("flaps already"),
            _ if begins => self.flapping.push((now, None)),
            _ => return Err("does not flap"),
        }
        Ok(())
    }

    fn flapped(&self, from: Moment, until: Moment) -> bool {
        let touches = |&(begins, ends): &(Moment, Option<Moment>)| {
            begins <= until && ends.is_none_or(|ends| ends >= from)
        };
        self.flapping.iter().any(touches)
    }

    /// Whether it was told to be so at `from`, or from then until `until`.
    fn told(&self, from: Moment, until: Moment, is: impl Fn(S) -> bool, at_first: bool) -> bool {
        let after = self.states.partition_point(|&(at, _)| at <= from);
        let known = after.checked_sub(1);
        known.map_or(at_first, |known| is(self.states[known].1))
            || self.states[after..]
                .iter()
                .take_while(|&&(at, _)| at <= until)
                .any(|&(_, state)| is(state))
    }
}

pub(super) struct Judge<'w> {
    world: &'w World,
    began: Instant,
    ids: HashSet<ChangeId>,
    ports: BTreeMap<(IpAddr, Port), History<PortState>>,
    hosts: BTreeMap<IpAddr, History<HostState>>,
    /// When a job for the host was out that nobody did.
    neglected: BTreeMap<IpAddr, Periods>,
    seen: HashSet<(uuid::Uuid, u32)>,
    wrong: Vec<String>,
    pub(super) checks: u64,
    pub(super) runs: u64,
    pub(super) merged: u64,
    pub(super) verifications: u64,
    lost: u64,
    told: u64,
    false_changes: u64,
    false_verdicts: u64,
    verdicts: u64,
    reachable: u64,
    unknown: u64,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) checks: u64,
    pub(super) verdicts: u64,
    pub(super) false_verdicts: u64,
    pub(super) false_changes: u64,
    pub(super) told: u64,
    pub(super) ports: Missed,
    pub(super) hosts: Missed,
    /// Of the pairs of hosts that were reachable throughout, those without a verdict.
    pub(super) unknown: f64,
    pub(super) wrong: Vec<String>,
    runs: u64,
    merged: u64,
    verifications: u64,
    lost: u64,
    loss: f64,
    took: Duration,
}

impl<'w> Judge<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self {
            world,
            began: Instant::now(),
            ids: HashSet::new(),
            ports: BTreeMap::new(),
            hosts: BTreeMap::new(),
            neglected: BTreeMap::new(),
            seen: HashSet::new(),
            wrong: Vec::new(),
            checks: 0,
            runs: 0,
            merged: 0,
            verifications: 0,
            lost: 0,
            told: 0,
            false_changes: 0,
            false_verdicts: 0,
            verdicts: 0,
            reachable: 0,
            unknown: 0,
        }
    }

    /// Nobody does the job, until its deadline.
    pub(super) fn lost(&mut self, job: &Job, now: Moment) {
        self.lost += 1;
        for host in &job.hosts {
            let neglected = self.neglected.entry(host.ip).or_default();
            neglected.add(now, moment(job.deadline));
        }
    }

    /// A report was applied.
    pub(super) fn seen(
        &mut self,
        part: &Snapshot,
        report: &HostReport,
        outcome: &Outcome,
        now: Moment,
    ) {
        let Some(host) = self.world.host(report.ip) else {
            return;
        };
        let scan = (moment(part.started_at), moment(part.finished_at));
        self.verdicts(part, host, report, scan);
        for change in &outcome.changes {
            let mut told = self.judge(host, change, scan, now);
            if !self.ids.insert(change.id) {
                told = Err("was told before");
            }
            self.told += u64::from(change.is_news());
            if let Err(why) = told {
                self.false_changes += 1;
                self.note(
                    &format!("false change: {why}: {change:?}"),
                    host,
                    part,
                    scan,
                );
            }
        }
    }

    fn note(&mut self, what: &str, host: &Host, part: &Snapshot, (from, until): (Moment, Moment)) {
        if self.wrong.len() < SHOWN {
            let (ip, run) = (host.ip, part.run);
            self.wrong.push(format!(
                "{what}; {ip}, run {run}, scanned from {from:?} to {until:?}"
            ));
        }
    }

    /// Judges what a report says, whatever is made of it.
    fn verdicts(
        &mut self,
        part: &Snapshot,
        host: &Host,
        report: &HostReport,
        (from, until): (Moment, Moment),
    ) {
        for port in report.coverage.iter() {
            let state = said(report, port);
            let place = self.world.place(port.number);
            self.verdicts += 1;
            if !place.is_some_and(|place| host.ports[place].was(state, from, until)) {
                self.false_verdicts += 1;
                let what = format!("false verdict: {port} is {state}");
                self.note(&what, host, part, (from, until));
            }
        }
        let ways = self.world.ways(host).chain([&host.outages]);
        let whole = ways
            .into_iter()
            .all(|way| way.touching(from, until).is_none());
        // Runs of the whole target only: those of a part ask for what is uncertain.
        let is_first = self
            .seen
            .insert((part.job.0, part.part * 1000 + last(report.ip)));
        if whole && is_first && part.parts > 1 {
            let all = u64::from(self.world.size.ports);
            self.reachable += all;
            self.unknown += all - report.coverage.len() as u64;
        }
    }

    fn judge(
        &mut self,
        host: &Host,
        change: &Change,
        (from, until): (Moment, Moment),
        now: Moment,
    ) -> Result<(), &'static str> {
        let line = |port: Port| {
            let place = self.world.place(port.number);
            place
                .map(|place| &host.ports[place])
                .ok_or("is not asked for")
        };
        match change.transition {
            Transition::Port {
                port,
                before,
                after,
                ..
            } => {
                let line = line(port)?;
                let told = self.ports.entry((host.ip, port)).or_default();
                let known = told.states.last().map(|&(_, state)| state);
                told.states.push((now, after));
                // A port that was never open is known by the baseline alone.
                let follows = match known {
                    Some(known) => known == before,
                    None => after == PortState::Open,
                };
                if !follows || before == after {
                    return Err("does not follow on what was told before");
                }
                let is_true = line.was(after, from, until);
                is_true.then_some(()).ok_or("was not so during the scan")
            }
            Transition::PortFlapping { port, begins, .. } => {
                let line = line(port)?;
                let told = self.ports.entry((host.ip, port)).or_default();
                told.flaps(begins, now)?;
                let turns = line.turns_between(now.saturating_sub(WINDOW), now);
                let is_true = !begins || turns >= FLAPS;
                is_true.then_some(()).ok_or("is steady")
            }
            Transition::Host {
                before,
                after,
                suspect: false,
            } => self.judge_host(host, (before, after), (from, until), now),
            Transition::HostFlapping { begins, .. } => {
                let told = self.hosts.entry(host.ip).or_default();
                told.flaps(begins, now)?;
                let since = now.saturating_sub(WINDOW);
                let outages = host.outages.iter();
                let lately = outages.filter(|&(from, until)| until >= since && from <= now);
                let is_true = !begins || lately.count() * 2 >= FLAPS;
                is_true.then_some(()).ok_or("is steady")
            }
            _ => Err("is none of what can happen"),
        }
    }

    fn judge_host(
        &mut self,
        host: &Host,
        (before, after): (HostState, HostState),
        (from, until): (Moment, Moment),
        now: Moment,
    ) -> Result<(), &'static str> {
        let told = self.hosts.entry(host.ip).or_default();
        let known = told.states.last().map(|&(_, state)| state);
        told.states.push((now, after));
        if known.unwrap_or(HostState::Unknown) != before || before == after {
            return Err("does not follow on what was told before");
        }
        let is_true = match after {
            HostState::Down => host.outages.touching(from, until).is_some(),
            _ => !host.outages.whole(from, until),
        };
        is_true.then_some(()).ok_or("was not so during the scan")
    }

    /// When the world is over.
    pub(super) fn report(self, network: &Network<'_>) -> Report {
        let (ports, hosts) = self.missed();
        let mut wrong = self.wrong;
        wrong.extend(ports.shown.iter().chain(&hosts.shown).cloned());
        Report {
            seed: self.world.seed,
            checks: self.checks,
            verdicts: self.verdicts,
            false_verdicts: self.false_verdicts,
            false_changes: self.false_changes,
            told: self.told,
            ports,
            hosts,
            unknown: share(self.unknown, self.reachable),
            wrong,
            runs: self.runs,
            merged: self.merged,
            verifications: self.verifications,
            lost: self.lost,
            loss: share(network.lost, network.sent),
            took: self.began.elapsed(),
        }
    }
}

fn last(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(v4) => u32::from(v4),
        IpAddr::V6(_) => 0,
    }
}

/// What a report says of a port that it covers.
fn said(report: &HostReport, port: Port) -> PortState {
    let told = report.ports.iter().find(|verdict| verdict.port == port);
    match told {
        Some(verdict) => verdict.state,
        None if report.filtered.contains(port) => PortState::Filtered,
        None => PortState::Closed,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} port-checks in {:.1} s; {} runs, {} slots merged, {} verifications, {} jobs lost",
            self.seed,
            self.checks,
            self.took.as_secs_f64(),
            self.runs,
            self.merged,
            self.verifications,
            self.lost
        )?;
        writeln!(f, "packets lost each way: {:.2} %", self.loss * 100.0)?;
        writeln!(
            f,
            "verdicts: {}, of them false: {}; unknown of what was reachable: {:.4} %",
            self.verdicts,
            self.false_verdicts,
            self.unknown * 100.0
        )?;
        writeln!(
            f,
            "changes told: {}, of them false: {}",
            self.told, self.false_changes
        )?;
        writeln!(f, "changes of ports: {}", self.ports)?;
        writeln!(f, "changes of hosts: {}", self.hosts)?;
        for wrong in &self.wrong {
            writeln!(f, "{wrong}")?;
        }
        Ok(())
    }
}
