//! *Run scan*: asks for a scan, shows how far it is, and then what is open.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use minijinja::{Value, context};
use portwatch_domain::snapshot::HostState;

use super::{HOME, Unshown, Visitor, html};
use crate::servers::OpenPort;
use crate::{Shared, scan_now, servers};

pub(super) async fn ask(
    State(shared): State<Arc<Shared>>,
    Visitor(caller): Visitor,
    Path(key): Path<String>,
) -> Result<Response, Unshown> {
    let server = servers::one(&shared, &caller, &key).await?;
    let scan = scan_now::ask(&shared, &caller, &server).await?;
    let page = format!("{HOME}/{}/scan/{scan}", server.number);
    Ok(Redirect::to(&page).into_response())
}

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Visitor(caller): Visitor,
    Path((key, scan)): Path<(String, String)>,
) -> Result<Response, Unshown> {
    let server = servers::one(&shared, &caller, &key).await?;
    let state = scan_now::state(&shared, scan_now::id(&scan)?).await?;
    let open = servers::open_ports(&shared, &server).await?;
    let ports: Vec<_> = open.iter().map(row).collect();
    let with = context! {
        caller => caller.name,
        number => server.number,
        name => &server.state.target.name,
        waits => state.run.is_none(),
        is_over => state.is_over(),
        refresh => !state.is_over(),
        finished => state.finished,
        jobs => state.jobs,
        expired => state.expired,
        ports,
    };
    let title = format!("Scan of {}", server.state.target.name);
    Ok(html::page("scan.html", &title, with))
}

fn row(open: &OpenPort) -> Value {
    let state = if open.host_state == HostState::Up {
        "open"
    } else {
        "open when last seen"
    };
    context! {
        host => open.ip.to_string(),
        port => format!("{}/{}", open.port.number, open.port.protocol),
        state,
        service => &open.service,
        unexpected => open.expected == Some(false),
    }
}
