//! What is known of each owner of objects between two passes: what it was rendered from, and what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::fingerprint::Fingerprints;
use crate::conditions::Cause;
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::manifest::ObjectRef;

/// An owner of objects, or nobody.
pub(super) type Whose = Option<Owner>;

/// How long to wait before what failed is tried again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// How long to wait before an object is looked after again and again.
const REPAIR: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));

/// How often an object is repaired at once.
const AT_ONCE: u32 = 20;

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
    /// The objects that are put right, or were of late.
    repairs: BTreeMap<ObjectRef, Repair>,
}

/// An object that is put right.
struct Repair {
    /// How often it was at once.
    at_once: u32,
    /// How long it waits from then on.
    backoff: Backoff,
    /// When it was the last time.
    done_at: Option<Instant>,
    /// When it is to be.
    due_at: Option<Instant>,
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
    /// When to try again, where that is known; all else of the owner is applied.
    pub again_at: Option<Instant>,
}

impl Default for Known {
    fn default() -> Self {
        Self { fingerprint: None, failure: None, retries: RETRY, retry_at: None, repairs: BTreeMap::new() }
    }
}

impl Repair {
    /// Whether it was put right of late, or is to be.
    fn is_recent(&self, at: Instant) -> bool {
        self.due_at.is_some() || self.done_at.is_some_and(|done| at.saturating_duration_since(done) <= CALM)
    }
}

impl Known {
    /// When anything is to be done.
    fn moments(&self) -> impl Iterator<Item = Instant> {
        self.repairs.values().map(|repair| repair.due_at).chain([self.retry_at]).flatten()
    }
}

impl Owners {
    /// The owners whose objects come from something else than those that were applied.
    pub(super) fn changed(&self, now: &Fingerprints) -> BTreeSet<Whose> {
        let is_changed =
            |(owner, fingerprint): &(&Whose, &u64)| self.0.get(owner).and_then(|known| known.fingerprint) != Some(**fingerprint);
        now.iter().filter(is_changed).map(|(owner, _)| owner.clone()).collect()
    }

