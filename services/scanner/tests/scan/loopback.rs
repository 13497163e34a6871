//! Scans of this machine over real sockets, by both methods.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use crate::jobs::{job, listening_anywhere, nothing, state};
use crate::skipped::skip;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, HostReport, HostState, Method, PortState};
use portwatch_scanner::{MethodSetting, Scan, Scanner, Settings};
use socket2::{Domain, Socket, Type};
use tokio_util::sync::CancellationToken;

const LOCALHOSTS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// A scanner of each method that this process may use.
fn scanners(test: &str) -> Vec<Scanner> {
    let settings = |method| Settings {
        method,
        ..Settings::default()
    };
    let mut scanners = vec![Scanner::new(&settings(MethodSetting::Connect)).unwrap()];
    match Scanner::new(&settings(MethodSetting::Syn)) {
        Ok(scanner) => scanners.push(scanner),
        Err(error) => skip(&format!("{test} by SYN"), &error.to_string()),
    }
    scanners
}

/// Ports of one address that listen, and ports that are held so that nobody else listens there.
struct Ports {
    listening: Vec<TcpListener>,
    held: Vec<Socket>,
}

impl Ports {
    fn new(ip: IpAddr, listening: usize, held: usize) -> Self {
        let any = SocketAddr::new(ip, 0);
        let bound = |_| {
            let socket = Socket::new(Domain::for_address(any), Type::STREAM, None).unwrap();
            socket.bind(&any.into()).unwrap();
            socket
        };
        Self {
            listening: (0..listening)
                .map(|_| TcpListener::bind(any).unwrap())
                .collect(),
            held: (0..held).map(bound).collect(),
        }
    }

    fn open(&self) -> Vec<u16> {
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        self.listening.iter().map(port).collect()
    }

    fn closed(&self) -> Vec<u16> {
        let port = |socket: &Socket| socket.local_addr().unwrap().as_socket().unwrap().port();
        self.held.iter().map(port).collect()
    }
}

fn set(ports: &[u16]) -> PortSet {
    ports.iter().copied().map(Port::tcp).collect()
}

async fn scan(scanner: &Scanner, job: &portwatch_domain::job::Job) -> Scan {
    let scan = scanner
        .scan(job, nothing, CancellationToken::new())
        .await
        .unwrap();
    for report in &scan.hosts {
        report.check().unwrap();
    }
    scan
}

