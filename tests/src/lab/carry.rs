//! The wire between two tap or tun devices, with the simulated hosts on its far side.
//!
//! It is one loop on one thread: take what has come in, give out what is due, sleep until either happens. Tap devices
//! hand over packets with whole checksums, one system call each way, and have queues of any length.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_tun::Tun;

use super::address::{Family, host, simulated};
use super::frame::{self, Seen};
use super::random::Random;
use super::scenario::{Link, Scenario};
use super::simulator::{Simulator, is_played};
use super::wire::{Counts, Direction};

/// The device that is moved to the scanner's namespace.
pub const SCANNER_DEVICE: &str = "scan0";
/// The device that stays in the target's namespace.
pub const TARGET_DEVICE: &str = "lab0";

/// How many frames are taken in before those that are due are given out.
const BATCH: usize = 64;
/// More than any frame has.
const FRAME: usize = 4096;
/// The width of the windows in which the rate is looked at.
const WINDOW: Duration = Duration::from_millis(100);
/// The longest that it does not look for packets of its own will, and the longest that this may take. If it takes
/// longer, the machine was busy, and when the packets that wait were sent is not known.
const LOOK: Duration = Duration::from_millis(10);
const BUSY: Duration = Duration::from_millis(20);

/// What the wire has seen; printed when it ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// From the scanner.
    pub out: Counts,
    /// To the scanner.
    pub back: Counts,
    /// The most SYN packets of the scanner in any 100 ms in which the wire kept up.
    pub most_syn_per_100_ms: usize,
    /// How often the machine was too busy for the wire to keep up.
    pub late: u64,
    /// Addresses that were to be left alone and were not.
    pub trespasses: Vec<IpAddr>,
}

struct Carrier {
    taps: [Tun; 2],
    ethernet: bool,
    simulator: Simulator,
    forbidden: HashSet<IpAddr>,
    out: Direction,
    back: Direction,
    began: Instant,
    first_probe: Option<Duration>,
    recent: VecDeque<Duration>,
    looked: Duration,
    is_behind: bool,
    report: Report,
}

/// Carries frames until `stop`, then returns what was seen. `ready` is called when the devices exist.
pub async fn carry(
    scenario: &Scenario,
    ethernet: bool,
    ready: impl FnOnce(),
    stop: impl Future<Output = ()>,
) -> io::Result<Report> {
    let device = |name: &str| {
        let builder = Tun::builder().name(name);
        let builder = if ethernet { builder.tap() } else { builder };
        let mut made = builder
            .build()
            .map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        made.pop()
            .ok_or_else(|| io::Error::other(format!("{name}: no device")))
    };
    let excluded = scenario.host.iter().filter(|block| block.excluded);
    let forbidden = excluded.flat_map(|block| {
        let ip = |number| {
            [Family::V4, Family::V6].map(|family| host(block.place(Link::Wire), number, family))
        };
        block.at.iter().flat_map(ip)
    });
    let mut carrier = Carrier {
        taps: [device(SCANNER_DEVICE)?, device(TARGET_DEVICE)?],
        ethernet,
        simulator: Simulator::new(scenario),
        forbidden: forbidden.collect(),
        out: Direction::new(&scenario.wire.out, Random::new(scenario.seed, 1)),
        back: Direction::new(&scenario.wire.back, Random::new(scenario.seed, 2)),
        began: Instant::now(),
        first_probe: None,
        recent: VecDeque::new(),
        looked: Duration::ZERO,
        is_behind: false,
        report: Report::default(),
    };
    ready();
    tokio::select! {
        failed = carrier.run() => failed?,
        () = stop => {}
    }
    carrier.report.out = carrier.out.counts();
    carrier.report.back = carrier.back.counts();
    Ok(carrier.report)
}

