//! What is known of the kernel's routing: read whole once, then kept up to date.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::decide::ask;
use super::message;
use super::neighbours::{Links, Neighbours};
use super::netlink::Message;
use super::questions::Questions;
use super::request;
use super::table::{Hop, Table};
use super::{Path, RouteError, Via};

/// Next-hop objects, since Linux 5.3. From linux/rtnetlink.h.
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;

/// How often a table that changes while it is read is read again.
const TRIES: usize = 8;

const FAMILIES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// Links, neighbours and routing decisions.
#[derive(Debug)]
pub(super) struct Kernel {
    links: Links,
    neighbours: Neighbours,
    table: Table,
}

impl Kernel {
    pub(super) fn new() -> Self {
        Self {
            links: Links::default(),
            neighbours: Neighbours::default(),
            table: Table::new(),
        }
    }

    /// Reads everything. What changes from now on comes as notifications.
    pub(super) fn read(&mut self, questions: &mut Questions) -> Result<(), RouteError> {
        self.links.clear();
        read(questions, "links", libc::RTM_GETLINK, None, |payload| {
            message::link(payload).map(|link| self.links.update(link));
        })?;
        self.read_neighbours(questions)?;
        self.read_routes(questions)
    }

    /// Reads the neighbours. True if their hardware addresses are not what was known. Through one that is missing,
    /// since the table changed meanwhile, packets go by the kernel.
    pub(super) fn read_neighbours(
        &mut self,
        questions: &mut Questions,
    ) -> Result<bool, RouteError> {
        let mut neighbours = Neighbours::default();
        let kind = libc::RTM_GETNEIGH;
        read(questions, "neighbours", kind, None, |payload| {
            message::neighbour(payload).map(|neighbour| neighbours.update(neighbour));
        })?;
        if neighbours == self.neighbours {
            return Ok(false);
        }
        self.neighbours = neighbours;
        self.table.forget();
        Ok(true)
    }

    /// Reads the routes and rules. If they kept changing, some may be missing, and nothing is remembered by stretch.
    fn read_routes(&mut self, questions: &mut Questions) -> Result<(), RouteError> {
        if self.table.is_too_large() {
            self.table.forget();
            return Ok(());
        }
        self.table = Table::new();
        let mut is_whole = true;
        for family in &FAMILIES {
            for (name, kind) in [("routes", libc::RTM_GETROUTE), ("rules", libc::RTM_GETRULE)] {
                is_whole &= read(questions, name, kind, Some(family), |payload| {
                    if let Some(selector) = message::selector(payload) {
                        self.table.cut(selector);
                    }
                })?;
            }
        }
        self.table.read(is_whole);
        Ok(())
    }

    /// Reads the routes again if some were missing.
    pub(super) fn complete(&mut self, questions: &mut Questions) -> Result<(), RouteError> {
        if self.table.is_wanting() {
            self.read_routes(questions)?;
        }
        Ok(())
    }

    /// Takes in a notification. True if it may change the path to some destination.
    pub(super) fn apply(&mut self, message: &Message<'_>) -> bool {
        let payload = message.payload;
        match message.kind {
            libc::RTM_NEWNEIGH | libc::RTM_DELNEIGH => {
                return self.apply_neighbour(payload, message.kind == libc::RTM_DELNEIGH);
            }
            libc::RTM_NEWLINK | libc::RTM_DELLINK => {
                let changed = message::link(payload).is_some_and(|link| {
                    if message.kind == libc::RTM_NEWLINK {
                        self.links.update(link)
                    } else {
                        self.links.remove(link)
                    }
                });
                if !changed {
                    return false;
                }
            }
            libc::RTM_NEWROUTE | libc::RTM_NEWRULE => {
                if let Some(selector) = message::selector(payload) {
                    self.table.cut(selector);
                }
            }
            libc::RTM_DELROUTE
            | libc::RTM_DELRULE
            | libc::RTM_NEWADDR
            | libc::RTM_DELADDR
            | RTM_NEWNEXTHOP
            | RTM_DELNEXTHOP => {}
            _ => return false,
        }
        self.table.forget();
        true
    }

    fn apply_neighbour(&mut self, payload: &[u8], is_gone: bool) -> bool {
        let Some((neighbour, address)) = message::neighbour(payload) else {
            return false;
        };
        let address = address.filter(|_| !is_gone);
        let changed = self.neighbours.update((neighbour, address));
        // The kernel may choose among gateways by whether they answer.
        if changed && self.table.uses(neighbour.1) {
            self.table.forget();
        }
        changed
    }

    /// The path to the destination.
    pub(super) fn path(
        &mut self,
        questions: &mut Questions,
        destination: IpAddr,
    ) -> Result<Path, RouteError> {
        let hop = if let Some(hop) = self.table.get(destination) {
            hop
        } else {
            let (hop, of_one) = ask(questions, destination, self.table.by_source())?;
            self.table.remember(destination, hop, of_one);
            hop
        };
        match hop {
            Hop::Refused(errno) => Err(RouteError::None {
                destination,
                source: io::Error::from_raw_os_error(errno),
            }),
            Hop::Kernel { source } => Ok(Path {
                source,
                via: Via::Kernel,
            }),
            Hop::Link {
                source,
                interface,
                gateway,
            } => Ok(Path {
                source,
                via: self
                    .ethernet(interface, gateway.unwrap_or(destination))
                    .unwrap_or(Via::Kernel),
            }),
        }
    }

    fn ethernet(&self, interface: u32, next: IpAddr) -> Option<Via> {
        Some(Via::Ethernet {
            interface,
            from: self.links.address(interface)?,
            to: self.neighbours.address(interface, next)?,
        })
    }
}

/// Reads one table, again if it changed meanwhile. False if it did so each time.
fn read(
    questions: &mut Questions,
    table: &'static str,
    kind: u16,
    family: Option<&IpAddr>,
    mut take: impl FnMut(&[u8]),
) -> Result<bool, RouteError> {
    for _ in 0..TRIES {
        match questions.dump(kind, &request::table(family), &mut take) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            // A kernel without this family, or without rules, has an empty table.
            Err(error) if is_missing(&error) => return Ok(true),
            Err(source) => return Err(RouteError::Table { table, source }),
        }
    }
    Ok(false)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT)
    )
}
