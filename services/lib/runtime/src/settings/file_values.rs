//! Values that stand in files of their own: `key_file = "/run/secrets/key"`.

use config::{Config, ConfigError, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::SettingsError;
use super::known_keys::known_keys;

/// Replaces every `key_file` by `key` with the file's content, where `key` is known and `key_file`
/// is not. One line break at the end of the file is left out.
pub(super) fn replace<T: DeserializeOwned>(merged: Config) -> Result<Config, SettingsError> {
    let mut found = Vec::new();
    collect::<T>(&merged.cache, &mut Vec::new(), &mut found);
    if found.is_empty() {
        return Ok(merged);
    }
    let invalid = |cause: ConfigError| SettingsError::Invalid {
        origin: "settings".to_owned(),
        cause,
    };
    let mut root = merged.cache;
    for (parents, key, path) in found {
        let whole = parents
            .iter()
            .chain([&key])
            .cloned()
            .collect::<Vec<_>>()
            .join(".");
        let content = std::fs::read_to_string(&path).map_err(|cause| SettingsError::ReadValue {
            key: whole.clone(),
            path,
            cause,
        })?;
        let Some(table) = table_at(&mut root, &parents) else {
            continue;
        };
        table.remove(&format!("{key}_file"));
        if table.contains_key(&key) {
            return Err(SettingsError::Both(whole));
        }
        let content = content.strip_suffix('\n').unwrap_or(&content);
        table.insert(key, Value::new(None, ValueKind::String(content.to_owned())));
    }
    let ValueKind::Table(table) = root.kind else {
        return Ok(Config::default());
    };
    let mut builder = Config::builder();
    for (key, value) in table {
        builder = builder.set_override(key, value).map_err(invalid)?;
    }
    builder.build().map_err(invalid)
}

type Found = (Vec<String>, String, String);

fn collect<T: DeserializeOwned>(value: &Value, path: &mut Vec<String>, found: &mut Vec<Found>) {
    let table = match &value.kind {
        ValueKind::Table(table) => table,
        ValueKind::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                path.push(n.to_string());
                collect::<T>(item, path, found);
                path.pop();
            }
            return;
        }
        _ => return,
    };
    let known = known_keys::<T>(path);
    for (name, value) in table {
        if let Some(key) = name.strip_suffix("_file")
            && known.contains(&key)
            && !known.contains(&name.as_str())
            && let ValueKind::String(file) = &value.kind
        {
            found.push((path.clone(), key.to_owned(), file.clone()));
        }
        path.push(name.clone());
        collect::<T>(value, path, found);
        path.pop();
    }
}

fn table_at<'a>(
    root: &'a mut Value,
    path: &[String],
) -> Option<&'a mut config::Map<String, Value>> {
    let mut here = root;
    for name in path {
        here = match &mut here.kind {
            ValueKind::Table(table) => table.get_mut(name)?,
            ValueKind::Array(items) => items.get_mut(name.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match &mut here.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}
