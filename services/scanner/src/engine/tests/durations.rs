//! How long a scan goes on, by the simulated clock, when something stops answering: all else waits for its end.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const DIES: Duration = Duration::from_millis(300);

fn address(host: u8) -> [u8; 4] {
    [198, 18, 1, host]
}

/// Scans so many hosts, with every port in four closed and the others open and known so, at 1000 packets a second: the
/// reports and how long it took.
fn scan_hosts(
    hosts: u8,
    scanned: std::ops::Range<u16>,
    conditions: Conditions,
    seed: u64,
) -> (Vec<HostReport>, Duration) {
    let does = |port| match port % 4 {
        3 => Does::Closed,
        _ => Does::Open,
    };
    let target = Target {
        ports: scanned.clone().map(|port| (port, does(port))).collect(),
        otherwise: Does::Closed,
    };
    let open = scanned.clone().filter(|&port| does(port) == Does::Open);
    let open: Vec<_> = open.map(|port| port.to_string()).collect();
    let known = open.join(",");
    let planned = (1..=hosts).map(|host| self::host(address(host), &known));
    let targets = (1..=hosts).map(|host| (address(host).into(), target.clone()));
    let network = Network::new(targets.collect(), conditions, seed);
    let scanned = format!("{}-{}", scanned.start, scanned.end - 1);
    let mut plan = plan(planned.collect(), &scanned, seed);
    plan.rate = 1000;
    plan.max_open_ports = u32::MAX;
    let (reports, network) = scan(plan, network);
    (reports, network.time.now())
}

fn lossy() -> Conditions {
    Conditions {
        loss: 0.05,
        delay: Duration::from_millis(1),
        ..Conditions::default()
    }
}

/// Every port that is told of is told of truly.
fn check(reports: &[HostReport], scanned: std::ops::Range<u16>, what: &str) {
    for report in reports {
        for port in scanned.clone() {
            let is = match port % 4 {
                3 => PortState::Closed,
                _ => PortState::Open,
            };
            let told = state(report, port);
            assert!(
                told.is_none_or(|told| told == is),
                "{what}: {port}: {told:?}"
            );
        }
    }
}

#[test]
fn twenty_hosts() {
    let gone = |from| vec![(address(7).into(), from)];
    let dark = |from| vec![(from, Duration::MAX)];
    for (what, conditions, most) in [
        ("all is well", lossy(), SECOND * 3),
        (
            "a host is gone",
            Conditions {
                gone: gone(Duration::ZERO),
                ..lossy()
            },
            SECOND * 28,
        ),
        (
            "a host goes",
            Conditions {
                gone: gone(DIES),
                ..lossy()
            },
            SECOND * 18,
        ),
        (
            "it is dark",
            Conditions {
                blackouts: dark(Duration::ZERO),
                ..lossy()
            },
            SECOND * 20,
        ),
        (
            "it gets dark",
            Conditions {
                blackouts: dark(DIES),
                ..lossy()
            },
            SECOND * 20,
        ),
    ] {
        for seed in 0..20 {
            let (reports, lasted) = scan_hosts(20, 1000..1020, conditions.clone(), seed);
            assert!(lasted <= most, "{what}, seed {seed}: {lasted:?}");
            check(&reports, 1000..1020, what);
            let down = reports
                .iter()
                .filter(|report| report.state == HostState::Down);
            let expected = usize::from(what == "a host is gone");
            assert_eq!(down.count(), expected, "{what}, seed {seed}");
        }
    }
}

#[test]
fn many_ports() {
    // All is well: some 23 s.
    for (what, from, most) in [
        ("the host goes", SECOND * 2, SECOND * 30),
        ("the host is gone", Duration::ZERO, SECOND * 50),
    ] {
        let conditions = Conditions {
            gone: vec![(address(1).into(), from)],
            ..lossy()
        };
        let (reports, lasted) = scan_hosts(2, 1..10_000, conditions, 1);
        assert!(lasted <= most, "{what}: {lasted:?}");
        check(&reports, 1..10_000, what);
        let port = |report: &HostReport| report.coverage.len();
        assert_eq!(port(&reports[1]), 9999, "{what}: the other host");
    }
}
