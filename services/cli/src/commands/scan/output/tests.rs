//! A fixed result in every format.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use jiff::SignedDuration;
use portwatch_domain::job::Priority;
use portwatch_domain::job::cut::{self, Known, Run as JobRun};
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::service::{
    Certificate, Http, NameSource, SafeText, ServiceName, Tls,
};
use portwatch_domain::snapshot::{Answer, Evidence, HostReport, PortVerdict, Service};
use portwatch_domain::target::{Confirm, Schedule, Switches, Target, TargetId, Zone};
use portwatch_scanner::Rejected;

use super::*;

const START: Timestamp = Timestamp::constant(1_800_000_000, 0);
const PORTS: &str = "22,80-82,443,udp:53";

fn evidence(answer: Answer, ttl: Option<u8>) -> Evidence {
    Evidence {
        answer,
        ttl,
        rtt: ttl.map(|_| Duration::from_millis(1)),
        probes: 1,
    }
}

fn job() -> Job {
    let target = Target {
        id: TargetId::derive("tests", "output"),
        name: "output".to_owned(),
        group: "default".to_owned(),
        tags: Vec::new(),
        zone: Zone::default(),
        addresses: ["host.example", "127.0.0.2", "127.0.0.3", "::1"]
            .map(|address| address.parse().unwrap())
            .into(),
        exclude: Vec::new(),
        ports: PORTS.parse().unwrap(),
        expected: None,
        allowed: PortSet::empty(),
        confirm: Confirm::default(),
        schedule: Schedule::every(SignedDuration::from_hours(1)),
        discovery: false,
        follow_names: false,
        rate: 1000,
        switches: Switches::default(),
    };
    let known = Known {
        resolved: vec![(
            "host.example".to_owned(),
            vec!["127.0.0.1".parse().unwrap()],
        )],
        ..Known::default()
    };
    let run = JobRun {
        number: 1,
        now: START,
        priority: Priority::High,
    };
    let mut job = cut::jobs(&target, run, &known).remove(0);
    // Jobs mix their hosts.
    job.hosts.sort_by_key(|host| host.ip);
    job
}

/// What a hostile server would say.
fn service() -> Service {
    let certificate = Certificate {
        subject: SafeText::new("CN=\"><x>"),
        issuer: SafeText::new("CN=&amp;"),
        names: vec![SafeText::new("host.example"), SafeText::new("127.0.0.1")],
        not_before: START,
        not_after: START + SignedDuration::from_hours(24),
        sha256: [0xab; 32],
    };
    Service {
        name: Some(ServiceName {
            text: SafeText::new("http"),
            source: NameSource::Probe,
        }),
        product: None,
        banner: None,
        http: Some(Box::new(Http {
            status: 200,
            server: Some(SafeText::new("a\"b\\c")),
            title: Some(SafeText::new("</script><b>'&\u{1b}[2J")),
        })),
        tls: Some(Box::new(Tls {
            version: Some(SafeText::new("TLS 1.3")),
            certificate: Some(certificate),
            ..Tls::default()
        })),
    }
}

/// The hosts: open, filtered in two ways, closed and unknown ports; suspect; down; unknown.
fn scan(job: &Job) -> Scan {
    let mut hosts: Vec<HostReport> = job
        .hosts
        .iter()
        .map(|host| HostReport::unknown(host.ip, host.name.clone()))
        .collect();
    let syn_ack = evidence(Answer::SynAck, Some(64));
    let open = |number, service| PortVerdict {
        port: Port::tcp(number),
        state: PortState::Open,
        evidence: syn_ack,
        service,
    };
    hosts[0].state = HostState::Up;
    hosts[0].coverage = "22,80-82,443".parse().unwrap();
    hosts[0].ports = vec![open(22, None), open(443, Some(service()))];
    hosts[0].filtered = "81-82".parse().unwrap();
    hosts[1].state = HostState::Up;
    hosts[1].suspect = true;
    hosts[2].state = HostState::Down;
    let rejected = Rejected {
        ip: hosts[0].ip,
        port: Port::tcp(81),
        evidence: evidence(Answer::IcmpUnreachable(13), Some(63)),
    };
    Scan {
        undecided: Vec::new(),
        hosts,
        rejected: vec![rejected],
        method: Method::Syn,
        probes: 30,
        answers: 4,
        unproven: 0,
        overflows: 0,
        complete: true,
        started_at: START,
        finished_at: START + SignedDuration::from_secs(2),
    }
}

