//! What a group and a target can both say: the group's word counts where the target has none.

use jiff::SignedDuration;
use portwatch_runtime::settings::List;
use serde::Deserialize;

/// Makes a table of settings of its own keys and of those that groups and targets share. They are not flattened
/// into it: serde cannot tell an unknown key in a flattened struct.
macro_rules! with_policy {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$own_meta:meta])* pub $own:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[$own_meta])* pub $own: $kind,)*
            /// Which scanner workers can reach it: `default`.
            pub zone: Option<String>,
            /// The ports: `22,80,8000-8100`, `all`, `top100`, `top1000`; the last if nobody says.
            pub ports: Option<String>,
            /// The ports that should be open, or `none`.
            pub expected: Option<String>,
            /// The ports that may be open or not.
            pub allowed: Option<String>,
            /// How many scans must agree that a port is open: 1.
            pub confirm_open: Option<u8>,
            /// How many scans must agree that a port is closed or filtered: 2.
            pub confirm_close: Option<u8>,
            /// How many scans must agree that a host is down: 1.
            pub confirm_down: Option<u8>,
            /// From the start of one scan to the start of the next: 5 minutes.
            pub interval: Option<SignedDuration>,
            /// Instead of an interval: when, as a cron expression of five fields.
            pub cron: Option<String>,
            /// The time zone of `cron` and `closed`: UTC.
            pub time_zone: Option<String>,
            /// When nothing is scanned: `08:00-18:00`, `Mon-Fri 22:00-06:00`.
            pub closed: Option<List<String>>,
            /// Blocks and ranges are first asked which of their hosts are there.
            pub discovery: Option<bool>,
            /// State and history move with a name from one address to another.
            pub follow_names: Option<bool>,
            /// The most probes per second: 1000.
            pub rate: Option<u32>,
            /// Words that rules can name it by.
            pub tags: Option<List<String>>,
            /// Scanned at all.
            pub enabled: Option<bool>,
            /// Changes are told.
            pub notify: Option<bool>,
            /// Transitions are kept.
            pub history: Option<bool>,
        }

        impl $name {
            /// What it shares with the other kind.
            pub(super) fn policy(&self) -> Policy {
                let Self {
                    zone, ports, expected, allowed, confirm_open, confirm_close, confirm_down, interval, cron,
                    time_zone, closed, discovery, follow_names, rate, tags, enabled, notify, history, ..
                } = self.clone();
                Policy {
                    zone, ports, expected, allowed, confirm_open, confirm_close, confirm_down, interval, cron,
                    time_zone, closed, discovery, follow_names, rate, tags, enabled, notify, history,
                }
            }
        }
    };
}

with_policy! {
    /// One `[[scheduler.groups]]`: what its targets have in common. What a target says itself goes before it.
    pub struct GroupSettings {
        /// Its name, as targets give it.
        pub name: String,
        /// How long the history of its targets is kept.
        pub keep_history: Option<SignedDuration>,
    }
}

with_policy! {
    /// One `[[scheduler.targets]]`.
    pub struct TargetSettings {
        /// What people call it; the addresses, if it is not given.
        pub name: String,
        /// Who it belongs to: `default`.
        pub group: Option<String>,
        /// Addresses, CIDR blocks, ranges and host names.
        pub addresses: List<String>,
        /// Addresses, CIDR blocks and ranges that are never scanned.
        pub exclude: List<String>,
    }
}

/// What a group or a target says of how it is watched.
#[derive(Clone, Debug, Default)]
pub(super) struct Policy {
    pub(super) zone: Option<String>,
    pub(super) ports: Option<String>,
    pub(super) expected: Option<String>,
    pub(super) allowed: Option<String>,
    pub(super) confirm_open: Option<u8>,
    pub(super) confirm_close: Option<u8>,
    pub(super) confirm_down: Option<u8>,
    pub(super) interval: Option<SignedDuration>,
    pub(super) cron: Option<String>,
    pub(super) time_zone: Option<String>,
    pub(super) closed: Option<List<String>>,
    pub(super) discovery: Option<bool>,
    pub(super) follow_names: Option<bool>,
    pub(super) rate: Option<u32>,
    pub(super) tags: Option<List<String>>,
    pub(super) enabled: Option<bool>,
    pub(super) notify: Option<bool>,
    pub(super) history: Option<bool>,
}
