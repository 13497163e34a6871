//! (what is remembered, what was seen) → (what is remembered now, what changed, what to look at again).
//!
//! A new state is *soft* until as many scans in a row have seen it as the target asks for
//! ([`Confirm`](crate::target::Confirm)), and *hard* from then on, in Icinga's sense: only then it is a change.
//! While it is soft, [`Outcome::verify`] names the ports that should be looked at again at once.

mod host;
mod port;

use jiff::Timestamp;

use super::severity::Policy;
use super::{Change, ChangeId, HostRecord, Severity, Transition};
use crate::ports::PortSet;
use crate::snapshot::{HostReport, HostState};
use crate::target::Target;

/// What a report did to a host's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What is remembered from now on.
    pub after: HostRecord,
    /// Every transition, the baseline included: the history.
    pub changes: Vec<Change>,
    /// The ports whose new state is soft, and those that show whether a host is down.
    pub verify: PortSet,
    /// The report belonged to an older run than those already applied, and nothing was taken from it.
    pub stale: bool,
}

/// Where and when a verdict stands, for what it leads to.
#[derive(Clone, Copy)]
struct Scan<'a> {
    target: &'a Target,
    policy: Policy<'a>,
    at: Timestamp,
}

/// Applies the report of run `run`, finished at `at`, to the record of the same host.
///
/// Only covered ports that the target still watches can change, and only by a run newer than the one that judged
/// them last. A port that was open changes on a verdict of its own, never on the summary of the rest, because only
/// such verdicts are verified. The first conclusive verdict on a port is its baseline. A verdict that confirms
/// what is known moves `last_seen` and nothing else; the evidence stays that of the transition. While a host is
/// down its ports are not judged: what closed with it is told when it is back.
pub fn diff(
    target: &Target,
    before: HostRecord,
    report: &HostReport,
    run: u64,
    at: Timestamp,
) -> Outcome {
    let mut after = before;
    let approved = after.approved.clone();
    let scan = Scan {
        target,
        policy: Policy::of(target, approved.as_ref()),
        at,
    };
    after.runs.keep(&target.ports);
    let covered = report.coverage.intersection(&target.ports);
    let fresh = after.runs.fresh(run, &covered);
    let is_newest = run >= after.runs.newest();
    let tells_host = report.state != HostState::Unknown && after.runs.judge_host(run);
    let stale = !is_newest && !tells_host && fresh.is_empty();
    after.runs.reported(run);
    if is_newest {
        after.name.clone_from(&report.name);
    }
    let mut changes = Vec::new();
    if tells_host {
        host::judge(scan, &mut after, report, &mut changes);
    }
    let baseline = after.baseline.intersection(&target.ports);
    port::judge(scan, &mut after, report, &fresh, &baseline, &mut changes);
    after.baseline = baseline.union(&fresh);
    after.runs.judge(run, &fresh);
    after.findings = scan.policy.findings(target, &after);
    let verify = to_verify(&after, tells_host, &fresh);
    Outcome {
        after,
        changes,
        verify,
        stale,
    }
}

/// What has to be looked at again: what this report left in a soft state, and of a host that may be down the ports
/// known open.
fn to_verify(host: &HostRecord, tells_host: bool, fresh: &PortSet) -> PortSet {
    if tells_host && host.soft.is_some() {
        return host.open();
    }
    let soft = host.ports.iter().filter(|(_, port)| port.soft.is_some());
    let soft: PortSet = soft.map(|(&port, _)| port).collect();
    soft.intersection(fresh)
}

/// The change that a transition is.
fn change(id: ChangeId, transition: Transition, quiet: bool, at: Timestamp) -> Change {
    Change {
        id,
        severity: Severity::of(&transition),
        transition,
        quiet,
        at,
    }
}
