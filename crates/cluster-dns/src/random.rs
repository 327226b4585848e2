//! Random numbers, to shuffle and to choose by; nothing secret rests on them but the numbers of questions to
//! other resolvers.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that can't be told from those before it: a keyed hash of a counter, with a key from the kernel.
pub(crate) fn number() -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    KEY.hash_one(COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A number below another.
pub(crate) fn below(limit: usize) -> usize {
    let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
    usize::try_from(number() % limit).unwrap_or(0)
}

/// Puts items into any order.
pub(crate) fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_all_and_puts_each_first_at_times() {
        let mut first = [false; 4];
        for _ in 0..200 {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items);
            first[items[0]] = true;
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2, 3]);
        }
        assert_eq!(first, [true; 4]);
    }
}
