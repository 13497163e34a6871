//! What Roxy-WI's API says, read from JSON. It writes the same thing in several ways: numbers as texts, flags as 0 and
//! 1, names in the quotes of a shell.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use portwatch_domain::target::Switches;
use serde_json::Value;

use super::answer::shown;

/// The longest interval that is believed, in minutes: a week.
const MOST_MINUTES: i64 = 7 * 24 * 60;

/// The longest time for which history is believed to be kept, in days.
const MOST_DAYS: i64 = 3_650;

/// A server, as `GET /api/servers` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub id: u64,
    pub group: u64,
    pub name: String,
    pub ip: String,
    pub enabled: bool,
    /// An address that moves between servers, not a server.
    pub is_virtual: bool,
}

/// What the settings of Roxy-WI's monitoring say of the port scanner; `None` where this user may not read them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Monitoring {
    pub interval: Option<SignedDuration>,
    pub keep_history: Option<SignedDuration>,
}

/// The servers.
pub(super) fn servers(json: &Value) -> Result<Vec<Listed>, String> {
    let server = |(n, row): (usize, &Value)| {
        let id = number(row, "server_id").map_err(|error| format!("entry {n}: {error}"))?;
        let at = |error: String| format!("server {id}: {error}");
        let ip = text(row, "ip").map_err(at)?.trim().to_owned();
        let name = unquoted(text(row, "hostname").map_err(at)?.trim());
        Ok(Listed {
            id,
            group: number(row, "group_id").map_err(at)?,
            name: if name.is_empty() { ip.clone() } else { name },
            ip,
            enabled: flag(row, "enabled").map_err(at)?,
            is_virtual: flag(row, "type_ip").map_err(at)?,
        })
    };
    list(json)?.iter().enumerate().map(server).collect()
}

/// The names of groups, by their numbers.
pub(super) fn groups(json: &Value) -> Result<BTreeMap<u64, String>, String> {
    let group = |(n, row): (usize, &Value)| {
        let id = number(row, "group_id").map_err(|error| format!("entry {n}: {error}"))?;
        let name = text(row, "name").map_err(|error| format!("group {id}: {error}"))?;
        Ok((id, unquoted(name.trim())))
    };
    list(json)?.iter().enumerate().map(group).collect()
}

/// The three switches of this server.
pub(super) fn switches(json: &Value, server: u64) -> Result<Switches, String> {
    let id = number(json, "server_id")?;
    if id != server {
        return Err(format!("server_id: {id} was not asked for, {server} was"));
    }
    Ok(Switches {
        enabled: flag(json, "enabled")?,
        notify: flag(json, "notify")?,
        history: flag(json, "history")?,
    })
}

/// The settings of the port scanner among those of the monitoring.
pub(super) fn monitoring(json: &Value) -> Result<Monitoring, String> {
    let mut found = Monitoring::default();
    for row in list(json)? {
        let param = text(row, "param")?;
        let span = |most: i64, unit: &str, hours: fn(i64) -> SignedDuration| {
            let value = signed(row, "value")
                .ok()
                .filter(|value| (1..=most).contains(value));
            value.map(hours).ok_or_else(|| {
                let value = shown(&row["value"].to_string());
                format!("{param} is {value}: set it to 1 to {most} {unit} in Roxy-WI's settings (monitoring)")
            })
        };
        match param {
            "port_scan_interval" => {
                found.interval = Some(span(MOST_MINUTES, "minutes", SignedDuration::from_mins)?);
            }
            "portscanner_keep_history_range" => {
                let days = |days| SignedDuration::from_hours(24 * days);
                found.keep_history = Some(span(MOST_DAYS, "days", days)?);
            }
            _ => {}
        }
    }
    Ok(found)
}

fn list(json: &Value) -> Result<&Vec<Value>, String> {
    json.as_array().ok_or_else(|| {
        format!(
            "a list was asked for, and this came: {}",
            shown(&json.to_string())
        )
    })
}

fn field<'a>(row: &'a Value, key: &str) -> Result<&'a Value, String> {
    let Some(object) = row.as_object() else {
        let came = shown(&row.to_string());
        return Err(format!("an object was asked for, and this came: {came}"));
    };
    object.get(key).ok_or_else(|| format!("{key} is missing"))
}

fn text<'a>(row: &'a Value, key: &str) -> Result<&'a str, String> {
    let value = field(row, key)?;
    value
        .as_str()
        .ok_or_else(|| format!("{key} is {}, not a text", shown(&value.to_string())))
}

/// `2` or `"2"`.
fn signed(row: &Value, key: &str) -> Result<i64, String> {
    let value = field(row, key)?;
    let written = value.as_str().and_then(|text| text.trim().parse().ok());
    value
        .as_i64()
        .or(written)
        .ok_or_else(|| format!("{key} is {}, not a number", shown(&value.to_string())))
}

fn number(row: &Value, key: &str) -> Result<u64, String> {
    let value = signed(row, key)?;
    u64::try_from(value).map_err(|_| format!("{key} is {value}, and no id is negative"))
}

/// `1`, `"1"`, `true`; what was never set is off.
fn flag(row: &Value, key: &str) -> Result<bool, String> {
    match field(row, key)? {
        Value::Null => Ok(false),
        Value::Bool(value) => Ok(*value),
        _ => match signed(row, key)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(format!("{key} is {value}, not 0 or 1")),
        },
    }
}

/// A name without the quotes of a shell: one pair around all of it, and `'"'"'` for a quote within.
fn unquoted(name: &str) -> String {
    let inner = name
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    match inner {
        Some(inner) => inner.replace("'\"'\"'", "'"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
