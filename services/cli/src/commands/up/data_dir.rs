//! The data directory of `portwatch up`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use portwatch_notifier::channels::webhook::signature::new_secret;

/// Where state is kept if nobody says: `$XDG_DATA_HOME/portwatch`, or `~/.local/share/portwatch`.
pub fn default_path() -> Option<PathBuf> {
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

/// True if this process could not use the directory by being its user alone: it, something in it, or a
/// directory on the way belongs to somebody else and is closed to others. Root overrides that, as long as
/// it has the capability to.
pub fn is_of_others(directory: &Path) -> Result<bool> {
    let told = || format!("looking at the data directory {}", directory.display());
    let path = directory.canonicalize().with_context(told)?;
    // The owner of what this process makes in /proc is who it acts as.
    let own = fs::metadata("/proc/self").with_context(told)?.uid();
    let mut within = fs::read_dir(&path).with_context(told)?;
    let is_others = |path: &Path| fs::metadata(path).is_ok_and(|found| found.uid() != own);
    let is_closed = |path: &Path| {
        fs::metadata(path).is_ok_and(|found| found.uid() != own && found.mode() & 0o001 == 0)
    };
    Ok(is_others(&path)
        || within.any(|entry| entry.is_ok_and(|entry| is_others(&entry.path())))
        || path.ancestors().skip(1).any(is_closed))
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
