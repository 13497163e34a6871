//! What Roxy-WI says → which targets there are. Nothing else: no network, no clock, no store.

use std::collections::{BTreeMap, HashMap};

use portwatch_domain::target::{Address, Switches, Target, TargetId};
use portwatch_runtime::settings::List;
use portwatch_store::history::GroupRetention;
use uuid::Uuid;

use super::read::{Seen, Server};
use crate::settings::{Groups, TargetSettings};
use crate::targets::Source;

/// What goes into a plan beside what Roxy-WI says.
pub(super) struct Rules {
    /// What stands before each name.
    pub prefix: String,
    /// Names that go before those of Roxy-WI's groups.
    pub group_names: BTreeMap<u64, String>,
    /// Of the settings: ports, zone, rate and all else that Roxy-WI does not know.
    pub groups: Groups,
}

/// The targets that follow from what was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Planned {
    pub targets: Vec<Planning>,
    /// Servers that cannot be watched as they are, and why. Their targets, if there were any, stay.
    pub refused: Vec<String>,
    /// How long the history of their groups is kept.
    pub retention: Vec<GroupRetention>,
}

/// A target, and the server that it comes from.
#[derive(Clone, Debug)]
pub(super) struct Planning {
    pub target: Target,
    pub server: u64,
    /// The number of its group.
    pub group: u64,
    pub user: usize,
}

impl Planned {
    pub fn targets(&self) -> Vec<Target> {
        self.targets
            .iter()
            .map(|planned| planned.target.clone())
            .collect()
    }
}

/// The id of a server's target: it stays when the server is renamed, moved to another group or given another address.
pub(super) fn id(server: u64, installation: Uuid) -> TargetId {
    TargetId::derive(Source::RoxyWi.as_str(), &server.to_string()).within(installation)
}

/// Plans. `stored` are the targets that were made of an earlier plan.
pub(super) fn plan(seen: &Seen, rules: &Rules, stored: &[Target], installation: Uuid) -> Planned {
    let stored: HashMap<TargetId, &Target> = stored.iter().map(|t| (t.id, t)).collect();
    let mut planned = Planned::default();
    let servers = || {
        seen.servers
            .iter()
            .filter(|server| !server.listed.is_virtual)
    };
    let mut named: HashMap<&str, u32> = HashMap::new();
    for server in servers() {
        *named.entry(&server.listed.name).or_default() += 1;
    }
    for server in servers() {
        let id = id(server.listed.id, installation);
        let switches = switches(server);
        let is_alone = named.get(server.listed.name.as_str()) == Some(&1);
        let target = match target(server, seen, rules, is_alone) {
            Ok(target) => Target { id, ..target },
            Err(cause) => {
                if switches.enabled {
                    planned
                        .refused
                        .push(format!("server {}: {cause}", server.listed.id));
                }
                let Some(&known) = stored.get(&id) else {
                    continue;
                };
                known.clone()
            }
        };
        planned.targets.push(Planning {
            target: Target { switches, ..target },
            server: server.listed.id,
            group: server.listed.group,
            user: server.user,
        });
    }
    planned.retention = retention(&planned.targets, seen, rules);
    planned
}

/// A server that is switched off altogether is not scanned either; one whose switches nobody ever set is off.
fn switches(server: &Server) -> Switches {
    let off = Switches {
        enabled: false,
        notify: false,
        history: false,
    };
    let said = server.switches.unwrap_or(off);
    Switches {
        enabled: said.enabled && server.listed.enabled,
        ..said
    }
}

fn target(server: &Server, seen: &Seen, rules: &Rules, is_alone: bool) -> Result<Target, String> {
    let listed = &server.listed;
    let group = group(listed.group, seen, rules);
    let number = if is_alone {
        String::new()
    } else {
        format!(" ({})", listed.id)
    };
    let settings = TargetSettings {
        name: format!("{}{}{number}", rules.prefix, listed.name),
        addresses: List(vec![address(&listed.ip)?]),
        interval: seen
            .monitoring
            .interval
            .filter(|_| !rules.groups.says_when(&group)),
        group: Some(group),
        ..TargetSettings::default()
    };
    let target = settings.target_in(&rules.groups, Source::RoxyWi);
    target.map_err(|error| error.to_string())
}

/// Roxy-WI takes anything for an address; a server has one, and is never a block.
fn address(ip: &str) -> Result<String, String> {
    let inner = ip.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner.unwrap_or(ip).parse::<Address>() {
        Ok(address @ (Address::Ip(_) | Address::Name(_))) => Ok(address.to_string()),
        Ok(Address::Cidr(_) | Address::Range(_)) => Err(format!(
            "its address {ip:?} is more than one: correct it in Roxy-WI, or list the block in the settings file"
        )),
        Err(error) => Err(format!("its address: {error}: correct it in Roxy-WI")),
    }
}

/// What its group is called here.
fn group(number: u64, seen: &Seen, rules: &Rules) -> String {
    let own = rules.group_names.get(&number);
    let name = own.or_else(|| seen.groups.get(&number).filter(|name| !name.is_empty()));
    name.cloned().unwrap_or_else(|| format!("roxy-wi-{number}"))
}

/// One for each group that has a target, but for those whose settings say it themselves.
fn retention(targets: &[Planning], seen: &Seen, rules: &Rules) -> Vec<GroupRetention> {
    let Some(keep_history) = seen.monitoring.keep_history else {
        return Vec::new();
    };
    let mut groups: Vec<_> = targets
        .iter()
        .map(|planned| planned.target.group.clone())
        .collect();
    groups.sort();
    groups.dedup();
    groups.retain(|group| !rules.groups.says_how_long(group));
    let keep = |group| GroupRetention {
        group,
        keep_history,
    };
    groups.into_iter().map(keep).collect()
}

#[cfg(test)]
mod tests;
