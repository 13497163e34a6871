//! The connection to the broker, with an end to every wait.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::str::FromStr as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties, ErrorKind};

use super::Bounded;
use crate::BusError;

/// Seconds between signs of life, both ways; two missed ones end the connection.
const HEARTBEAT: u16 = 10;

/// The most bytes of a virtual host's name: an AMQP short string.
const MAX_VHOST: usize = 255;

/// Where the broker is, and how to log in. Never printed.
#[derive(Clone)]
pub(in crate::rabbit) struct Endpoint {
    uri: AMQPUri,
    name: String,
    pub(in crate::rabbit) bounded: Bounded,
}

impl Endpoint {
    pub(in crate::rabbit) fn new(
        url: &str,
        name: String,
        limit: Duration,
    ) -> Result<Self, BusError> {
        let mut uri = AMQPUri::from_str(url).map_err(|_| BusError::Url(why_wrong(url)))?;
        if let Some(address) = ipv6_literal(url) {
            // The parser takes only names and IPv4 addresses, and would use localhost.
            address.clone_into(&mut uri.authority.host);
        }
        if uri.vhost.len() > MAX_VHOST {
            return Err(BusError::Url("its virtual host is too long".to_owned()));
        }
        uri.query.heartbeat = Some(HEARTBEAT);
        let authority = &uri.authority;
        let broker = format!(
            "{}:{} (virtual host {}, user {})",
            authority.host, authority.port, uri.vhost, authority.userinfo.username
        );
        let bounded = Bounded {
            broker: broker.into(),
            limit,
        };
        Ok(Self { uri, name, bounded })
    }

    /// Connects and logs in.
    pub(super) async fn connect(&self, role: &str) -> Result<(Connection, Socket), BusError> {
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("{} {role}", self.name).into());
        let socket = Socket::default();
        let runtime = lapin::runtime::default_runtime().map_err(|error| self.failed(&error))?;
        let (slot, limit) = (Arc::clone(&socket.0), self.bounded.limit);
        let connecting = Connection::connector(
            self.uri.clone(),
            runtime,
            async move |uri, runtime| {
                let opening = async {
                    let address = (uri.authority.host.as_str(), uri.authority.port);
                    let addresses: Vec<_> = tokio::net::lookup_host(address).await?.collect();
                    let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                    if let AsyncTcpStream::Plain(plain) = &stream {
                        let held = plain.get_ref().as_fd().try_clone_to_owned()?;
                        // Never taken: the library connects once, as its own recovery is off.
                        let _ = slot.set(held.into());
                    }
                    match uri.scheme {
                        AMQPScheme::AMQP => Ok(stream),
                        AMQPScheme::AMQPS => stream.into_tls(address.0, TLSConfig::default()).await,
                    }
                };
                // The library waits here on a thread of its own, for as long as it takes.
                let opened = tokio::time::timeout(limit, opening).await;
                Ok(opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?)
            },
            properties,
        );
        // Twice the limit: once for the socket, once to log in. Where it fails, dropping the socket
        // ends the library's thread, which would otherwise wait for a mute broker for ever.
        match tokio::time::timeout(limit * 2, connecting).await {
            Ok(Ok(connection)) => Ok((connection, socket)),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(BusError::Timeout {
                what: "logging in".to_owned(),
                broker: self.bounded.broker.to_string(),
                after: limit * 2,
            }),
        }
    }

    fn failed(&self, error: &lapin::Error) -> BusError {
        let broker = self.bounded.broker.to_string();
        let why = error.to_string();
        if matches!(error.kind(), ErrorKind::ProtocolError(_)) {
            let what = "logging in".to_owned();
            return BusError::Refused { what, broker, why };
        }
        BusError::Disconnected { broker, why }
    }
}

/// What is wrong with a URL, without quoting it.
fn why_wrong(url: &str) -> String {
    match url.split_once("://") {
        None => "it has no ://".to_owned(),
        Some(("amqp" | "amqps", _)) => "it cannot be parsed".to_owned(),
        Some(_) => "it does not begin with amqp:// or amqps://".to_owned(),
    }
}

/// The address in `amqp://user:password@[address]:port/`.
fn ipv6_literal(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (address, _) = host.strip_prefix('[')?.split_once(']')?;
    Some(address)
}

/// A second hold on the connection's socket, that shuts it when it is dropped, whatever the library
/// does.
#[derive(Default)]
pub(super) struct Socket(Arc<OnceLock<TcpStream>>);

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(socket) = self.0.get() {
            // Fails if it is closed already, which is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
