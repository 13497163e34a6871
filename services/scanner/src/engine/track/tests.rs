use super::*;

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_millis(100);

fn heard(attempt: u8, answer: Answer, at: Moment) -> Heard {
    Heard {
        attempt,
        answer,
        ttl: Some(60),
        at,
        rtt: None,
    }
}

const COUNTED: Unheard = Unheard {
    goes_on: true,
    counts: true,
    needed: Some(4),
    attempts: u8::MAX,
};
const UNCOUNTED: Unheard = Unheard {
    counts: false,
    ..COUNTED
};
const NO_HOST: Unheard = Unheard {
    goes_on: false,
    ..UNCOUNTED
};

/// A port that nothing was sent to.
fn fresh(known_open: bool) -> Track {
    let swept = Swept {
        attempt: 0,
        silences: 0,
        out: false,
    };
    Track::swept(known_open, swept, Moment::ZERO)
}

fn verdict(step: Step) -> Option<(PortState, Answer, u16)> {
    match step {
        Step::Verdict(state, evidence) => Some((state, evidence.answer, evidence.probes)),
        _ => None,
    }
}

/// Sends attempts that get no answer until there is something else to do than to send the next.
fn silence(track: &mut Track, unheard: Unheard) -> (u16, Step) {
    for sent in 1.. {
        track.transmit(Moment::ZERO, false);
        let step = track.unheard(unheard);
        if step != Step::Probe {
            return (sent, step);
        }
    }
    unreachable!("the attempts have an end")
}

#[test]
fn news_of_an_open_port_needs_a_later_syn_ack_under_the_fresh_key() {
    let mut track = fresh(false);
    track.transmit(Moment::ZERO, false);
    assert_eq!(track.heard(heard(0, Answer::SynAck, SECOND)), Step::Probe);
    // The same again, which is the target's retransmission or a duplicate, proves nothing new.
    assert_eq!(track.heard(heard(0, Answer::SynAck, SECOND)), Step::Wait);
    assert_eq!(track.transmit(SECOND, false), SWEEP_ATTEMPTS);
    let step = track.heard(heard(SWEEP_ATTEMPTS, Answer::SynAck, SECOND));
    assert_eq!(verdict(step), Some((PortState::Open, Answer::SynAck, 2)));
}

#[test]
fn an_open_port_that_then_refuses_or_falls_silent_is_unknown() {
    for then in [Some(Answer::Rst), None] {
        let mut track = fresh(false);
        track.transmit(Moment::ZERO, false);
        track.heard(heard(0, Answer::SynAck, SECOND));
        if let Some(then) = then {
            let attempt = track.transmit(SECOND, false);
            assert_eq!(track.heard(heard(attempt, then, SECOND)), Step::Unknown);
        } else {
            let expected = (u16::from(CONFIRMATIONS), Step::Unknown);
            assert_eq!(silence(&mut track, COUNTED), expected);
        }
    }
}

#[test]
fn one_answer_is_enough_for_what_was_expected() {
    for (known_open, answer, state) in [
        (true, Answer::SynAck, PortState::Open),
        (false, Answer::Rst, PortState::Closed),
    ] {
        let mut track = fresh(known_open);
        track.transmit(Moment::ZERO, false);
        let step = track.heard(heard(0, answer, SECOND));
        assert_eq!(verdict(step), Some((state, answer, 1)));
    }
}

#[test]
fn a_port_known_open_is_closed_by_a_second_rst_to_a_later_probe() {
    let mut track = fresh(true);
    track.transmit(Moment::ZERO, false);
    track.transmit(Moment::ZERO, false);
    let pause = Step::ProbeAt(SECOND + SECOND_RST_AFTER);
    assert_eq!(track.heard(heard(0, Answer::Rst, SECOND)), pause);
    // The answer to the retransmission that was already out comes too soon.
    assert_eq!(track.heard(heard(1, Answer::Rst, SECOND)), Step::Wait);
    let attempt = track.transmit(SECOND * 2, false);
    let step = track.heard(heard(attempt, Answer::Rst, SECOND * 2));
    assert_eq!(verdict(step), Some((PortState::Closed, Answer::Rst, 3)));
}

#[test]
fn a_port_known_open_that_refuses_once_and_then_accepts_is_open() {
    let mut track = fresh(true);
    track.transmit(Moment::ZERO, false);
    track.heard(heard(0, Answer::Rst, SECOND));
    let attempt = track.transmit(SECOND * 2, false);
    let step = track.heard(heard(attempt, Answer::SynAck, SECOND * 2));
    assert_eq!(verdict(step), Some((PortState::Open, Answer::SynAck, 2)));
}

#[test]
fn silences_are_believed_when_enough_of_them_count() {
    let filtered = |probes| Some((PortState::Filtered, Answer::NoResponse, probes));
    let swept = |known_open| Track::silent(known_open, SWEEP_ATTEMPTS);
    let (sent, step) = silence(&mut swept(false), COUNTED);
    assert_eq!((sent, verdict(step)), (3, filtered(6)));
    // The sweep's three do not stand in for those at 0, 1, 3 and 7 s.
    let (sent, step) = silence(&mut swept(true), COUNTED);
    assert_eq!((sent, verdict(step)), (4, filtered(7)));
    let more = Unheard {
        needed: Some(9),
        ..COUNTED
    };
    for known_open in [false, true] {
        let (sent, step) = silence(&mut swept(known_open), more);
        assert_eq!((sent, verdict(step)), (6, filtered(9)));
    }
    // Where too much is lost, no silence is believed.
    let hopeless = Unheard {
        needed: None,
        ..COUNTED
    };
    let (_, step) = silence(&mut swept(false), hopeless);
    assert_eq!(step, Step::Unknown);
}

