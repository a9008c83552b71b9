//! How long to wait before something that failed is tried again: longer each time, and not all at the same moment.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

/// The waits of something that fails again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits that begin with `first`, double, and never are longer than `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// How often in a row it has failed.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// It has failed once more; how long to wait. What has another name waits a little longer or shorter, up to a tenth.
    pub fn failed(&mut self, name: impl Hash) -> Duration {
        let wait = self.first.saturating_mul(1_u32.checked_shl(self.failures.min(20)).unwrap_or(u32::MAX)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        jittered(wait, (name, self.failures))
    }

    /// It had not failed after all, the last time.
    pub fn forgiven(&mut self) {
        self.failures = self.failures.saturating_sub(1);
    }

    /// It has worked.
    pub fn worked(&mut self) {
        self.failures = 0;
    }
}

/// About so long: a tenth more or less, which depends on the name alone.
pub fn jittered(wait: Duration, name: impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let percent = u32::try_from(hasher.finish() % 21).unwrap_or(10);
    wait / 100 * (90 + percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for want in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let (wait, want) = (backoff.failed("phi"), Duration::from_secs(want));
            assert!(wait >= want * 9 / 10 && wait <= want * 11 / 10, "{wait:?} is about {want:?}");
        }
        backoff.worked();
        assert!(backoff.failed("phi") <= Duration::from_millis(1100));
        let mut long = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        (0..100).for_each(|_| _ = long.failed("phi"));
        assert_eq!(long.failures(), 100);
    }

    #[test]
    fn not_all_wait_as_long() {
        let waits: std::collections::BTreeSet<_> = (0..100).map(|name| jittered(Duration::from_secs(10), name)).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
