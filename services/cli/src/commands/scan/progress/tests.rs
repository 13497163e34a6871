use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn progress(done: u64, sent: u64, answers: u64, open: u32) -> Progress {
    Progress {
        total: 1000,
        done,
        sent,
        answers,
        open,
        ..Progress::default()
    }
}

#[test]
fn it_tells_the_rate_what_answered_what_is_open_and_the_time_left() {
    let mut meter = Meter::new(10_000);
    meter.next_job();
    meter.add(at(1), progress(100, 200, 90, 3));
    assert_eq!(meter.words(), "200 pps, 90 answered, 3 open, 1:39 left");
    assert_eq!(meter.done(), 100);
}

#[test]
fn jobs_are_added_up_and_the_time_left_goes_on_between_them() {
    let mut meter = Meter::new(2000);
    meter.next_job();
    meter.add(at(2), progress(1000, 1000, 1000, 2));
    meter.next_job();
    assert_eq!(meter.words(), "500 pps, 1000 answered, 2 open, 0:02 left");
    meter.add(at(4), progress(500, 600, 500, 1));
    assert_eq!(meter.words(), "300 pps, 1500 answered, 3 open, 0:02 left");
}

#[test]
fn nothing_is_promised_when_nothing_moves() {
    let mut meter = Meter::new(1000);
    meter.next_job();
    assert!(meter.words().ends_with("starting"), "{}", meter.words());
    meter.add(at(2), progress(500, 500, 10, 0));
    for second in 3..40 {
        meter.add(at(second * 2), progress(500, 500, 10, 0));
    }
    assert_eq!(meter.words(), "0 pps, 10 answered, 0 open, verifying");
    // Told, and then not told after all.
    meter.add(at(100), progress(499, 501, 10, 0));
    meter.add(at(101), progress(1000, 501, 10, 0));
    assert!(meter.words().ends_with("finishing"), "{}", meter.words());
}
