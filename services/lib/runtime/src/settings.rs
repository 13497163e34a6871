//! Settings: one TOML file, then the environment over it; an unknown key is an error.
//!
//! Environment variables are `PORTWATCH__SECTION__KEY`. Any key may instead be given as the path
//! of a file that holds its value: `key_file` in the TOML file, `PORTWATCH__SECTION__KEY_FILE` in
//! the environment. That is meant for secrets.

mod file_values;
mod known_keys;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;
use std::path::Path;

use config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;

pub use values::{List, Secret};

/// The prefix of environment variables that are settings.
const PREFIX: &str = "PORTWATCH";

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("reading the settings file {path}: {cause}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A file named by a `…_file` key cannot be read.
    #[error("{key}_file: reading {path}: {cause}")]
    ReadValue {
        /// The key whose value the file holds.
        key: String,
        /// Which file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A key and its `…_file` twin are both set.
    #[error("{0} and {0}_file are both set: keep one")]
    Both(String),
    /// A key that nothing reads.
    #[error("{origin}: unknown key `{key}`{}", nearest.as_ref().map(|right| format!(": did you mean `{right}`?")).unwrap_or_default())]
    UnknownKey {
        /// The file or the environment variable.
        origin: String,
        /// The key as it was written.
        key: String,
        /// The known key that is spelled most like it.
        nearest: Option<String>,
    },
    /// Not TOML, or a value of the wrong kind; the text says where.
    #[error("{origin}: {cause}")]
    Invalid {
        /// The file, or the environment.
        origin: String,
        /// What is wrong.
        cause: config::ConfigError,
    },
}

/// Reads settings from a file, if there is one, and from these environment variables.
///
/// # Errors
/// Says what is wrong, in which file or variable, and which key was probably meant.
pub fn load<T: DeserializeOwned>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, SettingsError> {
    let text = match file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path).map_err(|cause| SettingsError::Read {
            path: path.display().to_string(),
            cause,
        })?,
    };
    let origin = file.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
    parse(&text, &origin, environment)
}

/// As [`load`], from a text; `origin` is what errors call it.
///
/// # Errors
/// As [`load`].
pub fn parse<T: DeserializeOwned>(
    text: &str,
    origin: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, SettingsError> {
    let invalid = |cause| SettingsError::Invalid {
        origin: origin.to_owned(),
        cause,
    };
    let variables: HashMap<String, String> = environment
        .into_iter()
        .filter(|(name, _)| name.starts_with(&format!("{PREFIX}__")))
        .collect();
    let source = Environment::with_prefix(PREFIX)
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .source(Some(variables.clone()));
    let merged = Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .add_source(source)
        .build()
        .map_err(invalid)?;
    let merged = file_values::replace::<T>(merged)?;

    let mut unknown = Vec::new();
    let settings =
        serde_ignored::deserialize(merged, |path| unknown.push(known_keys::segments(&path)));
    if let Some(path) = unknown.first() {
        return Err(unknown_key::<T>(path, origin, &variables));
    }
    settings.map_err(invalid)
}

fn unknown_key<T: DeserializeOwned>(
    path: &[String],
    origin: &str,
    variables: &HashMap<String, String>,
) -> SettingsError {
    let key = path.join(".");
    let wanted = format!("{PREFIX}__{}", path.join("__"));
    let variable = variables
        .keys()
        .find(|name| name.eq_ignore_ascii_case(&wanted));
    let nearest = path.split_last().and_then(|(last, parents)| {
        let known = known_keys::known_keys::<T>(parents);
        let nearest = known
            .into_iter()
            .map(|key| (strsim::jaro_winkler(key, last), key));
        let (likeness, nearest) = nearest.max_by(|a, b| a.0.total_cmp(&b.0))?;
        let whole = parents
            .iter()
            .map(String::as_str)
            .chain([nearest])
            .collect::<Vec<_>>();
        (likeness > 0.6).then(|| whole.join("."))
    });
    let origin = variable.map_or_else(|| origin.to_owned(), Clone::clone);
    SettingsError::UnknownKey {
        origin,
        key,
        nearest,
    }
}
