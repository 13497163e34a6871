//! The data directory of `portwatch up`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use portwatch_notifier::channels::webhook::signature::new_secret;

/// Where state is kept if nobody says: `$XDG_DATA_HOME/portwatch`, or `~/.local/share/portwatch`.
fn default_path() -> Option<PathBuf> {
    let folder = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let data = folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")));
    Some(data?.join("portwatch"))
}

/// The directory, made if it is not there; only its owner may look into it.
pub fn open(asked: Option<PathBuf>) -> Result<PathBuf> {
    let path = asked
        .or_else(default_path)
        .context("no home directory to keep state in: name a directory with --data-dir")?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .with_context(|| format!("making the data directory {}", path.display()))?;
    Ok(path)
}

/// The webhook's secret that is kept in the directory, made at the first time. True if it was made now.
pub fn webhook_secret(directory: &Path) -> Result<(String, bool)> {
    let path = directory.join("webhook-secret");
    let told = || format!("the webhook's secret in {}", path.display());
    match fs::read_to_string(&path) {
        Ok(secret) => return Ok((secret.trim().to_owned(), false)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(told),
    }
    let secret = new_secret().context("no randomness for the webhook's secret")?;
    // Written beside and renamed, so that a crash leaves a whole secret or none.
    let beside = directory.join("webhook-secret.new");
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .with_context(told)?;
    writeln!(file, "{secret}")
        .and_then(|()| file.sync_all())
        .with_context(told)?;
    fs::rename(&beside, &path).with_context(told)?;
    Ok((secret, true))
}
