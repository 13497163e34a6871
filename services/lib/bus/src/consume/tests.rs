//! What the consume loop counts. What it does is in the conformance suite.

#![expect(clippy::unwrap_used, reason = "tests")]

use metrics_exporter_prometheus::PrometheusBuilder;
use portwatch_domain::job::Job;

use super::*;
use crate::conformance::Rig;
use crate::conformance::rig::high;

#[test]
fn counts_what_becomes_of_messages() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(handle_some()));
    let told = handle.render();
    for line in [
        // Good, retried, retried again, panicked, then good; dead; malformed.
        "portwatch_job_consumed_total 7",
        "portwatch_job_failed_total 4",
        "portwatch_job_retried_total 3",
        "portwatch_job_dead_total 2",
        "portwatch_job_handler_seconds_count 6",
    ] {
        assert!(told.lines().any(|other| other == line), "{line}\n{told}");
    }
}

/// Job 1 is good; job 2 fails twice, panics, and is good; job 3 is bad; one is no job.
async fn handle_some() {
    let rig = Rig::in_process();
    let shutdown = CancellationToken::new();
    let consumer = Consumer {
        bus: rig.bus(),
        routes: vec![high()],
        concurrency: 2,
        grace: Duration::ZERO,
    };
    let handler =
        async |received: Received<Job>| match (received.message.id.0.as_u128(), received.attempt) {
            (2, 1 | 2) => Err(HandlerError::Retry("busy".to_owned())),
            (2, 3) => panic!("at the third attempt"),
            (3, _) => Err(HandlerError::Dead("bad".to_owned())),
            _ => Ok(()),
        };
    let handler = |received| Box::pin(handler(received));
    let publishing = async {
        let mut posted = Vec::new();
        for n in 1..=3 {
            posted.push(rig.post(&high(), n).await);
        }
        posted.push(rig.inject(&high(), None, b"no job".to_vec()).await);
        for posted in posted {
            posted.await.unwrap().unwrap();
        }
        shutdown.cancel();
    };
    let (ran, ()) = tokio::join!(consumer.run(handler, shutdown.clone()), publishing);
    ran.unwrap();
}
