//! A simulated day of many targets.

use jiff::{SignedDuration, Timestamp};

use super::super::due::{first_slot, next_slot, slots_missed};
use super::target;
use crate::target::{Target, TargetId};

/// A day of five-minute slots, minute by minute as one scheduler claims them a second at a time: each slot of each
/// target once, in order, none late, and no second with more than its share.
///
/// `PORTWATCH_TEST_TARGETS=100000` is the full size; an unoptimised build takes half a minute for it.
#[test]
fn every_slot_of_a_day_once_and_evenly() {
    let size = std::env::var("PORTWATCH_TEST_TARGETS");
    let count: usize = size.map_or(5_000, |size| size.parse().unwrap());
    let day = 86_400_usize;
    let begin = Timestamp::from_second(1_800_000_000).unwrap();
    let period = SignedDuration::from_mins(5);
    let mut targets: Vec<(Target, u64, Timestamp)> = (0..count)
        .map(|number| {
            let id = TargetId::derive("simulated", &number.to_string());
            let target = Target { id, ..target() };
            let first = first_slot(&target, count, begin);
            (target, 0, first)
        })
        .collect();
    let second_of = |slot: Timestamp| {
        let after = slot.duration_since(begin).as_millis().div_euclid(1000) + 1;
        usize::try_from(after).unwrap()
    };
    let mut wheel: Vec<Vec<u32>> = vec![Vec::new(); day];
    for (number, (_, _, first)) in (0..).zip(&targets) {
        wheel[second_of(*first)].push(number);
    }
    let mut claimed = vec![0_usize; day];
    for second in 0..day {
        let now = begin + SignedDuration::from_secs(i64::try_from(second).unwrap());
        for number in std::mem::take(&mut wheel[second]) {
            let (target, run, slot) = &mut targets[number as usize];
            *run += 1;
            claimed[second] += 1;
            assert_eq!(slots_missed(target, *run, *slot, now), 0);
            let next = next_slot(target, *run, *slot, now);
            let step = next.duration_since(*slot);
            assert!(step == period || *run == 1, "{step} after run {run}");
            *slot = next;
            if let Some(at) = wheel.get_mut(second_of(next)) {
                at.push(number);
            }
        }
    }
    for (_, runs, _) in &targets {
        assert!((286..=289).contains(runs), "{runs} runs in a day");
    }
    // Without jitter the busiest second would have them all.
    let share = count / 300;
    let busiest = claimed[1_000..].iter().max().copied().unwrap_or_default();
    assert!(
        busiest <= 2 * share + 20,
        "{busiest} in a second, and {share} is the mean"
    );
}
