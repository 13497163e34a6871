//! `/portscanner`: a card for each server, with its switches.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use minijinja::{Value, context};
use portwatch_domain::access::Role;
use portwatch_domain::target::{Switches, Switching};
use serde::Deserialize;

use super::{HOME, Shown, Unshown, Visitor, html};
use crate::answer::Refusal;
use crate::servers::{self, Server};
use crate::{Shared, switches};

/// Cards on one page.
const ON_A_PAGE: usize = 24;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    search: String,
    #[serde(default)]
    page: usize,
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Visitor(caller): Visitor,
    Shown(query): Shown<ListQuery>,
) -> Result<Response, Unshown> {
    let mut found = servers::all(&shared, &caller).await?;
    let all = found.len();
    let search = query.search.trim().to_lowercase();
    found.retain(|server| has(server, &search));
    let pages = found.len().div_ceil(ON_A_PAGE).max(1);
    let page = query.page.clamp(1, pages);
    let shown = found.iter().skip((page - 1) * ON_A_PAGE).take(ON_A_PAGE);
    let cards: Vec<_> = shown.map(card).collect();
    let with = context! {
        caller => caller.name,
        may_set => caller.scope.may(Role::Operator),
        query => html::query(&query.search),
        search => query.search,
        all, found => found.len(), cards, page, pages,
    };
    Ok(html::page("servers.html", "Port scanner", with))
}

/// Whether its name, group, tags or addresses contain this.
fn has(server: &Server, search: &str) -> bool {
    let target = &server.state.target;
    let names = [target.name.clone(), target.group.clone()];
    let all = names
        .into_iter()
        .chain(target.tags.iter().cloned())
        .chain(server.addresses());
    search.is_empty()
        || all
            .into_iter()
            .any(|text| text.to_lowercase().contains(search))
}

fn card(server: &Server) -> Value {
    let (state, target) = (&server.state, &server.state.target);
    let switches = target.switches;
    let last = state.scanned_at.map(html::time);
    context! {
        number => server.number,
        name => &target.name,
        group => &target.group,
        tags => target.tags.join(", "),
        addresses => server.addresses().join(", "),
        last_scan => last.unwrap_or_else(|| "never".to_owned()),
        open => state.open_ports,
        unexpected => state.unexpected_open,
        missing => state.expected_closed,
        overdue => state.overdue_since.map(html::time),
        enabled => switches.enabled,
        notify => switches.notify,
        history => switches.history,
        shown => shown(switches),
        set => state.set.to_string(),
        set_by => &state.set_by,
        source => &state.source,
    }
}

/// How the switches stood when the page was made: `101`.
fn shown(switches: Switches) -> String {
    let all = [switches.enabled, switches.notify, switches.history];
    all.map(|is_on| if is_on { '1' } else { '0' })
        .into_iter()
        .collect()
}

/// A browser sends only the boxes that are ticked.
#[derive(Deserialize)]
pub(super) struct SwitchForm {
    shown: String,
    enabled: Option<String>,
    notify: Option<String>,
    history: Option<String>,
}

impl SwitchForm {
    /// Those that are other than the page showed them: what somebody else has set meanwhile is left alone.
    fn switching(&self) -> Result<Switching, Refusal> {
        let [enabled, notify, history] = self.shown.as_bytes() else {
            return Err(Refusal::Wrong("shown: three digits".to_owned()));
        };
        let changed = |now: &Option<String>, before: &u8| {
            Some(now.is_some()).filter(|now| u8::from(*now) + b'0' != *before)
        };
        Ok(Switching {
            enabled: changed(&self.enabled, enabled),
            notify: changed(&self.notify, notify),
            history: changed(&self.history, history),
        })
    }
}

pub(super) async fn switch(
    State(shared): State<Arc<Shared>>,
    Visitor(caller): Visitor,
    Path(key): Path<String>,
    RawQuery(shown): RawQuery,
    form: Result<Form<SwitchForm>, FormRejection>,
) -> Result<Response, Unshown> {
    let server = servers::one(&shared, &caller, &key).await?;
    let Form(form) = form.map_err(|error| Refusal::Wrong(error.body_text()))?;
    let switching = form.switching()?;
    if switching != Switching::default() {
        switches::set(&shared, &caller, &server, switching).await?;
    }
    // Back to where the card is: the query is that of the page which was shown.
    let query = shown.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(Redirect::to(&format!("{HOME}{query}#server-{}", server.number)).into_response())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_boxes_that_were_changed_count() {
        let form = |shown: &str, notify: bool| SwitchForm {
            shown: shown.to_owned(),
            enabled: Some("on".to_owned()),
            notify: notify.then(|| "on".to_owned()),
            history: None,
        };
        let switching = form("110", false).switching().unwrap();
        let notify_off = Switching {
            notify: Some(false),
            ..Switching::default()
        };
        assert_eq!(switching, notify_off);
        let none = form("110", true).switching().unwrap();
        assert_eq!(none, Switching::default());
        assert!(form("11", true).switching().is_err());
    }
}
