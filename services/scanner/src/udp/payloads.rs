//! What is sent to a UDP port, and whether an answer proves that it answers that.
//!
//! A UDP service answers only what it understands, so the usual ports get a question of their protocol, written
//! from its specification; every other port gets an empty datagram, then two line ends. Each question carries a
//! keyed-hash [`Token`] wherever its protocol has a field that the answer must repeat. Where there is none, the
//! answer must have the protocol's shape. These are messages of applications and of no use to any other crate, so
//! they stand here and not with the packets; they are pure functions all the same.
//!
//! Some services never answer a stranger, and their ports cannot be told from filtered ones: `WireGuard` (its
//! handshake needs the responder's public key), syslog (it is told, never asked), RADIUS and L2TP behind `IPsec`
//! without a known secret, and `OpenVPN` with `tls-auth`.

mod ber;
mod devices;
mod dns;
mod ike;
mod ldap;
mod rpc;
mod snmp;
mod sync;
mod text;
mod tls;
mod tunnel;

/// 64 bits that nobody can know who has not seen the probe: a keyed hash of what the probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) u64);

impl Token {
    /// The first bytes of it, in network order.
    fn bytes<const N: usize>(self) -> [u8; N] {
        let all = self.0.to_be_bytes();
        std::array::from_fn(|at| all[at % all.len()])
    }

    /// A positive number of 31 bits whose shortest form in BER is always four bytes.
    fn positive(self) -> u32 {
        (u32::from_be_bytes(self.bytes()) & 0x7fff_ffff) | 0x4000_0000
    }

    /// As text.
    fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// Where a service answers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the port that was asked.
    Asked,
    /// From a port of its choice.
    Any,
}

/// One question of a protocol.
#[derive(Clone, Copy, Debug)]
struct Question {
    /// Its bytes.
    ask: fn(Token) -> Vec<u8>,
    /// Whether a datagram answers it.
    proves: fn(Token, &[u8]) -> bool,
}

const fn question(ask: fn(Token) -> Vec<u8>, proves: fn(Token, &[u8]) -> bool) -> Question {
    Question { ask, proves }
}

const EMPTY: Question = question(|_| Vec::new(), |_, _| true);
const LINES: Question = question(|_| b"\r\n\r\n".to_vec(), |_, _| true);

/// The questions for a port; the attempts take turns with them.
fn questions(port: u16) -> &'static [Question] {
    match port {
        53 => &[dns::QUERY],
        69 => &[text::TFTP],
        111 => &[rpc::PORTMAP],
        123 => &[sync::NTP],
        137 => &[dns::NETBIOS],
        161 => &[snmp::V2C, snmp::V3, snmp::V1],
        177 => &[devices::XDMCP],
        389 => &[ldap::SEARCH],
        443 => &[tls::QUIC, tls::DTLS],
        500 => &[ike::V2, ike::V1],
        514 | 51_820 => &[EMPTY],
        623 => &[devices::RMCP],
        1194 => &[tunnel::OPENVPN],
        1434 => &[devices::SQL_BROWSER],
        1645 | 1812 => &[sync::RADIUS],
        1701 => &[tunnel::L2TP],
        1900 => &[text::SSDP],
        3478 => &[sync::STUN],
        4433 | 5684 => &[tls::DTLS],
        4500 => &[ike::V2_MARKED, ike::V1_MARKED],
        5060 => &[text::SIP],
        5353 => &[dns::MULTICAST],
        5683 => &[sync::COAP],
        11_211 => &[text::MEMCACHED],
        47_808 => &[devices::BACNET],
        _ => &[EMPTY, LINES],
    }
}

fn at(port: u16, attempt: u16) -> Question {
    let questions = questions(port);
    questions[usize::from(attempt) % questions.len()]
}

/// Where the service of this port answers from.
pub(crate) fn answers_from(port: u16) -> Origin {
    match port {
        // RFC 1350 section 4: the server chooses a port for the transfer. UPnP devices do so too.
        69 | 1900 => Origin::Any,
        _ => Origin::Asked,
    }
}

/// The datagram of an attempt, counted from 0, on a port.
pub(crate) fn datagram(port: u16, attempt: u16, token: Token) -> Vec<u8> {
    (at(port, attempt).ask)(token)
}

/// Whether `answer`, which came from that port, proves that it answers [`datagram`] with the same arguments.
pub(crate) fn proves(port: u16, attempt: u16, token: Token, answer: &[u8]) -> bool {
    (at(port, attempt).proves)(token, answer)
}

#[cfg(test)]
mod tests;
