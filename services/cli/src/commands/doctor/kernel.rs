//! What the doctor looks at in the kernel: what scans run into although they may send.

use std::fs;

use super::checks::{Finding, Verdict};

/// What the receive queue of a scan asks for, in bytes: with less, answers are lost in bursts.
const RECEIVE_QUEUE: u64 = 16 << 20;
/// Below this, one scan of a few hosts fills the table of connections.
const ENOUGH_CONNECTIONS: u64 = 65_536;
/// The number of `CAP_NET_ADMIN` in capability sets (linux/capability.h).
const CAP_NET_ADMIN: u32 = 12;

/// All of them.
pub fn all() -> Vec<Finding> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |path: &str| {
        let text = fs::read_to_string(path).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let conntrack = |name: &str| number(&format!("/proc/sys/net/netfilter/nf_conntrack_{name}"));
    let findings = [
        Some(ipv6(
            fs::exists("/proc/net/if_inet6").unwrap_or(false),
            number("/proc/sys/net/ipv6/conf/all/disable_ipv6"),
        )),
        number("/proc/sys/net/core/rmem_max").map(|most| receive_queue(&status, most)),
        conntrack("max").map(|most| connections(most, conntrack("count").unwrap_or(0))),
    ];
    findings.into_iter().flatten().collect()
}

/// Whether IPv6 can be scanned.
fn ipv6(known: bool, disabled: Option<u64>) -> Finding {
    let what = "IPv6";
    let note = |detail: &str| Finding::new(what, Verdict::Note, detail);
    match (known, disabled) {
        (false, _) => note("this kernel has none: IPv6 targets are not scanned"),
        (true, Some(1)) => note("switched off: IPv6 targets are not scanned")
            .mend("sysctl -w net.ipv6.conf.all.disable_ipv6=0"),
        (true, _) => Finding::new(what, Verdict::Good, "there"),
    }
}

/// Whether the queue of answers can be as long as it should: `CAP_NET_ADMIN` makes it so, else the machine's
/// limit counts. It is not worth granting that capability for.
fn receive_queue(status: &str, most: u64) -> Finding {
    let what = "receive queue";
    let mut lines = status.lines();
    let set = lines.find_map(|line| line.strip_prefix("CapEff:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    if set.is_some_and(|set| set & (1 << CAP_NET_ADMIN) != 0) {
        return Finding::new(what, Verdict::Good, "as long as it is asked for");
    }
    if most >= RECEIVE_QUEUE {
        return Finding::new(what, Verdict::Good, format!("up to {most} bytes"));
    }
    let detail = format!(
        "up to {most} bytes: at high rates answers may be lost, and those ports take longer or stay unknown"
    );
    Finding::new(what, Verdict::Note, detail).mend(format!(
        "sysctl -w net.core.rmem_max={RECEIVE_QUEUE} on the host"
    ))
}

/// Whether scans fill the firewall's table of connections, in which every probe through the IP layer has an
/// entry: once it is full, the whole machine loses packets.
fn connections(most: u64, now: u64) -> Finding {
    let what = "connection tracking";
    let detail = format!("{now} of {most} connections");
    if most >= ENOUGH_CONNECTIONS && now < most / 5 * 4 {
        return Finding::new(what, Verdict::Good, detail);
    }
    let detail = format!(
        "{detail}: a scan can fill the table, and then packets of all programs are dropped"
    );
    Finding::new(what, Verdict::Note, detail).mend(
        "sysctl -w net.netfilter.nf_conntrack_max=262144, or a lower scanner.rate; behind Docker's bridge every probe has an entry: network_mode: host avoids that",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_may_be_missing_or_off() {
        assert_eq!(ipv6(true, Some(0)).verdict, Verdict::Good);
        assert!(
            ipv6(true, Some(1))
                .mend
                .is_some_and(|mend| mend.contains("disable_ipv6=0"))
        );
        assert_eq!(ipv6(false, None).verdict, Verdict::Note);
    }

    #[test]
    fn the_receive_queue_is_limited_without_the_capability() {
        let with = |set: &str| format!("Name:\tx\nCapEff:\t{set}\n");
        let small = 212_992;
        let bare = receive_queue(&with("0000000000002000"), small);
        assert!(
            bare.mend
                .is_some_and(|mend| mend.contains("net.core.rmem_max=16777216"))
        );
        let admin = receive_queue(&with("0000000000003000"), small);
        assert_eq!(admin.verdict, Verdict::Good);
        assert_eq!(receive_queue("", RECEIVE_QUEUE).verdict, Verdict::Good);
    }

    #[test]
    fn a_table_that_is_small_or_nearly_full_is_worth_a_word() {
        assert_eq!(connections(262_144, 100).verdict, Verdict::Good);
        assert_eq!(connections(262_144, 250_000).verdict, Verdict::Note);
        assert_eq!(connections(4096, 0).verdict, Verdict::Note);
    }
}
