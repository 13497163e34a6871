//! The three switches of a target, and what is set in the place of what its source says.

use std::fmt;

/// The three switches of a target; each works without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// Scanned at all.
    pub enabled: bool,
    /// Changes are told to the notification channels.
    pub notify: bool,
    /// Transitions are kept; if off, only the current state is.
    pub history: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            enabled: true,
            notify: true,
            history: true,
        }
    }
}

/// Which switches are to be changed; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switching {
    /// Scanned at all.
    pub enabled: Option<bool>,
    /// Changes are told.
    pub notify: Option<bool>,
    /// Changes are kept.
    pub history: Option<bool>,
}

impl Switching {
    /// The switches, changed.
    pub fn over(self, now: Switches) -> Switches {
        Switches {
            enabled: self.enabled.unwrap_or(now.enabled),
            notify: self.notify.unwrap_or(now.notify),
            history: self.history.unwrap_or(now.history),
        }
    }

    /// What was set by hand before, with this set on top. What is as the target's source has it needs no setting: it
    /// follows the source from then on.
    #[must_use]
    pub fn on_top_of(self, before: Self, own: Switches) -> Self {
        let one = |new: Option<bool>, old, own| new.or(old).filter(|&set| set != own);
        Self {
            enabled: one(self.enabled, before.enabled, own.enabled),
            notify: one(self.notify, before.notify, own.notify),
            history: one(self.history, before.history, own.history),
        }
    }
}

impl fmt::Display for Switching {
    /// `enabled on, notify off`; nothing for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            ("enabled", self.enabled),
            ("notify", self.notify),
            ("history", self.history),
        ];
        let set = named
            .into_iter()
            .filter_map(|(name, is_on)| Some((name, is_on?)));
        for (place, (name, is_on)) in set.enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {}", if is_on { "on" } else { "off" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Switches = Switches {
        enabled: true,
        notify: true,
        history: true,
    };

    fn notify(is_on: bool) -> Switching {
        Switching {
            notify: Some(is_on),
            ..Switching::default()
        }
    }

    #[test]
    fn what_is_set_goes_before_what_the_source_says() {
        let quiet = Switching::default();
        let set = notify(false).on_top_of(quiet, ON);
        assert!(!set.over(ON).notify && set.over(ON).enabled);

        let both = Switching {
            history: Some(false),
            ..quiet
        };
        let both = both.on_top_of(set, ON);
        assert_eq!(both.to_string(), "notify off, history off");
    }

    #[test]
    fn what_is_as_the_source_has_it_follows_the_source() {
        let set = notify(false).on_top_of(Switching::default(), ON);
        let back = notify(true).on_top_of(set, ON);
        assert_eq!(back, Switching::default());
        let off = Switches {
            notify: false,
            ..ON
        };
        assert!(!back.over(off).notify, "the source was changed since");
    }
}
