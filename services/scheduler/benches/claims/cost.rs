//! What this process and the database's have used, by `/proc`.

use std::fs;

/// Linux counts the time of processes in hundredths of a second, whatever its timer's rate.
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds of CPU that a process has used; and all its ended children that it has waited for.
fn times(pid: u32) -> Option<(f64, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let seconds = |at: usize| Some(fields.get(at)?.parse::<f64>().ok()? / TICKS_A_SECOND);
    Some((seconds(11)? + seconds(12)?, seconds(13)? + seconds(14)?))
}

/// Seconds of CPU that a process has used itself.
pub fn of_process(pid: u32) -> f64 {
    times(pid).map_or(0.0, |(own, _)| own)
}

/// Seconds of CPU that a process and all that it started have used: the postmaster and its backends.
pub fn of_family(parent: u32) -> f64 {
    let children = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = children.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let own: f64 = children
        .filter(|&pid| parent_of(pid) == Some(parent))
        .map(of_process)
        .sum();
    let (postmaster, ended) = times(parent).unwrap_or_default();
    own + postmaster + ended
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The most memory that this process has had, in MB.
pub fn peak_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

/// The load of the last minute, which tells what else the machine was doing.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {}", text.split(' ').next().unwrap_or("unknown"))
}
