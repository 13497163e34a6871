//! Templates: an operator's own words for a channel's messages.
//!
//! A template makes text, never markup: what it makes is escaped and cut by the channel as any other text is. So
//! nothing that the network said can do more in a template than without one.

mod context;
mod samples;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::strtime;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use portwatch_domain::notification::{Content, Notification};

use super::look::Look;
use crate::settings::TemplateSettings;

/// What rendering one text may cost, in minijinja's fuel: about so many steps, and 64 bytes for each.
const FUEL: u64 = 100_000;

/// How much of a rendered text is kept, in bytes; receivers take less.
const LONGEST: usize = 16 * 1024;

/// The names of the parts, as in the settings.
const TITLE: &str = "title";
const LINE: &str = "line";
const FOOTER: &str = "footer";

/// How a channel's messages read: by its own templates, or as usual.
#[derive(Clone, Default)]
pub(crate) struct Template {
    parts: Option<Arc<Environment<'static>>>,
}

impl Template {
    /// Compiles the templates and tries them on a sample of every kind of change.
    ///
    /// # Errors
    /// Says which template is wrong, in which line, how, and on which change it was seen.
    pub fn new(settings: &TemplateSettings) -> Result<Self, String> {
        let given: Vec<_> = [
            (TITLE, &settings.title),
            (LINE, &settings.line),
            (FOOTER, &settings.footer),
        ]
        .into_iter()
        .filter(|(_, source)| !source.is_empty())
        .collect();
        if given.is_empty() {
            return Ok(Self::default());
        }
        let mut parts = environment();
        for (name, source) in given {
            parts
                .add_template_owned(name, source.clone())
                .map_err(|error| describe(name, &error))?;
        }
        for (sample, notification) in samples::all() {
            rendered(&parts, &notification)
                .map_err(|error| format!("{error} (tried on a sample of {sample})"))?;
        }
        Ok(Self {
            parts: Some(Arc::new(parts)),
        })
    }

    /// How what is told reads. A summary has the usual words. If a template fails in spite of having been tried, it reads as usual: better than
    /// not to tell.
    pub fn look(&self, content: &Content) -> Look {
        let (Some(parts), Content::Changes(notification)) = (&self.parts, content) else {
            return Look::of(content);
        };
        rendered(parts, notification).unwrap_or_else(|error| {
            tracing::warn!(notification = %notification.id, error, "a template failed, the usual words are sent");
            Look::of(content)
        })
    }
}

/// Nothing in it reaches files, the clock or the network; unknown names are errors.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // Else a field that a change does not have would read "none".
    environment.set_formatter(|out, state, value| {
        let value = if value.is_none() {
            &Value::from("")
        } else {
            value
        };
        minijinja::escape_formatter(out, state, value)
    });
    environment.add_filter("time", time);
    environment
}

/// The filter `time`: a time in another form and, if named, another time zone. The forms are strftime's.
fn time(at: &str, form: &str, zone: Option<&str>) -> Result<String, Error> {
    let invalid = |error: jiff::Error| Error::new(ErrorKind::InvalidOperation, error.to_string());
    let at: Timestamp = at.parse().map_err(invalid)?;
    let zoned = at.in_tz(zone.unwrap_or("UTC")).map_err(invalid)?;
    strtime::format(form, &zoned).map_err(invalid)
}

fn rendered(parts: &Environment<'_>, notification: &Notification) -> Result<Look, String> {
    let mut look = Look::of_changes(notification);
    let changes = context::changes(notification, &look);
    let whole = context::whole(notification, &look, &changes);
    let part = |name, context: &Value| render(parts, name, context);
    if let Some(title) = part(TITLE, &whole)? {
        look.title = title;
    }
    for (line, change) in look.lines.iter_mut().zip(&changes) {
        if let Some(own) = part(LINE, &context::one(&whole, change))? {
            *line = own;
        }
    }
    if let Some(footer) = part(FOOTER, &whole)? {
        look.footer = footer;
    }
    Ok(look)
}

/// What a part makes; `None` if there is no such template, or all it makes is blank.
fn render(parts: &Environment<'_>, name: &str, context: &Value) -> Result<Option<String>, String> {
    let Ok(template) = parts.get_template(name) else {
        return Ok(None);
    };
    let text = template
        .render(context.clone())
        .map_err(|error| describe(name, &error))?;
    let mut text = text.trim().to_owned();
    text.truncate(text.floor_char_boundary(LONGEST));
    Ok((!text.is_empty()).then_some(text))
}

fn describe(name: &str, error: &Error) -> String {
    let what = error.kind();
    let detail = error.detail().map(|detail| format!(": {detail}"));
    let line = error.line().unwrap_or(1);
    format!(
        "template.{name}: line {line}: {what}{}",
        detail.unwrap_or_default()
    )
}
