//! Version 1 of the notification. Its data is also the body of a webhook.

use jiff::Timestamp;
use portwatch_domain::notification::{Notification, words};
use portwatch_domain::target::Zone;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::change::{ChangeWire, ChangesWire, TargetWire};
use crate::envelope::{Message, OnWire};
use crate::error::{EncodeError, Misfit};
use crate::text::{Ip, Text};

/// The fields of the changes are spelled out, not flattened: flattened, an error has no path.
#[derive(Serialize, Deserialize)]
pub struct NotificationWire {
    notification_id: Uuid,
    created_at: Timestamp,
    #[serde(skip_deserializing)]
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<TargetWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<Text<Zone>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<Text<Ip>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<Uuid>,
    notify: bool,
    changes: Vec<ChangeWire>,
}

impl From<&Notification> for NotificationWire {
    fn from(notification: &Notification) -> Self {
        let ChangesWire {
            target,
            zone,
            channel,
            host,
            ip,
            job,
            notify,
            changes,
        } = ChangesWire::with_text(&notification.changes);
        Self {
            notification_id: notification.id,
            created_at: notification.created_at,
            summary: words::summary(&notification.changes),
            target,
            zone,
            channel,
            host,
            ip,
            job,
            notify,
            changes,
        }
    }
}

impl TryFrom<NotificationWire> for Notification {
    type Error = Misfit;

    fn try_from(wire: NotificationWire) -> Result<Self, Misfit> {
        let NotificationWire {
            notification_id,
            created_at,
            summary: _,
            target,
            zone,
            channel,
            host,
            ip,
            job,
            notify,
            changes,
        } = wire;
        let changes = ChangesWire {
            target,
            zone,
            channel,
            host,
            ip,
            job,
            notify,
            changes,
        };
        Ok(Self {
            id: notification_id,
            changes: changes.try_into()?,
            created_at,
        })
    }
}

impl OnWire for Notification {
    type Wire = NotificationWire;

    fn to_wire(&self) -> NotificationWire {
        self.into()
    }

    fn from_wire(wire: NotificationWire) -> Result<Self, Misfit> {
        wire.try_into()
    }
}

impl Message for Notification {
    const TYPE: &'static str = "io.portwatch.notification.v1";
    const SCHEMA: &'static str = "urn:portwatch:schema:notification:v1";

    /// That of its changes.
    fn subject(&self) -> String {
        Message::subject(&self.changes)
    }
}

/// The notification as the body of a webhook: what is `data` in its message, and nothing around it.
///
/// # Errors
/// If JSON cannot hold it.
pub fn notification_body(notification: &Notification) -> Result<Vec<u8>, EncodeError> {
    serde_json::to_vec(&NotificationWire::from(notification)).map_err(|source| EncodeError::Json {
        message: Notification::TYPE,
        source,
    })
}
