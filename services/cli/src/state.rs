//! Where state is kept, for commands that look at it: PostgreSQL, or the data file of `portwatch up`, also while
//! that runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use portwatch_domain::target::Target;
use portwatch_store::{Store, StoreError, sqlite};
use uuid::Uuid;

use crate::commands::up::data_dir;
use crate::settings::{ConfigArgument, Settings, until_good};

/// The name of the data file in the data directory.
pub const DATA_FILE: &str = "portwatch.db";

/// Where state is kept.
#[derive(clap::Args)]
pub struct StateArguments {
    /// Look at the data of `portwatch up` in this directory. Without it PostgreSQL is asked if
    /// store.url is set, else the directory that `portwatch up` uses by default
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgument,
}

impl StateArguments {
    /// The settings that were named.
    pub fn settings(&self) -> Result<Settings> {
        self.config.load()
    }

    /// Opens what is there. Nothing is made, and the tables are left as they are.
    pub async fn open(&self) -> Result<Store> {
        if let Some(directory) = &self.data_dir {
            let file = directory.join(DATA_FILE);
            if !file.exists() {
                bail!(
                    "nothing is kept in {}: name the directory that `portwatch up --data-dir` was given",
                    directory.display()
                );
            }
            return beside(file).await;
        }
        let settings = self.config.load()?;
        if !settings.store.url.reveal().is_empty() {
            let store = settings.store.connect().await?;
            until_good(|| store.check()).await.context("store.url")?;
            return Ok(store);
        }
        match data_dir::default_path().map(|directory| directory.join(DATA_FILE)) {
            Some(file) if file.exists() => beside(file).await,
            Some(file) => bail!(
                "nothing to look at: there is no {}, and store.url is not set. Start `portwatch up`, or name its directory with --data-dir, or the settings of the services with --config",
                file.display()
            ),
            None => bail!(
                "nothing to look at: name the directory of `portwatch up` with --data-dir, or the settings of the services with --config"
            ),
        }
    }
}

async fn beside(file: PathBuf) -> Result<Store> {
    let shown = file.display().to_string();
    let opened = tokio::task::spawn_blocking(move || sqlite::open_beside(&file)).await?;
    opened.map_err(|error| explained(error, Path::new(&shown)))
}

/// A data file of another version is somebody's who runs another version.
fn explained(error: StoreError, file: &Path) -> anyhow::Error {
    let hint = match error {
        StoreError::OldSchema { .. } => {
            "it was last used by an older portwatch: start `portwatch up` of this version once, or use the older one here"
        }
        StoreError::NewSchema { .. } => "it belongs to a newer portwatch: use that one's commands",
        _ => "is it yours? use the user that runs `portwatch up`",
    };
    anyhow::Error::new(error).context(format!("{} ({hint})", file.display()))
}

/// The listed target of this name; the error says which there are.
pub async fn target(store: &Store, name: &str) -> Result<Target> {
    let targets = store.targets().await?;
    match named(&targets, name) {
        Some(target) => Ok(target.clone()),
        None => bail!("{}", no_target(name, &targets)),
    }
}

/// The target of this name, or of this group and name: `group/name`.
fn named<'a>(targets: &'a [Target], name: &str) -> Option<&'a Target> {
    targets.iter().find(|target| target.is_called(name))
}

/// How many names an error lists.
const LISTED: usize = 10;

fn no_target(name: &str, targets: &[Target]) -> String {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    match names.as_slice() {
        [] => format!("no target {name:?}: nothing is watched"),
        some if some.len() <= LISTED => {
            format!("no target {name:?}: there are {}", some.join(", "))
        }
        many => format!(
            "no target {name:?} among {}: `portwatch targets` lists them",
            many.len()
        ),
    }
}

/// The one of these ids that begins so; the error says where to look for it.
pub fn one_that_begins(
    beginning: &str,
    ids: impl Iterator<Item = Uuid>,
    what: &str,
    listed_by: &str,
) -> Result<Uuid> {
    let beginning = beginning.to_lowercase();
    let fitting: Vec<_> = ids
        .filter(|id| id.to_string().starts_with(&beginning))
        .collect();
    match fitting.as_slice() {
        [id] => Ok(*id),
        [] => bail!("no {what} {beginning:?}: `{listed_by}` lists them"),
        many => bail!(
            "{} {what}s begin with {beginning:?}: write more of the id",
            many.len()
        ),
    }
}
