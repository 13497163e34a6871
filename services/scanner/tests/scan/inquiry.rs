//! What listens on newly opened ports stands in the snapshot.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener};

use portwatch_bus::in_process;
use portwatch_domain::job::JobHost;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::Snapshot;
use portwatch_scanner::{ServicesSetting, Settings};
use tokio_util::sync::CancellationToken;

use crate::jobs::job;
use crate::service::{SHARDS, next, send, set, snapshots_of, start};

/// Greets whoever connects, until the test ends.
fn greet() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| stream.write_all(b"SSH-2.0-Test_1.0\r\n"));
        }
    });
    port
}

/// The snapshot of a job for these ports of loopback, of which some were known to be open.
async fn snapshot(services: ServicesSetting, ports: &[u16], known: &[u16]) -> Snapshot {
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut job = job(&[(host, set(known))], set(ports));
    job.hosts[0] = JobHost {
        name: Some("db1.example.org".to_owned()),
        ..job.hosts[0].clone()
    };
    let settings = Settings {
        services,
        ..Settings::default()
    };
    let (bus, stop) = (in_process::new(SHARDS), CancellationToken::new());
    let mut snapshots = snapshots_of(&bus, &job).await;
    let service = start(&bus, settings, &stop);
    let sent = send(&bus, &job);
    let (_, snapshot) = next(&mut snapshots).await;
    sent.await.unwrap();
    stop.cancel();
    service.await.unwrap();
    snapshot
}

/// The ports of a snapshot by what listens there.
fn told(snapshot: &Snapshot) -> Vec<(Port, Option<&str>)> {
    let verdicts = snapshot.hosts[0].ports.iter();
    let told = verdicts.map(|verdict| {
        let service = verdict.service.as_ref();
        (
            verdict.port,
            service.and_then(|service| service.proven_name()),
        )
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_ports_are_asked_and_known_ones_only_if_all_are() {
    let (old, new) = (greet(), greet());
    let ports: PortSet = set(&[old, new]);
    let expect = |of_old, of_new| {
        let of = |port: Port| if port.number == old { of_old } else { of_new };
        let expected: Vec<_> = ports.iter().map(|port| (port, of(port))).collect();
        expected
    };
    let ssh = Some("ssh");
    for (services, expected) in [
        (ServicesSetting::New, expect(None, ssh)),
        (ServicesSetting::All, expect(ssh, ssh)),
        (ServicesSetting::Off, expect(None, None)),
    ] {
        let snapshot = snapshot(services, &[old, new], &[old]).await;
        assert_eq!(told(&snapshot), expected, "{services:?}");
    }
}
