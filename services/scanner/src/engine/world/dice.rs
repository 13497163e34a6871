//! Numbers that look random and are the same for the same seed.

use std::time::Duration;

/// Splitmix64.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

/// One step of it.
pub(super) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A number from 0 to below 1.
pub(super) fn share(bits: u64) -> f64 {
    f64::from((bits >> 32) as u32) / 4_294_967_296.0
}

impl Dice {
    /// Those of a part of the world: independent of those of its other parts.
    pub(super) const fn of(seed: u64, part: u64) -> Self {
        Self(mix(mix(seed) ^ part))
    }

    pub(super) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to below 1.
    pub(super) fn roll(&mut self) -> f64 {
        share(self.bits())
    }

    pub(super) fn happens(&mut self, chance: f64) -> bool {
        self.roll() < chance
    }

    /// One of `count`, from 0.
    pub(super) fn one_of(&mut self, count: usize) -> usize {
        let bits = usize::try_from(self.bits() >> 33).unwrap_or_default();
        bits % count.max(1)
    }

    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.roll())
    }

    /// How long it takes until something happens that happens once in `mean`.
    pub(super) fn waits(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.roll()).ln())
    }
}
