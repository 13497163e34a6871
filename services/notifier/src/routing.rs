//! Who is told of what, as the settings say.

mod settings;
#[cfg(test)]
mod tests;

use portwatch_domain::notification::quiet::Maintenance;
use portwatch_domain::notification::route::Routes;

use crate::Channel;
use crate::settings::Settings;
pub use settings::{InvalidMatch, MaintenanceSettings, MatchSettings, RouteSettings};

/// Who is told of what.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// The rules.
    pub routes: Routes,
    /// When nobody is told of some of it.
    pub maintenance: Vec<Maintenance>,
    /// The channels that are told of everything, whatever the rules say.
    pub always: Vec<String>,
}

/// What is wrong with the rules.
#[derive(Debug, thiserror::Error)]
#[error("notifier.{place}: {cause}")]
pub struct InvalidRoute {
    place: String,
    cause: String,
}

impl Routing {
    /// The rules of these settings for these channels. Without any, every channel is told of everything.
    ///
    /// # Errors
    /// Says which rule is wrong, and what about it.
    pub fn read(settings: &Settings, channels: &[Channel]) -> Result<Self, InvalidRoute> {
        let names = |always| {
            let chosen = channels
                .iter()
                .filter(move |channel| channel.is_always_told() == always);
            chosen.map(|channel| channel.name().to_owned())
        };
        let mut rules = Vec::new();
        for (n, route) in settings.routes.iter().enumerate() {
            let place = place("routes", n, &route.name);
            let rule = route.rule().map_err(|cause| InvalidRoute {
                place: place.clone(),
                cause,
            })?;
            if rules
                .iter()
                .any(|known: &portwatch_domain::notification::route::Rule| known.name == rule.name)
            {
                let cause = "name: another route has it".to_owned();
                return Err(InvalidRoute { place, cause });
            }
            rules.push(rule);
        }
        let mut maintenance = Vec::new();
        for (n, window) in settings.maintenance.iter().enumerate() {
            let read = window.maintenance().map_err(|cause| InvalidRoute {
                place: place("maintenance", n, &window.name),
                cause,
            })?;
            maintenance.push(read);
        }
        let default = match &settings.default {
            Some(channels) => channels.0.clone(),
            None => names(false).collect(),
        };
        let routes = Routes { rules, default };
        let known: Vec<_> = channels.iter().map(Channel::name).collect();
        if let Some((rule, channel)) = routes.unknown_channels(&known).first() {
            let place = if settings.routes.iter().any(|route| route.name == *rule) {
                format!("routes.{rule}.channels")
            } else {
                "default".to_owned()
            };
            let cause = match known.as_slice() {
                [] => format!("there is no channel {channel:?}, and none at all"),
                known => format!(
                    "there is no channel {channel:?}; there are {}",
                    known.join(", ")
                ),
            };
            return Err(InvalidRoute { place, cause });
        }
        Ok(Self {
            routes,
            maintenance,
            always: names(true).collect(),
        })
    }
}

/// What an error calls the `n`th of a list.
fn place(list: &str, n: usize, name: &str) -> String {
    if name.is_empty() {
        format!("{list}.{n}")
    } else {
        format!("{list}.{name}")
    }
}
