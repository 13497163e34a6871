//! What a worker counts: what it sends and hears while it scans, what came of it, and that it lives.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use portwatch_domain::job::Job;
use portwatch_domain::snapshot::PortState;

use crate::{Progress, Scan};

const HEARTBEAT: &str = "portwatch_scanner_heartbeat_timestamp_seconds";
const RUNNING: &str = "portwatch_scanner_jobs_running";

/// How often the heartbeat is renewed.
const BEAT: Duration = Duration::from_secs(5);

/// Says what the meters mean, and shows them as 0 from the start.
pub(crate) fn describe() {
    for (name, meaning) in [
        (
            "portwatch_job_expired_total",
            "Jobs whose deadline had passed before a worker took them.",
        ),
        ("portwatch_scan_probes_total", "Probes sent."),
        (
            "portwatch_scan_answers_total",
            "Answers that prove that they answer a probe of ours.",
        ),
        (
            "portwatch_scan_unproven_total",
            "Packets that look like answers and prove nothing.",
        ),
        (
            "portwatch_scan_overflows_total",
            "Times that the receive queue was full and answers were lost.",
        ),
        (
            "portwatch_scan_suspects_total",
            "Hosts that answer open on everything and were not judged.",
        ),
        (
            "portwatch_scan_services_total",
            "Open ports that were asked what listens there.",
        ),
        (
            "portwatch_snapshot_shrunk_total",
            "Snapshot parts that were too large and lost coverage.",
        ),
    ] {
        describe_counter!(name, meaning);
        counter!(name).increment(0);
    }
    describe_counter!(
        "portwatch_scan_ports_total",
        "Ports by what was told of them; unknown is not covered."
    );
    describe_gauge!(
        HEARTBEAT,
        Unit::Seconds,
        "When the task that takes jobs was last seen to go on, in seconds since 1970."
    );
    describe_gauge!(RUNNING, "Jobs that are being scanned.");
    gauge!(RUNNING).increment(0.0);
    describe_histogram!(
        "portwatch_scan_seconds",
        Unit::Seconds,
        "Time a job took to scan."
    );
}

/// Renews the heartbeat for as long as it is polled: by the task that takes the jobs, so that it stops with
/// that task, whether that ended or hangs.
pub(crate) async fn beat() -> Infallible {
    let mut ticks = tokio::time::interval(BEAT);
    loop {
        ticks.tick().await;
        gauge!(HEARTBEAT).set(Timestamp::now().as_duration().as_secs_f64());
    }
}

/// A job that is being scanned, until this is dropped.
pub(crate) struct Running {
    counted: Progress,
}

impl Running {
    /// One more.
    pub(crate) fn new() -> Self {
        gauge!(RUNNING).increment(1.0);
        Self {
            counted: Progress::default(),
        }
    }

    /// Counts what happened since the last time.
    pub(crate) fn count(&mut self, now: Progress) {
        let before = std::mem::replace(&mut self.counted, now);
        let overflows = now.overflows.saturating_sub(before.overflows);
        for (name, grown) in [
            (
                "portwatch_scan_probes_total",
                now.sent.saturating_sub(before.sent),
            ),
            (
                "portwatch_scan_answers_total",
                now.answers.saturating_sub(before.answers),
            ),
            (
                "portwatch_scan_unproven_total",
                now.unproven.saturating_sub(before.unproven),
            ),
            ("portwatch_scan_overflows_total", overflows.into()),
        ] {
            counter!(name).increment(grown);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        gauge!(RUNNING).decrement(1.0);
    }
}

/// Counts a scan that is done.
pub(crate) fn count(job: &Job, scan: &Scan) {
    let took = scan.finished_at.duration_since(scan.started_at);
    histogram!("portwatch_scan_seconds").record(took.as_secs_f64());
    let ports = |state: PortState, ports: usize| {
        counter!("portwatch_scan_ports_total", "state" => state.as_str()).increment(ports as u64);
    };
    for report in &scan.hosts {
        let told = |state| {
            report
                .ports
                .iter()
                .filter(|verdict| verdict.state == state)
                .count()
        };
        let open = told(PortState::Open);
        let filtered = told(PortState::Filtered) + report.filtered.len();
        ports(PortState::Open, open);
        ports(PortState::Filtered, filtered);
        ports(PortState::Closed, report.coverage.len() - open - filtered);
        ports(PortState::Unknown, job.ports.len() - report.coverage.len());
        counter!("portwatch_scan_suspects_total").increment(u64::from(report.suspect));
    }
    tracing::debug!(
        job = %job.id,
        hosts = scan.hosts.len(),
        probes = scan.probes,
        answers = scan.answers,
        overflows = scan.overflows,
        seconds = took.as_secs_f64(),
        "scanned"
    );
}
