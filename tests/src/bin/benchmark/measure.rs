//! Running one program: how long, at what price, how many packets.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::Fault;
use crate::kernel;
use crate::rig::Rig;

/// How often the interface is looked at.
const SAMPLE: Duration = Duration::from_millis(100);
/// The longest that any program may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// What a run has cost, and what it has said.
#[derive(Clone, Debug)]
pub struct Run {
    /// From its start to its end, in seconds.
    pub wall: f64,
    /// In user mode, in seconds.
    pub user: f64,
    /// In the kernel, in seconds.
    pub system: f64,
    /// In MiB.
    pub peak_mib: f64,
    /// Packets out of the scanner's interface.
    pub sent: u64,
    /// Packets into it.
    pub received: u64,
    /// Packets out per second, from the first sample that saw one to the last.
    pub rate: f64,
    /// The load average of the last minute, before it began.
    pub load: f64,
    /// Whether it ended well, or as it was told to.
    pub succeeded: bool,
    /// What it printed.
    pub said: String,
    /// What it complained about.
    pub complained: String,
}

/// Runs a program in the scanner's place. It is interrupted (SIGINT) after `interrupt` and again a second later, and
/// killed if it has not ended after three more.
pub fn run(
    rig: &Rig,
    mut command: Command,
    interrupt: Option<Duration>,
    folder: &Path,
) -> Result<Run, Fault> {
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| folder.join(name));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(File::create(&stdout)?)
        .stderr(File::create(&stderr)?);
    // A child begins with the peak of its parent: it is set back to what is resident now (proc_pid_clear_refs(5)).
    fs::write("/proc/self/clear_refs", "5")?;
    let load = load()?;
    let before = rig.counters()?;
    let began = Instant::now();
    let child = command
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let pid = child.id().to_string();
    let (done, is_done) = channel::<()>();
    let (usage, wall, samples) = std::thread::scope(|scope| {
        let watch = scope.spawn(move || watch(rig, &pid, interrupt, &is_done));
        let usage = kernel::wait(&child);
        let wall = began.elapsed();
        drop(done);
        (usage, wall, watch.join())
    });
    let usage = usage?;
    let samples = samples.map_err(|_| "the samples could not be taken")??;
    let after = rig.counters()?;
    Ok(Run {
        wall: wall.as_secs_f64(),
        user: usage.user.as_secs_f64(),
        system: usage.system.as_secs_f64(),
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        peak_mib: usage.peak_kib as f64 / 1024.0,
        sent: after.sent - before.sent,
        received: after.received - before.received,
        rate: rate(&samples),
        load,
        succeeded: usage.status.success() || interrupt.is_some(),
        said: String::from_utf8_lossy(&fs::read(stdout)?).into_owned(),
        complained: String::from_utf8_lossy(&fs::read(stderr)?).into_owned(),
    })
}

/// Takes samples until the program has ended, and ends it if it takes too long.
fn watch(
    rig: &Rig,
    pid: &str,
    interrupt: Option<Duration>,
    is_done: &Receiver<()>,
) -> Result<Vec<(f64, u64)>, String> {
    let began = Instant::now();
    let mut samples = Vec::new();
    let mut signals = interrupt.map_or_else(Vec::new, |first| {
        let after = |seconds| first + Duration::from_secs(seconds);
        vec![(after(4), "-KILL"), (after(1), "-INT"), (first, "-INT")]
    });
    let mut patience = PATIENCE;
    loop {
        let counters = rig.counters().map_err(|error| error.to_string())?;
        samples.push((began.elapsed().as_secs_f64(), counters.sent));
        if is_done.recv_timeout(SAMPLE) == Err(RecvTimeoutError::Disconnected) {
            return Ok(samples);
        }
        let now = began.elapsed();
        if let Some((_, which)) = signals.pop_if(|(time, _)| now >= *time) {
            signal(which, pid);
        }
        if now >= patience {
            signal("-KILL", pid);
            patience += PATIENCE;
        }
    }
}

/// It may have ended meanwhile.
fn signal(which: &str, pid: &str) {
    let _ = Command::new("kill")
        .args([which, pid])
        .stderr(Stdio::null())
        .status();
}

/// From the first sample after packets were seen to the last that saw more than the one before.
#[expect(clippy::cast_precision_loss, reason = "below 2⁵³")]
fn rate(samples: &[(f64, u64)]) -> f64 {
    let moved: Vec<usize> = (1..samples.len())
        .filter(|at| samples[*at].1 > samples[at - 1].1 + 100)
        .collect();
    let (Some(first), Some(last)) = (moved.first(), moved.last()) else {
        return 0.0;
    };
    // The first and the last window are not full.
    let (first, last) = (samples[*first], samples[last - 1]);
    if last.0 <= first.0 {
        return 0.0;
    }
    (last.1 - first.1) as f64 / (last.0 - first.0)
}

fn load() -> Result<f64, Fault> {
    let line = fs::read_to_string("/proc/loadavg")?;
    Ok(line.split(' ').next().unwrap_or("0").parse()?)
}

/// The one in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "small whole numbers are exact")]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_rate_leaves_out_the_beginning_and_the_end() {
        let samples = [
            (0.0, 0),
            (0.1, 0),
            (0.2, 5_000),
            (0.3, 15_000),
            (0.4, 25_000),
            (0.5, 27_000),
            (0.6, 27_000),
        ];
        assert!((rate(&samples) - 100_000.0).abs() < 1.0);
    }
}
