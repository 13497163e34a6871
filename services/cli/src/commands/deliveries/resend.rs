//! `portwatch deliveries resend`: sends again, under the same ids.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use portwatch_store::Store;
use portwatch_store::deliveries::{DeliveryFilter, DeliveryState, Resent};
use uuid::Uuid;

use super::find;
use crate::commands::audit;
use crate::state::StateArguments;
use crate::user;

/// So many deliveries are looked at in one go.
const MOST: u32 = 10_000;

/// Send again what was delivered or given up, under the same id; what waits is sent now
///
/// All retries are before it again. A receiver that has taken it drops it by its id. The notifier sends
/// it: it must be running.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Ids, or as much of each beginning as no other has
    #[arg(required_unless_present = "given_up", conflicts_with = "given_up")]
    ids: Vec<String>,
    /// All that were given up
    #[arg(long)]
    given_up: bool,
    /// Of those, only the ones to a channel
    #[arg(long, value_name = "NAME", requires = "given_up")]
    channel: Option<String>,
    #[command(flatten)]
    state: StateArguments,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let mut ids = Vec::new();
    for id in &arguments.ids {
        ids.push(find(&store, id).await?.id);
    }
    if arguments.given_up {
        let filter = DeliveryFilter {
            channel: arguments.channel,
            state: Some(DeliveryState::GivenUp),
        };
        let mut found = store.deliveries(filter, MOST).await?;
        // The oldest first, as they were made.
        found.reverse();
        ids.extend(found.into_iter().map(|delivery| delivery.id));
    }
    let mut sent = 0;
    for id in ids {
        sent += u64::from(resend(&store, id, !arguments.given_up).await?);
    }
    if arguments.given_up {
        writeln!(io::stdout(), "{sent} of what was given up goes out again")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// True if it goes out again.
async fn resend(store: &Store, id: Uuid, says: bool) -> Result<bool> {
    let (goes, what) = match store.resend(id, Timestamp::now()).await? {
        Some(Resent::Again) => (true, "goes out again"),
        Some(Resent::Sooner) => (true, "is attempted now"),
        Some(Resent::UnderWay) => (false, "is being attempted just now"),
        Some(Resent::Waiting) => (false, "waits until an earlier one about the same has ended"),
        None => bail!("delivery {id} is not kept any more"),
    };
    if goes {
        audit::note(store, &user::name(), "delivery.resend", &id.to_string(), "").await?;
    }
    if says {
        writeln!(io::stdout(), "delivery {id} {what}")?;
    }
    Ok(goes)
}
