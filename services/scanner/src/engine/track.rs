//! One port from its first probe to its verdict: what an answer, or the lack of one, leads to.
//!
//! | so far | and then | verdict |
//! |---|---|---|
//! | SYN-ACK, known open | – | open |
//! | SYN-ACK, not known open | a SYN-ACK to a later probe from another source port under a fresh cookie | open |
//! | RST, not known open | – | closed |
//! | RST, known open | a RST to a probe sent at least a second later, likewise | closed |
//! | silence or ICMP | a second ICMP unreachable, to another probe | filtered, with the code |
//! | silence or ICMP | as many counted silences as the measured loss asks for | filtered |
//!
//! A silence counts if the host answered something else at the time and the receive queue lost nothing.
//! Whatever does not get as far stays unknown.

use std::time::Duration;

use portwatch_domain::snapshot::{Answer, Evidence, PortState};

use super::Moment;
use super::mark::Swept;

/// The attempts of the sweep are numbered from 0 to here; those after it verify, under a key of their own.
pub(crate) const SWEEP_ATTEMPTS: u8 = 3;
/// All attempts, those of verification included.
pub(crate) const ATTEMPTS: u8 = 24;
/// A second RST counts if it answers a probe that was sent this long after the first RST.
const SECOND_RST_AFTER: Duration = Duration::from_secs(1);
/// How many probes ask for the second SYN-ACK or RST.
const CONFIRMATIONS: u8 = 8;
/// A target sends its SYN-ACK again after a second; the last wait of a port should see that.
const LAST_WAIT: Duration = Duration::from_millis(1100);
/// Pauses after the probes that show that a port known open is silent: they leave at 0, 1, 3 and 7 s. Should it take
/// more, because packets are lost, those follow sooner; unless it is the whole host that is silent.
const SPACED: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// How many silences of verification have to be counted, because those of the sweep come so soon after one
/// another that a short outage explains them all.
const SPACED_SILENCES: u8 = 3;
const SPACED_SILENCES_OF_KNOWN: u8 = 4;
/// Where packets are being lost, so many of the attempts after the sweep follow soon, and are not counted as spaced:
/// a port that only had bad luck need not wait.
const QUICK_ATTEMPTS: u8 = 2;
const LONGEST_SWEEP_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// What the port is being probed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Any answer.
    Sweep,
    /// Proof that it does not answer.
    Silence,
    /// A second SYN-ACK, to an attempt later than `after`.
    Opened { after: u8 },
    /// A second RST, to an attempt later than `after`.
    Closed { after: u8 },
}

/// What the port waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Its turn to be sent.
    Turn,
    /// An answer to the last attempt.
    Answer,
    /// The time of the next attempt.
    Pause,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go on waiting.
    Wait,
    /// Send the next attempt.
    Probe,
    /// Send the next attempt at this time.
    ProbeAt(Moment),
    /// Leave it: nothing shows that the host is there at all.
    Park,
    /// This is the verdict.
    Verdict(PortState, Evidence),
    /// There is no verdict.
    Unknown,
}

/// A proven answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// Which attempt it answers.
    pub(crate) attempt: u8,
    /// What it says.
    pub(crate) answer: Answer,
    /// Its time to live.
    pub(crate) ttl: Option<u8>,
    /// When it came.
    pub(crate) at: Moment,
    /// How long after its attempt, if that is known for certain.
    pub(crate) rtt: Option<Duration>,
}

/// The circumstances of an attempt that was not answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unheard {
    /// The host has answered something in this scan, or this port is to show that it does not.
    pub(crate) goes_on: bool,
    /// It did so around the time of this attempt, and the receive queue lost nothing.
    pub(crate) counts: bool,
    /// How many counted silences make a verdict; `None` if so much is lost that none can.
    pub(crate) needed: Option<u8>,
    /// How many attempts there may be.
    pub(crate) attempts: u8,
}

/// A port without a verdict.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    /// The job knows the port open.
    known_open: bool,
    goal: Goal,
    /// The number of the next attempt.
    next: u8,
    /// How many were sent.
    probes: u16,
    /// When the last one was.
    pub(crate) sent_at: Moment,
    silences: u8,
    spaced: u8,
    /// The last attempt is one of [`QUICK_ATTEMPTS`].
    quick: bool,
    rejected: Option<Heard>,
    /// What it waits for.
    pub(crate) waiting: Waiting,
    /// Which entry of the timer queue is this port's; all others are void.
    pub(crate) timer: u64,
}

