//! The server that takes the mail: where it is, how it is spoken to, and what its answers mean.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Code;
use percent_encoding::percent_decode_str;
use portwatch_domain::notification::retry::Failure;
use reqwest::Url;
use tokio::net::lookup_host;

use crate::channels::guard::{self, Allowed};
use crate::channels::http::{Reach, refused};
use crate::channels::secrets::Secrets;
use crate::channels::text::Room;
use crate::channels::{Failed, kept};

/// How long connecting to one address may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of an answer stands in the log.
const SAID: Room = Room::plain(300);

const FORM: &str = "url: write smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465 (TLS) or \
    smtp://host:25?tls=none (no TLS); characters such as @ : / % # ? in a password as %40 %3A %2F %25 %23 %3F";

/// How the connection is protected.
enum Security {
    /// TLS from the first byte (RFC 8314).
    Tls(TlsParameters),
    /// TLS before anything is said (RFC 3207); a server that cannot is not spoken to.
    StartTls(TlsParameters),
    /// Not at all.
    None,
}

/// A server, and who we are to it.
pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    /// Where connections may go although it is no public address.
    allow: Arc<[Allowed]>,
    /// What never stands in an error, nor in what is kept of an answer.
    pub secrets: Secrets,
}

impl Server {
    /// Reads the address: `smtp://` with STARTTLS, `smtps://` with TLS, and without either only if `?tls=none` says
    /// so. Without TLS, a password is sent to this machine only.
    pub fn parse(url: &str, ca: &str, reach: &Reach) -> Result<Self, String> {
        let url: Url = url.parse().map_err(|_| FORM.to_owned())?;
        let host = url.host_str().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let rest = matches!(url.path(), "" | "/") && url.fragment().is_none();
        if host.is_empty() || !rest {
            return Err(FORM.to_owned());
        }
        let (security, usual_port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Security::Tls(trust(&host, ca)?), 465),
            ("smtp", None) => (Security::StartTls(trust(&host, ca)?), 587),
            ("smtp", Some("tls=none")) => (Security::None, 25),
            _ => return Err(FORM.to_owned()),
        };
        let credentials = match (decoded(url.username())?, url.password()) {
            (user, None) if user.is_empty() => None,
            (user, Some(password)) if !user.is_empty() => Some((user, decoded(password)?)),
            _ => return Err("url: a user and a password, or neither".to_owned()),
        };
        if credentials.is_some() && matches!(security, Security::None) && !is_this_machine(&host) {
            return Err("url: without TLS, the password could be read on the way".to_owned());
        }
        Ok(Self {
            secrets: Secrets::default(),
            port: url.port().unwrap_or(usual_port),
            credentials: credentials.map(Credentials::from),
            allow: Arc::clone(&reach.allow),
            host,
            security,
        })
    }

    /// A connection on which mail can be sent. Here, and nowhere else, addresses are chosen and connected to.
    pub async fn connect(&self) -> Result<AsyncSmtpConnection, Failed> {
        let (host, port) = (self.host.as_str(), self.port);
        let found = lookup_host((host, port)).await;
        let found =
            found.map_err(|error| Failed::temporary(format!("looking up {host}: {error}")))?;
        let found = guard::permitted(found.collect(), &self.allow).map_err(refused)?;
        let mut last = Failed::temporary(format!("{host} has no address"));
        let hello = ClientId::default();
        for address in found {
            let tls = match &self.security {
                Security::Tls(tls) => Some(tls.clone()),
                Security::StartTls(_) | Security::None => None,
            };
            let connected = AsyncSmtpConnection::connect_tokio1(
                address,
                Some(CONNECT_TIMEOUT),
                &hello,
                tls,
                None,
            );
            match connected.await {
                Ok(connection) => return self.introduced(connection).await,
                Err(error) => last = self.passing(&format!("connecting to {address}"), &error),
            }
        }
        Err(last)
    }

    /// Nothing that fails here says anything of the mail: all of it passes once the settings or the server are put
    /// right.
    async fn introduced(
        &self,
        mut connection: AsyncSmtpConnection,
    ) -> Result<AsyncSmtpConnection, Failed> {
        if let Security::StartTls(tls) = &self.security {
            if !connection.can_starttls() {
                return Err(Failed::temporary(
                    "the server has no STARTTLS: set smtps:// or, if all of the way is trusted, ?tls=none"
                        .to_owned(),
                ));
            }
            connection
                .starttls(tls.clone(), &ClientId::default())
                .await
                .map_err(|error| self.passing("STARTTLS", &error))?;
        }
        if let Some(credentials) = &self.credentials {
            let known = connection.auth(DEFAULT_MECHANISMS, credentials);
            known.await.map_err(|error| {
                self.passing("logging in with the url's user and password", &error)
            })?;
        }
        Ok(connection)
    }

    /// As it is, and saying nothing of these.
    pub fn hiding(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// What an error means for the mail.
    pub fn failed(&self, command: &str, error: &Error) -> Failed {
        Failed {
            failure: if is_final(error) {
                Failure::Permanent
            } else {
                Failure::Temporary { retry_after: None }
            },
            ..self.passing(command, error)
        }
    }

    /// An error that says nothing of the mail.
    fn passing(&self, doing: &str, error: &Error) -> Failed {
        let code = error.status().and_then(status);
        let said = error.source().map(ToString::to_string);
        let said = self
            .secrets
            .hidden(said.unwrap_or_else(|| error.to_string()));
        let shown = SAID.line(&said);
        Failed {
            status: code,
            answer: code.and_then(|_| kept(&said)),
            ..Failed::temporary(match code {
                Some(code) => format!("{doing}: the server answered {code}: {shown}"),
                None => format!("{doing}: {shown}"),
            })
        }
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "url: user and password must be UTF-8".to_owned())?;
    Ok(decoded.into_owned())
}

fn is_this_machine(host: &str) -> bool {
    let ip: Option<IpAddr> = host.parse().ok();
    ip.map_or(host == "localhost", |ip| ip.is_loopback())
}

/// Trusts the system's authorities and these.
fn trust(host: &str, ca: &str) -> Result<TlsParameters, String> {
    let mut trust = TlsParameters::builder(host.to_owned());
    if !ca.is_empty() {
        let wrong = "ca: certificates in PEM are needed: -----BEGIN CERTIFICATE-----";
        if !ca.contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong.to_owned());
        }
        let certificate = Certificate::from_pem(ca.as_bytes());
        trust = trust.add_root_certificate(certificate.map_err(|_| wrong.to_owned())?);
    }
    trust.build().map_err(|error| format!("ca: {error}"))
}

/// The number of a code.
pub(super) fn status(code: Code) -> Option<u16> {
    code.to_string().parse().ok()
}

/// Whether the answer says never: 5xx, but for those that ask who we are, which are about our settings.
pub(super) fn is_final(error: &Error) -> bool {
    let code = error.status().and_then(status);
    error.is_permanent() && !matches!(code, Some(530 | 534 | 535 | 538))
}
