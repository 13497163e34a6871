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
use portwatch_domain::ports::{Port, Protocol};
use portwatch_domain::snapshot::{Answer, Evidence, PortState};

use super::state::{flapping, flapping_bits};
use super::{cut, service, soft};

/// The first byte, which tells this layout from any other.
const FORMAT: u8 = 1;

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
    let soft = record.soft.as_ref().and_then(soft::of_port);
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
    let (&FORMAT, mut rest) = packed.split_first()? else {
        return None;
    };
    let rest = &mut rest;
    let mut ports = Vec::with_capacity(packed.len() / 8);
    let mut times = None;
    while !rest.is_empty() {
        ports.push(unpack_one(rest, &mut times)?);
    }
    Some(ports.into_iter().collect())
}

fn unpack_one(rest: &mut &[u8], before: &mut Option<[Timestamp; 3]>) -> Option<(Port, PortRecord)> {
    let number = u16::from_be_bytes(take(rest)?);
    let [flags] = take(rest)?;
    let has = |flag| flags & flag != 0;
    let protocol = if has(UDP) {
        Protocol::Udp
    } else {
        Protocol::Tcp
    };
    if !has(SAME_TIMES) {
        *before = Some([take_time(rest)?, take_time(rest)?, take_time(rest)?]);
    }
    let [since, first_seen, last_seen] = (*before)?;
    let answer = match take(rest)? {
        [0] => Answer::SynAck,
        [1] => Answer::Rst,
        [2] => Answer::UdpReply,
        [3] => Answer::NoResponse,
        [4] => Answer::IcmpUnreachable(take::<1>(rest)?[0]),
        _ => return None,
    };
    let ttl = if has(TTL) {
        Some(take::<1>(rest)?[0])
    } else {
        None
    };
    let rtt = if has(RTT) {
        Some(take_number(rest)?)
    } else {
        None
    };
    let evidence = Evidence {
        answer,
        ttl,
        rtt: rtt.map(Duration::from_micros),
        probes: take_number(rest)?.try_into().ok()?,
    };
    let record = PortRecord {
        state: STATES[usize::from(flags & 3)],
        since,
        first_seen,
        last_seen,
        evidence,
        transition: take_number(rest)?,
        flapping: flapping(take_number(rest)?.try_into().ok()?),
        service: if has(SERVICE) {
            Some(service::from_json(take_text(rest)?).ok()?)
        } else {
            None
        },
        soft: if has(SOFT) {
            Some(soft::port(take_text(rest)?).ok()?)
        } else {
            None
        },
    };
    Some((Port { protocol, number }, record))
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