    /// The owners of which something else is wanted than what was applied.
    pub(super) fn wanted_otherwise(&self, now: &Fingerprints) -> BTreeSet<Whose> {
        let is_other = |(owner, fingerprint): &(&Whose, &u64)| {
            let applied = self.0.get(owner).and_then(|known| known.fingerprint);
            applied.is_some_and(|applied| applied != **fingerprint)
        };
        now.iter().filter(is_other).map(|(owner, _)| owner.clone()).collect()
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
                known.fingerprint = fingerprint.filter(|_| failure.again_at.is_some());
                known.retry_at = Some(failure.again_at.unwrap_or_else(|| at + known.retries.failed(owner)));
                known.failure = Some(failure);
            }
        }
    }

    /// Something of an owner can't be rendered. What was applied of it stays; trying again doesn't help.
    pub(super) fn broken(&mut self, owner: &Whose, finding: Diagnostic) {
        let known = self.0.entry(owner.clone()).or_default();
        known.fingerprint = None;
        known.failure = Some(Failure { finding, cause: Cause::Invalid, is_final: true, again_at: None });
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

    /// An object of an owner has to be looked after. It is at once some times, and later each time that it has to be soon again.
    pub(super) fn disturbed(&mut self, owner: &Whose, object: &ObjectRef, at: Instant) {
        let repairs = &mut self.0.entry(owner.clone()).or_default().repairs;
        repairs.retain(|_, repair| repair.is_recent(at));
        let repair = repairs.entry(object.clone()).or_insert(Repair { at_once: 0, backoff: REPAIR, done_at: None, due_at: None });
        if repair.due_at.is_some() {
            return;
        }
        let wait = if repair.at_once < AT_ONCE { Duration::ZERO } else { repair.backoff.failed(object) };
        repair.at_once = (repair.at_once + 1).min(AT_ONCE);
        repair.due_at = Some(at + wait);
    }

    /// Nobody looks after those any more that have not drifted by now: what was new about them was our own doing.
    pub(super) fn calm(&mut self, now: Instant, is_drifted: impl Fn(&ObjectRef) -> bool) {
        for (object, repair) in self.0.values_mut().flat_map(|known| &mut known.repairs) {
            if repair.due_at.is_some_and(|at| at <= now) && !is_drifted(object) {
                repair.due_at = None;
                match repair.backoff.failures() {
                    0 => repair.at_once -= 1,
                    _ => repair.backoff.forgiven(),
                }
            }
        }
    }

    /// Whether an owner is looked after later.
    pub(super) fn is_waiting(&self, owner: &Whose) -> bool {
        self.0.get(owner).is_some_and(|known| known.moments().next().is_some())
    }

    /// What is to be looked after by now.
    pub(super) fn due(&self, now: Instant) -> BTreeSet<Whose> {
        self.0.iter().filter(|(_, known)| known.moments().any(|at| at <= now)).map(|(owner, _)| owner.clone()).collect()
    }

    /// Since when an owner is to be looked after, or when it will be.
    pub(super) fn due_since(&self, owner: &Whose) -> Option<Instant> {
        self.0.get(owner)?.moments().min()
    }

    /// When something is to be looked after next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().flat_map(Known::moments).min()
    }

    /// These are being looked after.
    pub(super) fn taken<'o>(&mut self, owners: impl IntoIterator<Item = &'o Whose>, at: Instant) {
        for owner in owners {
            if let Some(known) = self.0.get_mut(owner) {
                known.retry_at = None;
                for repair in known.repairs.values_mut() {
                    if repair.due_at.take().is_some() {
                        repair.done_at = Some(at);
                    }
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
        Some(name).map(|name| Owner { kind: "Workspace", namespace: "n".into(), name: name.into() })
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
        let failure = Failure { finding: Diagnostic::error("no"), cause: Cause::Failed, is_final: false, again_at: None };
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
        let failure = || Some(Failure { finding: Diagnostic::error("no"), cause: Cause::Failed, is_final: false, again_at: None });
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

    fn set(name: &str) -> ObjectRef {
        ObjectRef::new("apps", "StatefulSet", Some("n"), name)
    }

    #[test]
    fn who_gives_way_has_applied_the_rest() {
        let start = Instant::now();
        let until = start + Duration::from_secs(60);
        let mut owners = Owners::default();
        let failure = Failure { finding: Diagnostic::error("no"), cause: Cause::Fight, is_final: false, again_at: Some(until) };
        owners.applied(&whose("a"), Some(1), Some(failure), start);
        assert_eq!(owners.changed(&prints(&[("a", 1)])), [].into());
        assert_eq!(owners.wanted_otherwise(&prints(&[("a", 1)])), [].into());
        assert_eq!(owners.wanted_otherwise(&prints(&[("a", 2), ("b", 1)])), [whose("a")].into(), "nothing was applied of the other one");
        assert_eq!((owners.next(), owners.due(until)), (Some(until), [whose("a")].into()));
    }

    #[test]
    fn what_is_disturbed_is_repaired_at_once_but_not_in_a_circle() {
        let start = Instant::now();
        let mut owners = Owners::default();
        let (one, other) = (set("one"), set("other"));
        owners.disturbed(&whose("a"), &one, start);
        assert_eq!(owners.due(start), [whose("a")].into());
        owners.taken([&whose("a")], start);
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..AT_ONCE + 8 {
            owners.disturbed(&whose("a"), &one, now);
            let next = owners.next().unwrap();
            waits.push(next - now);
            now = next;
            owners.taken([&whose("a")], now);
        }
        let (at_once, then) = waits.split_at(AT_ONCE as usize - 1);
        assert!(at_once.iter().all(Duration::is_zero), "{waits:?}");
        assert!(then[..7].is_sorted(), "{waits:?}");
        assert!(waits[waits.len() - 1] > Duration::from_secs(40), "the longest, give or take a little: {waits:?}");
        // Another object is none the worse for it.
        owners.disturbed(&whose("a"), &other, now);
        assert_eq!(owners.next(), Some(now));
        owners.taken([&whose("a")], now);
        owners.disturbed(&whose("a"), &one, now);
        owners.calm(now, |_| false);
        assert!(owners.is_waiting(&whose("a")), "it is not its turn yet");
        owners.calm(owners.next().unwrap(), |_| true);
        assert!(owners.is_waiting(&whose("a")));
        owners.calm(owners.next().unwrap(), |_| false);
        assert!(!owners.is_waiting(&whose("a")) && owners.next().is_none());
        now += CALM * 2;
        owners.disturbed(&whose("a"), &one, now);
        assert_eq!(owners.due(now), [whose("a")].into(), "after calm it is at once again");
    }
}
