//! Roxy-WI's RabbitMQ: where it is, which of its two ways of taking messages it knows, and how it is given one.
//!
//! Nothing is ever declared there: a queue or an exchange of other properties would keep Roxy-WI from starting.

use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions,
};
use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind,
};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::channels::Failed;
use crate::channels::guard::{self, Allowed};
use crate::channels::http::{Reach, refused};

/// How long connecting and logging in may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Seconds between signs of life, both ways.
const HEARTBEAT: u16 = 10;

/// The exchange of newer versions.
const EXCHANGE: &str = "roxy.notifications";

/// The queue of 8.3.0, unless its settings call it otherwise.
const QUEUE: &str = "roxy-wi";

/// What newer versions call a message.
const TYPE: &str = "socket.notification";

const FORM: &str = "url: write amqp://user:password@host:5672/vhost or amqps://…, as Roxy-WI's settings (rabbitmq) say, \
    with %2F for the virtual host /, and ?queue=… for a queue that is not called roxy-wi";

/// What is told, and to whom.
pub(super) struct Parcel {
    /// The same at every attempt.
    pub event: Uuid,
    /// One of Roxy-WI's groups.
    pub group: u64,
    pub text: String,
    pub at: Timestamp,
}

/// How messages get into the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By the exchange of newer versions, with a key for each group.
    Exchange,
    /// Straight into the queue of 8.3.0.
    Queue(String),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange => write!(f, "exchange {EXCHANGE}"),
            Self::Queue(queue) => write!(f, "queue {queue}"),
        }
    }
}

impl Way {
    /// Exchange, routing key, properties and body.
    pub fn address(&self, parcel: &Parcel) -> (&'static str, String, BasicProperties, Value) {
        let Parcel {
            event,
            group,
            text,
            at,
        } = parcel;
        let properties = BasicProperties::default().with_content_type("application/json".into());
        match self {
            Self::Queue(queue) => {
                let body = json!({ "user_group": group, "message": text });
                ("", queue.clone(), properties, body)
            }
            Self::Exchange => {
                let properties = properties
                    .with_delivery_mode(2)
                    .with_app_id("roxy-wi".into())
                    .with_type(TYPE.into())
                    .with_message_id(event.to_string().into());
                let body = json!({
                    "event_id": event.to_string(),
                    "type": TYPE,
                    "schema_version": 1,
                    "source": "roxy-wi",
                    "user_group": group,
                    "message": text,
                    "created_at": at.to_string(),
                });
                (EXCHANGE, format!("group.{group}"), properties, body)
            }
        }
    }
}

/// Where the broker is, and who we are to it. Never printed.
pub(super) struct Endpoint {
    uri: AMQPUri,
    queue: String,
    ca: String,
    /// Where connections may go although it is no public address.
    allow: Arc<[Allowed]>,
}

