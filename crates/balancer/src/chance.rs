//! Chance that need not be secret: turns, weights, trace ids.

use ring::rand::{SecureRandom, SystemRandom};
use std::cell::Cell;

thread_local! {
    static STATE: Cell<u64> = Cell::new(seed());
}

fn seed() -> u64 {
    let mut seed = [0; 8];
    // Without entropy the turns begin at the same place each time, which is no harm.
    let _ = SystemRandom::new().fill(&mut seed);
    u64::from_le_bytes(seed)
}

/// Any number: SplitMix64, a generator of its own on each thread.
/// <https://prng.di.unimi.it/splitmix64.c>
pub(crate) fn number() -> u64 {
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// A number below a bound, which isn't 0.
pub(crate) fn below(bound: u32) -> u32 {
    let product = (number() >> 32) * u64::from(bound);
    // The product of two numbers of 32 bits has its upper half below the second.
    (product >> 32) as u32
}
