//! All ports of a host as one value of bytes.
//!
//! A scan reads every port of its hosts, and nearly always writes none. One value is read in a tenth of the time of
//! fifty rows. It is a copy of those rows: what cannot be read is read from them.
//!
//! The first byte is [`FORMAT`]. Then each port, in ascending order: its number (2 bytes, big endian), the
//! [flags](PLAIN), the three times unless they are those of the port before (8 bytes each, microseconds since 1970),
//! the answer (1 byte, and for ICMP its code), TTL (1 byte) and RTT (microseconds) if there are any, the count of
//! probes, of transitions, the bits of flapping, and service and soft state with their lengths as in the columns
//! of those names. Numbers without a width are LEB128.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use portwatch_domain::change::PortRecord;
use portwatch_domain::ports::{Port, PortSet, Protocol};
use portwatch_domain::snapshot::{Answer, Evidence, PortState};

use super::state::{flapping, flapping_bits};
use super::{cut, service, soft};

/// The first byte, which tells this layout from any other.
const FORMAT: u8 = 1;

/// The least that a port takes.
const LEAST: usize = 7;

/// An open TCP port of which nothing is out of the ordinary. The lowest two bits are the state.
const PLAIN: u8 = 0;
const UDP: u8 = 1 << 2;
const SAME_TIMES: u8 = 1 << 3;
const TTL: u8 = 1 << 4;
const RTT: u8 = 1 << 5;
const SERVICE: u8 = 1 << 6;
const SOFT: u8 = 1 << 7;

const STATES: [PortState; 4] = [
    PortState::Open,
    PortState::Closed,
    PortState::Filtered,
    PortState::Unknown,
];

/// Since, first seen, last seen.
type Times = [i64; 3];

/// A host's ports in one value.
pub(crate) fn pack(ports: &BTreeMap<Port, PortRecord>) -> Vec<u8> {
    let mut packed = Vec::with_capacity(32 + 16 * ports.len());
    packed.push(FORMAT);
    let mut before = None;
    for (&port, record) in ports {
        before = Some(pack_one(&mut packed, port, record, before));
    }
    packed
}

fn pack_one(out: &mut Vec<u8>, port: Port, record: &PortRecord, before: Option<Times>) -> Times {
    let times =
        [record.since, record.first_seen, record.last_seen].map(|at| cut(at).as_microsecond());
    let service = record.service.as_ref().and_then(service::to_json);
    let soft = record.soft.as_deref().and_then(soft::of_port);
    let evidence = &record.evidence;
    let state = STATES.iter().position(|&state| state == record.state);
    let mut flags = PLAIN
        | state
            .and_then(|state| u8::try_from(state).ok())
            .unwrap_or(PLAIN);
    for (flag, holds) in [
        (UDP, port.protocol == Protocol::Udp),
        (SAME_TIMES, before == Some(times)),
        (TTL, evidence.ttl.is_some()),
        (RTT, evidence.rtt.is_some()),
        (SERVICE, service.is_some()),
        (SOFT, soft.is_some()),
    ] {
        flags |= if holds { flag } else { 0 };
    }
    out.extend(port.number.to_be_bytes());
    out.push(flags);
    if flags & SAME_TIMES == 0 {
        out.extend(times.iter().flat_map(|at| at.to_be_bytes()));
    }
    match evidence.answer {
        Answer::SynAck => out.push(0),
        Answer::Rst => out.push(1),
        Answer::UdpReply => out.push(2),
        Answer::NoResponse => out.push(3),
        Answer::IcmpUnreachable(code) => out.extend([4, code]),
    }
    out.extend(evidence.ttl);
    if let Some(rtt) = evidence.rtt {
        push_number(out, u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
    }
    push_number(out, evidence.probes.into());
    push_number(out, record.transition);
    push_number(out, flapping_bits(record.flapping).unsigned_abs().into());
    for text in [service, soft].into_iter().flatten() {
        push_number(out, text.len() as u64);
        out.extend(text.as_bytes());
    }
    times
}

/// The ports of a value; `None` if it is in another format, or broken.
pub(crate) fn unpack(packed: &[u8]) -> Option<BTreeMap<Port, PortRecord>> {
    // Records are large: they are not moved more often than must be.
    let mut ports = Vec::with_capacity(packed.len() / LEAST);
    each(packed, |one| {
        ports.push(one.record()?);
        Some(())
    })?;
    Some(ports.into_iter().collect())
}

/// Those of a value that are open; `None` if it is in another format, or broken.
pub(crate) fn unpack_open(packed: &[u8]) -> Option<PortSet> {
    let mut open = PortSet::empty();
    each(packed, |one| {
        if one.state == PortState::Open {
            open.insert(one.port);
        }
        Some(())
    })?;
    Some(open)
}

/// A port as it stands in the value.
struct One<'a> {
    port: Port,
    state: PortState,
    times: [Timestamp; 3],
    evidence: Evidence,
    transition: u64,
    flapping: i32,
    service: Option<&'a str>,
    soft: Option<&'a str>,
}

/// Reads one after the other, until there is none or one cannot be read.
fn each<'a>(packed: &'a [u8], mut read: impl FnMut(One<'a>) -> Option<()>) -> Option<()> {
    let (&FORMAT, mut rest) = packed.split_first()? else {
        return None;
    };
    let mut times = None;
    while !rest.is_empty() {
        let one = One::take(&mut rest, times)?;
        times = Some(one.times);
        read(one)?;
    }
    Some(())
}