impl Endpoint {
    pub fn parse(url: &str, ca: &str, reach: &Reach) -> Result<Self, String> {
        let form = || FORM.to_owned();
        let url: Url = url.parse().map_err(|_| form())?;
        let (scheme, usual_port) = match url.scheme() {
            "amqp" => (AMQPScheme::AMQP, 5672),
            "amqps" => (AMQPScheme::AMQPS, 5671),
            _ => return Err(form()),
        };
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut queue = QUEUE.to_owned();
        for (key, value) in url.query_pairs() {
            match key.as_ref() {
                "queue" if !value.is_empty() => queue = value.into_owned(),
                _ => return Err(form()),
            }
        }
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8().map_err(|_| form())?;
            Ok::<_, String>(decoded.into_owned())
        };
        let userinfo = AMQPUserInfo {
            username: decoded(url.username())?,
            password: decoded(url.password().unwrap_or_default())?,
        };
        if host.is_empty() || userinfo.username.is_empty() || userinfo.password.is_empty() {
            return Err(form());
        }
        if !ca.is_empty() && !ca.contains("-----BEGIN CERTIFICATE-----") {
            return Err(
                "ca: certificates in PEM are needed: -----BEGIN CERTIFICATE-----".to_owned(),
            );
        }
        let vhost = match url.path().trim_start_matches('/') {
            "" => "/".to_owned(),
            vhost => decoded(vhost)?,
        };
        let query = AMQPQueryString {
            heartbeat: Some(HEARTBEAT),
            ..AMQPQueryString::default()
        };
        let authority = AMQPAuthority {
            userinfo,
            host: host.to_owned(),
            port: url.port().unwrap_or(usual_port),
        };
        let uri = AMQPUri {
            scheme,
            authority,
            vhost,
            query,
        };
        let (ca, allow) = (ca.to_owned(), Arc::clone(&reach.allow));
        Ok(Self {
            uri,
            queue,
            ca,
            allow,
        })
    }

    /// Connects, logs in, and looks which way there is. All that fails here passes once the broker or the settings are
    /// put right.
    pub async fn connect(&self) -> Result<Session, Failed> {
        let AMQPAuthority { host, port, .. } = &self.uri.authority;
        let found = tokio::net::lookup_host((host.as_str(), *port)).await;
        let found =
            found.map_err(|error| Failed::temporary(format!("looking up {host}: {error}")))?;
        let found = guard::permitted(found.collect(), &self.allow).map_err(refused)?;
        let runtime = lapin::runtime::default_runtime();
        let runtime = runtime.map_err(|error| failed("preparing AMQP", &error))?;
        let ca = self.ca.clone();
        let socket = Socket::default();
        let slot = Arc::clone(&socket.0);
        let connecting = Connection::connector(
            self.uri.clone(),
            runtime,
            async move |uri, runtime| {
                let opening = async {
                    let stream = AsyncTcpStream::connect(&runtime, found.clone()).await?;
                    if let AsyncTcpStream::Plain(plain) = &stream {
                        let held = plain.get_ref().as_fd().try_clone_to_owned()?;
                        // Never taken: the library connects once.
                        let _ = slot.set(held.into());
                    }
                    let config = TLSConfig {
                        cert_chain: (!ca.is_empty()).then_some(ca.as_str()),
                        ..TLSConfig::default()
                    };
                    match uri.scheme {
                        AMQPScheme::AMQP => Ok(stream),
                        AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, config).await,
                    }
                };
                // The library waits here on a thread of its own, for as long as it takes.
                let opened = tokio::time::timeout(CONNECT_TIMEOUT, opening).await;
                Ok(opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?)
            },
            ConnectionProperties::default().with_connection_name("portwatch".into()),
        );
        let doing = || format!("connecting with Roxy-WI's broker at {host}:{port}");
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let connected =
            connected.map_err(|_| Failed::temporary(format!("{}: no answer", doing())))?;
        let connection = connected.map_err(|error| failed(&doing(), &error))?;
        self.session(connection, socket).await
    }

    async fn session(&self, connection: Connection, socket: Socket) -> Result<Session, Failed> {
        let opening = |error| failed("opening a channel at Roxy-WI's broker", &error);
        let way = if has_exchange(&connection).await {
            Way::Exchange
        } else if has_queue(&connection, &self.queue).await {
            Way::Queue(self.queue.clone())
        } else {
            return Err(Failed::temporary(format!(
                "Roxy-WI's broker has neither the exchange {EXCHANGE} nor the queue {}: does Roxy-WI's socket service run, and is this its virtual host?",
                self.queue
            )));
        };
        let channel = connection.create_channel().await.map_err(opening)?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        confirms.await.map_err(opening)?;
        Ok(Session {
            connection,
            channel,
            way,
            _socket: socket,
        })
    }
}

fn failed(doing: &str, error: &lapin::Error) -> Failed {
    Failed::temporary(format!("{doing}: {error}"))
}

/// Asks on a channel of its own: a no closes it.
async fn has_exchange(connection: &Connection) -> bool {
    let Ok(channel) = connection.create_channel().await else {
        return false;
    };
    let options = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    let none = FieldTable::default();
    let asked = channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, options, none);
    asked.await.is_ok()
}

async fn has_queue(connection: &Connection, queue: &str) -> bool {
    let Ok(channel) = connection.create_channel().await else {
        return false;
    };
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let asked = channel.queue_declare(queue.into(), options, FieldTable::default());
    asked.await.is_ok()
}

/// A connection on which messages can be published.
pub(super) struct Session {
    connection: Connection,
    channel: Channel,
    way: Way,
    _socket: Socket,
}

/// A second hold on the connection's socket, that shuts it when it is dropped: the library's thread would else wait for
/// a mute broker for ever.
#[derive(Default)]
struct Socket(Arc<OnceLock<TcpStream>>);

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(socket) = self.0.get() {
            // Fails if it is closed already, which is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Session {
    pub fn is_up(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    pub const fn way(&self) -> &Way {
        &self.way
    }

    /// Publishes, and waits until the broker has it. What reaches no queue is not taken.
    pub async fn publish(&self, parcel: &Parcel) -> Result<(), Failed> {
        let (exchange, key, properties, body) = self.way.address(parcel);
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let body = body.to_string();
        let published = async {
            let publish = self.channel.basic_publish(
                exchange.into(),
                key.as_str().into(),
                options,
                body.as_bytes(),
                properties,
            );
            publish.await?.await
        };
        let broken = |error| Failed::temporary(format!("publishing by the {}: {error}", self.way));
        match published.await.map_err(broken)? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => Err(Failed::temporary(format!(
                "the {} leads nowhere for group {}: does Roxy-WI's socket service run?",
                self.way, parcel.group
            ))),
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(Failed::temporary(
                "Roxy-WI's broker did not take it".to_owned(),
            )),
        }
    }
}
