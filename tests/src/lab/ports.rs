//! Sets of ports, written as in the command's `--ports`.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, de::Error as _};

/// Some ports: `"22,80,8000-8100"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    text: String,
    ports: BTreeSet<u16>,
}

impl Ports {
    /// Whether it is one of them.
    pub fn contains(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    /// As it was written, which is also how nftables writes it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.ports.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut ports = BTreeSet::new();
        for item in text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            match (first.parse::<u16>(), last.parse::<u16>()) {
                (Ok(first), Ok(last)) if 0 < first && first <= last => ports.extend(first..=last),
                _ => return Err(format!("{item:?} is no port or range of ports")),
            }
        }
        Ok(Self {
            text: text.to_owned(),
            ports,
        })
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
