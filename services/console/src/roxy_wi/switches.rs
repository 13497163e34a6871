//! `GET` and `POST /api/server/portscanner/<id or ip>`: the three switches.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use portwatch_domain::target::Switching;
use serde_json::{Map, Value, json};

use super::{object, server, taken};
use crate::Shared;
use crate::answer::{Refusal, found};
use crate::caller::Caller;
use crate::switches;

/// How the switches stand, as 0 and 1.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    path: Path<String>,
) -> Result<Response, Refusal> {
    let server = server(&shared, &caller, &path).await?;
    let switches = server.state.target.switches;
    Ok(found(&json!({
        "server_id": server.number,
        "enabled": u8::from(switches.enabled),
        "notify": u8::from(switches.notify),
        "history": u8::from(switches.history),
    })))
}

/// Sets all three: one that is left out becomes true.
pub(super) async fn set(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    path: Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let server = server(&shared, &caller, &path).await?;
    let switching = read(&object(&body)?).map_err(Refusal::WrongFields)?;
    switches::set(&shared, &caller, &server, switching).await?;
    Ok(taken())
}

fn read(body: &Map<String, Value>) -> Result<Switching, Vec<String>> {
    let mut wrong = Vec::new();
    let mut one = |field: &str| {
        let value = body.get(field).map_or(Some(true), boolean);
        if value.is_none() {
            wrong.push(format!(
                "{field}: Input should be a valid boolean, unable to interpret input"
            ));
        }
        value
    };
    let switching = Switching {
        enabled: one("enabled"),
        notify: one("notify"),
        history: one("history"),
    };
    if wrong.is_empty() {
        Ok(switching)
    } else {
        Err(wrong)
    }
}

/// A boolean in any spelling that Roxy-WI takes.
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(is_on) => Some(*is_on),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
            "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn of(body: &Value) -> Result<Switching, Vec<String>> {
        read(body.as_object().unwrap())
    }

    #[test]
    fn what_is_left_out_becomes_true() {
        let set = |enabled, notify, history| {
            Ok(Switching {
                enabled: Some(enabled),
                notify: Some(notify),
                history: Some(history),
            })
        };
        assert_eq!(of(&json!({})), set(true, true, true));
        assert_eq!(of(&json!({"notify": 0})), set(true, false, true));
        assert_eq!(
            of(&json!({"enabled": false, "notify": "off", "history": "1", "more": 7})),
            set(false, false, true)
        );
    }

    #[test]
    fn what_is_no_boolean_is_named() {
        let wrong = of(&json!({"enabled": "maybe", "notify": 2, "history": null})).unwrap_err();
        let fields: Vec<_> = wrong.iter().map(|w| w.split(':').next().unwrap()).collect();
        assert_eq!(fields, ["enabled", "notify", "history"]);
        assert!(wrong[0].ends_with("Input should be a valid boolean, unable to interpret input"));
    }
}
