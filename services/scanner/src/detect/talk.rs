//! The conversation with one port: what is tried, in which order, and what is learnt from it.

use std::time::Duration;

use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::Service;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::{Door, Limited, Line, Patience, read};
use super::http;
use super::notes::{Heard, Notes};
use super::probes::{Attempt, POSTGRES, Probe, RDP, attempts, greeting};
use super::tls::{self, Outcome};

/// The most that is read of a greeting, or of an answer that is not HTTP.
const MOST_GREETING: usize = 4 * 1024;
/// How long a handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_millis(2500);
/// After so long a silence within an answer, all was said.
const QUIET: Duration = Duration::from_millis(250);
/// How long an answer may take to begin.
const ANSWER: Duration = Duration::from_millis(1500);

/// A conversation, and what is known from it so far.
#[derive(Debug)]
pub(super) struct Talk {
    door: Door,
    port: Port,
    host: Option<String>,
    notes: Notes,
    is_reached: bool,
}

impl Talk {
    pub(super) fn new(door: Door, port: Port, host: Option<String>) -> Self {
        Self {
            door,
            port,
            host,
            notes: Notes::default(),
            is_reached: false,
        }
    }

    /// What is known of it; `None` if nothing is, or if it was never reached.
    pub(super) fn service(self) -> Option<Service> {
        self.notes.service(self.port).filter(|_| self.is_reached)
    }

    async fn connect(&mut self) -> Option<Limited<TcpStream>> {
        let line = self.door.open().await?;
        self.is_reached = true;
        Some(line)
    }

    /// Tries one thing after another until something is heard.
    pub(super) async fn ask(&mut self) {
        self.try_all(&attempts(self.port.number)).await;
    }

    /// The same with these attempts.
    pub(super) async fn try_all(&mut self, attempts: &[Attempt]) {
        for &attempt in attempts {
            let heard = match attempt {
                Attempt::Plain(probe) => {
                    let Some(mut line) = self.connect().await else {
                        return;
                    };
                    self.exchange(&mut line, probe, greeting(self.port.number), false)
                        .await
                }
                Attempt::Tls(probe) => self.secured(probe).await,
            };
            if heard == Heard::Something {
                return;
            }
        }
    }

    /// TLS on a new connection, and the same questions inside.
    async fn secured(&mut self, probe: Probe) -> Heard {
        // A server that insists on another protocol than ours still shows its certificate when none is named.
        for offer in [true, false] {
            let Some(line) = self.connect().await else {
                return Heard::Nothing;
            };
            let shaking = tls::shake(line, self.door.ip(), self.host.as_deref(), offer);
            match timeout(HANDSHAKE, shaking).await {
                Ok(Outcome::Open(tls, mut line)) => {
                    let speaks_http = tls.alpn.is_some();
                    self.notes.is_tls(tls);
                    let wait = if speaks_http {
                        Duration::ZERO
                    } else {
                        greeting(self.port.number)
                    };
                    self.exchange(line.as_mut(), probe, wait, true).await;
                    return Heard::Something;
                }
                Ok(Outcome::Refused(tls)) => {
                    self.notes.is_tls(tls);
                    return Heard::Something;
                }
                Ok(Outcome::NoSuchProtocol) => {}
                Ok(Outcome::Nothing) | Err(_) => return Heard::Nothing,
            }
        }
        Heard::Nothing
    }

    /// Waits for a greeting, and asks if there is none.
    async fn exchange(
        &mut self,
        line: &mut dyn Line,
        probe: Probe,
        wait: Duration,
        is_inside: bool,
    ) -> Heard {
        let patience = Patience {
            first: wait,
            quiet: QUIET,
            whole: ANSWER,
        };
        if !wait.is_zero() {
            let greeting = read(line, MOST_GREETING, patience, is_line).await;
            if !greeting.is_empty() {
                return self.notes.note(&greeting, is_inside);
            }
        }
        let patience = Patience {
            first: ANSWER,
            ..patience
        };
        match probe {
            Probe::Http => {
                let (ip, port) = (self.door.ip(), self.port.number);
                let host = http::host(self.host.as_deref(), ip, port, is_inside);
                let request = http::request(&host);
                if line.write_all(&request).await.is_err() || line.flush().await.is_err() {
                    return Heard::Nothing;
                }
                let said = read(line, http::MOST, patience, http::is_whole).await;
                self.notes.note(&said, is_inside)
            }
            Probe::Bytes(bytes) => {
                let said = answer(line, bytes, patience).await;
                self.notes.note(&said, is_inside)
            }
            Probe::Postgres => {
                let said = answer(line, &POSTGRES, patience).await;
                match said.as_slice() {
                    b"S" | b"N" => self.notes.is("postgresql"),
                    said => return self.notes.note(said, is_inside),
                }
                if said == b"S" {
                    self.upgrade(line).await;
                }
                Heard::Something
            }
            Probe::Rdp => {
                let said = answer(line, &RDP, patience).await;
                let heard = self.notes.note(&said, is_inside);
                // A negotiation response that chose anything but RDP's own security.
                if matches!(
                    said.as_slice(),
                    [3, 0, 0, 19, _, 0xd0, _, _, _, _, _, 2, _, 8, 0, 1..=3, ..]
                ) {
                    self.upgrade(line).await;
                }
                heard
            }
        }
    }

    /// TLS within a protocol that has just agreed to it.
    async fn upgrade(&mut self, line: &mut dyn Line) {
        let shaking = tls::shake(line, self.door.ip(), self.host.as_deref(), false);
        if let Ok(Outcome::Open(tls, _) | Outcome::Refused(tls)) = timeout(HANDSHAKE, shaking).await
        {
            self.notes.upgraded(tls);
        }
    }
}

/// Says something and reads what comes back.
async fn answer(line: &mut dyn Line, bytes: &[u8], patience: Patience) -> Vec<u8> {
    if line.write_all(bytes).await.is_err() || line.flush().await.is_err() {
        return Vec::new();
    }
    read(line, MOST_GREETING, patience, |_| false).await
}

/// Whether a greeting is over: one line, which is no part of a longer one (`220-`).
fn is_line(said: &[u8]) -> bool {
    said.ends_with(b"\n") && said.get(3) != Some(&b'-')
        || said.starts_with(b"SSH-") && said.ends_with(b"\n")
}
