//! What both buses promise. Each case gets a [`Rig`]: a bus of its own, empty and with short waits
//! between attempts.

mod consumers;
mod letters;
mod progress;
pub(crate) mod rig;

pub(crate) use consumers::*;
pub(crate) use letters::*;
pub(crate) use progress::*;
pub(crate) use rig::Rig;

/// Calls a macro with the name of each case.
macro_rules! for_each_case {
    ($test:ident) => {
        $test!(published_received_acked);
        $test!(high_before_normal);
        $test!(shards_take_turns);
        $test!(handed_back_comes_again);
        $test!(a_dead_consumer_leaves_its_messages_to_others);
        $test!(prefetch_bounds_what_is_in_hand);
        $test!(dead_letters_are_looked_at_and_sent_again);
        $test!(unroutable_is_dead);
        $test!(too_large_is_refused);
        $test!(closed_is_closed);
        $test!(retried_with_count_and_delay_then_dead);
        $test!(bad_messages_are_dead_and_the_consumer_goes_on);
        $test!(a_panic_is_a_retry);
        $test!(concurrency_is_used_and_bounded);
        $test!(shutdown_waits_for_handlers);
        $test!(shutdown_hands_back_after_the_grace);
        $test!(two_consumers_share_without_duplicates);
        $test!(progress_waits_for_nobody_and_is_dropped_when_it_fails);
    };
}
pub(crate) use for_each_case;
