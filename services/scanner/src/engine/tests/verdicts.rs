//! What is told of each kind of port, on good and on bad networks.

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn lossy() -> Conditions {
    Conditions {
        loss: 0.05,
        duplicated: 0.02,
        delay: MS(20),
        jitter: MS(10),
        ..Conditions::default()
    }
}

#[test]
fn each_kind_of_port_gets_its_verdict() {
    let behaviour = [
        (22, Does::Open),
        (80, Does::Open),
        (443, Does::Silent),
        (8080, Does::Rejected(13)),
        (8081, Does::RejectedOnTheWay(1)),
    ];
    let network = Network::new(target(&behaviour, Does::Closed), Conditions::default(), 1);
    let (reports, network) = scan(
        plan(vec![host(TARGET, "22")], "1-100,443,8080,8081", 1),
        network,
    );
    let report = &reports[0];
    assert_eq!(report.state, HostState::Up);
    assert!(!report.suspect);
    for (port, expected, evidence) in [
        (22, PortState::Open, Some(Answer::SynAck)),
        (80, PortState::Open, Some(Answer::SynAck)),
        (443, PortState::Filtered, None),
        (8080, PortState::Filtered, None),
        (8081, PortState::Filtered, None),
        (81, PortState::Closed, None),
    ] {
        assert_eq!(state(report, port), Some(expected), "{port}");
        assert_eq!(answer(report, port), evidence, "{port}");
    }
    assert_eq!(report.coverage, ports("1-100,443,8080,8081"));
    let known = network
        .sent
        .iter()
        .filter(|(_, probe)| probe.flow.ports.destination == 22)
        .count();
    assert!(
        known <= 2,
        "a port known open is not verified, but may serve as a control"
    );
}

#[test]
fn what_was_open_is_closed_only_by_a_second_rst_a_second_later() {
    let network = Network::new(target(&[], Does::Closed), Conditions::default(), 1);
    let (reports, network) = scan(plan(vec![host(TARGET, "80")], "80-90", 1), network);
    assert_eq!(state(&reports[0], 80), Some(PortState::Closed));
    assert_eq!(answer(&reports[0], 80), Some(Answer::Rst));
    let probes: Vec<_> = network
        .sent
        .iter()
        .filter(|(_, probe)| {
            probe.flow.ports.destination == 80
                && probe.flow.ports.source < 40_000 + u16::from(track::ATTEMPTS)
        })
        .collect();
    assert_eq!(probes.len(), 2);
    assert!(probes[1].0 >= probes[0].0 + Duration::from_secs(1));
    assert_ne!(probes[0].1.flow.ports.source, probes[1].1.flow.ports.source);
}

#[test]
fn a_service_that_restarts_in_between_is_still_open() {
    let restarted = Does::ClosedUntil(MS(600));
    let network = Network::new(
        target(&[(80, restarted)], Does::Closed),
        Conditions::default(),
        1,
    );
    let (reports, _) = scan(plan(vec![host(TARGET, "80")], "80-90", 1), network);
    assert_eq!(state(&reports[0], 80), Some(PortState::Open));
}

#[test]
fn what_was_open_is_filtered_only_by_spaced_silences_while_the_host_answers() {
    let network = Network::new(
        target(&[(22, Does::Open)], Does::Silent),
        Conditions::default(),
        1,
    );
    let (reports, network) = scan(plan(vec![host(TARGET, "22,80")], "22,80", 1), network);
    assert_eq!(state(&reports[0], 80), Some(PortState::Filtered));
    assert_eq!(answer(&reports[0], 80), Some(Answer::NoResponse));
    let times: Vec<_> = network
        .sent
        .iter()
        .filter(|(_, probe)| probe.flow.ports.destination == 80)
        .map(|&(at, _)| at)
        .collect();
    let spaced = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    let spaced: Vec<_> = spaced.skip(2).map(|gap| gap.as_millis() / 500).collect();
    let as_asked = spaced.windows(3).any(|gaps| gaps == [2, 4, 8]);
    assert!(as_asked, "at 0, 1, 3 and 7 s: {times:?}");
}

#[test]
fn a_host_that_never_answers_gets_no_verdict() {
    for silence in [Does::Silent, Does::RejectedOnTheWay(1)] {
        let network = Network::new(target(&[], silence), Conditions::default(), 1);
        let (reports, _) = scan(plan(vec![host(TARGET, "22,80")], "22,80,443", 1), network);
        assert_eq!(
            reports[0],
            HostReport::unknown(TARGET.into(), None),
            "{silence:?}"
        );
    }
}

#[test]
fn a_host_that_dies_in_mid_scan_gets_no_verdict_on_what_was_not_told() {
    // Port 22 confirms that the host is up; then the network goes dark for good.
    let conditions = Conditions {
        blackouts: vec![(MS(50), Duration::MAX)],
        ..Conditions::default()
    };
    let network = Network::new(target(&[(22, Does::Open)], Does::Closed), conditions, 1);
    let mut plan = plan(vec![host(TARGET, "1-2000")], "1-2000", 1);
    plan.rate = 1000;
    let (reports, _) = scan(plan, network);
    assert!(
        reports[0].coverage.len() < 100,
        "{} told",
        reports[0].coverage.len()
    );
    for verdict in &reports[0].ports {
        assert_ne!(verdict.state, PortState::Filtered, "silence was believed");
        assert_ne!(verdict.state, PortState::Closed, "one RST was believed");
    }
}