fn begun(format: Format, printed: &mut Vec<u8>) -> Output<&mut Vec<u8>> {
    let run = Run {
        command: "portwatch scan \"host.example\" <…>".to_owned(),
        method: Method::Syn,
        ports: PORTS.parse().unwrap(),
        started_at: START,
    };
    Output::new(format, printed, run).unwrap()
}

fn printed(format: Format, jobs: usize, stopped: bool) -> String {
    let mut printed = Vec::new();
    let mut output = begun(format, &mut printed);
    let job = job();
    for _ in 0..jobs {
        output.job(&job, &scan(&job)).unwrap();
    }
    output
        .end(stopped, START + SignedDuration::from_millis(2500))
        .unwrap();
    String::from_utf8(printed).unwrap()
}

/// Compares with the file of that name; with `PORTWATCH_TEST_BLESS` set, writes it.
fn assert_snapshot(name: &str, printed: &str) {
    let path = format!(
        "{}/src/commands/scan/output/tests/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let version = |version| format!(" version=\"{version}\"");
    let printed = printed.replace(&version(env!("CARGO_PKG_VERSION")), &version("VERSION"));
    if std::env::var_os("PORTWATCH_TEST_BLESS").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(printed, expected, "{name}");
}

#[test]
fn every_format_of_a_fixed_result() {
    for (format, name) in [
        (Format::Table, "scan.txt"),
        (Format::Ndjson, "scan.ndjson"),
        (Format::NmapXml, "scan.xml"),
        (Format::MasscanJson, "scan.json"),
    ] {
        assert_snapshot(name, &printed(format, 1, false));
    }
}

#[test]
fn json_is_whole_however_early_it_ends() {
    for jobs in 0..3 {
        let array = printed(Format::MasscanJson, jobs, true);
        let array: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
        assert_eq!(array.len(), jobs * 3, "two open ports, one with a service");
        let lines = printed(Format::Ndjson, jobs, true);
        let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!(last["complete"], false);
    }
}

#[test]
fn xml_says_that_it_was_stopped_early() {
    let xml = printed(Format::NmapXml, 0, true);
    assert!(
        xml.contains("exit=\"error\" errormsg=\"stopped early"),
        "{xml}"
    );
    assert!(xml.ends_with("</runstats>\n</nmaprun>\n"), "{xml}");
}

#[test]
fn many_filtered_ports_are_counted_by_reason_in_xml() {
    let mut job = job();
    job.ports = "1-100".parse().unwrap();
    let mut scan = scan(&job);
    scan.hosts.truncate(1);
    scan.hosts[0].coverage = "1-100".parse().unwrap();
    scan.hosts[0].filtered = "1-21,23-100".parse().unwrap();
    scan.hosts[0].ports.truncate(1);
    let mut bytes = Vec::new();
    begun(Format::NmapXml, &mut bytes).job(&job, &scan).unwrap();
    let xml = String::from_utf8(bytes).unwrap();
    let counted = "<extraports state=\"filtered\" count=\"99\">\n\
        <extrareasons reason=\"admin-prohibited\" count=\"1\"/>\n\
        <extrareasons reason=\"no-response\" count=\"98\"/>\n</extraports>\n<port protocol=\"tcp\" portid=\"22\">";
    assert!(xml.contains(counted), "{xml}");
}
