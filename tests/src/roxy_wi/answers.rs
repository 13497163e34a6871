//! The answers, in the words and shapes that were recorded.

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{Server, World};

/// What is said where there is no subscription.
pub const NO_SUBSCRIPTION: &str = "Your subscription is not active or you are on a Home plan.";

pub(super) fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, format!("{body}\n")).into_response()
}

/// JSON that says of itself that it is HTML.
pub(super) fn html(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, kind, body).into_response()
}

pub(super) fn failed(status: u16, error: &str) -> Response {
    json(status, &json!({ "error": error, "status": "failed" }))
}

pub(super) fn forbidden() -> Response {
    failed(403, "403 Forbidden: bad permission")
}

pub(super) fn unauthorized() -> Response {
    failed(
        401,
        "401 Unauthorized: The server could not verify that you are authorized to access the URL requested. You either supplied the wrong credentials (e.g. a bad password), or your browser doesn't understand how to supply the credentials required.",
    )
}

pub(super) fn servers(world: &World, group: u64) -> Response {
    let own = world.servers.iter().filter(|server| server.group == group);
    let rows: Vec<Value> = own.map(row).collect();
    json(200, &json!(rows))
}

/// The group is a text here; `port` is that of SSH.
fn row(server: &Server) -> Value {
    let mut row = json!({
        "cred_id": 1, "description": "", "enabled": u8::from(server.enabled),
        "group_id": server.group.to_string(), "hostname": server.hostname, "ip": server.ip,
        "master": 0, "port": 22, "pos": 0, "protected": 0, "server_id": server.id,
        "type_ip": u8::from(server.is_virtual), "firewall_enable": 0,
    });
    for service in ["apache", "haproxy", "keepalived", "nginx"] {
        for what in ["", "_active", "_alert", "_metrics"] {
            row[format!("{service}{what}")] = json!(0);
        }
    }
    row
}

/// The group is a number here.
pub(super) fn groups(world: &World) -> Response {
    let group =
        |(id, name): (&u64, &String)| json!({ "description": "", "group_id": id, "name": name });
    let groups: Vec<Value> = world.groups.iter().map(group).collect();
    json(200, &json!(groups))
}

/// Only group 1 has settings.
pub(super) fn monitoring(world: &World, group: u64) -> Response {
    let row = |(param, value): (&String, &String)| json!({ "desc": param, "group_id": 1, "param": param, "section": "monitoring", "value": value });
    let other = json!({
        "desc": "Retention period for Checker history", "group_id": 1,
        "param": "checker_keep_history_range", "section": "monitoring", "value": "14",
    });
    let rows: Vec<Value> = match group {
        1 => [other]
            .into_iter()
            .chain(world.settings.iter().map(row))
            .collect(),
        _ => Vec::new(),
    };
    json(200, &json!(rows))
}

pub(super) fn portscanner(
    world: &mut World,
    group: u64,
    method: &Method,
    id: &str,
    body: &Value,
) -> Response {
    let is_meant = |server: &&mut Server| server.id.to_string() == id || server.ip == id;
    let Some(server) = world.servers.iter_mut().find(is_meant) else {
        return failed(404, "Cannot find server: Resource not found");
    };
    if server.group != group {
        return failed(404, "Cannot find server: Resource not found in group");
    }
    match *method {
        Method::GET => match server.switches {
            Some([enabled, notify, history]) => {
                let [enabled, notify, history] = [enabled, notify, history].map(u8::from);
                let id = server.id;
                html(
                    200,
                    format!(
                        "{{\"server_id\": {id}, \"enabled\": {enabled}, \"notify\": {notify}, \"history\": {history}}}"
                    ),
                )
            }
            None => failed(404, "Cannot get Portscanner settings: Resource not found"),
        },
        Method::POST => {
            let switch = |key: &str| match &body[key] {
                // What is left out becomes true.
                Value::Null => Ok(true),
                Value::Bool(value) => Ok(*value),
                Value::Number(value) if matches!(value.as_u64(), Some(0 | 1)) => {
                    Ok(value.as_u64() == Some(1))
                }
                _ => Err(key.to_owned()),
            };
            let [Ok(enabled), Ok(notify), Ok(history)] =
                ["enabled", "notify", "history"].map(switch)
            else {
                let error = "enabled: Input should be a valid boolean, unable to interpret input";
                return json(400, &json!({ "error": [error], "status": "failed" }));
            };
            server.switches = Some([enabled, notify, history]);
            world.posted.push(body.clone());
            json(201, &json!({ "status": "Ok" }))
        }
        _ => failed(
            405,
            "405 Method Not Allowed: The method is not allowed for the requested URL.",
        ),
    }
}
