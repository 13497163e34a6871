//! Which run judged each port of a host, in one short text: nearly always one run judged all.
//!
//! `12 14:22,80 12` reads: run 12 judged the host, run 14 ports 22 and 80, and run 12 the rest of the baseline.

use std::fmt::Write as _;

use portwatch_domain::change::Runs;
use portwatch_domain::ports::PortSet;

use super::{Unreadable, parse};

const COLUMN: &str = "runs";

/// The text; `None` if the newest run judged the host and its whole baseline.
pub(super) fn to_text(runs: &Runs, baseline: &PortSet) -> Option<String> {
    let judged = runs.judged();
    let of_one_run = match judged {
        [] => baseline.is_empty(),
        [(run, ports)] => *run == runs.newest() && ports == baseline,
        _ => false,
    };
    if of_one_run && runs.host() == runs.newest() {
        return None;
    }
    let rest = rest(judged, baseline);
    let mut text = runs.host().to_string();
    for (place, (run, ports)) in judged.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = if Some(place) == rest {
            write!(text, " {run}")
        } else {
            write!(text, " {run}:{ports}")
        };
    }
    Some(text)
}

/// The one with the most ports, which need not be spelled: they are those of the baseline that no other has.
fn rest(judged: &[(u64, PortSet)], baseline: &PortSet) -> Option<usize> {
    let all = judged
        .iter()
        .fold(PortSet::empty(), |all, (_, ports)| all.union(ports));
    let places = (0..judged.len()).max_by_key(|&place| judged[place].1.len());
    places.filter(|_| all == *baseline)
}

/// Reads the text, of a host with this newest run and this baseline.
pub(super) fn from_text(
    text: Option<&str>,
    newest: u64,
    baseline: &PortSet,
) -> Result<Runs, Unreadable> {
    let Some(text) = text else {
        let judged = if baseline.is_empty() {
            Vec::new()
        } else {
            vec![(newest, baseline.clone())]
        };
        return Ok(Runs::kept(newest, newest, judged));
    };
    let mut words = text.split(' ');
    let host = parse(COLUMN, words.next().unwrap_or_default())?;
    let mut judged = Vec::new();
    for word in words {
        judged.push(match word.split_once(':') {
            Some((run, ports)) => (parse(COLUMN, run)?, Some(parse(COLUMN, ports)?)),
            None => (parse(COLUMN, word)?, None),
        });
    }
    let named = judged.iter().filter_map(|(_, ports)| ports.as_ref());
    let rest = named.fold(baseline.clone(), |rest, ports| rest.difference(ports));
    let judged = judged
        .into_iter()
        .map(|(run, ports)| (run, ports.unwrap_or_else(|| rest.clone())));
    Ok(Runs::kept(newest, host, judged.collect()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn ports(text: &str) -> PortSet {
        text.parse().unwrap()
    }

    #[test]
    fn each_is_read_as_it_was_written() {
        let all = ports("22,80,443,udp:53");
        for (runs, baseline, text) in [
            (Runs::new(), PortSet::empty(), None),
            (Runs::kept(7, 7, Vec::new()), PortSet::empty(), None),
            (Runs::kept(7, 3, Vec::new()), PortSet::empty(), Some("3")),
            (Runs::kept(7, 7, vec![(7, all.clone())]), all.clone(), None),
            (
                Runs::kept(7, 7, vec![(6, all.clone())]),
                all.clone(),
                Some("7 6"),
            ),
            (
                Runs::kept(9, 8, vec![(9, ports("udp:53")), (7, ports("22,80,443"))]),
                all.clone(),
                Some("8 9:udp:53 7"),
            ),
            // Not the whole baseline: each is spelled.
            (
                Runs::kept(9, 9, vec![(9, ports("22")), (7, ports("80"))]),
                all,
                Some("9 9:22 7:80"),
            ),
        ] {
            let written = to_text(&runs, &baseline);
            assert_eq!(written.as_deref(), text);
            let read = from_text(written.as_deref(), runs.newest(), &baseline);
            assert_eq!(read.unwrap(), runs);
        }
    }

    #[test]
    fn what_is_not_one_is_refused() {
        for text in ["", "x", "1 2:", "1 :22", "1 2:x", "1  2"] {
            assert!(from_text(Some(text), 1, &ports("22")).is_err(), "{text:?}");
        }
    }
}