impl Carrier {
    async fn run(&mut self) -> io::Result<()> {
        let mut frames = [[0; FRAME], [0; FRAME]];
        loop {
            let mut came = false;
            self.look();
            for side in [0, 1] {
                for _ in 0..BATCH {
                    match self.taps[side].try_recv(&mut frames[side]) {
                        Ok(length) => self.take(side, &frames[side][..length]),
                        Err(error) if is_later(&error) => break,
                        Err(error) => return Err(error),
                    }
                    came = true;
                }
            }
            let next = self.deliver()?;
            if came {
                // Other tasks, such as the one that waits for the end, get their turn.
                tokio::task::yield_now().await;
                continue;
            }
            self.is_behind = false;
            let now = self.began.elapsed();
            let wake = next.map_or(now + LOOK, |due| due.min(now + LOOK));
            let sleep = tokio::time::sleep_until((self.began + wake).into());
            let [near, far] = &self.taps;
            let [near_frame, far_frame] = &mut frames;
            let (side, length) = tokio::select! {
                length = near.recv(near_frame) => (0, length),
                length = far.recv(far_frame) => (1, length),
                () = sleep => continue,
            };
            match length {
                Ok(length) => self.take(side, &frames[side][..length]),
                Err(error) if is_later(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether it comes late to what waits.
    fn look(&mut self) {
        let now = self.began.elapsed();
        if now.saturating_sub(self.looked) > BUSY {
            self.is_behind = true;
            self.report.late += 1;
            self.recent.clear();
        }
        self.looked = now;
    }

    /// A frame came in from one side.
    fn take(&mut self, side: usize, frame: &[u8]) {
        let now = self.began.elapsed();
        let seen = frame::read(frame, self.ethernet);
        let is_ip = matches!(seen, Seen::Tcp(_) | Seen::Ip(_));
        if side == 1 {
            if is_ip {
                let first_probe = self.first_probe.unwrap_or(now);
                self.back.send(now, first_probe, frame);
            } else {
                self.back.send_unharmed(now, frame.to_vec());
            }
            return;
        }
        match seen {
            Seen::WhoHas(wanted, mac, ip) if is_played(wanted) => {
                self.forbid(wanted);
                if let Some(answer) = self.simulator.who_has(wanted, (mac, ip)) {
                    self.back.send_unharmed(now, answer);
                }
            }
            Seen::Tcp(_) | Seen::Ip(_) => {
                self.note(now, seen);
                let first_probe = self.first_probe.unwrap_or(now);
                self.out.send(now, first_probe, frame);
            }
            _ => self.out.send_unharmed(now, frame.to_vec()),
        }
    }

    /// Counts what the scanner sends.
    fn note(&mut self, now: Duration, seen: Seen<'_>) {
        let to = match seen {
            Seen::Tcp(segment) => {
                if segment.is_syn() {
                    self.first_probe.get_or_insert(now);
                    self.count(now);
                }
                segment.to.0
            }
            Seen::Ip(to) => to,
            _ => return,
        };
        self.forbid(to);
    }

    /// Something is sent for this address, or to learn where it is.
    fn forbid(&mut self, to: IpAddr) {
        if self.forbidden.contains(&to) && !self.report.trespasses.contains(&to) {
            self.report.trespasses.push(to);
        }
    }

    /// Counts the SYN packets of the last window.
    fn count(&mut self, now: Duration) {
        if self.is_behind {
            return;
        }
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|first| *first + WINDOW <= now)
        {
            self.recent.pop_front();
        }
        let most = &mut self.report.most_syn_per_100_ms;
        *most = (*most).max(self.recent.len());
    }

    /// Gives out what is due; returns when the next is.
    fn deliver(&mut self) -> io::Result<Option<Duration>> {
        let now = self.began.elapsed();
        while let Some(frame) = self.out.arrived(now) {
            match frame::read(&frame, self.ethernet) {
                Seen::Tcp(segment) if simulated(segment.to.0).is_some() => {
                    let first_probe = self.first_probe.unwrap_or(now);
                    let at = now.saturating_sub(first_probe).as_secs_f64();
                    for (delay, answer) in self.simulator.segment(at, &segment) {
                        let sent = now + Duration::from_secs_f64(delay);
                        self.back.send(sent, first_probe, &answer);
                    }
                }
                _ => give(&self.taps[1], &frame)?,
            }
        }
        while let Some(frame) = self.back.arrived(now) {
            give(&self.taps[0], &frame)?;
        }
        Ok([self.out.next_due(), self.back.next_due()]
            .into_iter()
            .flatten()
            .min())
    }
}

/// Gives a frame to a device. One that is down refuses it, as a cable without a plug would.
fn give(tap: &Tun, frame: &[u8]) -> io::Result<()> {
    match tap.try_send(frame) {
        Ok(_) => Ok(()),
        Err(error) if is_later(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Nothing there yet, or the device is not up yet (`EIO`).
fn is_later(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(EIO)
}