impl Track {
    /// A port whose last attempt of the sweep left at `sent_at`, and that is heard from now.
    pub(crate) fn swept(known_open: bool, swept: Swept, sent_at: Moment) -> Self {
        Self {
            known_open,
            goal: Goal::Sweep,
            next: swept.attempt + u8::from(swept.out),
            probes: u16::from(swept.attempt) + u16::from(swept.out),
            sent_at,
            silences: swept.silences,
            spaced: 0,
            quick: false,
            rejected: None,
            waiting: if swept.out {
                Waiting::Answer
            } else {
                Waiting::Turn
            },
            timer: 0,
        }
    }

    /// A port that was silent in the sweep, as often as `silences` says at times that count.
    pub(crate) fn silent(known_open: bool, silences: u8) -> Self {
        let swept = Swept {
            attempt: SWEEP_ATTEMPTS,
            silences,
            out: false,
        };
        Self {
            goal: Goal::Silence,
            ..Self::swept(known_open, swept, Moment::ZERO)
        }
    }

    /// True while nothing has come from the port.
    pub(crate) fn is_unheard(&self) -> bool {
        matches!(self.goal, Goal::Sweep | Goal::Silence) && self.rejected.is_none()
    }

    /// True while a second SYN-ACK is asked for.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.goal, Goal::Opened { .. })
    }

    /// True if the next attempt repeats one that was silent, so that it should be known whether the host
    /// answers at the time.
    pub(crate) fn needs_control(&self) -> bool {
        self.goal == Goal::Silence
    }

    /// The last attempt that was sent; `None` before the first.
    pub(crate) fn last(&self) -> Option<u8> {
        (self.probes > 0).then(|| self.next.saturating_sub(1))
    }

    /// An attempt leaves: its number. `lossy` says that packets are being lost.
    pub(crate) fn transmit(&mut self, now: Moment, lossy: bool) -> u8 {
        let attempt = self.next;
        self.quick = lossy
            && !self.known_open
            && self.goal == Goal::Silence
            && attempt < SWEEP_ATTEMPTS + QUICK_ATTEMPTS;
        self.next += 1;
        self.probes += 1;
        self.sent_at = now;
        attempt
    }

    /// The last attempt did not leave after all.
    pub(crate) fn take_back(&mut self) {
        self.next = self.next.saturating_sub(1);
        self.probes = self.probes.saturating_sub(1);
    }

    /// How long to wait for an answer to the attempt that was just sent.
    pub(crate) fn patience(&self, timeout: Duration, host_up: bool) -> Duration {
        let last = self.next.saturating_sub(1);
        let backed_off = |tries: u8| timeout.saturating_mul(1 << tries.min(6));
        match self.goal {
            Goal::Silence if self.quick => backed_off(1).min(LAST_WAIT),
            Goal::Silence if self.known_open => {
                let step = usize::from(last.saturating_sub(SWEEP_ATTEMPTS));
                let after = if host_up {
                    LAST_WAIT
                } else {
                    SPACED[SPACED.len() - 1]
                };
                SPACED.get(step).copied().unwrap_or(after).max(timeout)
            }
            Goal::Sweep | Goal::Silence | Goal::Closed { .. } => LAST_WAIT.max(timeout),
            Goal::Opened { after } => {
                let tries = last
                    .saturating_sub(after.max(SWEEP_ATTEMPTS - 1))
                    .saturating_sub(1);
                let wait = backed_off(tries).min(LONGEST_WAIT);
                if tries + 1 < CONFIRMATIONS {
                    wait
                } else {
                    wait.max(LAST_WAIT)
                }
            }
        }
    }

    /// A proven answer came.
    pub(crate) fn heard(&mut self, heard: Heard) -> Step {
        match (self.goal, heard.answer) {
            // Any SYN-ACK confirms what was known; only news has to be verified.
            (_, Answer::SynAck) if self.known_open => self.verdict(PortState::Open, &heard),
            (Goal::Opened { after }, Answer::SynAck) => {
                if heard.attempt > after && heard.attempt >= SWEEP_ATTEMPTS {
                    self.verdict(PortState::Open, &heard)
                } else {
                    Step::Wait
                }
            }
            (_, Answer::SynAck) => {
                self.verify(|after| Goal::Opened { after });
                Step::Probe
            }
            (Goal::Opened { after }, Answer::Rst) if heard.attempt > after => Step::Unknown,
            (Goal::Closed { after }, Answer::Rst) if heard.attempt > after => {
                self.verdict(PortState::Closed, &heard)
            }
            (Goal::Sweep | Goal::Silence, Answer::Rst) if self.known_open => {
                self.verify(|after| Goal::Closed { after });
                Step::ProbeAt(heard.at + SECOND_RST_AFTER)
            }
            (Goal::Sweep | Goal::Silence, Answer::Rst) => self.verdict(PortState::Closed, &heard),
            (Goal::Sweep | Goal::Silence, Answer::IcmpUnreachable(_)) => self.rejected(heard),
            _ => Step::Wait,
        }
    }

    /// The last attempt was not answered in time.
    pub(crate) fn unheard(&mut self, unheard: Unheard) -> Step {
        if unheard.counts {
            self.silences = self.silences.saturating_add(1);
            self.spaced += u8::from(self.next > SWEEP_ATTEMPTS && !self.quick);
        }
        let end = unheard.attempts.min(ATTEMPTS);
        match self.goal {
            Goal::Sweep | Goal::Silence if !unheard.goes_on => Step::Park,
            Goal::Sweep | Goal::Silence => {
                let spaced = if self.known_open {
                    SPACED_SILENCES_OF_KNOWN
                } else {
                    SPACED_SILENCES
                };
                let enough = unheard.needed.is_some_and(|needed| self.silences >= needed);
                if enough && self.spaced >= spaced {
                    self.filtered()
                } else {
                    self.once_more(end)
                }
            }
            Goal::Opened { after } | Goal::Closed { after } => {
                self.once_more(after.max(SWEEP_ATTEMPTS - 1) + 1 + CONFIRMATIONS)
            }
        }
    }

    /// From here on, attempts belong to the verification and its key.
    fn verify(&mut self, goal: impl FnOnce(u8) -> Goal) {
        self.goal = goal(self.next.saturating_sub(1));
        self.next = self.next.max(SWEEP_ATTEMPTS);
    }

    fn once_more(&self, end: u8) -> Step {
        if self.next < end.min(ATTEMPTS) {
            Step::Probe
        } else {
            Step::Unknown
        }
    }

    /// An ICMP error can be the router's passing trouble, and is easier to forge than a TCP answer: it takes two.
    fn rejected(&mut self, heard: Heard) -> Step {
        match self.rejected {
            Some(first) if first.attempt == heard.attempt => Step::Wait,
            Some(_) => self.verdict(PortState::Filtered, &heard),
            None => {
                self.rejected = Some(heard);
                self.verify(|_| Goal::Silence);
                Step::ProbeAt(heard.at + SPACED[0])
            }
        }
    }

    fn filtered(&self) -> Step {
        match self.rejected {
            Some(heard) => self.verdict(PortState::Filtered, &heard),
            None => Step::Verdict(
                PortState::Filtered,
                Evidence {
                    answer: Answer::NoResponse,
                    ttl: None,
                    rtt: None,
                    probes: self.probes,
                },
            ),
        }
    }

    fn verdict(&self, state: PortState, heard: &Heard) -> Step {
        Step::Verdict(
            state,
            Evidence {
                answer: heard.answer,
                ttl: heard.ttl,
                rtt: heard.rtt,
                probes: self.probes,
            },
        )
    }
}

/// How long the sweep waits for an answer to this attempt. The last one may take longer: what is still missing
/// then costs more.
pub(crate) fn sweep_patience(timeout: Duration, attempt: u8) -> Duration {
    if attempt + 1 < SWEEP_ATTEMPTS {
        timeout
    } else {
        timeout
            .saturating_mul(2)
            .min(LONGEST_SWEEP_WAIT.max(timeout))
    }
}

#[cfg(test)]
mod tests;
