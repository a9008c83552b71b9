//! What is known of each owner of objects between two passes: what it was rendered from, and what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::fingerprint::Fingerprints;
use crate::conditions::Cause;
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;

/// An owner of objects, or nobody.
pub(super) type Whose = Option<Owner>;

/// How long to wait before what failed is tried again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// How long to wait before the objects of an owner are looked after again and again.
const REPAIR: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));

/// How often something is repaired at once before that is taken for a fight.
const AT_ONCE: u32 = 3;

/// After how long of calm it is forgotten that something had to be repaired.
const CALM: Duration = Duration::from_secs(120);

/// What is known of each owner.
#[derive(Default)]
pub(super) struct Owners(BTreeMap<Whose, Known>);

/// What is known of an owner.
struct Known {
    /// What its objects were rendered from that were applied last; none if they were not.
    fingerprint: Option<u64>,
    failure: Option<Failure>,
    retries: Backoff,
    retry_at: Option<Instant>,
    repairs: Backoff,
    repaired_at: Option<Instant>,
    repair_at: Option<Instant>,
}

/// Why the objects of an owner are not as they are wanted.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Why.
    pub finding: Diagnostic,
    /// What kind of thing.
    pub cause: Cause,
    /// Whether it is no use to try again before something else is changed.
    pub is_final: bool,
}

impl Default for Known {
    fn default() -> Self {
        Self { fingerprint: None, failure: None, retries: RETRY, retry_at: None, repairs: REPAIR, repaired_at: None, repair_at: None }
    }
}

impl Owners {
    /// The owners whose objects come from something else than those that were applied.
    pub(super) fn changed(&self, now: &Fingerprints) -> BTreeSet<Whose> {
        let is_changed =
            |(owner, fingerprint): &(&Whose, &u64)| self.0.get(owner).and_then(|known| known.fingerprint) != Some(**fingerprint);
        now.iter().filter(is_changed).map(|(owner, _)| owner.clone()).collect()
    }

    /// The owners that are there no more.
    pub(super) fn gone(&self, now: &Fingerprints) -> BTreeSet<Whose> {
        self.0.keys().filter(|owner| !now.contains_key(owner)).cloned().collect()
    }

    /// The objects of an owner were applied, or not.
    pub(super) fn applied(&mut self, owner: &Whose, fingerprint: Option<u64>, failure: Option<Failure>, at: Instant) {
        let known = self.0.entry(owner.clone()).or_default();
        match failure {
            None => {
                known.fingerprint = fingerprint;
                known.failure = None;
                known.retry_at = None;
                known.retries.worked();
            }
            Some(failure) => {
                known.fingerprint = None;
                known.failure = Some(failure);
                known.retry_at = Some(at + known.retries.failed(owner));
            }
        }
    }

    /// Something of an owner can't be rendered. What was applied of it stays; trying again doesn't help.
    pub(super) fn broken(&mut self, owner: &Whose, finding: Diagnostic) {
        let known = self.0.entry(owner.clone()).or_default();
        known.fingerprint = None;
        known.failure = Some(Failure { finding, cause: Cause::Invalid, is_final: true });
        known.retry_at = None;
    }

    /// The objects of an owner are as they are wanted, but others that were its may be there, too.
    pub(super) fn unfinished(&mut self, owner: &Whose) {
        self.0.entry(owner.clone()).or_default().fingerprint = None;
    }

    /// An owner is no more, and neither is what was its.
    pub(super) fn forget(&mut self, owner: &Whose) {
        self.0.remove(owner);
    }

    /// Something of an owner has to be looked after. It is at once some times, and later each time that it has to be soon again.
    pub(super) fn disturbed(&mut self, owner: &Whose, at: Instant) {
        let known = self.0.entry(owner.clone()).or_default();
        if known.repair_at.is_some() {
            return;
        }
        if known.repaired_at.is_some_and(|repaired| at.saturating_duration_since(repaired) > CALM) {
            known.repairs.worked();
        }
        let is_calm = known.repairs.failures() < AT_ONCE;
        let wait = known.repairs.failed(owner);
        known.repair_at = Some(if is_calm { at } else { at + wait });
    }

    /// Nobody looks after those any more in which nothing is to be put right by now: what was new about them was their own doing.
    pub(super) fn calm(&mut self, now: Instant, is_drifted: impl Fn(&Whose) -> bool) {
        for (owner, known) in &mut self.0 {
            if known.repair_at.is_some_and(|at| at <= now) && !is_drifted(owner) {
                known.repair_at = None;
                known.repairs.forgiven();
            }
        }
    }

    /// Whether an owner is looked after later.
    pub(super) fn is_waiting(&self, owner: &Whose) -> bool {
        self.0.get(owner).is_some_and(|known| known.repair_at.is_some() || known.retry_at.is_some())
    }

