//! What is encoded decodes to the same, and is valid by its schema.

use portwatch_schemas::{MAX_MESSAGE_BYTES, Message, Meta, decode, encode, notification_body};
use proptest::prelude::*;

use crate::arbitrary;
use crate::schemas::{self, complaints};

fn returns<M: Message + PartialEq + std::fmt::Debug>(
    meta: &Meta,
    message: &M,
) -> Result<(), TestCaseError> {
    let bytes = encode(meta, message).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(bytes.len() <= MAX_MESSAGE_BYTES);
    let json = serde_json::from_slice(&bytes).expect("JSON");
    prop_assert_eq!(complaints(&schemas::MESSAGE, &json), Vec::<String>::new());
    let (meta_again, again) =
        decode::<M>(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(meta, &meta_again);
    prop_assert_eq!(message, &again);
    Ok(())
}

proptest! {
    #[test]
    fn a_job_returns(meta in arbitrary::meta(), job in arbitrary::job()) {
        returns(&meta, &job)?;
    }

    #[test]
    fn a_snapshot_returns(meta in arbitrary::meta(), snapshot in arbitrary::snapshot()) {
        returns(&meta, &snapshot)?;
    }

    #[test]
    fn a_change_returns(meta in arbitrary::meta(), changes in arbitrary::host_changes()) {
        returns(&meta, &changes)?;
    }

    #[test]
    fn a_notification_returns(
        meta in arbitrary::meta(),
        notification in arbitrary::notification(),
    ) {
        returns(&meta, &notification)?;
        let message = encode(&meta, &notification).expect("encoded above");
        let message: serde_json::Value = serde_json::from_slice(&message).expect("JSON");
        let body = notification_body(&notification).expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        prop_assert_eq!(&message["data"], &body);
        prop_assert_eq!(complaints(&schemas::BODY, &body), Vec::<String>::new());
    }
}
