//! Which service is usually found on a port, and which ports are scanned when somebody asks for
//! the most common ones. The list is `services.tsv`; its head says where it comes from.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Port, Protocol};

struct List {
    names: HashMap<Port, &'static str>,
    tcp_by_rank: Vec<u16>,
    udp_by_rank: Vec<u16>,
}

static LIST: LazyLock<List> = LazyLock::new(|| read(include_str!("services.tsv")));

/// The usual service on a port, by the IANA registry and common use; `None` if there is no usual one.
///
/// It is a guess by number: nothing has been asked of the port.
pub fn service_name(port: Port) -> Option<&'static str> {
    LIST.names.get(&port).copied()
}

/// The `count` ports most worth scanning, most common first.
pub(super) fn top(protocol: Protocol, count: usize) -> impl Iterator<Item = u16> {
    let ranked = match protocol {
        Protocol::Tcp => &LIST.tcp_by_rank,
        Protocol::Udp => &LIST.udp_by_rank,
    };
    ranked.iter().copied().take(count)
}

/// Lines are `port<TAB>protocol<TAB>name<TAB>rank`, the rank empty or 1 for the most common.
fn read(text: &'static str) -> List {
    let mut names = HashMap::new();
    let mut ranked: [Vec<(u32, u16)>; 2] = [Vec::new(), Vec::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let number = fields.next().and_then(|field| field.parse().ok());
        let protocol = fields.next().and_then(|field| field.parse().ok());
        let (Some(number), Some(protocol)) = (number, protocol) else {
            continue;
        };
        if let Some(name) = fields.next().filter(|name| !name.is_empty()) {
            names.insert(Port { protocol, number }, name);
        }
        if let Some(rank) = fields.next().and_then(|field| field.parse().ok()) {
            ranked[usize::from(protocol == Protocol::Udp)].push((rank, number));
        }
    }
    let [tcp, udp] = ranked.map(|mut ports| {
        ports.sort_unstable();
        ports.into_iter().map(|(_, number)| number).collect()
    });
    List {
        names,
        tcp_by_rank: tcp,
        udp_by_rank: udp,
    }
}
