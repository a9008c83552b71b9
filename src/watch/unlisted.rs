//! What may not be listed is asked for again from time to time: a watch that just goes on doesn't say that it may be listed, too.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;

/// How long to wait before everything is looked at again, as long as something may not be listed.
const RETRY: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(600));

/// When everything is looked at again.
pub(super) struct Unlisted {
    backoff: Backoff,
    due_at: Option<Instant>,
}

impl Default for Unlisted {
    fn default() -> Self {
        Self { backoff: RETRY, due_at: None }
    }
}

impl Unlisted {
    /// Everything of a set was looked at; whether something of it may not be listed.
    pub(super) fn looked(&mut self, set: &str, is_any: bool, at: Instant) {
        if is_any {
            self.due_at = Some(at + self.backoff.failed(set));
        } else {
            *self = Self::default();
        }
    }

    /// When that is due again.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// Whether it is due by now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_everything_is_looked_at_again() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut unlisted = Unlisted::default();
        assert!(!unlisted.is_due(start + 10_000 * second));
        for about in [10, 20, 40, 80, 160, 320, 600, 600] {
            unlisted.looked("prod", true, start);
            let (early, late) = (start + about * second * 8 / 10, start + about * second * 12 / 10);
            assert!(!unlisted.is_due(early) && unlisted.is_due(late), "about {about} s: {:?}", unlisted.due_at());
        }
        unlisted.looked("prod", false, start);
        assert_eq!(unlisted.due_at(), None);
        unlisted.looked("prod", true, start);
        assert!(unlisted.is_due(start + 12 * second), "it begins anew");
    }
}
