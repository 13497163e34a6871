//! How packets get to a host: which of our addresses, which interface, which hardware address. By the kernel's own
//! routing decisions, so that policy rules, several tables, several gateways and VRFs are what they are for anybody
//! else on this machine.

mod changes;
mod decide;
mod kernel;
mod message;
mod neighbours;
mod netlink;
mod questions;
mod request;
mod stretches;
mod table;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use thiserror::Error;

use changes::Changes;
use kernel::Kernel;
use netlink::Message;
use questions::Questions;

/// Any port: nothing is sent.
const PORT: u16 = 9;

/// How many notifications are taken in at once, so that a flood of them does not hold up the packets.
const MOST_AT_ONCE: usize = 10_000;

/// Our address towards `destination`, by the kernel's routing table. Connecting a UDP socket sends no packet.
pub fn source_towards(destination: IpAddr) -> io::Result<IpAddr> {
    let unspecified: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(unspecified, 0))?;
    socket.connect(SocketAddr::new(destination, PORT))?;
    Ok(socket.local_addr()?.ip())
}

/// Why there is no path.
#[derive(Debug, Error)]
pub(crate) enum RouteError {
    /// No socket for it.
    #[error("cannot open a netlink socket for {purpose}")]
    Open {
        /// What it is for.
        purpose: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A table cannot be read.
    #[error("cannot read the kernel's {table}")]
    Table {
        /// Which.
        table: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Notifications cannot be read.
    #[error("cannot read the kernel's notifications of changed routes")]
    Notifications(#[source] io::Error),
    /// The kernel did not decide.
    #[error("cannot ask the kernel for the route to {destination}")]
    Ask {
        /// Where to.
        destination: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel's decision: it sends nothing there. There is no route, or one that is `unreachable`, `prohibit`
    /// (`EACCES`) or `blackhole` (`EINVAL`), or no address of ours to send from.
    #[error("no route to {destination}")]
    None {
        /// Where to.
        destination: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// A link-local IPv6 address, which each link may have: only an interface would tell which is meant.
    #[error("{destination} is link-local, and nothing says on which interface")]
    LinkLocal {
        /// Where to.
        destination: IpAddr,
    },
}

/// How packets get to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    /// Our address.
    pub(crate) source: IpAddr,
    /// Who sends them.
    pub(crate) via: Via,
}

/// Who sends packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Via {
    /// Whoever likes: the next hop's hardware address is known, so frames can be built.
    Ethernet {
        /// Its index.
        interface: u32,
        /// Ours.
        from: [u8; 6],
        /// The next hop's.
        to: [u8; 6],
    },
    /// Only the kernel: this machine itself, loopback, tunnels, links without Ethernet or without carrier, broadcast
    /// and multicast, and next hops whose hardware address is not known yet. The kernel finds it out while sending.
    Kernel,
}

/// The kernel's routing decisions, asked once per stretch of addresses and again when they change.
///
/// It belongs to the network namespace of the thread that opened it, needs no privilege, and opens nothing later.
pub(crate) struct Routes {
    questions: Questions,
    /// Of routes, rules, links and addresses.
    changes: Changes,
    /// Of neighbours.
    neighbours: Changes,
    kernel: Kernel,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Routes")
    }
}

impl Routes {
    /// Opens netlink sockets, one for questions and two for notifications, and reads the kernel's tables.
    pub(crate) fn open() -> Result<Self, RouteError> {
        let open = |purpose| move |source| RouteError::Open { purpose, source };
        // First the notifications, so that nothing is missed.
        let [changes, neighbours] = [changes::ROUTES, changes::NEIGHBOURS].map(Changes::subscribe);
        let mut questions = Questions::open().map_err(open("questions"))?;
        let mut kernel = Kernel::new();
        kernel.read(&mut questions)?;
        Ok(Self {
            questions,
            changes: changes.map_err(open("changes of routes"))?,
            neighbours: neighbours.map_err(open("changes of neighbours"))?,
            kernel,
        })
    }

    /// How packets get to `destination`, as of the last [`Self::changed`].
    pub(crate) fn towards(&mut self, destination: IpAddr) -> Result<Path, RouteError> {
        if let IpAddr::V6(address) = destination
            && address.is_unicast_link_local()
        {
            return Err(RouteError::LinkLocal { destination });
        }
        self.kernel.path(&mut self.questions, destination)
    }

    /// True if the path to some destination may have changed since the last call: routes, rules, links, our
    /// addresses, or a neighbour's hardware address. Does not wait. What was remembered is forgotten where needed.
    pub(crate) fn changed(&mut self) -> Result<bool, RouteError> {
        let Self {
            questions,
            changes,
            neighbours,
            kernel,
        } = self;
        let mut changed = false;
        let mut hear = |changes: &mut Changes| {
            let take = |message: &Message<'_>| changed |= kernel.apply(message);
            let lost = changes.hear(MOST_AT_ONCE, take);
            lost.map_err(RouteError::Notifications)
        };
        let [lost, lost_neighbours] = [hear(changes)?, hear(neighbours)?];
        if lost {
            kernel.read(questions)?;
        } else if lost_neighbours {
            changed |= kernel.read_neighbours(questions)?;
        }
        if changed {
            kernel.complete(questions)?;
        }
        Ok(changed || lost)
    }
}