#[test]
fn silences_while_the_receive_queue_overflows_mean_nothing() {
    let conditions = Conditions {
        overflows: vec![(MS(30), Duration::MAX)],
        ..Conditions::default()
    };
    let network = Network::new(target(&[(22, Does::Open)], Does::Closed), conditions, 1);
    let (reports, _) = scan(
        plan(vec![host(TARGET, "22,80-2000")], "22,80-2000", 1),
        network,
    );
    assert!(reports[0].filtered.is_empty());
    assert!(
        reports[0]
            .ports
            .iter()
            .all(|verdict| verdict.state == PortState::Open)
    );
}

#[test]
fn the_deadline_leaves_the_rest_uncovered() {
    let network = Network::new(target(&[], Does::Closed), Conditions::default(), 1);
    let mut plan = plan(vec![host(TARGET, "")], "1-10000", 1);
    plan.rate = 1000;
    plan.deadline = Duration::from_secs(2);
    let (reports, _) = scan(plan, network);
    let told = reports[0].coverage.len();
    assert!((1950..=2000).contains(&told), "{told}");
}

#[test]
fn a_host_that_opens_everything_is_suspect() {
    for scanned in ["1-2000", "1-100"] {
        let network = Network::new(target(&[], Does::Open), Conditions::default(), 1);
        let (reports, _) = scan(plan(vec![host(TARGET, "22")], scanned, 1), network);
        assert!(reports[0].suspect, "{scanned}");
        assert!(reports[0].coverage.is_empty());
        assert_eq!(reports[0].state, HostState::Up);
    }
    // Many services are no crime while nothing listens elsewhere.
    let behaviour: Vec<_> = (1..=100).map(|port| (port, Does::Open)).collect();
    let network = Network::new(target(&behaviour, Does::Closed), Conditions::default(), 1);
    let (reports, _) = scan(plan(vec![host(TARGET, "22")], "1-200", 1), network);
    assert!(!reports[0].suspect);
    assert_eq!(reports[0].ports.len(), 100);
}

#[test]
fn answers_that_prove_nothing_change_nothing() {
    let mut network = Network::new(
        target(&[(22, Does::Open)], Does::Silent),
        Conditions::default(),
        1,
    );
    let addresses = Addresses::new(US.into(), TARGET.into()).unwrap();
    for source in 40_000..40_032 {
        for said in [
            portwatch_packet::Answer::SynAck {
                sequence: 9,
                acknowledged: 1_234_567,
            },
            portwatch_packet::Answer::Rst {
                sequence: 9,
                acknowledged: 0,
            },
            portwatch_packet::Answer::Unreachable {
                reporter: TARGET.into(),
                code: 13,
                sequence: 7,
            },
        ] {
            let ports = portwatch_packet::Ports {
                source,
                destination: 80,
            };
            let forged = portwatch_packet::Reply {
                flow: portwatch_packet::Flow { addresses, ports },
                ttl: Some(64),
                answer: said,
            };
            network.inject(MS(10 + u64::from(source - 40_000) * 100), forged);
        }
    }
    let (reports, _) = scan(plan(vec![host(TARGET, "22")], "22,80", 1), network);
    assert_eq!(state(&reports[0], 80), Some(PortState::Filtered));
    assert!(
        reports[0].filtered.contains(Port::tcp(80)),
        "by silence, not by a forged answer"
    );
}

/// How many seeds to try: `few`, or as many as the environment asks for.
fn seeds(few: u64) -> u64 {
    let asked = std::env::var("PORTWATCH_TEST_SEEDS").ok();
    asked.map_or(few, |asked| asked.parse().unwrap())
}

/// A silent host with a port that was open, and perhaps a neighbour: what is said of the host.
fn absent(neighbour: Option<[u8; 4]>, conditions: Conditions) -> HostState {
    let mut targets = target(&[], Does::Silent);
    let mut hosts = vec![host(TARGET, "22")];
    if let Some(address) = neighbour {
        let otherwise = Does::Closed;
        let ports = HashMap::new();
        targets.insert(address.into(), Target { ports, otherwise });
        hosts.push(host(address, ""));
    }
    let plan = plan(hosts, "1-100", 5);
    let (reports, _) = scan(plan, Network::new(targets, conditions, 5));
    reports[0].state
}

