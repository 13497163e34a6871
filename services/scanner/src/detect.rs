//! What listens on an open port: connects as any client would, and writes down what is answered.
//!
//! Each port is given a few seconds and a few KiB, a few ports are asked at once, each connection takes a token
//! of the rate caps and is refused if its address is excluded. Whatever comes back was written by a stranger:
//! it is bounded while it is read, parsed without trust, and made safe to show before anybody sees it.

mod budget;
mod certificate;
mod connection;
mod http;
mod job;
mod matchers;
mod notes;
mod probes;
mod talk;
mod tls;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portwatch_domain::ports::{Port, Protocol};
use portwatch_domain::snapshot::Service;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::exclude::Exclusions;

pub use budget::Budget;
pub(crate) use job::Inquiry;

use connection::Door;
use talk::Talk;

/// A port to ask: its host, the name that the host is known by, if any, and the port.
pub type Asked = (IpAddr, Option<String>, Port);

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long one port may take, all its connections together.
    pub per_port: Duration,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How many ports are asked at once.
    pub at_once: usize,
    /// How many ports of one host are asked at once.
    pub per_host: usize,
    /// How many ports of one host are asked at all.
    pub ports_per_host: usize,
    /// How long all of it may take.
    pub in_all: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            per_port: Duration::from_secs(5),
            connect: Duration::from_secs(2),
            at_once: 16,
            per_host: 4,
            ports_per_host: 64,
            in_all: Duration::from_secs(30),
        }
    }
}

/// Asks each of these TCP ports what listens there; gives those about which something can be said, in the order
/// in which they were asked for.
///
/// Never fails: a port that does not answer, whose address is excluded, or whose turn did not come in time is
/// not among the results. When `stop` is cancelled, what is known so far is returned at once.
pub async fn detect(
    asked: Vec<Asked>,
    options: &Options,
    budget: &Budget,
    exclusions: &Exclusions,
    stop: &CancellationToken,
) -> Vec<(IpAddr, Port, Service)> {
    let until = Instant::now() + options.in_all;
    let everybody = Arc::new(Semaphore::new(options.at_once.max(1)));
    let mut hosts: HashMap<IpAddr, (Arc<Semaphore>, usize)> = HashMap::new();
    let mut tasks = JoinSet::new();
    for (place, (ip, name, port)) in asked.into_iter().enumerate() {
        let (host, taken) = hosts
            .entry(ip)
            .or_insert_with(|| (Arc::new(Semaphore::new(options.per_host.max(1))), 0));
        if port.protocol != Protocol::Tcp || *taken >= options.ports_per_host {
            continue;
        }
        *taken += 1;
        let rooms = [host.clone(), everybody.clone()];
        let (options, budget) = (*options, budget.clone());
        let exclusions = exclusions.clone();
        tasks.spawn(async move {
            let mut rooms = rooms.into_iter().map(Semaphore::acquire_owned);
            // They are never closed. The host's own comes first, so that a slow host holds up nobody else.
            let _host = rooms.next()?.await.ok()?;
            let _everybody = rooms.next()?.await.ok()?;
            if Instant::now() >= until {
                return None;
            }
            let door = Door::new(ip, port.number, options.connect, budget, exclusions);
            let mut talk = Talk::new(door, port, name);
            let end = until.min(Instant::now() + options.per_port);
            // What was said until then counts.
            let _ = timeout_at(end, talk.ask()).await;
            talk.service().map(|service| (place, ip, port, service))
        });
    }
    gather(tasks, until, stop).await
}

type Found = Option<(usize, IpAddr, Port, Service)>;

/// Waits for the answers. What is not there in time is dropped, and a conversation that broke down is none.
async fn gather(
    mut tasks: JoinSet<Found>,
    until: Instant,
    stop: &CancellationToken,
) -> Vec<(IpAddr, Port, Service)> {
    let mut found = Vec::new();
    // Each of them watches the time itself; this is for those whose turn never came.
    let over = tokio::time::sleep_until(until + Duration::from_millis(100));
    tokio::pin!(over);
    loop {
        let ended = tokio::select! {
            ended = tasks.join_next() => ended,
            () = &mut over => None,
            () = stop.cancelled() => None,
        };
        match ended {
            Some(ended) => found.extend(ended.ok().flatten()),
            None => break,
        }
    }
    found.sort_by_key(|&(place, ..)| place);
    found
        .into_iter()
        .map(|(_, ip, port, service)| (ip, port, service))
        .collect()
}

#[cfg(test)]
mod tests;
