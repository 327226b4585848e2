//! How fast the control plane's own waiting passes.

/// How fast a controller's timers run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Ten times faster than upstream's, but not below a second.
    #[default]
    Fast,
    /// Upstream's own times.
    Real,
}

impl Pace {
    /// How long a timer runs, in seconds, that is `real` seconds upstream.
    #[must_use]
    pub const fn timer(self, real: i64) -> i64 {
        match self {
            Self::Fast if real > 10 => real / 10,
            Self::Fast if real > 0 => 1,
            _ => real,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-RUN: fast timers take a tenth, never less than a second.
    #[test]
    fn fast_is_ten_times_faster_and_no_less_than_a_second() {
        assert_eq!([40, 300, 5].map(|s| Pace::Fast.timer(s)), [4, 30, 1]);
        assert_eq!([40, 300, 5].map(|s| Pace::Real.timer(s)), [40, 300, 5]);
    }
}
