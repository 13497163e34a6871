//! What the engine remembers of one host while it scans it.

use std::time::Duration;

use portwatch_domain::snapshot::Answer;
use portwatch_packet::Addresses;

use super::Moment;
use super::absence::Absence;
use super::congestion::Congestion;
use super::line::Line;
use super::loss::Loss;
use super::pacing::Seat;
use super::plan::CONTROL_PORTS;
use super::rtt::Rtt;
use super::slots::{self, SLOT, Slots};

/// With this many ports newly open, decoys are sent: ports that nobody asked for and that should not be open.
const DECOYS_FROM: u32 = 16;
/// How many decoys answer *open* before the host is suspect. One can be a service that is really there.
const DECOYS_OPEN: u32 = 2;

/// After this long a silence of the host the way to it is checked, and as often.
const CHECK_AFTER: Duration = Duration::from_secs(1);

/// A host that answered, and then says nothing to so many controls for so long, is waited for no more: that is longer
/// than most interruptions, and the next scan will tell.
const GONE_AFTER: Duration = Duration::from_secs(12);
const GONE_CONTROLS: u32 = 4;

/// How well a port serves as a control: a closed one best, since no connection is opened half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Quality {
    Rejects,
    Accepts,
    Refuses,
}

/// When each of them left, and to which port.
type Controls = [Option<(Moment, u16)>; CONTROL_PORTS as usize];

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) addresses: Addresses,
    /// It has answered by itself.
    pub(crate) up: bool,
    /// It answers *open* on everything.
    pub(crate) suspect: bool,
    pub(crate) rtt: Rtt,
    pub(crate) loss: Loss,
    pub(crate) absence: Absence,
    pub(crate) congestion: Congestion,
    /// Its token buckets, and its network.
    pub(crate) seat: Seat,
    /// The probes that wait.
    pub(crate) line: Line,
    /// It stands in the engine's queue of hosts that may send.
    pub(crate) is_queued: bool,
    answered: Slots,
    control: Option<(Quality, u16)>,
    last_control: Option<Moment>,
    last_check: Option<Moment>,
    /// The controls that are out, by source port; made with the first.
    controls: Option<Box<Controls>>,
    next_control: u8,
    /// The first control since it was last heard, and how many there were.
    unanswered: Option<(Moment, u32)>,
    open: u32,
    newly_open: u32,
    /// How many decoys answered *open*; `None` until they are sent.
    decoys_open: Option<u32>,
}

impl Host {
    pub(crate) fn new(addresses: Addresses, seat: Seat, window: Option<u32>) -> Self {
        Self {
            addresses,
            congestion: Congestion::new(window),
            seat,
            up: false,
            suspect: false,
            rtt: Rtt::default(),
            loss: Loss::default(),
            absence: Absence::default(),
            line: Line::default(),
            is_queued: false,
            answered: Slots::default(),
            control: None,
            last_control: None,
            last_check: None,
            controls: None,
            next_control: 0,
            unanswered: None,
            open: 0,
            newly_open: 0,
            decoys_open: None,
        }
    }

    /// The host itself answered on `port`; if it did so promptly, the probe left at `sent`, counted from the
    /// start of the scan.
    pub(crate) fn answered(&mut self, port: u16, answer: Answer, sent: Option<Moment>) {
        self.up = true;
        self.unanswered = None;
        if let Some(sent) = sent {
            self.answered.mark(sent);
        }
        let quality = match answer {
            Answer::Rst => Quality::Refuses,
            Answer::SynAck => Quality::Accepts,
            Answer::UdpReply | Answer::IcmpUnreachable(_) | Answer::NoResponse => Quality::Rejects,
        };
        if self.control.is_none_or(|(best, _)| quality >= best) {
            self.control = Some((quality, port));
        }
    }

    /// Whether the host answered probes sent just before and just after `sent`, counted from the start of the
    /// scan. One in the same slot is both. So a silent probe at the edge of an outage does not count.
    pub(crate) fn answered_around(&self, sent: Moment) -> bool {
        let before = self.answered.any(sent.saturating_sub(SLOT), sent);
        before && self.answered.any(sent, sent + SLOT)
    }

    /// It was there, but has answered nothing of late, although it was asked.
    pub(crate) fn is_gone(&self, now: Moment) -> bool {
        self.unanswered
            .is_some_and(|(since, controls)| now >= since + GONE_AFTER && controls >= GONE_CONTROLS)
    }

    /// The port to probe so that the silence of another one, sent now, can be judged; `None` if the host has
    /// just answered or been asked.
    pub(crate) fn wants_control(&self, now: Moment) -> Option<u16> {
        let (_, port) = self.control?;
        let asked = self
            .last_control
            .is_some_and(|at| slots::index(at) == slots::index(now));
        (self.up && !asked && !self.answered.any(now, now)).then_some(port)
    }

    /// Whether the probe that leaves at `now`, counted from the start of the scan, should go through the kernel: one
    /// a second, while the host is silent.
    pub(crate) fn checks_the_way(&mut self, now: Moment) -> bool {
        let lately = now.saturating_sub(CHECK_AFTER);
        let checked = self.last_check.is_some_and(|at| at > lately);
        let checks = !checked && !self.answered.any(lately, now);
        if checks {
            self.last_check = Some(now);
        }
        checks
    }

    /// A control was asked for and will leave soon.
    pub(crate) fn control_asked(&mut self, now: Moment) {
        self.last_control = Some(now);
    }

    /// A control or decoy to `port` leaves now: which of the control source ports it takes, and when an earlier one
    /// left with that port and was never answered.
    pub(crate) fn control_sent(&mut self, now: Moment, port: u16) -> (u8, Option<Moment>) {
        let (_, unanswered) = self.unanswered.get_or_insert((now, 0));
        *unanswered += 1;
        let slot = self.next_control;
        let controls = self.controls.get_or_insert_default();
        let before = controls[usize::from(slot)].replace((now, port));
        self.next_control = (slot + 1) % CONTROL_PORTS;
        (slot, before.map(|(left, _)| left))
    }

    /// A control or decoy to `port` was answered: when it left, if it was the last one to use this source port, and
    /// this is its first answer.
    pub(crate) fn control_answered(&mut self, slot: u8, port: u16) -> Option<Moment> {
        let control = self.controls.as_mut()?.get_mut(usize::from(slot))?;
        control
            .take_if(|(_, sent_to)| *sent_to == port)
            .map(|(at, _)| at)
    }

    /// A port was found open. True if it is one too many.
    pub(crate) fn found_open(&mut self, most: u32) -> bool {
        self.open += 1;
        self.open > most
    }

    /// How many ports were found open.
    pub(crate) fn open(&self) -> u32 {
        self.open
    }

    /// A port that was not known open answered with a SYN-ACK. True if it is time for decoys.
    pub(crate) fn maybe_opened(&mut self) -> bool {
        self.newly_open += 1;
        let now = self.newly_open >= DECOYS_FROM && self.decoys_open.is_none();
        if now {
            self.decoys_open = Some(0);
        }
        now
    }

    /// A decoy answered with a SYN-ACK. True if that is one too many.
    pub(crate) fn decoy_opened(&mut self) -> bool {
        let open = self.decoys_open.map_or(1, |open| open + 1);
        self.decoys_open = Some(open);
        open >= DECOYS_OPEN
    }
}
