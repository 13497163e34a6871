//! Every promise of the store's traits, on both databases, and what each database promises besides.

#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod callers;
mod channels;
mod confirmation;
mod databases;
mod deliveries;
mod held;
mod history;
mod history_days;
mod jobs;
mod notifications;
mod numbers;
mod outbox;
mod packed_ports;
mod policy;
mod postgres_plans;
mod postgres_server;
mod problems;
mod prune;
mod records;
mod relay;
mod requests;
mod samples;
mod snapshots;
mod snapshots_at_once;
mod sqlite_file;
mod switches;
mod targets;
mod upgrade;
mod watch;

/// Makes a test of each function for each database.
macro_rules! on_both {
    ($($module:ident: $($test:ident),+;)+) => {
        mod sqlite {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    crate::databases::on_sqlite(crate::$module::$test).await;
                }
            )+ })+
        }
        mod postgres {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                #[ignore = "needs PostgreSQL: run ./tests/run"]
                async fn $test() {
                    crate::databases::on_postgres(crate::$module::$test).await;
                }
            )+ })+
        }
    };
}

on_both! {
    held:
        what_waits_is_told_with_what_comes_later,
        what_was_told_is_told_again_after_the_interval,
        a_digest_waits_for_its_time_apart,
        what_waits_is_not_deleted,
        silences_are_kept_until_they_end;
    problems:
        a_problem_lasts_from_its_beginning_to_its_end,
        a_change_that_comes_late_is_no_news,
        an_acknowledgement_lasts_until_the_end,
        who_has_not_seen_it_is_reminded,
        what_is_over_is_deleted_in_time;
    targets:
        what_is_saved_comes_back,
        a_sync_creates_updates_and_retires,
        a_sync_touches_no_other_source,
        only_a_new_schedule_makes_a_target_due,
        a_target_that_is_listed_again_takes_up_its_state,
        a_target_that_is_listed_twice_is_refused;
    jobs:
        each_slot_is_claimed_once,
        a_target_with_a_job_out_is_not_claimed,
        a_run_without_jobs_frees_its_target,
        a_claim_ends_with_its_lease,
        a_run_is_saved_once,
        a_taken_slot_is_passed_over,
        a_target_that_was_switched_off_is_left_alone,
        a_new_schedule_during_a_claim_is_kept,
        a_job_is_lost_once,
        a_claim_brings_the_open_ports,
        a_part_that_is_no_part_of_the_job_does_not_finish_it;
    requests:
        a_request_is_claimed_once_and_leads_to_a_run,
        a_verification_does_not_hold_the_next_slot,
        a_refused_run_can_be_claimed_again_at_once,
        requests_of_targets_that_are_not_watched_wait,
        requests_go_when_nothing_comes_of_them_any_more,
        a_request_says_how_far_it_is,
        a_lost_job_is_made_again_once,
        a_lost_verification_is_not_made_again,
        hosts_that_a_discovery_found_are_asked_for,
        a_discovery_that_finds_nobody_ends_the_slot;
    watch:
        a_zone_shows_whether_anybody_works_for_it,
        in_an_unattended_zone_nothing_is_made_again,
        a_target_that_is_not_scanned_is_overdue_once,
        what_was_overdue_in_an_unattended_zone_has_its_time_anew,
        a_marked_target_that_is_no_longer_watched_is_shown,
        targets_that_stand_ahead_of_the_clock_are_brought_forward,
        what_names_resolve_to_is_kept_and_state_can_follow,
        state_does_not_move_onto_a_known_address,
        targets_are_listed_with_what_is_known_of_them;
    snapshots:
        a_part_is_applied_once,
        a_part_of_an_unknown_target_is_dropped,
        the_newest_history_comes_first,
        a_panic_saves_nothing,
        a_violated_constraint_saves_nothing,
        a_host_that_was_not_loaded_is_refused,
        a_port_that_was_left_out_is_forgotten,
        an_older_run_changes_nothing;
    records:
        records_and_history_come_back_as_they_were,
        what_is_empty_again_comes_back_empty,
        a_known_change_is_not_added_again;
    history:
        a_filter_leaves_what_it_names,
        scans_can_be_compared,
        a_scan_is_finished_with_its_last_job;
    policy:
        what_is_not_as_expected_is_listed,
        what_is_approved_goes_before_what_is_expected,
        nothing_is_approved_for_what_is_not_known;
    snapshots_at_once:
        a_part_that_comes_many_times_at_once_is_applied_once,
        the_parts_of_one_target_are_all_applied,
        runs_in_any_order_end_in_the_newest;
    confirmation:
        each_port_keeps_its_own_last_confirmation,
        an_earlier_confirmation_is_taken_back;
    outbox:
        messages_come_by_topic_and_age,
        a_leased_message_is_not_claimed_again,
        a_known_message_is_not_saved_again,
        nobody_claims_what_another_has;
    relay:
        everything_is_published_once,
        a_message_that_fails_is_tried_again,
        a_message_in_flight_keeps_its_lease,
        what_is_not_published_at_the_end_is_given_back;
    notifications:
        a_notification_is_saved_once,
        a_leased_delivery_is_not_claimed_again,
        only_the_holder_of_the_lease_records,
        a_delivery_waits_for_its_predecessor,
        a_delivery_that_is_given_up_frees_the_next,
        a_retry_comes_when_it_is_due,
        each_delivery_is_claimed_once,
        order_is_kept_when_saves_and_attempts_cross;
    deliveries:
        what_was_sent_is_on_record,
        deliveries_are_found_by_channel_state_and_id,
        what_has_ended_is_sent_again_with_all_its_retries,
        what_waits_is_sent_sooner_but_never_out_of_order,
        a_message_can_be_answered_for_a_while;
    channels:
        a_channel_fails_from_its_first_failure_to_its_next_success,
        one_success_of_many_attempts_shows_that_it_works,
        nothing_is_made_for_a_channel_that_is_off,
        an_attempt_under_way_still_counts;
    switches:
        what_is_set_goes_before_what_the_source_says,
        a_source_that_comes_to_say_the_same_is_followed_again,
        a_target_that_is_switched_on_is_due_at_once,
        nothing_is_set_of_what_is_not_listed;
    access:
        a_user_is_made_changed_and_removed,
        who_is_logged_in_has_the_role_of_the_user_as_it_is_now,
        a_program_shows_a_token_until_it_expires_or_is_revoked,
        what_was_done_is_on_record_newest_first;
    numbers:
        a_number_is_given_once_and_kept,
        who_asks_at_once_is_told_the_same,
        numbers_from_outside_go_before_those_given;
    callers:
        a_caller_that_is_not_polled_keeps_nobody_waiting,
        a_caller_that_goes_away_leaves_nothing_half_done;
    prune:
        what_is_old_and_ended_goes,
        each_group_keeps_its_history_for_its_own_time,
        what_is_out_stays;
}
