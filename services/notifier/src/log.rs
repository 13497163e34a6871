//! What the deliveries on record tell, for who reads the log.

use portwatch_domain::notification::Content;
use portwatch_domain::notification::words::{self, many};
use portwatch_schemas::{DecodeError, EncodeError, content_body, decode_content};

/// What a delivery tells, in a line.
pub fn title(body: &[u8]) -> String {
    match decode_content(body) {
        Ok((_, Content::Changes(notification))) => words::summary(&notification.changes),
        Ok((_, Content::Summary(summary))) => many::headline(&summary),
        Err(error) => format!("unreadable: {error}"),
    }
}

/// What a delivery tells cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not understood.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// What a delivery tells, as a webhook gets it: JSON.
///
/// # Errors
/// If it is unreadable, as what a newer version wrote may be.
pub fn webhook_body(body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let (_, content) = decode_content(body)?;
    Ok(content_body(&content)?)
}
