//! What the scheduler itself finds: targets that are overdue, names that moved, zones that nobody attends to.

use jiff::Timestamp;
use portwatch_bus::Route;
use portwatch_domain::change::{About, Change, ChangeId, Changes, Severity, Transition};
use portwatch_domain::target::{Target, Zone};
use portwatch_schemas::{EncodeError, Meta, TraceParent, encode};
use portwatch_store::outbox::{OutboxMessage, Topic};
use uuid::Uuid;

/// The `number`th change of a target, with its message.
pub(crate) fn of_target(
    target: &Target,
    number: u64,
    transition: Transition,
    now: Timestamp,
) -> Result<(Change, OutboxMessage), EncodeError> {
    let change = change(ChangeId::of_target(target.id, number), transition, now);
    let about = About::Target(target.reference());
    let message = message(about, target.switches.notify, &change)?;
    Ok((change, message))
}

/// The `number`th change of a zone, with its message.
pub(crate) fn of_zone(
    installation: Uuid,
    zone: &Zone,
    number: u64,
    transition: Transition,
    now: Timestamp,
) -> Result<(Change, OutboxMessage), EncodeError> {
    let id = ChangeId::of_zone(installation, zone, number);
    let change = change(id, transition, now);
    let message = message(About::Zone(zone.clone()), true, &change)?;
    Ok((change, message))
}

fn change(id: ChangeId, transition: Transition, at: Timestamp) -> Change {
    Change {
        id,
        severity: Severity::of(&transition),
        transition,
        quiet: false,
        at,
    }
}

fn message(about: About, notify: bool, change: &Change) -> Result<OutboxMessage, EncodeError> {
    let news = Changes {
        about,
        notify,
        job: None,
        changes: vec![change.clone()],
    };
    let meta = Meta {
        id: news.id(),
        source: "/portwatch/scheduler".to_owned(),
        time: change.at,
        trace: TraceParent::new(Uuid::new_v4().as_u128(), Uuid::new_v4().as_u64_pair().0),
    };
    let kind = change.kind().as_str();
    metrics::counter!("portwatch_change_found_total", "kind" => kind).increment(1);
    Ok(OutboxMessage {
        id: meta.id,
        topic: Topic::Change,
        route: Route::Change.to_string(),
        body: encode(&meta, &news)?,
    })
}
