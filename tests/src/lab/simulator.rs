//! Hosts that no kernel can play: tarpits, SYN proxies, hosts that answer late, rarely, twice or falsely.
//!
//! It keeps no connections. Each segment is answered by what the host is, which is enough for a SYN scan and for
//! `connect()` followed by a close. ARP and neighbour solicitations are answered for all hosts that are there.

mod tales;

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use pnet_packet::tcp::TcpFlags;

use super::address::{Family, Place, simulated, simulated_router};
use super::frame::{self, Answer, Mac, Segment};
use super::random::Random;
use super::scenario::{AfterHandshake, Host, Link, Player, Scenario, Unreachable};
use super::truth::{Port, Truth};

/// The simulated hosts of a scenario.
pub struct Simulator {
    hosts: Vec<Rc<Host>>,
    allowances: HashMap<(IpAddr, Kind), Allowance>,
    random: Random,
}

/// What a host may send only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Rst,
    Icmp,
}

/// A token bucket that holds a tenth of a second, and one packet at least.
struct Allowance {
    tokens: f64,
    at: f64,
}

/// A frame, and how long it takes to be sent, in seconds.
pub type Sent = (f64, Vec<u8>);

impl Simulator {
    /// The simulated hosts among those of a scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let simulated = |host: &&Host| host.played_by == Player::Simulator;
        Self {
            hosts: scenario
                .host
                .iter()
                .filter(simulated)
                .cloned()
                .map(Rc::new)
                .collect(),
            allowances: HashMap::new(),
            random: Random::new(scenario.seed, 3),
        }
    }

    /// Who has the address? Only for addresses on the link.
    pub fn who_has(&self, wanted: IpAddr, asker: (Mac, IpAddr)) -> Option<Vec<u8>> {
        let mac = if wanted == router(wanted) {
            frame::mac(1, 0)
        } else {
            let (Place::Near, number) = simulated(wanted)? else {
                return None;
            };
            self.host(wanted)?;
            frame::mac(0, number)
        };
        frame::is_at(wanted, mac, asker)
    }

    /// What a segment is answered with; `at` are seconds since the first probe.
    pub fn segment(&mut self, at: f64, segment: &Segment<'_>) -> Vec<Sent> {
        let Some(host) = self.host(segment.to.0).cloned() else {
            return Vec::new();
        };
        if host.away.is_some_and(|[from, to]| (from..to).contains(&at)) {
            return Vec::new();
        }
        let truth = host.truth(Port::Tcp(segment.to.1));
        let mut answers = if segment.is_syn() {
            tales::told(&host, segment)
        } else {
            Vec::new()
        };
        answers.extend(match truth {
            Truth::Rejected(code) => self.reject(&host, at, segment, code),
            _ => self.answer(&host, at, segment, truth),
        });
        let delay = host.answer_ms.unwrap_or_default();
        let mut delayed = |frame| (self.random.between(delay[0], delay[1]) / 1000.0, frame);
        answers.into_iter().map(&mut delayed).collect()
    }

    fn host(&self, ip: IpAddr) -> Option<&Rc<Host>> {
        let (place, number) = simulated(ip)?;
        let is_it = |host: &&Rc<Host>| {
            host.place(Link::Wire) == place && (host.at.first..=host.at.last).contains(&number)
        };
        self.hosts.iter().find(is_it).filter(|host| !host.gone)
    }

    fn answer(
        &mut self,
        host: &Host,
        at: f64,
        segment: &Segment<'_>,
        truth: Truth,
    ) -> Option<Vec<u8>> {
        let answers_syn = matches!(truth, Truth::Open | Truth::Proxied);
        let next = segment.seq.wrapping_add(segment.data);
        let ends = segment.flags & TcpFlags::FIN != 0;
        let (seq, ack, flags) = match truth {
            Truth::Silent | Truth::Rejected(_) => return None,
            _ if segment.flags & TcpFlags::RST != 0 => return None,
            _ if segment.is_syn() && answers_syn => {
                let isn = u32::try_from(self.random.next() >> 32).unwrap_or_default();
                (isn, next.wrapping_add(1), TcpFlags::SYN | TcpFlags::ACK)
            }
            Truth::Closed if segment.is_syn() => {
                (0, next.wrapping_add(1), TcpFlags::RST | TcpFlags::ACK)
            }
            Truth::Closed => (segment.ack, 0, TcpFlags::RST),
            Truth::Proxied => match host.after_handshake {
                AfterHandshake::Nothing => return None,
                AfterHandshake::Reset => (segment.ack, 0, TcpFlags::RST),
            },
            Truth::Open if ends => (
                segment.ack,
                next.wrapping_add(1),
                TcpFlags::FIN | TcpFlags::ACK,
            ),
            Truth::Open if segment.data > 0 => (segment.ack, next, TcpFlags::ACK),
            Truth::Open => return None,
        };
        if flags & TcpFlags::RST != 0 {
            self.allowed(segment.to.0, Kind::Rst, host.rst_per_second, at)?;
        }
        let answer = Answer {
            from: segment.to,
            to: segment.from,
            seq,
            ack,
            flags,
        };
        frame::tcp(back(segment), answer)
    }

    fn reject(
        &mut self,
        host: &Host,
        at: f64,
        segment: &Segment<'_>,
        code: Unreachable,
    ) -> Option<Vec<u8>> {
        self.allowed(segment.to.0, Kind::Icmp, host.icmp_per_second, at)?;
        let speaker = if host.routed {
            router(segment.to.0)
        } else {
            segment.to.0
        };
        frame::unreachable(
            back(segment),
            (speaker, segment.from.0),
            code,
            segment.packet,
        )
    }

    /// Takes one from the host's allowance, if it has one.
    fn allowed(&mut self, ip: IpAddr, kind: Kind, per_second: Option<f64>, at: f64) -> Option<()> {
        let Some(rate) = per_second else {
            return Some(());
        };
        let most = (rate / 10.0).max(1.0);
        let full = Allowance { tokens: most, at };
        let allowance = self.allowances.entry((ip, kind)).or_insert(full);
        allowance.tokens = (allowance.tokens + rate * (at - allowance.at)).min(most);
        allowance.at = at;
        (allowance.tokens >= 1.0).then(|| allowance.tokens -= 1.0)
    }
}

/// Whether simulated hosts speak for this address, even if none of them is there.
pub fn is_played(ip: IpAddr) -> bool {
    ip == router(ip) || simulated(ip).is_some()
}

/// The link addresses of an answer.
const fn back(segment: &Segment<'_>) -> (Mac, Mac) {
    (segment.link.1, segment.link.0)
}

/// The simulated router, in the family of this address.
fn router(of: IpAddr) -> IpAddr {
    let family = if of.is_ipv4() { Family::V4 } else { Family::V6 };
    simulated_router(family)
}

#[cfg(test)]
mod tests;
