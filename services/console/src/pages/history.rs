//! `/portscanner/{server}`: what its ports did, newest first.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use minijinja::{Value, context};
use portwatch_store::history::{HistoryFilter, HistoryRow};
use serde::Deserialize;

use super::{Shown, Unshown, Visitor, html};
use crate::roxy_wi::{KINDS, service, status};
use crate::{Shared, servers};

/// Rows on one page.
const ON_A_PAGE: usize = 25;
/// So many of the newest are looked through.
const MOST: u32 = 10_000;

#[derive(Deserialize)]
pub(super) struct ShowQuery {
    #[serde(default)]
    search: String,
    #[serde(default)]
    page: usize,
}

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Visitor(caller): Visitor,
    Path(key): Path<String>,
    Shown(query): Shown<ShowQuery>,
) -> Result<Response, Unshown> {
    let server = servers::one(&shared, &caller, &key).await?;
    let target = &server.state.target;
    let filter = HistoryFilter {
        kinds: KINDS.to_vec(),
        ..HistoryFilter::of(target.id, MOST)
    };
    let rows = shared.deps.store.history(filter).await?;
    let search = query.search.trim().to_lowercase();
    let rows: Vec<_> = rows.iter().filter_map(Row::of).collect();
    let all = rows.len();
    let found: Vec<_> = rows.iter().filter(|row| row.has(&search)).collect();
    let pages = found.len().div_ceil(ON_A_PAGE).max(1);
    let page = query.page.clamp(1, pages);
    let shown = found.iter().skip((page - 1) * ON_A_PAGE).take(ON_A_PAGE);
    let shown: Vec<_> = shown.map(|row| row.value()).collect();
    let with = context! {
        caller => caller.name,
        number => server.number,
        name => &target.name,
        history => target.switches.history,
        query => html::query(&query.search),
        search => query.search,
        rows => shown, all, found => found.len(), page, pages,
        most => (all >= MOST as usize).then_some(MOST),
    };
    let title = format!("History of {}", target.name);
    Ok(html::page("history.html", &title, with))
}

/// One row of the table.
struct Row {
    status: &'static str,
    host: String,
    port: String,
    service: String,
    date: String,
    time: String,
}

impl Row {
    fn of(row: &HistoryRow) -> Option<Self> {
        let change = &row.change;
        let port = change.transition.port()?;
        Some(Self {
            status: status(change)?,
            host: row.ip().map(|ip| ip.to_string()).unwrap_or_default(),
            port: format!("{}/{}", port.number, port.protocol),
            service: service(change).unwrap_or_default(),
            date: change.at.strftime("%Y-%m-%d").to_string(),
            time: change.at.strftime("%H:%M:%S").to_string(),
        })
    }

    fn has(&self, search: &str) -> bool {
        let shown = [
            self.status,
            &self.host,
            &self.port,
            &self.service,
            &self.date,
            &self.time,
        ];
        shown
            .iter()
            .any(|text| text.to_lowercase().contains(search))
    }

    fn value(&self) -> Value {
        context! {
            status => self.status,
            host => &self.host,
            port => &self.port,
            service => &self.service,
            date => &self.date,
            time => &self.time,
        }
    }
}
