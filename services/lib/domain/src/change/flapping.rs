//! Flapping: a state that changes too often to be told each time.

/// How many of the last verdicts were other than the one before, and whether it flaps by that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flapping {
    /// One bit a verdict, the last one in bit 0: 1 if it was other than the one before it.
    pub window: u32,
    /// It began and has not ceased.
    pub flaps: bool,
}
