//! Host reports that contradict themselves, and the words of verdicts.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const EVIDENCE: Evidence = Evidence {
    answer: Answer::SynAck,
    ttl: Some(64),
    rtt: Some(Duration::from_micros(38)),
    probes: 2,
};

fn verdict(port: Port, state: PortState) -> PortVerdict {
    PortVerdict {
        port,
        state,
        evidence: EVIDENCE,
        service: None,
    }
}

fn set(text: &str) -> PortSet {
    text.parse().unwrap()
}

fn report() -> HostReport {
    HostReport {
        state: HostState::Up,
        coverage: set("22,80,443,8000-8100,udp:53"),
        ports: vec![
            verdict(Port::tcp(22), PortState::Open),
            verdict(Port::tcp(80), PortState::Closed),
            verdict(Port::udp(53), PortState::Filtered),
        ],
        filtered: set("8000-8099"),
        ..HostReport::unknown("192.0.2.7".parse().unwrap(), None)
    }
}

#[test]
fn reports_that_agree_with_themselves() {
    let unknown = HostReport::unknown("192.0.2.7".parse().unwrap(), Some("a".to_owned()));
    let down = HostReport {
        state: HostState::Down,
        ..unknown.clone()
    };
    let suspect = HostReport {
        state: HostState::Up,
        suspect: true,
        ..unknown.clone()
    };
    let all_closed = HostReport {
        ports: Vec::new(),
        filtered: PortSet::empty(),
        ..report()
    };
    for good in [report(), unknown, down, suspect, all_closed] {
        assert_eq!(good.check(), Ok(()), "{good:?}");
    }
}

#[test]
fn reports_that_contradict_themselves() {
    let with = |change: &dyn Fn(&mut HostReport)| {
        let mut report = report();
        change(&mut report);
        report
    };
    let table: [(HostReport, &str); 9] = [
        (
            with(&|report| report.state = HostState::Down),
            "ports are covered although the host is down",
        ),
        (
            with(&|report| report.state = HostState::Unknown),
            "ports are covered although the host is unknown",
        ),
        (
            with(&|report| report.suspect = true),
            "ports are covered although the host is up and suspect",
        ),
        (
            with(&|report| report.ports.push(verdict(Port::tcp(23), PortState::Open))),
            "tcp/23 has a verdict but is not covered",
        ),
        (
            with(&|report| report.ports.push(verdict(Port::tcp(0), PortState::Open))),
            "tcp/0 has a verdict but is not covered",
        ),
        (
            with(&|report| report.filtered = set("8101")),
            "tcp/8101 has a verdict but is not covered",
        ),
        (
            with(&|report| report.ports.push(verdict(Port::tcp(22), PortState::Closed))),
            "tcp/22 has two verdicts",
        ),
        (
            with(&|report| report.filtered = set("443,udp:53")),
            "udp/53 has two verdicts",
        ),
        (
            with(&|report| report.ports[0].state = PortState::Unknown),
            "tcp/22 is listed as unknown: leave it out of the coverage",
        ),
    ];
    for (bad, error) in table {
        let says = bad.check().unwrap_err().to_string();
        assert_eq!(says, format!("host 192.0.2.7: {error}"));
    }
}

#[test]
fn words_return() {
    for state in [
        PortState::Open,
        PortState::Closed,
        PortState::Filtered,
        PortState::Unknown,
    ] {
        assert_eq!(state.to_string().parse(), Ok(state));
    }
    for state in [HostState::Up, HostState::Down, HostState::Unknown] {
        assert_eq!(state.to_string().parse(), Ok(state));
    }
    for method in [Method::Syn, Method::Connect] {
        assert_eq!(method.to_string().parse(), Ok(method));
    }
    let says = |error: crate::spelling::UnknownWord| error.to_string();
    assert_eq!(
        says("Open".parse::<PortState>().unwrap_err()),
        "unknown port state \"Open\""
    );
    assert_eq!(
        says("".parse::<HostState>().unwrap_err()),
        "unknown host state \"\""
    );
    assert_eq!(
        says("ping".parse::<Method>().unwrap_err()),
        "unknown scan method \"ping\""
    );
}

#[test]
fn answers_are_spelled() {
    for (answer, word) in [
        (Answer::SynAck, "syn-ack"),
        (Answer::Rst, "rst"),
        (Answer::UdpReply, "udp-response"),
        (Answer::NoResponse, "no-response"),
        (Answer::IcmpUnreachable(0), "icmp-unreachable(0)"),
        (Answer::IcmpUnreachable(13), "icmp-unreachable(13)"),
    ] {
        assert_eq!(answer.to_string(), word);
    }
    for word in [
        "",
        "SYN-ACK",
        "icmp-unreachable",
        "icmp-unreachable()",
        "icmp-unreachable(256)",
    ] {
        let error = word.parse::<Answer>().unwrap_err();
        assert_eq!(error.to_string(), format!("unknown answer {word:?}"));
    }
}

proptest! {
    #[test]
    fn every_answer_returns(code in any::<u8>()) {
        for answer in [
            Answer::SynAck,
            Answer::Rst,
            Answer::UdpReply,
            Answer::NoResponse,
            Answer::IcmpUnreachable(code),
        ] {
            prop_assert_eq!(answer.to_string().parse(), Ok(answer));
        }
    }
}
