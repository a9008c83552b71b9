//! What a pass of the loop does to each owner: what became of its objects, and what went wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ledger::Ledger;
use super::owners::{Failure, Whose};
use crate::apply::{self, Done, Outcome, Refusal, Why};
use crate::cluster::Deletion;
use crate::diagnostic::Diagnostic;
use crate::manifest::ObjectRef;
use crate::prune::{self, Kept};
use crate::reconcile::{Listener, words};

/// An object that was other than it was left, and is as it is wanted again.
pub(super) struct Repaired {
    pub owner: Whose,
    pub reference: ObjectRef,
    /// As it was found; none if it was gone.
    pub before: Option<Value>,
    /// As it is now.
    pub after: Value,
}

/// What a pass has done.
pub(super) struct Account<'l> {
    ledger: &'l mut Ledger,
    manager: &'l str,
    /// The objects that were left as they are wanted before.
    settled: BTreeSet<ObjectRef>,
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
    /// Why nothing was pruned.
    pub prune_refused: Option<Diagnostic>,
}

impl<'l> Account<'l> {
    pub(super) fn new(ledger: &'l mut Ledger, manager: &'l str) -> Self {
        Self {
            settled: ledger.settled_references(),
            ledger,
            manager,
            applied: BTreeMap::new(),
            created: 0,
            configured: 0,
            unchanged: 0,
            pruned: Vec::new(),
            repaired: Vec::new(),
            lines: BTreeMap::new(),
            failures: BTreeMap::new(),
            remarks: Vec::new(),
            prune_refused: None,
        }
    }

    /// Whether anything was written.
    pub(super) fn has_written(&self) -> bool {
        self.created + self.configured + self.pruned.len() > 0
    }

    fn failed(&mut self, owner: Whose, finding: Diagnostic, is_final: bool) {
        // The first says it; what follows from it doesn't help.
        self.failures.entry(owner).or_insert(Failure { finding, is_final });
    }
}

impl Listener for Account<'_> {
    fn done(&mut self, done: Done) {
        let Done { owner, reference, outcome, before, object, .. } = done;
        match &outcome {
            Outcome::Failed(failure) => {
                let is_final = matches!(failure, apply::Failure::Conflicts(_) | apply::Failure::Immutable(_));
                return self.failed(owner, words::failed(&reference, failure), is_final);
            }
            Outcome::Skipped(_) => return,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Created => self.created += 1,
            Outcome::Configured | Outcome::Replaced => self.configured += 1,
        }
        // As the server knows it: with a namespace if it is in one.
        let live = ObjectRef::of(&object).unwrap_or_else(|_| reference.clone());
        self.ledger.settle(&object, owner.clone(), self.manager);
        self.applied.entry(owner.clone()).or_default().push(live.clone());
        if outcome != Outcome::Unchanged {
            let line = format!("{} {}", reference.resource_name(), outcome.word().unwrap_or_default());
            self.lines.entry(owner.clone()).or_default().push(line);
            if self.settled.contains(&live) {
                self.repaired.push(Repaired { owner, reference: live, before, after: object });
            }
        }
    }

    fn refused(&mut self, refusals: Vec<Refusal>) {
        // What is being deleted or can't be read now may be different soon.
        let passes = |why: &Why| matches!(why, Why::Terminating { .. } | Why::Unreadable(_) | Why::UnknownKind);
        let final_of: BTreeMap<Whose, bool> = refusals.iter().map(|refusal| (refusal.owner.clone(), !passes(&refusal.why))).collect();
        for (owner, finding) in words::refused(refusals) {
            let is_final = final_of.get(&owner).copied().unwrap_or_default();
            self.failed(owner, finding, is_final);
        }
    }

    fn kept(&mut self, kept: &Kept<'_>) {
        self.ledger.unsettle(kept.candidate.reference());
        self.remarks.push(words::kept(kept));
    }

    fn pruned(&mut self, reference: &ObjectRef, deletion: &Deletion) {
        self.ledger.unsettle(reference);
        match words::not_pruned(reference, deletion) {
            None => self.pruned.push(reference.clone()),
            Some(finding) => self.remarks.push(finding),
        }
    }

    fn prune_refused(&mut self, refusal: &prune::Refusal<'_>) {
        self.prune_refused = Some(words::prune_refused(refusal));
    }
}