impl<'a> One<'a> {
    /// Takes the next one, after one with these times.
    fn take(rest: &mut &'a [u8], before: Option<[Timestamp; 3]>) -> Option<Self> {
        let number = u16::from_be_bytes(take(rest)?);
        let [flags] = take(rest)?;
        let has = |flag| flags & flag != 0;
        let protocol = if has(UDP) {
            Protocol::Udp
        } else {
            Protocol::Tcp
        };
        let times = if has(SAME_TIMES) {
            before?
        } else {
            [take_time(rest)?, take_time(rest)?, take_time(rest)?]
        };
        Some(Self {
            port: Port { protocol, number },
            state: STATES[usize::from(flags & 3)],
            times,
            evidence: take_evidence(rest, has(TTL), has(RTT))?,
            transition: take_number(rest)?,
            flapping: take_number(rest)?.try_into().ok()?,
            service: if has(SERVICE) {
                Some(take_text(rest)?)
            } else {
                None
            },
            soft: if has(SOFT) {
                Some(take_text(rest)?)
            } else {
                None
            },
        })
    }

    fn record(self) -> Option<(Port, PortRecord)> {
        let [since, first_seen, last_seen] = self.times;
        let record = PortRecord {
            state: self.state,
            since,
            first_seen,
            last_seen,
            transition: self.transition,
            evidence: self.evidence,
            service: self.service.map(service::from_json).transpose().ok()?,
            soft: self.soft.map(soft::port).transpose().ok()?.map(Box::new),
            flapping: flapping(self.flapping),
        };
        Some((self.port, record))
    }
}

fn take_evidence(rest: &mut &[u8], has_ttl: bool, has_rtt: bool) -> Option<Evidence> {
    let answer = match take(rest)? {
        [0] => Answer::SynAck,
        [1] => Answer::Rst,
        [2] => Answer::UdpReply,
        [3] => Answer::NoResponse,
        [4] => Answer::IcmpUnreachable(take::<1>(rest)?[0]),
        _ => return None,
    };
    let ttl = if has_ttl {
        Some(take::<1>(rest)?[0])
    } else {
        None
    };
    let rtt = if has_rtt {
        Some(take_number(rest)?)
    } else {
        None
    };
    Some(Evidence {
        answer,
        ttl,
        rtt: rtt.map(Duration::from_micros),
        probes: take_number(rest)?.try_into().ok()?,
    })
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<const LENGTH: usize>(rest: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn take_time(rest: &mut &[u8]) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::from_be_bytes(take(rest)?)).ok()
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use portwatch_domain::change::{Flapping, SoftPort};
    use portwatch_domain::snapshot::Service;

    use super::*;

    fn evidence(answer: Answer, probes: u16) -> Evidence {
        let came = answer != Answer::NoResponse;
        Evidence {
            answer,
            ttl: came.then_some(255),
            rtt: came.then_some(Duration::from_micros(probes.into())),
            probes,
        }
    }

    fn port(state: PortState, answer: Answer, n: u16) -> PortRecord {
        let at = |seconds: u16| Timestamp::from_second(1_800_000_000 + i64::from(seconds)).unwrap();
        PortRecord {
            state,
            since: at(n),
            first_seen: at(n / 2),
            last_seen: at(n),
            transition: u64::from(n) << 20,
            evidence: evidence(answer, n),
            service: None,
            soft: None,
            flapping: Flapping {
                window: u32::from(n),
                flaps: n > 1000,
            },
        }
    }

    /// Every state and answer, times that are those of the port before and others, and what is rare.
    fn ports() -> BTreeMap<Port, PortRecord> {
        let mut serving = port(PortState::Open, Answer::SynAck, 9);
        serving.service = Some(Service::default());
        let mut soft = port(PortState::Open, Answer::UdpReply, u16::MAX);
        soft.soft = Some(Box::new(SoftPort {
            state: PortState::Closed,
            evidence: evidence(Answer::Rst, 1),
            service: Some(Service::default()),
            since: soft.since,
            scans: 2,
        }));
        [
            (Port::tcp(1), port(PortState::Open, Answer::SynAck, 9)),
            (Port::tcp(22), serving),
            (Port::tcp(65535), port(PortState::Closed, Answer::Rst, 0)),
            (Port::udp(1), soft),
            (
                Port::udp(2),
                port(PortState::Filtered, Answer::IcmpUnreachable(13), 128),
            ),
            (
                Port::udp(3),
                port(PortState::Unknown, Answer::NoResponse, 127),
            ),
        ]
        .into()
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        for ports in [BTreeMap::new(), ports()] {
            let packed = pack(&ports);
            assert_eq!(unpack(&packed).as_ref(), Some(&ports));
            let open = ports.iter().filter(|(_, one)| one.state == PortState::Open);
            let open: PortSet = open.map(|(&port, _)| port).collect();
            assert_eq!(unpack_open(&packed), Some(open));
        }
    }

    #[test]
    fn what_is_cut_off_or_in_another_format_is_refused() {
        let whole = ports();
        let mut packed = pack(&whole);
        for length in 0..packed.len() {
            // What ends with a port is whole, and lacks the others.
            let part = unpack(&packed[..length]);
            assert!(part.is_none_or(|part| part.len() < whole.len()));
        }
        packed[0] = FORMAT + 1;
        assert_eq!(unpack(&packed), None);
        assert_eq!(unpack_open(&packed), None);
    }
}
