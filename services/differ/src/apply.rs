//! One part of a snapshot: load → decide → save with outbox.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use portwatch_bus::{HandlerError, Received, Route};
use portwatch_domain::change::diff::{Outcome, diff};
use portwatch_domain::change::{About, Change, Changes, told_together};
use portwatch_domain::ports::PortSet;
use portwatch_domain::snapshot::{HostReport, Snapshot};
use portwatch_domain::target::Target;
use portwatch_schemas::{Meta, TraceParent, encode};
use portwatch_store::outbox::{OutboxMessage, Topic};
use portwatch_store::requests::{NewRequest, RequestKind};
use portwatch_store::retry_while_unavailable;
use portwatch_store::snapshots::{Applied, Decided, Loaded, SnapshotPart};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Deps;
use crate::observer::{HostSeen, Seen};

/// Applies one part and wakes the relay.
pub(crate) async fn apply(
    deps: &Deps,
    wake: &Notify,
    shutdown: &CancellationToken,
    received: Received<Snapshot>,
) -> Result<(), HandlerError> {
    let Received {
        meta,
        message: snapshot,
        ..
    } = received;
    let seen = Arc::new(OnceLock::new());
    let now = Timestamp::now();
    let part = SnapshotPart {
        job: snapshot.job,
        part: snapshot.part,
        target: snapshot.target,
        run: snapshot.run,
        hosts: snapshot.hosts.iter().map(|report| report.ip).collect(),
        now,
    };
    let applied = retry_while_unavailable("applying a snapshot", shutdown, || {
        let (snapshot, trace, seen) = (snapshot.clone(), meta.trace, seen.clone());
        let decide = move |loaded| {
            let (decided, hosts) = decide(&snapshot, loaded, trace, now);
            let _ = seen.set(hosts);
            decided
        };
        deps.store.apply_snapshot(part.clone(), Box::new(decide))
    })
    .await
    .map_err(|error| HandlerError::Retry(error.to_string()))?;

    let outcome = match applied {
        Applied::Applied => "applied",
        Applied::Duplicate => "duplicate",
        Applied::NoTarget => "no_target",
    };
    metrics::counter!("portwatch_snapshot_applied_total", "outcome" => outcome).increment(1);
    tracing::debug!(job = %snapshot.job, part = snapshot.part, outcome, "snapshot part");
    wake.notify_one();
    if let (Applied::Applied, Some(observer), Some(seen)) = (applied, &deps.observer, seen.get()) {
        observer(seen.clone());
    }
    Ok(())
}

/// What the part does to its hosts. Pure, but for the span id of each message's trace.
fn decide(
    snapshot: &Snapshot,
    loaded: Loaded,
    trace: TraceParent,
    now: Timestamp,
) -> (Decided, Seen) {
    let Loaded {
        target,
        newest_run,
        hosts,
    } = loaded;
    let mut decided = Decided::default();
    let mut seen = Vec::with_capacity(hosts.len());
    if snapshot.run > newest_run {
        // Of another database, or forged. Applied, it would make every real run look old.
        metrics::counter!("portwatch_snapshot_unknown_run_total").increment(1);
        tracing::warn!(job = %snapshot.job, run = snapshot.run, newest_run, "a snapshot of a run that was never made is left out");
        return (decided, Seen::new(target.name, snapshot, seen));
    }
    let mut verify: Vec<(PortSet, Vec<IpAddr>)> = Vec::new();
    for (report, record) in snapshot.hosts.iter().zip(hosts) {
        let known = record.baseline.clone();
        let outcome = diff(&target, record, report, snapshot.run, snapshot.finished_at);
        if outcome.stale {
            metrics::counter!("portwatch_snapshot_stale_total").increment(1);
            continue;
        }
        decided.outbox.extend(
            news(&target, snapshot, report, &outcome)
                .iter()
                .filter_map(|news| message(news, trace, now)),
        );
        let Outcome {
            after,
            changes,
            verify: again,
            ..
        } = outcome;
        if !again.is_empty() {
            match verify.iter_mut().find(|(ports, _)| *ports == again) {
                Some((_, hosts)) => hosts.push(report.ip),
                None => verify.push((again, vec![report.ip])),
            }
        }
        seen.push(HostSeen::new(&known, &after, report));
        decided.hosts.push(after);
        if target.switches.history {
            decided
                .history
                .extend(changes.into_iter().map(|change| (report.ip, change)));
        }
    }
    decided.requests = verify
        .into_iter()
        .map(|(ports, hosts)| verification(snapshot, ports, hosts, now))
        .collect();
    (decided, Seen::new(target.name, snapshot, seen))
}

/// Asks that these ports be looked at again, at once.
fn verification(
    snapshot: &Snapshot,
    ports: PortSet,
    hosts: Vec<IpAddr>,
    now: Timestamp,
) -> NewRequest {
    metrics::counter!("portwatch_verification_asked_total").increment(1);
    let of = format!("verify\n{}\n{ports}", snapshot.part);
    NewRequest {
        id: Uuid::new_v5(&snapshot.job.0, of.as_bytes()),
        target: snapshot.target,
        kind: RequestKind::Verify,
        hosts: Some(hosts),
        ports: Some(ports),
        asked_at: now,
        due_at: now,
    }
}

/// What is to be told of a host, in as many messages as it takes.
fn news(
    target: &Target,
    snapshot: &Snapshot,
    report: &HostReport,
    outcome: &Outcome,
) -> Vec<Changes> {
    let changes: Vec<Change> = outcome
        .changes
        .iter()
        .filter(|change| change.is_news())
        .cloned()
        .collect();
    for change in &changes {
        let kind = change.kind().as_str();
        metrics::counter!("portwatch_change_found_total", "kind" => kind).increment(1);
    }
    told_together(&changes)
        .into_iter()
        .map(|chunk| Changes {
            about: About::Host {
                target: target.reference(),
                ip: report.ip,
                name: report.name.clone(),
            },
            notify: target.switches.notify,
            job: Some(snapshot.job),
            changes: chunk.to_vec(),
        })
        .collect()
}

fn message(news: &Changes, trace: TraceParent, now: Timestamp) -> Option<OutboxMessage> {
    let meta = Meta {
        id: news.id(),
        source: "/portwatch/differ".to_owned(),
        time: now,
        trace: trace.child(Uuid::new_v4().as_u64_pair().0),
    };
    match encode(&meta, news) {
        Ok(body) => Some(OutboxMessage {
            id: meta.id,
            topic: Topic::Change,
            route: Route::Change.to_string(),
            body,
        }),
        Err(error) => {
            tracing::error!(host = news.subject(), %error, "changes are in the history, but cannot be told");
            None
        }
    }
}
