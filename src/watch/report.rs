//! What a pass of the loop does to each owner: what became of its objects, and what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::ledger::{APPLIED, Ledger};
use super::owners::{Failure, Whose};
use super::sighting::Sighting;
use super::statuses::cause;
use crate::apply::{self, Done, Refusal, Why};
use crate::cluster::{Deletion, Unlisted};
use crate::conditions::Cause;
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::diff::live::{Live, Wanted};
use crate::drift::{Drift, Fight, Round, What, drift};
use crate::manifest::ObjectRef;
use crate::prune::{self, Kept};
use crate::reconcile::{Listener, words};

/// An object that was other than it was left, and is as it is wanted again.
pub(super) struct Repaired {
    pub owner: Whose,
    pub reference: ObjectRef,
    /// What others had done; none if nothing of what is wanted was otherwise.
    pub drift: Option<Drift>,
}

/// What is known of those who fight over fields, and since when.
pub(super) struct Fights<'f> {
    pub fight: &'f mut Fight,
    pub since: Instant,
    /// The owners of which something else is wanted than before, so that there is no reason yet to give way.
    pub changed: BTreeSet<Whose>,
}

/// Writes down what a pass does, while it does it.
pub(super) struct Account<'l> {
    ledger: &'l mut Ledger,
    manager: &'l str,
    fights: Fights<'l>,
    /// What others have done to objects that are being put right.
    drifts: BTreeMap<ObjectRef, Drift>,
    /// The owners of objects that are left as others want them, and until when.
    left: BTreeMap<Whose, Failure>,
    /// The objects that were other than they were left, before the pass.
    drifted: BTreeSet<ObjectRef>,
    outcome: Outcome,
}

/// What a pass has done.
#[derive(Default)]
pub(super) struct Outcome {
    /// The objects that are wanted and were there in the end.
    pub applied: BTreeMap<Whose, Vec<ObjectRef>>,
    pub created: usize,
    pub configured: usize,
    pub unchanged: usize,
    pub pruned: Vec<ObjectRef>,
    pub repaired: Vec<Repaired>,
    /// Lines for people, such as `statefulset.apps/phi-4 configured`, by owner.
    pub lines: BTreeMap<Whose, Vec<String>>,
    pub failures: BTreeMap<Whose, Failure>,
    /// Those who are given way to from now on, in words.
    pub given_way: Vec<(Whose, String)>,
    /// What is to be known and is no failure of an owner: what stays though it is no longer wanted.
    pub remarks: Vec<Diagnostic>,
    /// Why members stay that nobody has seen.
    pub unlisted: Vec<Diagnostic>,
    /// Why nothing was pruned.
    pub prune_refused: Option<Diagnostic>,
}

impl<'l> Account<'l> {
    pub(super) fn new(ledger: &'l mut Ledger, manager: &'l str, fights: Fights<'l>) -> Self {
        let drifted = ledger.drifted().into_values().flatten().collect();
        let (drifts, left, outcome) = (BTreeMap::new(), BTreeMap::new(), Outcome::default());
        Self { ledger, manager, fights, drifts, left, drifted, outcome }
    }

    /// What was done.
    pub(super) fn conclude(mut self) -> Outcome {
        for (owner, failure) in self.left {
            self.outcome.failures.entry(owner).or_insert(failure);
        }
        self.outcome
    }

    /// Leaves an object as others want it.
    fn give_way(&mut self, owner: &Whose, reference: &ObjectRef, until: Duration, words: String) -> bool {
        // It is wanted all the same.
        self.outcome.applied.entry(owner.clone()).or_default().push(reference.clone());
        let finding =
            Diagnostic::error(words).help("have the other controller leave these fields alone, or take them out of what is declared");
        let again_at = Some(self.fights.since + until);
        let left = self.left.entry(owner.clone()).or_insert(Failure { finding, cause: Cause::Fight, is_final: false, again_at });
        // Each is tried again in its time.
        left.again_at = left.again_at.min(again_at);
        true
    }

    fn failed(&mut self, owner: Whose, finding: Diagnostic, cause: Cause, is_final: bool) {
        // The first says it; what follows from it doesn't help.
        self.outcome.failures.entry(owner).or_insert(Failure { finding, cause, is_final, again_at: None });
    }
}

