//! The sending half: which probe is next, and when.

use std::cmp::Reverse;
use std::net::SocketAddr;

use super::{Engine, Mark};
use crate::engine::{Moment, Next, Wait};
use crate::settings::Retries;
use crate::udp::pace::Pace;
use crate::udp::payloads::datagram;
use crate::udp::plan::token;
use crate::udp::track::Waiting;
use crate::udp::wire::{Probe, lane};

/// How many probes one call hands out at most.
const BATCH: usize = 64;
/// How many pairs are being told at once: of one host, and in all.
const TRACKS_OF_A_HOST: usize = 2048;
const TRACKS: usize = 32_768;
/// How often a silent port is asked again, if the settings leave it open.
const AUTO_RETRIES: u8 = 3;

impl Engine {
    /// Adds the probes that may leave at `now` to `batch`, and says when to call again. All answers that came
    /// until `heard` have been told with [`Engine::event`].
    pub(in crate::udp) fn poll(
        &mut self,
        now: Moment,
        heard: Moment,
        batch: &mut Vec<Probe>,
    ) -> Next {
        if now >= self.plan.deadline {
            return Next::Done;
        }
        self.run_timers(heard);
        let mut wake = None;
        let mut idle = 0;
        while idle < self.hosts.len() {
            if batch.len() == BATCH {
                return Next::At(now);
            }
            let host = self.turn;
            self.turn = (self.turn + 1) % self.hosts.len();
            match self.hand_out(now, host) {
                Ok(probe) => {
                    batch.push(probe);
                    idle = 0;
                }
                Err(when) => {
                    wake = [wake, when].into_iter().flatten().min();
                    idle += 1;
                }
            }
        }
        if self.tracks.is_empty() {
            // What is left are timers of ports that are told.
            self.timers.clear();
        }
        let timer = self.timers.peek().map(|&Reverse((at, ..))| at);
        match [timer, wake].into_iter().flatten().min() {
            Some(at) => Next::At(at.min(self.plan.deadline)),
            None => Next::Done,
        }
    }

    /// Takes back probes that were handed out and did not leave. They will be handed out again.
    pub(in crate::udp) fn unsent(&mut self, probes: &[Probe]) {
        for probe in probes.iter().rev() {
            let Some(&host) = self.by_address.get(&probe.to.ip()) else {
                continue;
            };
            let Some(pair) = self.pair_of(host, probe.to.port()) else {
                continue;
            };
            if let Some(track) = self.tracks.get_mut(&pair)
                && track.waiting == Waiting::Answer
            {
                track.take_back(probe.lane);
                self.hosts[host].pace.resolved();
                self.hosts[host].line.push_front(pair);
                self.progress.sent = self.progress.sent.saturating_sub(1);
            }
        }
    }

    /// The next probe to this host; or when to ask again, if ever without an event.
    fn hand_out(&mut self, now: Moment, host: usize) -> Result<Probe, Option<Moment>> {
        let next = self.hosts[host].pace.next().ok_or(None)?;
        let pair = self.next_pair(host).ok_or(None)?;
        if next > now {
            self.hosts[host].line.push_front(pair);
            return Err(Some(next));
        }
        if let Err(later) = self.pass(now, host) {
            self.hosts[host].line.push_front(pair);
            return Err(Some(later));
        }
        let (ip, (_, port)) = (self.hosts[host].ip, self.pair(pair));
        let mut lane_used = 0;
        let mut expires = now;
        if let Some(track) = self.tracks.get_mut(&pair) {
            lane_used = lane(port, track.probes);
            track.sent(now, lane_used);
            expires += self.hosts[host].pace.timeout(track.silences);
        }
        self.hosts[host].pace.sent(now);
        self.progress.sent += 1;
        self.set_timer(pair, expires);
        let token = token(&self.plan.key, ip, port, lane_used);
        Ok(Probe {
            to: SocketAddr::new(ip, port),
            lane: lane_used,
            payload: datagram(port, lane_used.into(), token),
        })
    }

    /// Takes the token of one probe to this host, from all buckets or from none; or says when to ask again.
    fn pass(&mut self, now: Moment, host: usize) -> Result<(), Moment> {
        let next = self.rate.next(now);
        if next > now {
            return Err(next);
        }
        let taken = self.pacer.take(now, self.hosts[host].ip);
        taken.map_err(|(Wait::All(at) | Wait::Host(at))| at)?;
        self.rate.take(now);
        Ok(())
    }

    /// The pair whose turn it is: one in line, or a new one.
    fn next_pair(&mut self, host: usize) -> Option<u32> {
        while let Some(pair) = self.hosts[host].line.pop_front() {
            if let Some(track) = self.tracks.get(&pair)
                && track.waiting == Waiting::Turn
            {
                return Some(pair);
            }
        }
        let ports = self.ports.len() as u64;
        while self.hosts[host].place < ports
            && self.hosts[host].tracks < TRACKS_OF_A_HOST
            && self.tracks.len() < TRACKS
        {
            let state = &mut self.hosts[host];
            let place = state.order.at(state.place);
            state.place += 1;
            let pair = u32::try_from(host as u64 * ports + place).ok()?;
            if self.marks[pair as usize] == Mark::Untold && !self.tracks.contains_key(&pair) {
                self.begin(pair);
                return self.hosts[host].line.pop_back();
            }
        }
        None
    }

    /// Calls [`Self::expired`] or puts this pair in line at `at`.
    pub(super) fn set_timer(&mut self, pair: u32, at: Moment) {
        if let Some(track) = self.tracks.get_mut(&pair) {
            self.last_timer += 1;
            track.timer = self.last_timer;
            self.timers.push(Reverse((at, self.last_timer, pair)));
        }
    }

    fn run_timers(&mut self, now: Moment) {
        while let Some(&Reverse((at, timer, pair))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            match self.tracks.get(&pair) {
                Some(track) if track.timer != timer => {}
                Some(track) if track.waiting == Waiting::Pause => self.line_up(pair),
                Some(_) => self.expired(now, pair),
                None => {}
            }
        }
    }

    fn line_up(&mut self, pair: u32) {
        let (host, _) = self.pair(pair);
        if let Some(track) = self.tracks.get_mut(&pair) {
            track.waiting = Waiting::Turn;
            track.timer = 0;
            self.hosts[host].line.push_back(pair);
        }
    }

    /// The last probe of this pair was not answered in time.
    fn expired(&mut self, now: Moment, pair: u32) {
        let most = match self.plan.retries {
            Retries::Auto => (AUTO_RETRIES, None),
            Retries::Most(most) => (most, Some(u16::from(most))),
        };
        let (host, _) = self.pair(pair);
        let pace = &mut self.hosts[host].pace;
        let Some(track) = self.tracks.get_mut(&pair) else {
            return;
        };
        let sent = track.sent_at;
        let means = pace.silent(sent);
        if track.unheard(means, pace.epoch(), most) {
            self.settle(pair, Mark::Undecided);
        } else {
            let at = if means { now } else { Pace::again(sent) };
            self.ask_at(now, pair, at);
        }
    }

    /// Asks again at that time; what is in flight is not waited for.
    pub(super) fn ask_at(&mut self, now: Moment, pair: u32, at: Moment) {
        let (host, _) = self.pair(pair);
        let Some(track) = self.tracks.get_mut(&pair) else {
            return;
        };
        if track.waiting == Waiting::Answer {
            self.hosts[host].pace.resolved();
        }
        track.waiting = Waiting::Pause;
        if at <= now {
            self.line_up(pair);
        } else {
            self.set_timer(pair, at);
        }
    }
}
