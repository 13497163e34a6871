//! What simulated hosts answer.

use pnet_packet::Packet as _;
use pnet_packet::ethernet::EthernetPacket;
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::tcp::TcpPacket;

use super::*;
use crate::lab::address::host;
use crate::lab::frame::Seen;

const SCANNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 18, 255, 1));

const SCENARIO: &str = r#"
about = "of everything one"
[[host]]
at = "1"
open = "80"
silent = "81"
proxied = "82"
after_handshake = "reset"
rejected = [{ ports = "83", code = "admin" }]
rst_per_second = 10
[[host]]
at = "2"
gone = true
[[host]]
at = "3"
open = "80"
forged = [{ ports = "80", tales = ["rst-wrong-ack", "icmp-short"] }]
away = [1.0, 2.0]
[scan]
ports = "80"
rate = 1
[expect]
within_s = 1
"#;

fn simulator() -> Simulator {
    Simulator::new(&toml::from_str(SCENARIO).unwrap())
}

/// A frame of the scanner's, to a port of host `number`.
fn asks(number: u16, port: u16, flags: u8) -> Vec<u8> {
    let answer = Answer {
        from: (SCANNER, 40_000),
        to: (host(Place::Near, number, Family::V4), port),
        seq: 7,
        ack: 9,
        flags,
    };
    frame::tcp((frame::mac(9, 9), frame::mac(0, number)), answer).unwrap()
}

/// The flags and acknowledgement number of each answer; 0 and 0 if it is no TCP.
fn answers(simulator: &mut Simulator, at: f64, question: &[u8]) -> Vec<(u8, u32)> {
    let Seen::Tcp(segment) = frame::read(question, true) else {
        panic!("{question:?} is not read as TCP");
    };
    let read = |(_, frame): (f64, Vec<u8>)| {
        let ether = EthernetPacket::new(&frame).unwrap();
        let ip = Ipv4Packet::new(ether.payload()).unwrap();
        if ip.get_next_level_protocol().0 != 6 {
            return (0, 0);
        }
        let tcp = TcpPacket::new(ip.payload()).unwrap();
        (tcp.get_flags(), tcp.get_acknowledgement())
    };
    simulator
        .segment(at, &segment)
        .into_iter()
        .map(read)
        .collect()
}

#[test]
fn ports_answer_as_what_they_are() {
    let mut simulator = simulator();
    let mut of = |port, flags| answers(&mut simulator, 0.0, &asks(1, port, flags));
    assert_eq!(of(80, TcpFlags::SYN), [(TcpFlags::SYN | TcpFlags::ACK, 8)]);
    assert_eq!(
        of(80, TcpFlags::FIN | TcpFlags::ACK),
        [(TcpFlags::FIN | TcpFlags::ACK, 8)]
    );
    assert_eq!(of(81, TcpFlags::SYN), []);
    assert_eq!(of(82, TcpFlags::SYN), [(TcpFlags::SYN | TcpFlags::ACK, 8)]);
    assert_eq!(of(82, TcpFlags::ACK), [(TcpFlags::RST, 0)]);
    assert_eq!(of(83, TcpFlags::SYN), [(0, 0)]);
}

#[test]
fn no_more_rst_than_allowed() {
    let mut simulator = simulator();
    let mut of = |at| answers(&mut simulator, at, &asks(1, 84, TcpFlags::SYN)).len();
    assert_eq!([of(0.0), of(0.01), of(0.2), of(0.21)], [1, 0, 1, 0]);
}

#[test]
fn tales_come_before_the_truth_and_nothing_while_away() {
    let mut simulator = simulator();
    let question = asks(3, 80, TcpFlags::SYN);
    let told = answers(&mut simulator, 0.0, &question);
    let [(TcpFlags::RST | 0x14, wrong), (0, 0), (flags, 8)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(*wrong != 8 && *flags == TcpFlags::SYN | TcpFlags::ACK);
    assert_eq!(answers(&mut simulator, 1.5, &question), []);
}

#[test]
fn only_who_is_there_says_where() {
    let simulator = simulator();
    let asker = (frame::mac(9, 9), SCANNER);
    let told = |number| {
        simulator
            .who_has(host(Place::Near, number, Family::V4), asker)
            .is_some()
    };
    assert_eq!(
        [told(1), told(2), told(3), told(4)],
        [true, false, true, false]
    );
}
