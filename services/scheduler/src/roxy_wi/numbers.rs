//! The numbers that Roxy-WI has for its servers and groups, so that programs written for it are understood here.

use std::collections::HashMap;

use portwatch_store::numbers::Numbered;
use portwatch_store::{Store, StoreError};

use super::RoxyWi;
use super::plan::Planned;

/// All numbers that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoxyNumbers {
    /// Of servers, by the ids of their targets.
    targets: HashMap<String, u64>,
    /// Of groups, by their names here.
    groups: HashMap<String, u64>,
}

impl RoxyNumbers {
    fn of(planned: &Planned) -> Self {
        let targets = planned.targets.iter();
        let targets = targets.map(|planned| (planned.target.id.to_string(), planned.server));
        let mut groups: HashMap<String, u64> = HashMap::new();
        for planned in &planned.targets {
            let group = planned.target.group.clone();
            let number = groups.entry(group).or_insert(planned.group);
            // Several of Roxy-WI's groups can be one here.
            *number = planned.group.min(*number);
        }
        Self {
            targets: targets.collect(),
            groups,
        }
    }
}

impl RoxyWi {
    /// Saves the numbers, unless they are those that were saved last.
    pub(super) async fn keep_numbers(
        &self,
        store: &Store,
        planned: &Planned,
    ) -> Result<(), StoreError> {
        let now = RoxyNumbers::of(planned);
        if self.standing().numbers.as_ref() != Some(&now) {
            let (targets, groups) = (now.targets.clone(), now.groups.clone());
            store.set_numbers(Numbered::Target, targets).await?;
            store.set_numbers(Numbered::Group, groups).await?;
            self.standing().numbers = Some(now);
        }
        Ok(())
    }
}
