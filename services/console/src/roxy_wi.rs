//! Roxy-WI's API, so that scripts written for it keep working: its paths, its shapes, its spelling, and real JSON types.
//! It differs where Roxy-WI is careless: only servers of one's own groups are seen, and every answer is
//! `application/json`.

mod history;
mod switches;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Shared;
use crate::answer::{Asked, Refusal, answer, found};
use crate::caller::Caller;
use crate::login::{self, log_in};
use crate::servers::{self, Server};

pub(crate) use history::{KINDS, service, status};

/// The routes.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/login", post(token))
        .route("/api/servers", get(list))
        .route(
            "/api/server/portscanner/{server}",
            get(switches::show).post(switches::set),
        )
        .route("/api/server/portscanner/{server}/ports", get(history::show))
        .method_not_allowed_fallback(async || Refusal::NoMethod)
}

/// `POST /api/login`.
async fn token(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Refusal> {
    let from = login::from(request.extensions());
    let body = axum::body::to_bytes(request.into_body(), crate::MOST_BYTES).await;
    let body = body.map_err(|_| Refusal::Wrong("the body is too long".to_owned()))?;
    let mut body = object(&body)?;
    let mut missing = Vec::new();
    let mut text = |field: &str| match body.remove(field) {
        Some(Value::String(text)) => text,
        Some(_) => {
            missing.push(format!("{field}: Input should be a valid string"));
            String::new()
        }
        None => {
            missing.push(format!("{field}: Field required"));
            String::new()
        }
    };
    let (name, password) = (text("login"), text("password"));
    if !missing.is_empty() {
        return Err(Refusal::WrongFields(missing));
    }
    let lasts = shared.settings.token;
    let token = log_in(&shared, (&name, password), from, lasts).await?;
    Ok(found(&json!({ "access_token": token })))
}

#[derive(Deserialize)]
struct ListQuery {
    group_id: Option<u64>,
}

/// `GET /api/servers`.
async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Refusal> {
    let mut servers = servers::all(&shared, &caller).await?;
    if let Some(group) = query.group_id {
        servers.retain(|server| server.group_number == group);
        if servers.is_empty() {
            let text = "Resource not found in group";
            return Err(Refusal::NotFound(text.to_owned()));
        }
    }
    let servers: Vec<_> = servers.iter().map(listed).collect();
    Ok(found(&servers))
}

/// A server, with the fields that mean something here. `group_id` is a text, as with Roxy-WI.
fn listed(server: &Server) -> Value {
    let target = &server.state.target;
    json!({
        "server_id": server.number,
        "hostname": target.name,
        "ip": server.ip(),
        "group_id": server.group_number.to_string(),
        "enabled": 1,
        "description": target.tags.join(", "),
        "type_ip": 0,
        "port": null,
    })
}

/// The body as an object.
fn object(body: &Bytes) -> Result<serde_json::Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Refusal::Wrong("the body is JSON, and no object".to_owned())),
        Err(error) => Err(Refusal::Wrong(format!("the body is no JSON: {error}"))),
    }
}

/// The server of a path.
async fn server(
    shared: &Shared,
    caller: &Caller,
    Path(key): &Path<String>,
) -> Result<Server, Refusal> {
    servers::one(shared, caller, key).await
}

/// What a change that was taken is answered with.
fn taken() -> Response {
    answer(StatusCode::CREATED, &json!({ "status": "Ok" }))
}
