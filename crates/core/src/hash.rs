//! Keyed hashing: a table whose keys come from the network must not let a peer choose its collisions.

use core::hash::BuildHasher;
use siphasher::sip::SipHasher13;

/// Builds SipHash-1-3 hashers from a secret of the host; the same secret gives the same order of iteration.
///
/// ```
/// use core::hash::BuildHasher;
/// use sockeye_core::hash::SecretState;
/// assert_eq!(SecretState::new(1, 2).hash_one(5), SecretState::new(1, 2).hash_one(5));
/// assert_ne!(SecretState::new(1, 2).hash_one(5), SecretState::new(1, 3).hash_one(5));
/// ```
#[derive(Clone, Copy)]
pub struct SecretState {
    keys: (u64, u64),
}

impl SecretState {
    /// A state with this 128-bit secret.
    pub const fn new(first: u64, second: u64) -> Self {
        SecretState { keys: (first, second) }
    }
}

impl BuildHasher for SecretState {
    type Hasher = SipHasher13;

    #[inline]
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.keys.0, self.keys.1)
    }
}

impl core::fmt::Debug for SecretState {
    /// The secret stays one.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SecretState")
    }
}

/// A map whose keys may come from the network.
pub type SecretMap<K, V> = hashbrown::HashMap<K, V, SecretState>;
