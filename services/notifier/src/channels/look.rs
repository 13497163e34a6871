//! How a notification reads, before a channel escapes and cuts it.

use jiff::Timestamp;
use portwatch_domain::change::{About, Change, Severity};
use portwatch_domain::notification::summary::Summary;
use portwatch_domain::notification::words::{self, many};
use portwatch_domain::notification::{Content, Notification};

/// The texts of a notification. They may hold what the network said: each channel escapes them in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// All of it in one line.
    pub title: String,
    /// One line for each change, in the same order.
    pub lines: Vec<String>,
    /// Which target, whose, and when.
    pub footer: String,
    /// The greatest severity of the changes.
    pub severity: Severity,
}

impl Look {
    /// How what is told reads if nobody says otherwise.
    pub fn of(content: &Content) -> Self {
        match content {
            Content::Changes(notification) => Self::of_changes(notification),
            Content::Summary(summary) => Self::of_summary(summary),
        }
    }

    fn of_summary(summary: &Summary) -> Self {
        let (first, last) = summary.period;
        let lines = summary.lines.iter().cloned();
        Self {
            title: many::headline(summary),
            lines: lines.chain(many::rest(summary)).collect(),
            footer: format!("from {first:.0} to {last:.0} · {:.0}", summary.created_at),
            severity: summary.severity,
        }
    }

    pub(super) fn of_changes(notification: &Notification) -> Self {
        let changes = &notification.changes;
        let subject = changes.subject();
        let line = |change: &Change| words::sentence(&subject, change);
        Self {
            title: words::summary(changes),
            lines: changes.changes.iter().map(line).collect(),
            footer: footer(&changes.about, notification.created_at),
            severity: changes
                .changes
                .iter()
                .map(|change| change.severity)
                .max()
                .unwrap_or(Severity::Info),
        }
    }

    /// The lines that say more than the title.
    pub fn details(&self) -> &[String] {
        match self.lines.as_slice() {
            [line] if self.title.contains(line.as_str()) => &[],
            lines => lines,
        }
    }

    /// The severity as a colour, red green blue.
    pub const fn colour(&self) -> u32 {
        match self.severity {
            Severity::Info => 0x2e_a0_43,
            Severity::Low => 0x1f_6f_eb,
            Severity::Medium => 0xd2_99_22,
            Severity::High => 0xda_36_33,
        }
    }
}

fn footer(about: &About, at: Timestamp) -> String {
    match about {
        About::Host { target, .. } | About::Target(target) => format!(
            "target {}, group {}, zone {} · {at:.0}",
            target.name, target.group, target.zone
        ),
        About::Zone(_) | About::Channel(_) => format!("{at:.0}"),
    }
}
