//! Looking up what carries a hash of its own.

use std::hash::{BuildHasher, Hasher, RandomState};

/// For keys that give one number, which is a good hash already: hashing it once more would take longer than all the rest of the look.
///
/// Mixed with a seed of this process, so that nobody can choose keys that fall into one place.
#[derive(Debug, Clone)]
pub(crate) struct Prehashed {
    seed: u64,
}

impl Default for Prehashed {
    fn default() -> Self {
        Self {
            seed: RandomState::new().hash_one(()),
        }
    }
}

impl BuildHasher for Prehashed {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(self.seed)
    }
}

/// The state of [`Prehashed`].
#[derive(Debug)]
pub(crate) struct Mixed(u64);

/// The golden ratio's digits, as in Fibonacci hashing: odd, and without a pattern.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = folded(folded(self.0 ^ number));
    }
}

/// Both halves of a product, so that each bit of the number reaches the lowest and the highest of the hash.
fn folded(number: u64) -> u64 {
    let product = u128::from(number) * u128::from(MULTIPLIER);
    #[expect(clippy::cast_possible_truncation, reason = "its halves")]
    let [low, high] = [product as u64, (product >> 64) as u64];
    low ^ high
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_are_told_apart_by_low_and_by_high_bits() {
        let hasher = Prehashed { seed: 0x5eed };
        for shift in [0, 20, 44] {
            let hashes = (0_u64..1 << 16).map(|number| hasher.hash_one(number << shift));
            // A table looks at the low bits first, and then at the seven highest.
            let low: HashSet<_> = hashes.clone().map(|hash| hash & 0xffff).collect();
            let high: HashSet<_> = hashes.map(|hash| hash >> 48).collect();
            // By chance alone it would be 63 in a hundred.
            assert!(
                low.len() > 40_000 && high.len() > 40_000,
                "{shift}: {} {}",
                low.len(),
                high.len()
            );
        }
    }

    #[test]
    fn each_table_has_a_seed_of_its_own() {
        let [one, other] = [Prehashed::default(), Prehashed::default()];
        assert_ne!(one.hash_one(7_u64), other.hash_one(7_u64));
        assert_eq!(one.hash_one(7_u64), one.clone().hash_one(7_u64));
        assert_ne!(one.hash_one([1_u8, 2]), one.hash_one([2_u8, 1]));
    }
}
