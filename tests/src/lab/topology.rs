//! Links, addresses and routes of each kind of link, as lines for `ip -batch`.
//!
//! `SCANNER` and `TARGET` stand for the namespaces at the ends. The scanner's device is always `scan0`, the
//! target's `lab0`. Nobody has a default route.

/// The scanner's end on Ethernet.
pub const SCANNER_ETHERNET: &str = "
link set lo up
address add 198.18.255.1/16 dev scan0
address add fd00:198:18::ff01/64 dev scan0 nodad
link set scan0 up
route add 198.19.0.0/17 via 198.18.255.2
route add 198.19.128.0/17 via 198.18.255.3
route add fd00:198:18:1::/64 via fd00:198:18::ff02
route add fd00:198:18:2::/64 via fd00:198:18::ff03
";

/// The target's end on Ethernet.
pub const TARGET_ETHERNET: &str = "
link set lo up
address add 198.18.255.2/16 dev lab0
address add fd00:198:18::ff02/64 dev lab0 nodad
link set lab0 up
route add fd00:198:18:f0::/64 via fd00:198:18::ff01
";

/// Every address of the blocks that a kernel plays is its own (`AnyIP`).
pub const ANY_IP: &str = "
route add local 198.19.0.0/17 dev lo
route add local fd00:198:18:1::/64 dev lo
";

/// The scanner's end without Ethernet.
pub const SCANNER_POINT_TO_POINT: &str = "
link set lo up
address add 198.18.255.1/32 dev scan0
address add fd00:198:18::ff01/128 dev scan0 nodad
link set scan0 up
route add 198.19.0.0/17 dev scan0
route add fd00:198:18:1::/64 dev scan0
";

/// The target's end without Ethernet.
pub const TARGET_POINT_TO_POINT: &str = "
link set lo up
address add 198.18.255.2/32 dev lab0
address add fd00:198:18::ff02/128 dev lab0 nodad
link set lab0 up
route add 198.18.255.1/32 dev lab0
route add fd00:198:18::ff01/128 dev lab0
";

/// A veth pair, made at the scanner's end.
pub const VETH: &str = "link add scan0 type veth peer name lab0 netns TARGET";

/// The carrier's devices, made at the target's end.
pub const CARRIED: &str = "
link set lab0 txqueuelen 20000
link set scan0 txqueuelen 20000
link set scan0 netns SCANNER
";

/// What a `WireGuard` tunnel goes through, at the scanner's end and at the target's.
pub const UNDER_WIREGUARD: [&str; 2] = [
    "
link add under0 type veth peer name under0 netns TARGET
address add 198.18.254.1/30 dev under0
link set under0 up
link add scan0 type wireguard
",
    "
address add 198.18.254.2/30 dev under0
link set under0 up
link add lab0 type wireguard
",
];

/// The host of a container: a bridge to it, and a link to the outside.
pub const BRIDGE_HOST: &str = "
link set lo up
link add br0 type bridge
link add port0 type veth peer name scan0 netns SCANNER
link set port0 master br0
link add up0 type veth peer name lab0 netns TARGET
address add 198.18.240.1/24 dev br0
address add fd00:198:18:f0::1/64 dev br0 nodad
address add 198.18.255.1/16 dev up0
address add fd00:198:18::ff01/64 dev up0 nodad
link set port0 up
link set br0 up
link set up0 up
route add 198.19.0.0/17 via 198.18.255.2
route add fd00:198:18:1::/64 via fd00:198:18::ff02
";

/// It forwards, and hides the container behind its own address.
pub const BRIDGE_NAT: &str = "
table inet lab {
    chain leaving {
        type nat hook postrouting priority 100;
        oifname \"up0\" masquerade
    }
}
";

/// The container.
pub const CONTAINER: &str = "
link set lo up
address add 198.18.240.2/24 dev scan0
address add fd00:198:18:f0::2/64 dev scan0 nodad
link set scan0 up
route add 198.19.0.0/17 via 198.18.240.1
route add fd00:198:18:1::/64 via fd00:198:18:f0::1
";
