//! The progress bar of a scan.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use portwatch_domain::job::Job;
use portwatch_scanner::Progress;

/// Rates are those of about so long.
const WINDOW: Duration = Duration::from_secs(2);

/// A bar over all jobs of a scan, on standard error, if that is a terminal.
pub struct Bar {
    shown: ProgressBar,
    started: Instant,
    meter: Arc<Mutex<Meter>>,
}

impl Bar {
    /// At 0 %.
    pub fn new(jobs: &[Job]) -> Self {
        let pairs = |job: &Job| (job.hosts.len() as u64).saturating_mul(job.ports.len() as u64);
        let total = jobs.iter().map(pairs).sum();
        // Hides itself where nobody can see it.
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{percent:>3}% {wide_bar} {msg}") {
            bar.set_style(style);
        }
        Self {
            shown: bar,
            started: Instant::now(),
            meter: Arc::new(Mutex::new(Meter::new(total))),
        }
    }

    /// What takes the progress of the next job.
    pub fn job(&self) -> impl FnMut(Progress) + Send + 'static {
        let (bar, meter, started) = (self.shown.clone(), self.meter.clone(), self.started);
        lock(&meter).next_job();
        move |progress| {
            let mut meter = lock(&meter);
            meter.add(started.elapsed(), progress);
            bar.set_position(meter.done());
            bar.set_message(meter.words());
        }
    }

    /// So many open ports are now asked what they are.
    pub fn asking(&self, ports: usize) {
        self.shown
            .set_message(format!("asking {ports} open ports what they are"));
    }

    /// Prints something, with the bar out of the way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.shown.suspend(print)
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.shown.finish_and_clear();
    }
}

fn lock(meter: &Mutex<Meter>) -> std::sync::MutexGuard<'_, Meter> {
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was counted over all jobs, and how fast it grows.
#[derive(Debug, Default)]
struct Meter {
    total: u64,
    /// Of the jobs before.
    before: Counts,
    /// Of the job that runs.
    job: Counts,
    /// When rates were last measured, and what was counted then.
    measured: (Duration, Counts),
    probes_per_second: Option<f64>,
    told_per_second: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    done: u64,
    sent: u64,
    answers: u64,
    open: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            done: self.done + other.done,
            sent: self.sent + other.sent,
            answers: self.answers + other.answers,
            open: self.open + other.open,
        }
    }
}

impl Meter {
    fn new(total: u64) -> Self {
        Self {
            total,
            ..Self::default()
        }
    }

    fn next_job(&mut self) {
        self.before = self.sum();
        self.job = Counts::default();
    }

    fn sum(&self) -> Counts {
        self.before.plus(self.job)
    }

    fn done(&self) -> u64 {
        self.sum().done
    }

    /// The running job is so far, `at` this time since the start.
    fn add(&mut self, at: Duration, progress: Progress) {
        self.job = Counts {
            done: progress.done,
            sent: progress.sent,
            answers: progress.answers,
            open: progress.open.into(),
        };
        let (since, then) = self.measured;
        let passed = at.saturating_sub(since).as_secs_f64();
        if passed <= 0.0 {
            return;
        }
        let sum = self.sum();
        let weight = (passed / WINDOW.as_secs_f64()).min(1.0);
        // A port may turn out not to be done after all: then there was no progress.
        let grown = |now: u64, then: u64| {
            f64::from(u32::try_from(now.saturating_sub(then)).unwrap_or(u32::MAX)) / passed
        };
        let smooth =
            |old: Option<f64>, new: f64| Some(old.map_or(new, |old| old + (new - old) * weight));
        self.probes_per_second = smooth(self.probes_per_second, grown(sum.sent, then.sent));
        self.told_per_second = smooth(self.told_per_second, grown(sum.done, then.done));
        self.measured = (at, sum);
    }

    /// What stands beside the bar.
    fn words(&self) -> String {
        let sum = self.sum();
        let pps = self.probes_per_second.unwrap_or_default();
        let left = self.left();
        format!(
            "{pps:.0} pps, {} answered, {} open, {left}",
            sum.answers, sum.open
        )
    }

    /// How long it will still take at the present rate, or what else there is to say of it.
    fn left(&self) -> String {
        let left = self.total.saturating_sub(self.done());
        if left == 0 {
            return "finishing".to_owned();
        }
        let left = f64::from(u32::try_from(left).unwrap_or(u32::MAX));
        match self.told_per_second {
            Some(rate) if rate > 0.0 && left / rate < 360_000.0 => {
                let seconds = Duration::from_secs_f64(left / rate).as_secs();
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                let seconds = seconds % 60;
                if hours > 0 {
                    format!("{hours}:{minutes:02}:{seconds:02} left")
                } else {
                    format!("{minutes}:{seconds:02} left")
                }
            }
            Some(_) => "verifying".to_owned(),
            None => "starting".to_owned(),
        }
    }
}