/// What both methods must agree on.
fn verdicts(report: &HostReport) -> (HostState, PortSet, PortSet, Vec<(Port, PortState, Answer)>) {
    let told = report.ports.iter();
    let told = told.map(|verdict| (verdict.port, verdict.state, verdict.evidence.answer));
    (
        report.state,
        report.coverage.clone(),
        report.filtered.clone(),
        told.collect(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_methods_tell_the_same_truth() {
    let scanners = scanners("both_methods_tell_the_same_truth");
    for ip in LOCALHOSTS {
        let ports = Ports::new(ip, 4, 6);
        let (open, closed) = (ports.open(), ports.closed());
        // Known open: two that are and one that is closed now; the other two that listen are news.
        let known = set(&[open[0], open[1], closed[0]]);
        let job = job(
            &[(ip, known)],
            set(&[open.clone(), closed.clone()].concat()),
        );
        let mut told = Vec::new();
        for scanner in &scanners {
            let scan = scan(scanner, &job).await;
            let report = &scan.hosts[0];
            assert!(scan.complete);
            assert_eq!(scan.method, scanner.method());
            for &port in &open {
                assert_eq!(
                    state(report, port),
                    Some(PortState::Open),
                    "{ip} {port} {:?}",
                    scan.method
                );
            }
            for &port in &closed {
                assert_eq!(
                    state(report, port),
                    Some(PortState::Closed),
                    "{ip} {port} {:?}",
                    scan.method
                );
            }
            assert_eq!(
                report.ports.len(),
                5,
                "the open ones, and the one that was known open"
            );
            for verdict in &report.ports {
                assert_eq!(verdict.evidence.ttl.is_some(), scan.method == Method::Syn);
                let rtt = verdict.evidence.rtt;
                assert!(rtt.is_none_or(|rtt| rtt < Duration::from_millis(900)));
            }
            told.push(verdicts(report));
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_open_port_of_all_is_found() {
    let settings = Settings {
        rate: 30_000.try_into().unwrap(),
        rate_per_network: 30_000.try_into().unwrap(),
        rate_per_host: 30_000.try_into().unwrap(),
        method: MethodSetting::Syn,
        ..Settings::default()
    };
    let scanner = match Scanner::new(&settings) {
        Ok(scanner) => scanner,
        Err(error) => return skip("every_open_port_of_all_is_found", &error.to_string()),
    };
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ports = Ports::new(ip, 12, 0);
    let mut job = job(&[(ip, PortSet::empty())], PortSet::all_tcp());
    job.rate = 30_000;
    let scan = scan(&scanner, &job).await;
    for port in ports.open() {
        assert_eq!(state(&scan.hosts[0], port), Some(PortState::Open), "{port}");
    }
    let told = scan.hosts[0].coverage.len();
    assert!(
        told > 65_400,
        "{told} of 65,535 told; other tests come and go, but not that many"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_meets_itself_is_no_open_port() {
    // Ports that the kernel hands out to connections: one that connects to itself looks open.
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let mut ends = range
        .split_whitespace()
        .map(|end| end.parse::<u16>().unwrap());
    let first = ends.next().unwrap();
    let last = ends.next().unwrap().min(first + 3000);
    let ip = IpAddr::V4(Ipv4Addr::new(127, 44, 0, 1));
    let settings = Settings {
        method: MethodSetting::Connect,
        ..Settings::default()
    };
    let scanner = Scanner::new(&settings).unwrap();
    let mut job = job(
        &[(ip, PortSet::empty())],
        (first..=last).map(Port::tcp).collect(),
    );
    job.rate = 5000;
    let scan = scan(&scanner, &job).await;
    // Nothing of ours listens on that address.
    let open: Vec<_> = scan.hosts[0]
        .ports
        .iter()
        .map(|verdict| verdict.port.number)
        .collect();
    let listening = listening_anywhere();
    assert!(open.iter().all(|port| listening.contains(port)), "{open:?}");
    assert!(scan.hosts[0].coverage.len() > 2900);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_what_is_excluded() {
    let [v4, v6] = LOCALHOSTS;
    for by_job in [true, false] {
        for scanner_method in [MethodSetting::Connect, MethodSetting::Auto] {
            let range: portwatch_domain::target::IpRange = "127.0.0.0-127.0.0.7".parse().unwrap();
            let mut job = job(&[(v4, set(&[80])), (v6, set(&[80]))], set(&[80, 81]));
            let mut settings = Settings {
                method: scanner_method,
                ..Settings::default()
            };
            if by_job {
                job.exclude = vec![range, v6.into()];
            } else {
                settings.exclude.0 = vec![range, v6.into()];
            }
            let scan = scan(&Scanner::new(&settings).unwrap(), &job).await;
            assert_eq!(scan.probes, 0);
            let unknown = |ip| HostReport::unknown(ip, None);
            assert_eq!(
                scan.hosts,
                [unknown(v4), unknown(v6)],
                "each host has its report"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_ends_when_it_is_told_to_and_at_its_deadline() {
    for scanner in scanners("a_scan_ends_when_it_is_told_to_and_at_its_deadline") {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut slow = job(
            &[(ip, PortSet::empty())],
            (1..=20_000).map(Port::tcp).collect(),
        );
        slow.rate = 200;
        let stop = CancellationToken::new();
        let told = stop.clone();
        // Told to stop by the first report of progress.
        let scan = scanner
            .scan(&slow, move |_| told.cancel(), stop)
            .await
            .unwrap();
        assert!(!scan.complete);
        assert!(scan.hosts[0].coverage.len() < 1000);

        slow.deadline = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(500);
        let scan = self::scan(&scanner, &slow).await;
        assert!(scan.complete);
        let told = scan.hosts[0].coverage.len();
        assert!(
            (1..=100).contains(&told),
            "{told} told in half a second at 200 per second"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scans_that_run_at_once_do_not_hear_each_other() {
    for scanner in scanners("scans_that_run_at_once_do_not_hear_each_other") {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let ports = Ports::new(ip, 10, 10);
        let (open, closed) = (ports.open(), ports.closed());
        let all = set(&[open.clone(), closed.clone()].concat());
        let jobs = [(); 4].map(|()| job(&[(ip, set(&closed[..2]))], all.clone()));
        let scans = jobs.each_ref().map(|job| scan(&scanner, job));
        let [a, b, c, d] = scans;
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        for scan in [a, b, c, d] {
            assert_eq!(scan.hosts[0].coverage, all);
            for port in &open {
                assert_eq!(state(&scan.hosts[0], *port), Some(PortState::Open));
            }
            for port in &closed {
                assert_eq!(state(&scan.hosts[0], *port), Some(PortState::Closed));
            }
        }
    }
}
