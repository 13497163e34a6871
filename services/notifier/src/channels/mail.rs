//! Mail: SMTP (RFC 5321) to a server that takes mail for others, over TLS.
//!
//! A mail has the delivery's id as its Message-ID and is the same at every attempt. If the server takes it for some
//! addresses and not yet for others, only those others get the next attempt; another process, or this one after a
//! restart, does not know that, and asks for all. Should the connection break after the last byte and before the
//! answer, it is sent again under the same id.

mod letter;
mod server;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::Address;
use lettre::message::{Mailbox, Mailboxes};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::response::Response;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::http::Reach;
use super::secrets::Secrets;
use super::template::Template;
use super::{Channel, Failed, Message, Sent, kept};
use crate::settings::ChannelSettings;
use server::{Server, is_final, status};

/// How long all of an attempt may take, from waiting for a connection to the answer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long taking leave may take; nobody waits for it.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// How many connections are open at once: servers allow a client few.
const MOST_CONNECTIONS: usize = 4;

/// The most addresses of one channel; servers take at least 100 (RFC 5321 section 4.5.3.1.8).
const MOST_ADDRESSES: usize = 100;

/// Of so many deliveries it is remembered which addresses have them, while others do not.
const MOST_PARTLY_SENT: usize = 1000;

/// A channel with these settings.
///
/// # Errors
/// Says which of them is wrong.
pub(super) fn channel(
    settings: &ChannelSettings,
    template: Template,
    reach: &Reach,
) -> Result<Channel, String> {
    with_timeout(settings, template, reach, TOTAL_TIMEOUT)
}

fn with_timeout(
    settings: &ChannelSettings,
    template: Template,
    reach: &Reach,
    timeout: Duration,
) -> Result<Channel, String> {
    let sender = Arc::new(Sender {
        server: Server::parse(settings.url.reveal(), &settings.ca, reach)?
            .hiding(Secrets::of(settings)),
        from: mailbox(&settings.from).map_err(|error| format!("from: {error}"))?,
        to: mailboxes(&settings.to).map_err(|error| format!("to: {error}"))?,
        template,
        timeout,
        slots: Semaphore::new(MOST_CONNECTIONS),
        waiting: AtomicUsize::new(0),
        idle: Mutex::default(),
        partly_sent: Mutex::default(),
    });
    Ok(Channel::new(&settings.name, move |message| {
        let sender = Arc::clone(&sender);
        Box::pin(async move { sender.send(&message).await })
    }))
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    match mailboxes(text)?.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err("one address is needed".to_owned()),
    }
}

fn mailboxes(text: &str) -> Result<Vec<Mailbox>, String> {
    let wrong = || {
        "write address@example.org, or Name <address@example.org>; several with commas".to_owned()
    };
    if text.chars().any(char::is_control) {
        return Err(wrong());
    }
    let all: Mailboxes = text.parse().map_err(|_| wrong())?;
    let all: Vec<Mailbox> = all.into_iter().collect();
    if all.is_empty() || all.len() > MOST_ADDRESSES {
        return Err(format!("1 to {MOST_ADDRESSES} addresses are needed"));
    }
    let is_ascii = |one: &&Mailbox| one.email.to_string().is_ascii();
    match all.iter().find(|one| !is_ascii(one)) {
        Some(one) => Err(format!("{}: only ASCII can be in an address", one.email)),
        None => Ok(all),
    }
}

struct Sender {
    server: Server,
    from: Mailbox,
    to: Vec<Mailbox>,
    template: Template,
    timeout: Duration,
    /// One for each connection that may be open.
    slots: Semaphore,
    /// How many attempts wait for a slot.
    waiting: AtomicUsize,
    /// Connections for those who wait.
    idle: Mutex<Vec<AsyncSmtpConnection>>,
    /// Deliveries that some addresses have.
    partly_sent: Mutex<VecDeque<(Uuid, Vec<Address>)>>,
}

impl Sender {
    async fn send(&self, message: &Message) -> Result<Sent, Failed> {
        let look = self.template.look(&message.content);
        let letter = letter::write(&self.from, &self.to, message, &look)
            .map_err(|error| Failed::permanent(format!("the mail cannot be made: {error}")))?;
        let sent = tokio::time::timeout(self.timeout, self.attempt(message.delivery, &letter));
        let late = || Failed::temporary(format!("not done within {:?}", self.timeout));
        sent.await.unwrap_or_else(|_| Err(late()))
    }

    async fn attempt(&self, delivery: Uuid, letter: &[u8]) -> Result<Sent, Failed> {
        let waits = Waits::new(&self.waiting);
        let slot = self.slots.acquire().await;
        drop(waits);
        let _slot = slot.map_err(|error| Failed::temporary(error.to_string()))?;
        let mut connection = self.connection().await?;
        let result = self.hand_over(&mut connection, delivery, letter).await;
        self.part(connection);
        result
    }

