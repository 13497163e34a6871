//! Fields that are text on the wire and more than text behind it.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::net::IpAddr;
use std::str::FromStr;

use portwatch_domain::ports::PortSet;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A value in the text form that it prints and parses.
#[derive(Clone, Copy, Debug)]
pub struct Text<T>(pub T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(Error::custom)
    }
}

/// A port set; the empty one is the empty text, which a person may not write.
#[derive(Clone, Debug)]
pub struct Ports(pub PortSet);

impl Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Ports {
    type Err = <PortSet as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(PortSet::empty()));
        }
        text.parse().map(Self)
    }
}

/// An address in the one form that hosts are told apart by: IPv4 never written as IPv6.
#[derive(Clone, Copy, Debug)]
pub struct Ip(pub IpAddr);

/// Why a text is no address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IpError {
    /// Not an address at all.
    #[error("{0:?} is not an IP address")]
    NotAnAddress(String),
    /// IPv4 in IPv6 (`::ffff:192.0.2.1`).
    #[error("{0:?} is an IPv4 address written as IPv6: write {1}")]
    Mapped(String, IpAddr),
}

impl Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Ip {
    type Err = IpError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ip: IpAddr = text
            .parse()
            .map_err(|_| IpError::NotAnAddress(text.to_owned()))?;
        if ip.to_canonical() != ip {
            return Err(IpError::Mapped(text.to_owned(), ip.to_canonical()));
        }
        Ok(Self(ip))
    }
}

/// A host name, as DNS could hold it.
#[derive(Clone, Debug)]
pub struct HostName(pub String);

impl Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no host name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a host name")]
pub struct HostNameError(String);

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(portwatch_domain::target::Address::Name(name)) => Ok(Self(name)),
            _ => Err(HostNameError(text.to_owned())),
        }
    }
}