#[test]
fn silences_that_do_not_count_end_in_unknown() {
    for known_open in [false, true] {
        let (sent, step) = silence(&mut Track::silent(known_open, 0), UNCOUNTED);
        let left = u16::from(ATTEMPTS - SWEEP_ATTEMPTS);
        assert_eq!((sent, step), (left, Step::Unknown));
    }
}

#[test]
fn where_packets_are_lost_the_first_silences_after_the_sweep_are_short_and_not_spaced() {
    let mut lossy = Track::silent(false, SWEEP_ATTEMPTS);
    let mut waits = Vec::new();
    loop {
        lossy.transmit(Moment::ZERO, true);
        waits.push(lossy.patience(TIMEOUT, true));
        if lossy.unheard(COUNTED) != Step::Probe {
            break;
        }
    }
    let [quick, spaced] = [TIMEOUT * 2, LAST_WAIT];
    assert_eq!(waits, [quick, quick, spaced, spaced, spaced]);
    let mut known = Track::silent(true, SWEEP_ATTEMPTS);
    known.transmit(Moment::ZERO, true);
    assert_eq!(known.patience(TIMEOUT, true), SPACED[0]);
}

#[test]
fn attempts_can_be_limited() {
    let once_more = Unheard {
        attempts: SWEEP_ATTEMPTS + 2,
        ..UNCOUNTED
    };
    let (sent, step) = silence(&mut Track::silent(false, 0), once_more);
    assert_eq!((sent, step), (2, Step::Unknown));
}

#[test]
fn a_host_that_is_not_there_is_left_alone() {
    let (sent, step) = silence(&mut Track::silent(true, 0), NO_HOST);
    assert_eq!((sent, step), (1, Step::Park));
}

#[test]
fn it_takes_two_icmp_errors_or_one_and_silence() {
    let reject = Answer::IcmpUnreachable(13);
    for known_open in [false, true] {
        let mut track = fresh(known_open);
        track.transmit(Moment::ZERO, false);
        let later = Step::ProbeAt(SECOND * 2);
        assert_eq!(track.heard(heard(0, reject, SECOND)), later);
        assert_eq!(
            track.heard(heard(0, reject, SECOND)),
            Step::Wait,
            "a duplicate"
        );
        let mut silent = track.clone();
        let attempt = track.transmit(SECOND * 2, false);
        let step = track.heard(heard(attempt, reject, SECOND * 2));
        assert_eq!(verdict(step), Some((PortState::Filtered, reject, 2)));

        let (_, step) = silence(&mut silent, COUNTED);
        let (state, answer, _) = verdict(step).unwrap_or((PortState::Unknown, reject, 0));
        assert_eq!((state, answer), (PortState::Filtered, reject));
        let mut accepts = fresh(known_open);
        accepts.transmit(Moment::ZERO, false);
        accepts.heard(heard(0, reject, SECOND));
        let attempt = accepts.transmit(SECOND, false);
        let step = accepts.heard(heard(attempt, Answer::SynAck, SECOND));
        assert_eq!(step == Step::Probe, !known_open, "a SYN-ACK outweighs it");
    }
}

#[test]
fn probes_back_off_and_the_last_wait_sees_a_retransmitted_syn_ack() {
    let sweep = [0, 1, 2].map(|attempt| sweep_patience(TIMEOUT, attempt).as_millis());
    assert_eq!(sweep, [100, 100, 200]);
    for (host_up, later) in [(true, 1100), (false, 4000)] {
        let mut track = Track::silent(true, 0);
        let mut waits = Vec::new();
        for _ in 0..5 {
            track.transmit(Moment::ZERO, false);
            waits.push(track.patience(TIMEOUT, host_up).as_millis());
            track.unheard(COUNTED);
        }
        assert_eq!(waits, [1000, 2000, 4000, later, later]);
    }

    let mut opened = fresh(false);
    opened.transmit(Moment::ZERO, false);
    opened.heard(heard(0, Answer::SynAck, SECOND));
    let mut waits = Vec::new();
    for _ in 0..CONFIRMATIONS {
        opened.transmit(Moment::ZERO, false);
        waits.push(opened.patience(TIMEOUT, true).as_millis());
        opened.unheard(COUNTED);
    }
    assert_eq!(waits, [100, 200, 400, 800, 1600, 3000, 3000, 3000]);
}

#[test]
fn a_probe_that_did_not_leave_is_the_same_probe_again() {
    let mut track = fresh(false);
    assert_eq!(track.transmit(Moment::ZERO, false), 0);
    track.take_back();
    assert_eq!(track.last(), None);
    assert_eq!(track.transmit(SECOND, false), 0);
    assert_eq!(track.last(), Some(0));
}
