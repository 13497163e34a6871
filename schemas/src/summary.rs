//! Version 1 of a summary of many changes. Its data is also the body of a webhook.

use jiff::Timestamp;
use portwatch_domain::change::{ChangeKind, Severity};
use portwatch_domain::notification::Content;
use portwatch_domain::notification::summary::Summary;
use portwatch_domain::notification::words::many;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::{Message, Meta, OnWire, decode};
use crate::error::{DecodeError, EncodeError, Misfit, Problem};
use crate::notification::notification_body;
use crate::text::Text;

#[derive(Serialize, Deserialize)]
pub struct SummaryWire {
    summary_id: Uuid,
    created_at: Timestamp,
    #[serde(skip_deserializing)]
    summary: String,
    #[serde(default, skip_serializing_if = "is_false")]
    reminder: bool,
    first_at: Timestamp,
    last_at: Timestamp,
    subjects: u32,
    severity: Text<Severity>,
    targets: Vec<String>,
    counts: Vec<CountWire>,
    lines: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct CountWire {
    kind: Text<ChangeKind>,
    count: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(is: &bool) -> bool {
    !*is
}

impl From<&Summary> for SummaryWire {
    fn from(summary: &Summary) -> Self {
        let (first_at, last_at) = summary.period;
        let count = |&(kind, count): &(ChangeKind, u32)| CountWire {
            kind: Text(kind),
            count,
        };
        Self {
            summary_id: summary.id,
            created_at: summary.created_at,
            summary: many::headline(summary),
            reminder: summary.reminder,
            first_at,
            last_at,
            subjects: summary.subjects,
            severity: Text(summary.severity),
            targets: summary.targets.clone(),
            counts: summary.counts.iter().map(count).collect(),
            lines: summary.lines.clone(),
        }
    }
}

impl OnWire for Summary {
    type Wire = SummaryWire;

    fn to_wire(&self) -> SummaryWire {
        self.into()
    }

    fn from_wire(wire: SummaryWire) -> Result<Self, Misfit> {
        if wire.counts.is_empty() {
            return Err(Misfit::new("counts", Problem::Empty));
        }
        Ok(Self {
            id: wire.summary_id,
            created_at: wire.created_at,
            reminder: wire.reminder,
            period: (wire.first_at, wire.last_at),
            subjects: wire.subjects,
            severity: wire.severity.0,
            targets: wire.targets,
            counts: wire
                .counts
                .into_iter()
                .map(|one| (one.kind.0, one.count))
                .collect(),
            lines: wire.lines,
        })
    }
}

impl Message for Summary {
    const TYPE: &'static str = "io.portwatch.summary.v1";
    const SCHEMA: &'static str = "urn:portwatch:schema:summary:v1";

    /// How many hosts, targets and zones it is about.
    fn subject(&self) -> String {
        self.subjects.to_string()
    }
}

/// What is told as the body of a webhook: what is `data` in its message, and nothing around it.
///
/// # Errors
/// If JSON cannot hold it.
pub fn content_body(content: &Content) -> Result<Vec<u8>, EncodeError> {
    match content {
        Content::Changes(notification) => notification_body(notification),
        Content::Summary(summary) => {
            serde_json::to_vec(&SummaryWire::from(summary)).map_err(|source| EncodeError::Json {
                message: Summary::TYPE,
                source,
            })
        }
    }
}

/// Reads a notification, or a summary of many.
///
/// # Errors
/// As [`decode`].
pub fn decode_content(bytes: &[u8]) -> Result<(Meta, Content), DecodeError> {
    match decode(bytes) {
        Ok((meta, notification)) => Ok((meta, Content::Changes(notification))),
        Err(DecodeError::Type { found, .. }) if found == Summary::TYPE => {
            let (meta, summary) = decode(bytes)?;
            Ok((meta, Content::Summary(summary)))
        }
        Err(error) => Err(error),
    }
}
