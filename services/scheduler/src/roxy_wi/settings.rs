//! The `[scheduler.roxy_wi]` section, and what is wrong with it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::SignedDuration;
use portwatch_runtime::settings::Secret;
use reqwest::{Certificate, Url};
use serde::Deserialize;

use crate::settings::InvalidTarget;

/// The shortest time between two readings.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);

/// The longest.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// The `[scheduler.roxy_wi]` section; without `url` there is no sync.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct RoxyWiSettings {
    /// Where Roxy-WI answers: `https://roxy.example.org`.
    pub url: String,
    /// The service user.
    pub login: String,
    /// The service user's password.
    pub password: Secret,
    /// Service users of further groups: a user sees the servers of its active group.
    pub users: Vec<UserSettings>,
    /// Certificates in PEM that are trusted besides the system's.
    pub ca: String,
    /// From one reading to the next.
    pub every: SignedDuration,
    /// What stands before the name of each target.
    pub prefix: String,
    /// Names of groups, by Roxy-WI's number of the group; without one, the name that Roxy-WI has counts.
    pub groups: BTreeMap<String, String>,
    /// Whether `portwatch targets set` may change switches in Roxy-WI.
    pub write_back: bool,
}

impl Default for RoxyWiSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            login: String::new(),
            password: Secret::default(),
            users: Vec::new(),
            ca: String::new(),
            every: SignedDuration::from_mins(1),
            prefix: String::new(),
            groups: BTreeMap::new(),
            write_back: false,
        }
    }
}

/// A service user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct UserSettings {
    /// Its name.
    pub login: String,
    /// Its password.
    pub password: Secret,
}

/// The section cannot be used; says which key, and why.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRoxyWi {
    /// A key of the section.
    #[error("scheduler.roxy_wi.{key}: {cause}")]
    Key {
        /// Which.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A group, from which targets take what Roxy-WI does not know.
    #[error(transparent)]
    Group(#[from] InvalidTarget),
}

/// A settings section that was found to be usable.
pub(super) struct Access {
    /// Ends in a slash, so that paths can be joined to it.
    pub base: Url,
    /// At least one.
    pub users: Vec<UserSettings>,
    pub ca: Vec<Certificate>,
    pub every: Duration,
    pub groups: BTreeMap<u64, String>,
}

fn invalid(key: impl Into<String>, cause: impl Into<String>) -> InvalidRoxyWi {
    InvalidRoxyWi::Key {
        key: key.into(),
        cause: cause.into(),
    }
}

impl RoxyWiSettings {
    /// Reads the section; `None` if it is left out.
    pub(super) fn read(&self) -> Result<Option<Access>, InvalidRoxyWi> {
        if self.url.is_empty() {
            let is_meant = !self.login.is_empty() || !self.users.is_empty() || self.write_back;
            return if is_meant {
                Err(invalid(
                    "url",
                    "not set: write https://… of Roxy-WI, or leave the section out",
                ))
            } else {
                Ok(None)
            };
        }
        if self.every < SHORTEST || self.every > LONGEST {
            return Err(invalid("every", "from 1s to 24h"));
        }
        Ok(Some(Access {
            base: base(&self.url).map_err(|cause| invalid("url", cause))?,
            users: self.users()?,
            ca: certificates(&self.ca).map_err(|cause| invalid("ca", cause))?,
            every: Duration::try_from(self.every).unwrap_or_default(),
            groups: self.group_names()?,
        }))
    }

    fn users(&self) -> Result<Vec<UserSettings>, InvalidRoxyWi> {
        let first = UserSettings {
            login: self.login.clone(),
            password: self.password.clone(),
        };
        let named = |key: &str, user: &UserSettings| {
            if user.login.is_empty() {
                return Err(invalid(
                    format!("{key}login"),
                    "not set: name a user of Roxy-WI",
                ));
            }
            if user.password.reveal().is_empty() {
                let cause =
                    "not set: write it, or the path of a file that holds it as password_file";
                return Err(invalid(format!("{key}password"), cause));
            }
            Ok(())
        };
        named("", &first)?;
        for (n, user) in self.users.iter().enumerate() {
            named(&format!("users.{n}."), user)?;
        }
        Ok([first]
            .into_iter()
            .chain(self.users.iter().cloned())
            .collect())
    }

    fn group_names(&self) -> Result<BTreeMap<u64, String>, InvalidRoxyWi> {
        let name = |(number, name): (&String, &String)| {
            let key = || format!("groups.{number}");
            let number = number.parse().map_err(|_| {
                invalid(
                    key(),
                    "not the number of a group: write groups = { 2 = \"office\" }",
                )
            })?;
            if name.trim().is_empty() {
                return Err(invalid(key(), "a group needs a name"));
            }
            Ok((number, name.clone()))
        };
        self.groups.iter().map(name).collect()
    }
}

/// The address, with a slash at its end.
fn base(text: &str) -> Result<Url, String> {
    let mut url: Url = text
        .parse()
        .map_err(|error| format!("{error}: write https://…"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("it must begin with https:// or http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user: write login and password in keys of their own".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("nothing may stand behind its path".to_owned());
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn certificates(pem: &str) -> Result<Vec<Certificate>, String> {
    if pem.is_empty() {
        return Ok(Vec::new());
    }
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err("certificates in PEM are needed: -----BEGIN CERTIFICATE-----".to_owned()),
    }
}

/// Whether what is sent to this address can be read on the way.
pub(super) fn is_in_the_clear(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    url.scheme() == "http" && !is_here
}
