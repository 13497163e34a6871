//! The targets that somebody sees, with the numbers that programs written for Roxy-WI know them by.

mod open;

use portwatch_domain::target::{Address, TargetId};
use portwatch_store::numbers::Numbered;
use portwatch_store::watch::TargetState;
use uuid::Uuid;

use crate::Shared;
use crate::answer::Refusal;
use crate::caller::Caller;

pub(crate) use open::{OpenPort, open_ports};

/// A target that somebody sees.
pub(crate) struct Server {
    /// Its number.
    pub number: u64,
    /// That of its group.
    pub group_number: u64,
    /// What is known of it.
    pub state: TargetState,
}

impl Server {
    /// Its first address, as Roxy-WI shows it.
    pub fn ip(&self) -> String {
        let first = self.state.target.addresses.first();
        first.map(ToString::to_string).unwrap_or_default()
    }

    /// All of its addresses.
    pub fn addresses(&self) -> Vec<String> {
        let addresses = self.state.target.addresses.iter();
        addresses.map(ToString::to_string).collect()
    }
}

/// All that the caller sees, by name.
pub(crate) async fn all(shared: &Shared, caller: &Caller) -> Result<Vec<Server>, Refusal> {
    let mut states = shared.deps.store.target_states().await?;
    states.retain(|state| caller.scope.sees(&state.target));
    with_numbers(shared, states).await
}

/// The one with this number, id, address or name, if the caller sees it.
pub(crate) async fn one(shared: &Shared, caller: &Caller, key: &str) -> Result<Server, Refusal> {
    let mut seen = Vec::new();
    for id in candidates(shared, key).await? {
        let state = shared.deps.store.target_state(id).await?;
        seen.extend(state.filter(|state| caller.scope.sees(&state.target)));
    }
    if seen.len() > 1 {
        let ids: Vec<_> = with_numbers(shared, seen).await?;
        let ids: Vec<_> = ids.iter().map(|one| one.number.to_string()).collect();
        return Err(Refusal::Conflict(format!(
            "{} servers have the address {key}: use one of their ids, {}",
            ids.len(),
            ids.join(", ")
        )));
    }
    let not_found = || Refusal::NotFound("Cannot find server: Resource not found".to_owned());
    let mut found = with_numbers(shared, seen).await?;
    found.pop().ok_or_else(not_found)
}

async fn candidates(shared: &Shared, key: &str) -> Result<Vec<TargetId>, Refusal> {
    let store = &shared.deps.store;
    if let Ok(number) = key.parse() {
        let name = store.numbered(Numbered::Target, number).await?;
        let id = name.and_then(|name| name.parse().ok());
        return Ok(id.map(TargetId).into_iter().collect());
    }
    if let Ok(id) = key.parse::<Uuid>() {
        return Ok(vec![TargetId(id)]);
    }
    match key.parse::<Address>() {
        Ok(address) => Ok(store.targets_with(&address.to_string()).await?),
        Err(_) => Ok(Vec::new()),
    }
}

async fn with_numbers(shared: &Shared, states: Vec<TargetState>) -> Result<Vec<Server>, Refusal> {
    let ids = states.iter().map(|state| state.target.id.to_string());
    let mut groups: Vec<_> = states.iter().map(|s| s.target.group.clone()).collect();
    groups.sort();
    groups.dedup();
    let store = &shared.deps.store;
    let numbers = store.numbers(Numbered::Target, ids.collect()).await?;
    let groups = store.numbers(Numbered::Group, groups).await?;
    let server = |state: TargetState| Server {
        number: numbers
            .get(&state.target.id.to_string())
            .copied()
            .unwrap_or_default(),
        group_number: groups.get(&state.target.group).copied().unwrap_or_default(),
        state,
    };
    Ok(states.into_iter().map(server).collect())
}
