//! How long the histories of groups are kept, by the settings and by Roxy-WI.

use portwatch_store::history::GroupRetention;
use portwatch_store::{Store, StoreError};

use super::RoxyWi;

impl RoxyWi {
    /// How long groups keep their history. Before Roxy-WI was read, what was known before counts on: history that is
    /// deleted too early does not come back.
    pub(crate) async fn retention(&self, store: &Store) -> Result<Vec<GroupRetention>, StoreError> {
        let known = self.standing().retention.clone();
        let others = match known {
            Some(known) => known,
            None => store.group_retention().await?,
        };
        Ok(with(&self.keep_history, others))
    }

    /// Takes over what Roxy-WI says now.
    pub(super) async fn keep(
        &self,
        store: &Store,
        now: Vec<GroupRetention>,
    ) -> Result<(), StoreError> {
        if self.standing().retention.as_ref() != Some(&now) {
            store
                .sync_groups(&with(&self.keep_history, now.clone()))
                .await?;
            self.standing().retention = Some(now);
        }
        Ok(())
    }
}

/// What the settings say, and for other groups what Roxy-WI says.
fn with(own: &[GroupRetention], others: Vec<GroupRetention>) -> Vec<GroupRetention> {
    let is_new = |other: &GroupRetention| own.iter().all(|known| known.group != other.group);
    let others = others.into_iter().filter(is_new);
    own.iter().cloned().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn the_settings_word_goes_before_roxy_wi_s() {
        let keep = |group: &str, days: i64| GroupRetention {
            group: group.to_owned(),
            keep_history: SignedDuration::from_hours(24 * days),
        };
        let own = [keep("office", 30), keep("lab", 7)];
        let others = vec![keep("lab", 14), keep("east", 14)];
        let all = [keep("office", 30), keep("lab", 7), keep("east", 14)];
        assert_eq!(with(&own, others), all);
    }
}
