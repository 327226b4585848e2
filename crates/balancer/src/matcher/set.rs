//! Sets of small numbers.

/// How many numbers need no memory of their own: AWS's quota of rules of a listener is 100.
const WITHIN: usize = 2;

/// A set of numbers below a bound.
#[derive(Clone, Debug)]
pub(super) enum Set {
    /// Below 128.
    Small([u64; WITHIN]),
    /// Any bound.
    Large(Box<[u64]>),
}

impl Set {
    /// A set without members, of numbers below a bound.
    pub(super) fn empty(bound: usize) -> Self {
        let words = bound.div_ceil(64);
        if words <= WITHIN {
            Self::Small([0; WITHIN])
        } else {
            Self::Large(vec![0; words].into_boxed_slice())
        }
    }

    fn words(&self) -> &[u64] {
        match self {
            Self::Small(words) => words,
            Self::Large(words) => words,
        }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        match self {
            Self::Small(words) => words,
            Self::Large(words) => words,
        }
    }

    /// Puts a number in.
    pub(super) fn insert(&mut self, number: usize) {
        self.words_mut()[number / 64] |= 1 << (number % 64);
    }

    /// Puts another set's numbers in.
    pub(super) fn add(&mut self, other: &Self) {
        for (word, more) in self.words_mut().iter_mut().zip(other.words()) {
            *word |= more;
        }
    }

    /// Leaves only numbers that are in another set too.
    pub(super) fn keep(&mut self, other: &Self) {
        for (word, other) in self.words_mut().iter_mut().zip(other.words()) {
            *word &= other;
        }
    }

    /// Its numbers, the lowest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words().iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                (left != 0).then(|| {
                    left &= left - 1;
                    index * 64 + bit
                })
            })
        })
    }
}
