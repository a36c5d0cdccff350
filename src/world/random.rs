//! Numbers that nobody can foresee by accident: for jitter and for names that must be new. They are
//! no secrets.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// One of 64 bits; the seed of each [`RandomState`] is another one, from the kernel.
pub fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// One of 32 bits.
pub fn short() -> u32 {
    u32::try_from(number() >> 32).unwrap_or_default()
}
