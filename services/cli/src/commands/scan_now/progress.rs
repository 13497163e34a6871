//! How far a scan is, on standard error: a bar on a terminal, else a line now and then.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use portwatch_store::requests::RequestState;

use crate::listing::counted;

/// Without a terminal there are no more lines than one in this time.
const BETWEEN_LINES: Duration = Duration::from_secs(2);

/// What is shown.
pub struct Shown {
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    /// The last line and when it was written.
    last: Option<(Instant, String)>,
}

impl Shown {
    /// Nothing yet.
    pub fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{percent:>3}% {wide_bar} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, last: None }
    }

    /// It is so far.
    pub fn update(&mut self, state: &RequestState) {
        let words = words(state);
        if let Some(bar) = &self.bar {
            let (sent, planned) = (state.progress.sent, state.progress.planned);
            bar.set_length(planned.max(sent).max(1));
            bar.set_position(if state.is_over() {
                planned.max(1)
            } else {
                sent
            });
            bar.set_message(words);
            return;
        }
        let is_new = self.last.as_ref().is_none_or(|(at, last)| {
            *last != words && (at.elapsed() >= BETWEEN_LINES || state.is_over())
        });
        if is_new {
            eprintln!("{words}");
            self.last = Some((Instant::now(), words));
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn words(state: &RequestState) -> String {
    if state.run.is_none() {
        return "waiting for the scheduler".to_owned();
    }
    let (done, jobs) = (state.finished, counted(state.jobs, "job"));
    let expired = match state.expired {
        0 => String::new(),
        expired => format!(", {expired} not done in time"),
    };
    let progress = state.progress;
    if progress.planned == 0 {
        // Scanners tell every two seconds: what is done by then is never told.
        return format!("{done} of {jobs} done{expired}");
    }
    let (sent, planned) = (progress.sent, progress.planned.max(progress.sent));
    let (answered, open) = (progress.answered, progress.open);
    format!(
        "{done} of {jobs} done{expired}, {sent} of {planned} probes sent, {answered} answered, {open} open"
    )
}
