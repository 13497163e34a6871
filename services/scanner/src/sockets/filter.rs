//! Classic BPF programs for the receive sockets: the kernel throws away what is none of our business before it
//! costs a copy or a place in the queue.

use libc::{
    BPF_ABS, BPF_B, BPF_H, BPF_IND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD,
    BPF_LDX, BPF_MSH, BPF_RET,
};
use socket2::SockFilter;

/// Return values: the whole packet, or nothing.
const ACCEPT: u32 = 0x4_0000;
const REJECT: u32 = 0;
/// RST and ACK: an answer to a SYN has one of them, a SYN has none. Loopback shows us our own.
const RST_OR_ACK: u32 = 0x14;
const ICMP_UNREACHABLE: u32 = 3;
const ICMPV6_UNREACHABLE: u32 = 1;

/// Consecutive source ports of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortRange {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

/// Lets nothing through, for a socket that is not in use.
pub(super) fn nothing() -> Vec<SockFilter> {
    vec![statement(BPF_RET | BPF_K, REJECT)]
}

/// For a raw IPv4 socket, whose packets begin with the IP header: TCP answers to these ports.
pub(super) fn tcp_over_ipv4(ports: PortRange) -> Vec<SockFilter> {
    // X = the length of the IP header.
    let mut program = vec![statement(BPF_LDX | BPF_B | BPF_MSH, 0)];
    program.extend(tcp(BPF_IND, ports));
    program
}

/// For a raw IPv6 socket, whose packets begin behind the IP header: TCP answers to these ports.
pub(super) fn tcp_over_ipv6(ports: PortRange) -> Vec<SockFilter> {
    tcp(BPF_ABS, ports)
}

/// For a raw IPv4 socket: ICMP destination unreachable.
pub(super) fn unreachable_over_ipv4() -> Vec<SockFilter> {
    vec![
        statement(BPF_LDX | BPF_B | BPF_MSH, 0),
        statement(BPF_LD | BPF_B | BPF_IND, 0),
        jump(BPF_JEQ, ICMP_UNREACHABLE, 0, 1),
        statement(BPF_RET | BPF_K, ACCEPT),
        statement(BPF_RET | BPF_K, REJECT),
    ]
}

/// For a raw IPv6 socket: `ICMPv6` destination unreachable.
pub(super) fn unreachable_over_ipv6() -> Vec<SockFilter> {
    vec![
        statement(BPF_LD | BPF_B | BPF_ABS, 0),
        jump(BPF_JEQ, ICMPV6_UNREACHABLE, 0, 1),
        statement(BPF_RET | BPF_K, ACCEPT),
        statement(BPF_RET | BPF_K, REJECT),
    ]
}

/// Destination port in range, RST or ACK set. `mode` says where the TCP header begins: at X or at the start.
fn tcp(mode: u32, ports: PortRange) -> Vec<SockFilter> {
    vec![
        statement(BPF_LD | BPF_H | mode, 2),
        jump(BPF_JGE, ports.first.into(), 0, 4),
        jump(BPF_JGT, ports.last.into(), 3, 0),
        statement(BPF_LD | BPF_B | mode, 13),
        jump(BPF_JSET, RST_OR_ACK, 0, 1),
        statement(BPF_RET | BPF_K, ACCEPT),
        statement(BPF_RET | BPF_K, REJECT),
    ]
}

fn statement(code: u32, operand: u32) -> SockFilter {
    SockFilter::new(low(code), 0, 0, operand)
}

fn jump(condition: u32, operand: u32, if_true: u8, if_false: u8) -> SockFilter {
    SockFilter::new(low(BPF_JMP | condition | BPF_K), if_true, if_false, operand)
}

/// Instruction codes have 16 bits; libc writes them as 32.
fn low(code: u32) -> u16 {
    u16::try_from(code).unwrap_or_default()
}