    /// A connection that was left for whoever waits, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Failed> {
        loop {
            // Not in the condition: the lock would be held while the server is asked.
            let idle = locked(&self.idle).pop();
            let Some(mut idle) = idle else {
                return self.server.connect().await;
            };
            if idle.command(Rset).await.is_ok() {
                return Ok(idle);
            }
        }
    }

    /// Leaves the connection to who waits; if nobody does, it is closed in good manners.
    fn part(&self, connection: AsyncSmtpConnection) {
        let mut idle = locked(&self.idle);
        if !connection.has_broken() {
            idle.push(connection);
        }
        if self.waiting.load(Ordering::SeqCst) == 0 {
            for mut connection in idle.drain(..) {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(QUIT_TIMEOUT, connection.quit()).await;
                });
            }
        }
    }

    /// One mail to all addresses that do not have it.
    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        delivery: Uuid,
        letter: &[u8],
    ) -> Result<Sent, Failed> {
        let mut have = self.remembered(delivery);
        let from = self.from.email.clone();
        let mail = connection.command(Mail::new(Some(from), Vec::new()));
        mail.await
            .map_err(|error| self.server.failed("MAIL FROM", &error))?;
        let mut taken = Vec::new();
        let mut verdict = Verdict::default();
        for Mailbox { email, .. } in &self.to {
            if have.contains(email) {
                continue;
            }
            match connection
                .command(Rcpt::new(email.clone(), Vec::new()))
                .await
            {
                Ok(_) => taken.push(email.clone()),
                Err(error) if error.status().is_some() => {
                    let failed = self.server.failed(&format!("RCPT TO {email}"), &error);
                    verdict.add(is_final(&error), failed);
                }
                Err(error) => return Err(self.server.failed("RCPT TO", &error)),
            }
        }
        let mut sent = Sent::default();
        if !taken.is_empty() {
            let answer = self.hand_in(connection, letter).await?;
            let said: Vec<_> = answer.message().collect();
            sent = Sent {
                status: status(answer.code()),
                answer: kept(&self.server.secrets.hidden(said.join(" "))),
            };
            have.append(&mut taken);
        }
        verdict.told(delivery);
        let done = verdict.end(have.is_empty());
        self.remember(delivery, if done.is_ok() { Vec::new() } else { have });
        done.map(|()| sent)
    }

    async fn hand_in(
        &self,
        connection: &mut AsyncSmtpConnection,
        letter: &[u8],
    ) -> Result<Response, Failed> {
        let go_ahead = connection.command(Data).await;
        go_ahead.map_err(|error| self.server.failed("DATA", &error))?;
        let taken = connection.message(letter).await;
        taken.map_err(|error| self.server.failed("after the mail", &error))
    }

    /// The addresses that have it.
    fn remembered(&self, delivery: Uuid) -> Vec<Address> {
        let partly = locked(&self.partly_sent);
        let found = partly.iter().find(|(id, _)| *id == delivery);
        found.map(|(_, have)| have.clone()).unwrap_or_default()
    }

    /// Remembers the addresses that have it; none if all is done.
    fn remember(&self, delivery: Uuid, have: Vec<Address>) {
        let mut partly = locked(&self.partly_sent);
        partly.retain(|(id, _)| *id != delivery);
        if partly.len() >= MOST_PARTLY_SENT {
            partly.pop_front();
        }
        if !have.is_empty() {
            partly.push_back((delivery, have));
        }
    }
}

/// What became of the addresses that the server did not take.
#[derive(Default)]
struct Verdict {
    /// Not now.
    later: Vec<Failed>,
    /// Never.
    never: Vec<Failed>,
}

impl Verdict {
    fn add(&mut self, is_final: bool, failed: Failed) {
        if is_final {
            self.never.push(failed);
        } else {
            self.later.push(failed);
        }
    }

    /// Nobody else is told of addresses that are refused while others are not.
    fn told(&self, delivery: Uuid) {
        for refused in &self.never {
            tracing::warn!(%delivery, error = refused.error, "an address was refused");
        }
    }

    /// How the attempt ends: in an error as long as an address may still take it, and if none ever did.
    fn end(self, nobody_has_it: bool) -> Result<(), Failed> {
        let failures = match (self.later.is_empty(), nobody_has_it) {
            (false, _) => self.later,
            (true, true) => self.never,
            (true, false) => Vec::new(),
        };
        let more = failures.len().saturating_sub(1);
        match failures.into_iter().next() {
            None => Ok(()),
            Some(first) if more == 0 => Err(first),
            Some(first) => Err(Failed {
                error: format!("{} (and {more} more)", first.error),
                ..first
            }),
        }
    }
}

/// Counts who waits, also if the waiting is given up.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