    /// What is to be looked after by now.
    pub(super) fn due(&self, now: Instant) -> BTreeSet<Whose> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        self.0.iter().filter(|(_, known)| is_due(known.retry_at) || is_due(known.repair_at)).map(|(owner, _)| owner.clone()).collect()
    }

    /// Since when an owner is to be looked after, or when it will be.
    pub(super) fn due_since(&self, owner: &Whose) -> Option<Instant> {
        let known = self.0.get(owner)?;
        [known.retry_at, known.repair_at].into_iter().flatten().min()
    }

    /// When something is to be looked after next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().flat_map(|known| [known.retry_at, known.repair_at]).flatten().min()
    }

    /// These are being looked after.
    pub(super) fn taken<'o>(&mut self, owners: impl IntoIterator<Item = &'o Whose>, at: Instant) {
        for owner in owners {
            if let Some(known) = self.0.get_mut(owner) {
                known.retry_at = None;
                if known.repair_at.take().is_some() {
                    known.repaired_at = Some(at);
                }
            }
        }
    }

    /// What was being looked after could not be, for no fault of its own.
    pub(super) fn postponed<'o>(&mut self, owners: impl IntoIterator<Item = &'o Whose>, until: Instant) {
        for owner in owners {
            self.0.entry(owner.clone()).or_default().retry_at = Some(until);
        }
    }

    /// Why the objects of an owner are not as they are wanted.
    pub(super) fn failure(&self, owner: &Whose) -> Option<&Failure> {
        self.0.get(owner)?.failure.as_ref()
    }

    /// Everything that is wrong.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&Whose, &Failure)> {
        self.0.iter().filter_map(|(owner, known)| Some((owner, known.failure.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(name: &str) -> Whose {
        Some(name).map(|name| Owner { kind: "Workspace", namespace: "n".to_owned(), name: name.to_owned() })
    }

    fn prints(all: &[(&str, u64)]) -> Fingerprints {
        all.iter().map(|(name, print)| (whose(name), *print)).collect()
    }

    #[test]
    fn what_has_changed() {
        let start = Instant::now();
        let mut owners = Owners::default();
        assert_eq!(owners.changed(&prints(&[("a", 1)])), [whose("a")].into());
        owners.applied(&whose("a"), Some(1), None, start);
        owners.applied(&whose("b"), Some(1), None, start);
        assert_eq!(owners.changed(&prints(&[("a", 1), ("b", 1)])), [].into());
        assert_eq!(owners.changed(&prints(&[("a", 2), ("b", 1)])), [whose("a")].into());
        assert_eq!(owners.gone(&prints(&[("a", 2), ("b", 1)])), [].into());
        assert_eq!(owners.gone(&prints(&[("b", 1)])), [whose("a")].into(), "what is gone is to be pruned");
        owners.forget(&whose("a"));
        assert_eq!(owners.gone(&prints(&[("b", 1)])), [].into());
        let failure = Failure { finding: Diagnostic::error("no"), cause: Cause::Failed, is_final: false };
        owners.applied(&whose("b"), Some(1), Some(failure), start);
        assert_eq!(owners.changed(&prints(&[("b", 1)])), [whose("b")].into(), "what has failed counts as not applied");
        owners.applied(&whose("b"), Some(1), None, start);
        owners.unfinished(&whose("b"));
        assert_eq!(owners.changed(&prints(&[("b", 1)])), [whose("b")].into(), "what may have left something is looked at again");
    }

    #[test]
    fn what_fails_is_tried_again_later_and_later() {
        let mut now = Instant::now();
        let mut owners = Owners::default();
        let failure = || Some(Failure { finding: Diagnostic::error("no"), cause: Cause::Failed, is_final: false });
        for least in [0.9, 1.8, 3.6, 7.2] {
            owners.applied(&whose("a"), Some(1), failure(), now);
            assert_eq!(owners.due(now), [].into());
            let next = owners.next().unwrap();
            assert!(next >= now + Duration::from_secs_f64(least), "{:?}", next - now);
            now = next;
            assert_eq!(owners.due(now), [whose("a")].into());
            owners.taken([&whose("a")], now);
            assert_eq!(owners.next(), None);
        }
        owners.applied(&whose("a"), Some(1), None, now);
        assert!(owners.failure(&whose("a")).is_none());
    }

    #[test]
    fn what_is_disturbed_is_repaired_at_once_but_not_in_a_circle() {
        let start = Instant::now();
        let mut owners = Owners::default();
        owners.disturbed(&whose("a"), start);
        assert_eq!(owners.due(start), [whose("a")].into());
        owners.taken([&whose("a")], start);
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..8 {
            owners.disturbed(&whose("a"), now);
            let next = owners.next().unwrap();
            waits.push(next - now);
            now = next;
            owners.taken([&whose("a")], now);
        }
        assert!(waits.is_sorted(), "{waits:?}");
        assert!(waits[7] > Duration::from_secs(40), "{waits:?}");
        owners.disturbed(&whose("a"), now);
        owners.calm(now, |_| false);
        assert!(owners.is_waiting(&whose("a")), "it is not its turn yet");
        owners.calm(owners.next().unwrap(), |_| true);
        assert!(owners.is_waiting(&whose("a")));
        owners.calm(owners.next().unwrap(), |_| false);
        assert!(!owners.is_waiting(&whose("a")) && owners.next().is_none());
        now += CALM * 2;
        owners.disturbed(&whose("a"), now);
        assert_eq!(owners.due(now), [whose("a")].into(), "after calm it is at once again");
    }
}
