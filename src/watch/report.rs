//! What a pass of the loop does to each owner: what became of its objects, and what went wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ledger::{Ledger, Sighting};
use super::owners::{Failure, Whose};
use super::statuses::cause;
use crate::apply::{self, Done, Refusal, Why};
use crate::cluster::{Deletion, Unlisted};
use crate::conditions::Cause;
use crate::diagnostic::Diagnostic;
use crate::manifest::ObjectRef;
use crate::prune::{self, Kept};
use crate::reconcile::{Listener, words};

/// The number of the list of what was applied and not listed since.
const APPLIED: usize = usize::MAX;

/// An object that was other than it was left, and is as it is wanted again.
pub(super) struct Repaired {
    pub owner: Whose,
    pub reference: ObjectRef,
    /// As it was found; none if it was gone.
    pub before: Option<Value>,
    /// As it is now.
    pub after: Value,
}

/// Writes down what a pass does, while it does it.
pub(super) struct Account<'l> {
    ledger: &'l mut Ledger,
    manager: &'l str,
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
    /// What is to be known and is no failure of an owner: what stays though it is no longer wanted.
    pub remarks: Vec<Diagnostic>,
    /// Why members stay that nobody has seen.
    pub unlisted: Vec<Diagnostic>,
    /// Why nothing was pruned.
    pub prune_refused: Option<Diagnostic>,
}

impl<'l> Account<'l> {
    pub(super) fn new(ledger: &'l mut Ledger, manager: &'l str) -> Self {
        Self { drifted: ledger.drifted().into_values().flatten().collect(), ledger, manager, outcome: Outcome::default() }
    }

    /// What was done.
    pub(super) fn conclude(self) -> Outcome {
        self.outcome
    }

    fn failed(&mut self, owner: Whose, finding: Diagnostic, cause: Cause, is_final: bool) {
        // The first says it; what follows from it doesn't help.
        self.outcome.failures.entry(owner).or_insert(Failure { finding, cause, is_final });
    }
}

impl Listener for Account<'_> {
    fn done(&mut self, done: Done) {
        let Done { owner, reference, outcome, before, object, .. } = done;
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
        // As the server knows it: with a namespace if it is in one.
        let live = ObjectRef::of(&object).unwrap_or_else(|_| reference.clone());
        self.ledger.settle(&object, owner.clone(), self.manager);
        // What is told about a Workspace is told on it, also before it is listed.
        if live.group == "kaito.sh"
            && let Some(sighting) = Sighting::of(object.clone(), self.manager)
        {
            self.ledger.see(APPLIED, sighting);
        }
        self.outcome.applied.entry(owner.clone()).or_default().push(live.clone());
        if outcome != apply::Outcome::Unchanged {
            let line = format!("{} {}", reference.resource_name(), outcome.word().unwrap_or_default());
            self.outcome.lines.entry(owner.clone()).or_default().push(line);
            if self.drifted.contains(&live) {
                self.outcome.repaired.push(Repaired { owner, reference: live, before, after: object });
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

    fn kept(&mut self, kept: &Kept<'_>) {
        self.ledger.unsettle(kept.candidate.reference());
        self.outcome.remarks.push(words::kept(kept));
    }

    fn unlisted(&mut self, unlisted: &Unlisted) {
        self.outcome.unlisted.push(words::unlisted(unlisted));
    }

    fn pruned(&mut self, reference: &ObjectRef, deletion: &Deletion) {
        self.ledger.unsettle(reference);
        match words::not_pruned(reference, deletion) {
            None => self.outcome.pruned.push(reference.clone()),
            Some(finding) => self.outcome.remarks.push(finding),
        }
    }

    fn prune_refused(&mut self, refusal: &prune::Refusal<'_>) {
        self.outcome.prune_refused = Some(words::prune_refused(refusal));
    }
}
