//! What a server has refused to write may be a matter of a moment: it is tried again from time to time.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use crate::diff::Owner;

/// How long to wait before what was refused is written again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(600));

/// Those whose status was refused, and when it is written again.
pub(super) struct Unwritten {
    owners: BTreeSet<Owner>,
    backoff: Backoff,
    due_at: Option<Instant>,
}

impl Default for Unwritten {
    fn default() -> Self {
        Self { owners: BTreeSet::new(), backoff: RETRY, due_at: None }
    }
}

impl Unwritten {
    /// Something of an owner was refused.
    pub(super) fn refused(&mut self, owner: &Owner, at: Instant) {
        self.owners.insert(owner.clone());
        if self.due_at.is_none() {
            self.due_at = Some(at + self.backoff.failed(owner));
        }
    }

    /// All of an owner is written.
    pub(super) fn written(&mut self, owner: &Owner) {
        self.owners.remove(owner);
        if self.owners.is_empty() {
            *self = Self::default();
        }
    }

    /// When those that were refused are due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// Those that are due by now.
    pub(super) fn due(&mut self, now: Instant) -> BTreeSet<Owner> {
        if self.due_at.is_none_or(|at| at > now) {
            return BTreeSet::new();
        }
        self.due_at = None;
        self.owners.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_due_later_and_later() {
        let owner = |name: &str| Owner { kind: "Workspace", namespace: "n".into(), name: name.into() };
        let (a, b, mut now) = (owner("a"), owner("b"), Instant::now());
        let mut unwritten = Unwritten::default();
        assert_eq!((unwritten.due_at(), unwritten.due(now)), (None, [].into()));
        for least in [1.8, 3.6, 7.2] {
            unwritten.refused(&a, now);
            unwritten.refused(&b, now);
            assert_eq!(unwritten.due(now), [].into());
            let due = unwritten.due_at().unwrap();
            assert!(due - now >= Duration::from_secs_f64(least), "{:?}", due - now);
            now = due;
            assert_eq!(unwritten.due(now), [a.clone(), b.clone()].into());
            assert_eq!(unwritten.due_at(), None, "they are being written");
        }
        unwritten.written(&a);
        unwritten.refused(&b, now);
        assert!(unwritten.due_at().unwrap() - now >= Duration::from_secs_f64(14.4));
        unwritten.written(&b);
        assert_eq!(unwritten.due_at(), None);
        unwritten.refused(&b, now);
        assert!(unwritten.due_at().unwrap() - now <= Duration::from_secs_f64(2.2), "all was written meanwhile");
    }
}
