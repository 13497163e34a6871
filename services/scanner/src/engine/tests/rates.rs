//! What leaves, when, and where to.

use std::net::Ipv4Addr;

use portwatch_domain::target::IpRange;

use super::*;

const WINDOW: Duration = Duration::from_millis(100);

/// The most packets that `select` picks in any window.
fn busiest(network: &Network, select: impl Fn(IpAddr) -> bool) -> usize {
    let times: Vec<_> = network
        .sent
        .iter()
        .filter(|(_, probe)| select(probe.flow.addresses.destination()))
        .map(|&(at, _)| at)
        .collect();
    let in_window = |(first, at): (usize, &Moment)| {
        times.partition_point(|&later| later < *at + WINDOW) - first
    };
    times.iter().enumerate().map(in_window).max().unwrap_or(0)
}

/// Hosts in two networks, half of them silent, half refusing, all known to be open: much to verify.
fn crowd() -> (Vec<PlannedHost>, HashMap<IpAddr, Target>) {
    let mut targets = HashMap::new();
    let mut hosts = Vec::new();
    for index in 0..16_u8 {
        let address = [198, 18, 2 + index % 2, index + 1];
        let otherwise = if index < 8 {
            Does::Silent
        } else {
            Does::Closed
        };
        let ports = HashMap::from([(22, Does::Open)]);
        targets.insert(address.into(), Target { ports, otherwise });
        hosts.push(host(address, "22,100-130"));
    }
    (hosts, targets)
}

#[test]
fn no_rate_is_exceeded_in_any_window_whatever_the_probes_are_for() {
    let levels = [(300, 10_000, 10_000, 10_000), (10_000, 300, 10_000, 10_000)];
    let more = [(10_000, 10_000, 200, 10_000), (10_000, 10_000, 10_000, 50)];
    for (job, total, network_rate, host_rate) in levels.into_iter().chain(more) {
        let (hosts, targets) = crowd();
        let conditions = Conditions {
            loss: 0.05,
            ..Conditions::default()
        };
        let mut plan = plan(hosts, "20-200", 3);
        plan.rate = job;
        let [total, network_rate, host_rate] =
            [total, network_rate, host_rate].map(|rate| NonZeroU32::new(rate).unwrap());
        let rates = Rates {
            total,
            network: network_rate,
            host: host_rate,
        };
        let (_, network) = scan_at(plan, Network::new(targets, conditions, 3), rates);
        let share = |rate: u32| rate.div_ceil(10) as usize;
        let all = busiest(&network, |_| true);
        assert!(all <= share(job.min(total.get())), "{all} of {job} {total}");
        for net in [2, 3] {
            let of_net = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if ip.octets()[2] == net);
            assert!(busiest(&network, of_net) <= share(network_rate.get()));
        }
        for target in 0..16_u8 {
            let address = IpAddr::from([198, 18, 2 + target % 2, target + 1]);
            assert!(busiest(&network, |ip| ip == address) <= share(host_rate.get()));
        }
    }
}

#[test]
fn a_sweep_uses_the_rate_it_may_use() {
    let network = Network::new(target(&[], Does::Closed), Conditions::default(), 1);
    let mut plan = plan(vec![host(TARGET, "")], "1-5000", 1);
    plan.rate = 1000;
    let (reports, network) = scan(plan, network);
    assert_eq!(reports[0].coverage.len(), 5000);
    assert_eq!(
        network.sent.len(),
        5000,
        "one probe for each port that answers the first"
    );
    assert!(
        network.time.now() < Duration::from_millis(5400),
        "{:?}",
        network.time.now()
    );
}

#[test]
fn no_packet_goes_to_an_excluded_address_whatever_the_job_says() {
    let mut dice = 7_u64;
    for round in 0..40 {
        let mut roll = |most: u64| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % most
        };
        let hosts: Vec<_> = (0..=u8::MAX)
            .filter(|_| roll(4) == 0)
            .map(|last| host([198, 18, 5, last], "1-3"))
            .collect();
        let targets = hosts.iter().map(|host| {
            let otherwise = if host.known_open.is_empty() {
                Does::Closed
            } else {
                Does::Silent
            };
            let ports = HashMap::from([(2, Does::Open)]);
            (host.ip(), Target { ports, otherwise })
        });
        let network = Network::new(targets.collect(), Conditions::default(), round);
        let ranges: Vec<_> = (0..roll(6))
            .map(|_| {
                let first = u8::try_from(roll(256)).unwrap();
                let last = first.saturating_add(u8::try_from(roll(30)).unwrap());
                let ends = [first, last].map(|last| Ipv4Addr::new(198, 18, 5, last).into());
                IpRange::new(ends[0], ends[1]).unwrap()
            })
            .collect();
        let mut network = network;
        let time = network.time.clone();
        let pacer = Arc::new(Pacer::new(rates(100_000)));
        let mut engine = Engine::new(plan(hosts, "1-4", round), pacer, Moment::ZERO);
        let exclusions = Exclusions::new(&ranges);
        drive(&mut engine, &mut network, &time, &exclusions, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
        for (_, probe) in &network.sent {
            let destination = probe.flow.addresses.destination();
            assert!(
                !ranges.iter().any(|range| range.contains(destination)),
                "{destination}"
            );
        }
    }
}