impl Listener for Account<'_> {
    fn done(&mut self, done: Done) {
        let Done { owner, reference, outcome, object, .. } = done;
        match &outcome {
            apply::Outcome::Failed(failure) => {
                let is_final = matches!(failure, apply::Failure::Conflicts(_) | apply::Failure::Immutable(_));
                return self.failed(owner, words::failed(&reference, failure), cause(failure), is_final);
            }
            apply::Outcome::Skipped(_) => return,
            apply::Outcome::Unchanged => self.outcome.unchanged += 1,
            apply::Outcome::Created => self.outcome.created += 1,
            apply::Outcome::Configured | apply::Outcome::Replaced => self.outcome.configured += 1,
        }
        let object = object.read();
        // As the server knows it: with a namespace if it is in one.
        let live = ObjectRef::of(&object).unwrap_or_else(|_| reference.clone());
        self.ledger.settle(&object, owner.clone(), self.manager);
        // It may be no longer wanted before anybody hears of it.
        let is_news = outcome != apply::Outcome::Unchanged || self.ledger.is_doubtful(&live);
        if let Some(sighting) = is_news.then(|| Sighting::of(object, self.manager)).flatten() {
            self.ledger.see(APPLIED, sighting);
        }
        self.outcome.applied.entry(owner.clone()).or_default().push(live.clone());
        if outcome != apply::Outcome::Unchanged {
            let line = format!("{} {}", reference.resource_name(), outcome.word().unwrap_or_default());
            self.outcome.lines.entry(owner.clone()).or_default().push(line);
            if self.drifted.contains(&live) {
                let drift = self.drifts.remove(&live);
                drift.iter().for_each(|drift| self.fights.fight.put_right(drift, self.fights.since.elapsed()));
                self.outcome.repaired.push(Repaired { owner, reference: live, drift });
            }
        }
    }

    fn refused(&mut self, refusals: Vec<Refusal>) {
        // What is being deleted or can't be read now may be different soon.
        let passes = |why: &Why| matches!(why, Why::Terminating { .. } | Why::Unreadable(_) | Why::UnknownKind | Why::NoNamespace { .. });
        let final_of: BTreeMap<Whose, bool> = refusals.iter().map(|refusal| (refusal.owner.clone(), !passes(&refusal.why))).collect();
        for (owner, finding) in words::refused(refusals) {
            let is_final = final_of.get(&owner).copied().unwrap_or_default();
            let cause = if is_final { Cause::Refused } else { Cause::Dependency };
            self.failed(owner, finding, cause, is_final);
        }
    }

    fn spares(&mut self, owner: Option<&Owner>, reference: &ObjectRef, wanted: &Wanted) -> bool {
        if !self.drifted.contains(reference) {
            return false;
        }
        let found = match &wanted.live {
            Live::Object(live) => drift(&wanted.desired, live, self.manager),
            Live::Absent => Some(Drift::deleted(reference.clone())),
            Live::Settled(_) | Live::UnknownKind | Live::Unreadable(_) => None,
        };
        // What is being deleted is put right when it is gone.
        let Some(found) = found.filter(|found| found.what != What::Deleting) else { return false };
        let (found, owner) = (Drift { object: reference.clone(), ..found }, owner.cloned());
        let Fights { fight, since, changed } = &mut self.fights;
        if changed.contains(&owner) {
            fight.settle(&found.object);
        }
        match fight.see(&found, since.elapsed()) {
            Round::PutRight => {
                self.drifts.insert(reference.clone(), found);
                false
            }
            Round::GiveWay { until, words } => {
                self.outcome.given_way.push((owner.clone(), words.clone()));
                self.give_way(&owner, reference, until, words)
            }
            Round::Wait { until, words } => self.give_way(&owner, reference, until, words),
        }
    }

    fn kept(&mut self, kept: &Kept<'_>) {
        self.ledger.unsettle(kept.candidate.reference());
        self.outcome.remarks.push(words::kept(kept));
    }

    fn unlisted(&mut self, unlisted: &Unlisted) {
        self.outcome.unlisted.push(words::unlisted(unlisted));
    }

    fn pruned(&mut self, owner: Option<&Owner>, reference: &ObjectRef, deletion: &Deletion) {
        self.ledger.unsettle(reference);
        match words::not_pruned(reference, deletion) {
            None => self.outcome.pruned.push(reference.clone()),
            // So that it is tried again: nothing else is new about what is left.
            Some(finding) => self.failed(owner.cloned(), finding, Cause::Failed, false),
        }
    }

    fn prune_refused(&mut self, refusal: &prune::Refusal<'_>) {
        self.outcome.prune_refused = Some(words::prune_refused(refusal));
    }
}
