//! Random decisions that a seed repeats.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::quantity::Probability;

/// One sequence of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The sequence number `stream` of those that the seed has.
    pub(super) fn new(seed: u64, stream: u64) -> Dice {
        let mut numbers = ChaCha8Rng::seed_from_u64(seed);
        numbers.set_stream(stream);
        Dice(numbers)
    }

    /// Whether something of this probability happens this time. Takes no number where there is no doubt.
    pub(super) fn happens(&mut self, probability: Probability) -> bool {
        if probability.is_never() {
            return false;
        }
        self.unit() < probability.value()
    }

    /// A number from 0 (included) to 1 (excluded).
    pub(super) fn unit(&mut self) -> f64 {
        // A double holds 53 bits exactly.
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `limit`; 0 where the limit is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(limit)) >> 64) as u64
    }
}
