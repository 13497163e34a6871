//! A world of some hundred hosts, watched for days in seconds: the scan engine sends its packets over a network that
//! loses 5 % of them each way, and what the differ makes of its reports is compared with how the world really was.
//!
//! Ports open and close, for hours or for seconds; hosts go and come back; paths go dark; workers hear nothing, know
//! it or not, or die; jobs and snapshots are lost, late, doubled and out of order. All of it comes of one seed.
//!
//! `PORTWATCH_TEST_CYCLES` says for how many cycles of five minutes, `PORTWATCH_TEST_SEED` which world. 1000 cycles
//! are 10⁷ port-checks and more:
//! `PORTWATCH_TEST_CYCLES=1000 cargo test --release -p portwatch-scanner --lib world -- --nocapture`

#![expect(clippy::unwrap_used, reason = "tests")]

mod dice;
mod judge;
mod monitor;
mod network;
mod truth;
mod workers;

use monitor::Monitor;
use truth::{Size, World};

fn number(name: &str, otherwise: u32) -> u32 {
    let asked = std::env::var(name).ok();
    asked.map_or(otherwise, |asked| asked.parse().unwrap())
}

#[test]
fn nothing_false_is_told_and_what_lasts_is_told_within_two_cycles() {
    let size = Size {
        networks: 10,
        hosts: 32,
        ports: 32,
        cycles: number("PORTWATCH_TEST_CYCLES", 16),
    };
    let world = World::new(number("PORTWATCH_TEST_SEED", 1).into(), size, 2);
    let report = Monitor::new(&world).run();
    println!("{report}");
    assert_eq!(report.false_changes, 0, "{report}");
    assert_eq!(report.false_verdicts, 0, "{report}");
    assert!(report.ports.are_few(), "{report}");
    assert!(report.hosts.are_few(), "{report}");
}