#[test]
fn a_host_is_down_if_it_is_silent_while_its_network_answers() {
    let neighbour = [198, 18, 1, 77];
    let lossy = Conditions {
        loss: 0.05,
        ..Conditions::default()
    };
    for conditions in [Conditions::default(), lossy] {
        assert_eq!(absent(Some(neighbour), conditions), HostState::Down);
    }
    // Nobody answers, or only somebody elsewhere: the way there may be broken.
    assert_eq!(absent(None, Conditions::default()), HostState::Unknown);
    let elsewhere = Some([198, 18, 2, 77]);
    assert_eq!(absent(elsewhere, Conditions::default()), HostState::Unknown);
    // The worker goes blind after the first answers.
    let blind = Conditions {
        blackouts: vec![(Moment::from_millis(100), Moment::from_mins(1))],
        ..Conditions::default()
    };
    assert_eq!(absent(Some(neighbour), blind), HostState::Unknown);
}

#[test]
fn a_host_is_not_down_because_one_port_went_silent_while_the_worker_was_blind() {
    let neighbour = [198, 18, 1, 77];
    for seed in 0..40 {
        // 80 was open and is silent now. Everything is asked while nothing is heard, and then some ports go on asking.
        let mut targets = target(&[(22, Does::Open), (80, Does::Silent)], Does::Closed);
        let otherwise = Does::Closed;
        let ports = HashMap::new();
        targets.insert(neighbour.into(), Target { ports, otherwise });
        let conditions = Conditions {
            blackouts: vec![(Moment::ZERO, MS(6000))],
            ..lossy()
        };
        let hosts = vec![host(TARGET, "22,80"), host(neighbour, "443")];
        let network = Network::new(targets, conditions, seed);
        let (reports, _) = scan(plan(hosts, "1-100,443", seed), network);
        assert_ne!(reports[0].state, HostState::Down, "seed {seed}");
    }
}

/// A target with all kinds of ports, scanned by what is known of it from before.
fn mixed() -> (HashMap<IpAddr, Target>, &'static str, &'static str) {
    let mut behaviour: Vec<_> = (1..=20).map(|port| (port, Does::Open)).collect();
    behaviour.extend((21..=25).map(|port| (port, Does::Silent)));
    behaviour.extend((26..=30).map(|port| (port, Does::Rejected(3))));
    // Known open: ten that are, five that are silent now, five that refuse now.
    (
        target(&behaviour, Does::Closed),
        "1-300",
        "1-10,21-25,100-104",
    )
}

fn expected(port: u16) -> PortState {
    match port {
        1..=20 => PortState::Open,
        21..=30 => PortState::Filtered,
        _ => PortState::Closed,
    }
}

/// Counts the ports without a verdict; a wrong verdict ends the test.
fn untold(report: &HostReport, seed: u64) -> usize {
    let told = |port: &u16| {
        let told = state(report, *port);
        assert!(
            told.is_none_or(|told| told == expected(*port)),
            "seed {seed}: {port} is {told:?}"
        );
        told.is_none()
    };
    (1..=300).filter(told).count()
}

#[test]
fn at_five_percent_loss_each_way_nothing_is_told_wrongly_and_nothing_is_missed() {
    let mut missing = 0;
    for seed in 0..seeds(150) {
        let (targets, scanned, known) = mixed();
        let network = Network::new(targets, lossy(), seed);
        let (reports, _) = scan(plan(vec![host(TARGET, known)], scanned, seed), network);
        for port in 1..=20 {
            assert_eq!(
                state(&reports[0], port),
                Some(PortState::Open),
                "seed {seed}: {port}"
            );
        }
        missing += untold(&reports[0], seed);
    }
    // 45,000 verdicts; a thousandth of them may be left open.
    assert!(
        missing as u64 <= seeds(150) * 3 / 10,
        "{missing} are unknown"
    );
}

#[test]
fn blackouts_make_nothing_wrong() {
    for seed in 0..seeds(60) {
        let (targets, scanned, known) = mixed();
        // Dark for 1 s to 3 s, at a time that depends on the seed, and again later.
        let dark = MS(1000 + seed * 37 % 2000);
        let from = MS(seed * 61 % 3000);
        let conditions = Conditions {
            blackouts: vec![(from, from + dark), (from + dark * 2, from + dark * 3)],
            ..lossy()
        };
        let network = Network::new(targets, conditions, seed);
        let (reports, _) = scan(plan(vec![host(TARGET, known)], scanned, seed), network);
        untold(&reports[0], seed);
    }
}

#[test]
fn ports_that_change_in_mid_scan_are_told_as_before_or_after() {
    for seed in 0..100 {
        let at = MS(seed * 30);
        let behaviour = [
            (80, Does::OpenUntil(at)),
            (81, Does::ClosedUntil(at)),
            (22, Does::Open),
        ];
        let network = Network::new(target(&behaviour, Does::Closed), lossy(), seed);
        let (reports, _) = scan(plan(vec![host(TARGET, "22,80")], "1-100", seed), network);
        for port in [80, 81] {
            let told = state(&reports[0], port);
            assert_ne!(told, Some(PortState::Filtered), "seed {seed}");
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_scan() {
    let run = || {
        let (targets, scanned, known) = mixed();
        let network = Network::new(targets, lossy(), 5);
        scan(plan(vec![host(TARGET, known)], scanned, 5), network)
    };
    let (first, second) = (run(), run());
    assert_eq!(first.0, second.0);
    assert_eq!(first.1.sent, second.1.sent);
}
