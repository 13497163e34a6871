//! The retransmission timer of one host, RFC 6298.

use std::time::Duration;

/// RFC 6298 section 2.1, before the first measurement.
const INITIAL: Duration = Duration::from_secs(1);
/// Below what the RFC asks of TCP, because a scan that waits a second for each silent port is of no use, and
/// above what a busy host on a local network needs.
const FLOOR: Duration = Duration::from_millis(100);
const CEILING: Duration = Duration::from_secs(3);
/// The clock granularity G of the RFC.
const GRANULARITY: Duration = Duration::from_millis(1);

/// Smoothed round-trip time and its variation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    smoothed: Option<(Duration, Duration)>,
}

impl Rtt {
    /// Takes a measurement that belongs to one transmission for certain (Karn's algorithm).
    pub(crate) fn measured(&mut self, rtt: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (rtt, rtt / 2),
            Some((smoothed, variation)) => (
                smoothed * 7 / 8 + rtt / 8,
                variation * 3 / 4 + smoothed.abs_diff(rtt) / 4,
            ),
        });
    }

    /// How long to wait for an answer before it counts as missing.
    pub(crate) fn timeout(&self) -> Duration {
        self.smoothed.map_or(INITIAL, |(smoothed, variation)| {
            (smoothed + GRANULARITY.max(variation * 4)).clamp(FLOOR, CEILING)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_timer_follows_the_rfc() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(), ms(1000));
        rtt.measured(ms(200));
        assert_eq!(rtt.timeout(), ms(200 + 4 * 100));
        rtt.measured(ms(200));
        assert_eq!(rtt.timeout(), ms(200 + 4 * 75));
        rtt.measured(ms(280));
        // SRTT = 7/8·200 + 1/8·280 = 210; RTTVAR = 3/4·75 + 1/4·80 = 76.25.
        assert_eq!(rtt.timeout(), ms(210) + ms(305));
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let mut near = Rtt::default();
        let mut far = Rtt::default();
        for _ in 0..50 {
            near.measured(Duration::from_micros(40));
            far.measured(ms(20_000));
        }
        assert_eq!(near.timeout(), FLOOR);
        assert_eq!(far.timeout(), CEILING);
    }
}
