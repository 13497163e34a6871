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
const TCP: u32 = 6;
const ICMP: u32 = 1;
const ICMPV6: u32 = 58;
const IPV6_HEADER: u32 = 40;
const ETHERTYPE_IPV4: u32 = 0x0800;
const ETHERTYPE_IPV6: u32 = 0x86dd;
/// In the two bytes with the fragment's flags.
const FRAGMENT_OFFSET: u32 = 0x1fff;
/// Where the filter finds the packet's protocol (`SKF_AD_OFF + SKF_AD_PROTOCOL`).
const PROTOCOL: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PROTOCOL).cast_unsigned();

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

/// For a packet socket whose packets begin with the IP header: TCP answers to these ports, and ICMP destination
/// unreachable, of both families.
pub(super) fn answers(ports: PortRange) -> Vec<SockFilter> {
    let [ipv4, ipv6] = [ipv4(ports), ipv6(ports)];
    let over_ipv4 = u8::try_from(ipv4.len()).unwrap_or(u8::MAX);
    let mut program = vec![
        statement(BPF_LD | BPF_H | BPF_ABS, PROTOCOL),
        jump(BPF_JEQ, ETHERTYPE_IPV4, 0, over_ipv4),
    ];
    program.extend(ipv4);
    program.push(jump(BPF_JEQ, ETHERTYPE_IPV6, 1, 0));
    program.push(statement(BPF_RET | BPF_K, REJECT));
    program.extend(ipv6);
    program
}

/// RFC 791. Not for fragments.
fn ipv4(ports: PortRange) -> Vec<SockFilter> {
    let tcp = tcp(BPF_IND, 0, ports);
    let mut program = vec![
        statement(BPF_LD | BPF_H | BPF_ABS, 6),
        jump(BPF_JSET, FRAGMENT_OFFSET, 7, 0),
        // X = the length of the IP header.
        statement(BPF_LDX | BPF_B | BPF_MSH, 0),
        statement(BPF_LD | BPF_B | BPF_ABS, 9),
        jump(BPF_JEQ, TCP, 5, 0),
        jump(BPF_JEQ, ICMP, 0, 3),
        statement(BPF_LD | BPF_B | BPF_IND, 0),
        jump(BPF_JEQ, ICMP_UNREACHABLE, 0, 1),
        statement(BPF_RET | BPF_K, ACCEPT),
        statement(BPF_RET | BPF_K, REJECT),
    ];
    program.extend(tcp);
    program
}

/// RFC 8200, without extension headers.
fn ipv6(ports: PortRange) -> Vec<SockFilter> {
    let mut program = vec![
        statement(BPF_LD | BPF_B | BPF_ABS, 6),
        jump(BPF_JEQ, TCP, 5, 0),
        jump(BPF_JEQ, ICMPV6, 0, 3),
        statement(BPF_LD | BPF_B | BPF_ABS, IPV6_HEADER),
        jump(BPF_JEQ, ICMPV6_UNREACHABLE, 0, 1),
        statement(BPF_RET | BPF_K, ACCEPT),
        statement(BPF_RET | BPF_K, REJECT),
    ];
    program.extend(tcp(BPF_ABS, IPV6_HEADER, ports));
    program
}

/// Destination port in range, RST or ACK set. `mode` says where the TCP header begins: `start` bytes behind X, or
/// behind the packet's beginning.
fn tcp(mode: u32, start: u32, ports: PortRange) -> Vec<SockFilter> {
    vec![
        statement(BPF_LD | BPF_H | mode, start + 2),
        jump(BPF_JGE, ports.first.into(), 0, 4),
        jump(BPF_JGT, ports.last.into(), 3, 0),
        statement(BPF_LD | BPF_B | mode, start + 13),
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
