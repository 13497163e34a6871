//! `portwatch user`: who may use the console.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use portwatch_console::credentials;
use portwatch_domain::access::{Groups, Role, Scope};
use portwatch_store::access::{SaveUser, SavedUser};
use serde::Serialize;

use crate::listing::{Format, Table, line, time};
use crate::printable::printable;
use crate::state::StateArguments;
use crate::user;

/// Say who may use the console
///
/// A viewer may look, an operator may also set switches and ask for scans, an admin may also see who
/// has done what. Each sees the targets of all groups, or of some.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Add(Add),
    Set(Set),
    List(List),
    Remove(Remove),
}

/// Make a user
///
/// The password is made and printed once, or read from a file.
#[derive(clap::Args)]
struct Add {
    /// The name to log in with
    name: String,
    #[command(flatten)]
    scope: ScopeArguments,
    #[command(flatten)]
    password: PasswordArgument,
    #[command(flatten)]
    state: StateArguments,
}

/// What somebody may see and do.
#[derive(clap::Args)]
pub struct ScopeArguments {
    /// viewer, operator or admin
    #[arg(long, value_name = "ROLE", default_value = "viewer")]
    role: Role,
    /// Only the targets of this group; may be given again [default: all groups]
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
}

impl ScopeArguments {
    /// As it is saved.
    pub fn scope(&self) -> Scope {
        Scope {
            role: self.role,
            groups: groups(&self.group),
        }
    }
}

#[derive(clap::Args)]
struct PasswordArgument {
    /// Read the password from the first line of this file; - is standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Change a user's role, groups or password
///
/// With a new password, whoever was logged in by the old one no longer is.
#[derive(clap::Args)]
struct Set {
    /// The user's name
    name: String,
    /// viewer, operator or admin
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// Only the targets of this group; may be given again
    #[arg(long, value_name = "GROUP", conflicts_with = "all_groups")]
    group: Vec<String>,
    /// The targets of all groups
    #[arg(long)]
    all_groups: bool,
    /// Make a new password and print it once
    #[arg(long, conflicts_with = "password_file")]
    new_password: bool,
    #[command(flatten)]
    password: PasswordArgument,
    #[command(flatten)]
    state: StateArguments,
}

/// List the users
#[derive(clap::Args)]
struct List {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// Remove a user, who is logged in no longer
#[derive(clap::Args)]
struct Remove {
    /// The user's name
    name: String,
    #[command(flatten)]
    state: StateArguments,
}

#[derive(Serialize)]
struct Line<'a> {
    user: &'a str,
    role: &'a str,
    /// `null`: all.
    groups: Option<&'a [String]>,
    created_at: Timestamp,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Add(arguments) => add(arguments).await,
        Command::Set(arguments) => set(arguments).await,
        Command::List(arguments) => list(arguments).await,
        Command::Remove(arguments) => remove(arguments).await,
    }
}

async fn add(arguments: Add) -> Result<ExitCode> {
    let name = checked(&arguments.name)?;
    let store = arguments.state.open().await?;
    if store.password_of(name).await?.is_some() {
        bail!("there is a user {name:?}: `portwatch user set` changes it");
    }
    let given = arguments.password.read()?;
    let password = given.clone().map_or_else(credentials::password, Ok)?;
    let user = SaveUser {
        name: name.to_owned(),
        password: Some(credentials::hash_of_password(&password)?),
        scope: Some(arguments.scope.scope()),
    };
    store
        .save_user(user, &user::name(), Timestamp::now())
        .await?;
    let mut out = io::stdout();
    writeln!(out, "{name} is a user now")?;
    if given.is_none() {
        writeln!(out, "password, shown this once: {password}")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(arguments: Set) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let name = &arguments.name;
    let users = store.users().await?;
    let Some(known) = users.into_iter().find(|user| user.name == *name) else {
        bail!("no user {name:?}: `portwatch user list` lists them");
    };
    let mut scope = known.scope.clone();
    scope.role = arguments.role.unwrap_or(scope.role);
    if arguments.all_groups || !arguments.group.is_empty() {
        scope.groups = groups(&arguments.group);
    }
    if scope == known.scope && !arguments.new_password && arguments.password.password_file.is_none()
    {
        bail!(
            "nothing to change: say --role, --group, --all-groups, --new-password or --password-file"
        );
    }
    let made = arguments.new_password.then(credentials::password);
    let made = made.transpose()?;
    let password = match arguments.password.read()? {
        None => made.clone(),
        given => given,
    };
    let hash = password.as_deref().map(credentials::hash_of_password);
    let user = SaveUser {
        name: name.clone(),
        password: hash.transpose()?,
        scope: Some(scope),
    };
    let saved = store
        .save_user(user, &user::name(), Timestamp::now())
        .await?;
    if saved != SavedUser::Changed {
        bail!("the user {name:?} was removed meanwhile");
    }
    let mut out = io::stdout();
    writeln!(out, "{name} is changed")?;
    if let Some(made) = made {
        writeln!(out, "password, shown this once: {made}")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(arguments: List) -> Result<ExitCode> {
    let users = arguments.state.open().await?.users().await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Table if users.is_empty() => writeln!(out, "no users: portwatch user add NAME")?,
        Format::Table => {
            let mut table = Table::new(&["USER", "ROLE", "GROUPS", "SINCE"]);
            for user in &users {
                table.row([
                    user.name.clone(),
                    user.scope.role.to_string(),
                    user.scope.groups.to_string(),
                    time(user.created_at),
                ]);
            }
            table.print(&mut out)?;
        }
        Format::Ndjson => {
            for user in &users {
                let object = Line {
                    user: &user.name,
                    role: user.scope.role.as_str(),
                    groups: names(&user.scope.groups),
                    created_at: user.created_at,
                };
                line(&mut out, &object)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn remove(arguments: Remove) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let name = &arguments.name;
    let by = user::name();
    if !store.remove_user(name, &by, Timestamp::now()).await? {
        bail!("no user {name:?}: `portwatch user list` lists them");
    }
    writeln!(io::stdout(), "{} is removed", printable(name))?;
    Ok(ExitCode::SUCCESS)
}

/// The names of the groups; `None` for all.
pub fn names(groups: &Groups) -> Option<&[String]> {
    match groups {
        Groups::All => None,
        Groups::These(groups) => Some(groups),
    }
}

fn groups(given: &[String]) -> Groups {
    if given.is_empty() {
        Groups::All
    } else {
        Groups::These(given.to_vec())
    }
}

/// The name, if people can type it and logs can show it.
fn checked(name: &str) -> Result<&str> {
    let is_plain = |c: char| c.is_alphanumeric() || "._-@+".contains(c);
    if name.is_empty() || name.chars().count() > 64 || !name.chars().all(is_plain) {
        bail!("{name:?} is no name to log in with: use 1 to 64 letters, digits and . _ - @ +");
    }
    Ok(name)
}

impl PasswordArgument {
    fn read(&self) -> Result<Option<String>> {
        let Some(path) = &self.password_file else {
            return Ok(None);
        };
        let text = if path == Path::new("-") {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .context("reading the password from standard input")?;
            text
        } else {
            std::fs::read_to_string(path)
                .with_context(|| format!("reading the password from {}", path.display()))?
        };
        Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
    }
}
