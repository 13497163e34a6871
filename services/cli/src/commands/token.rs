//! `portwatch token`: what programs show to the console.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use portwatch_console::credentials;
use portwatch_store::access::{NewToken, Owner, Token};
use serde::Serialize;
use uuid::Uuid;

use super::history::parse_span;
use super::user::{ScopeArguments, names};
use crate::listing::{Format, NOTHING, Table, ago, line, time};
use crate::printable::printable;
use crate::state::{StateArguments, one_that_begins};
use crate::user;

/// Let programs use the console
///
/// A program shows its token as Authorization: Bearer. Portwatch keeps only a hash of it.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Add(Add),
    List(List),
    Revoke(Revoke),
}

/// Make a token, which is printed once
#[derive(clap::Args)]
struct Add {
    /// What it is for
    name: String,
    #[command(flatten)]
    scope: ScopeArguments,
    /// How long it counts: 24h, 90d [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    expires: Option<SignedDuration>,
    #[command(flatten)]
    state: StateArguments,
}

/// List the tokens that count
#[derive(clap::Args)]
struct List {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// Revoke a token: it counts no longer
#[derive(clap::Args)]
struct Revoke {
    /// Its id, or as much of the beginning as no other has
    id: String,
    #[command(flatten)]
    state: StateArguments,
}

#[derive(Serialize)]
struct Line<'a> {
    id: Uuid,
    name: &'a str,
    role: &'a str,
    /// `null`: all.
    groups: Option<&'a [String]>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Add(arguments) => add(arguments).await,
        Command::List(arguments) => list(arguments).await,
        Command::Revoke(arguments) => revoke(arguments).await,
    }
}

async fn add(arguments: Add) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let now = Timestamp::now();
    let expires = arguments.expires.map(|lasts| now.checked_add(lasts));
    let fresh = credentials::token()?;
    let token = NewToken {
        id: Uuid::new_v4(),
        hash: fresh.hash,
        name: arguments.name,
        owner: Owner::Program(arguments.scope.scope()),
        expires_at: expires.transpose().context("--expires is too far away")?,
    };
    let id = token.id;
    store.add_token(token, &user::name(), now).await?;
    let mut out = io::stdout();
    writeln!(out, "token {id}, shown this once: {}", fresh.token)?;
    Ok(ExitCode::SUCCESS)
}

async fn list(arguments: List) -> Result<ExitCode> {
    let now = Timestamp::now();
    let tokens = arguments.state.open().await?.tokens(now).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Table if tokens.is_empty() => writeln!(out, "no tokens: portwatch token add NAME")?,
        Format::Table => {
            let mut table = Table::new(&["ID", "NAME", "ROLE", "GROUPS", "EXPIRES", "USED"]);
            for token in &tokens {
                table.row(row(token, now));
            }
            table.print(&mut out)?;
        }
        Format::Ndjson => {
            for token in &tokens {
                let object = Line {
                    id: token.id,
                    name: &token.name,
                    role: token.scope.role.as_str(),
                    groups: names(&token.scope.groups),
                    created_at: token.created_at,
                    expires_at: token.expires_at,
                    last_used_at: token.last_used_at,
                };
                line(&mut out, &object)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(token: &Token, now: Timestamp) -> [String; 6] {
    [
        token.id.to_string().chars().take(8).collect(),
        token.name.clone(),
        token.scope.role.to_string(),
        token.scope.groups.to_string(),
        token.expires_at.map_or_else(|| NOTHING.to_owned(), time),
        token
            .last_used_at
            .map_or_else(|| "never".to_owned(), |at| ago(at, now)),
    ]
}

async fn revoke(arguments: Revoke) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let now = Timestamp::now();
    let tokens = store.tokens(now).await?;
    let ids = tokens.iter().map(|token| token.id);
    let id = one_that_begins(&arguments.id, ids, "token", "portwatch token list")?;
    if !store.revoke_token(id, &user::name(), now).await? {
        bail!("the token {id} was revoked meanwhile");
    }
    let name = tokens.iter().find(|token| token.id == id);
    let name = name.map_or("", |token| token.name.as_str());
    writeln!(io::stdout(), "{} is revoked", printable(name))?;
    Ok(ExitCode::SUCCESS)
}
