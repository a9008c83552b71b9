//! One pass of a worker: which owners it is about, and what is known of them then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::fingerprint::{Fingerprints, digest, fingerprints};
use super::ledger::{APPLIED, Ledger};
use super::log::Times;
use super::owners::{Failure, Whose};
use super::report::{Account, Fights};
use super::worker::Worker;
use super::{Planned, Sighting, Snapshot};
use crate::conditions::Cause;
use crate::diagnostic::Diagnostic;
use crate::diff::{Owner, Side};
use crate::manifest::ObjectRef;
use crate::pause::{pause_of, pause_of_workspace};
use crate::reconcile::{Pass, Pruning, Rendering, Set, Trouble, Workspaces};
use crate::shard::Shard;

/// How long it is taken for granted whether an operator of Kaito runs.
const OPERATOR_KNOWN: Duration = Duration::from_secs(60);

/// What a pass is about.
struct Scope {
    /// Whether that is everything, and the cluster is asked what is there.
    is_full: bool,
    /// The owners.
    about: BTreeSet<Whose>,
    /// The owners that are left alone: they can't be rendered, or somebody has paused them.
    left: BTreeSet<Owner>,
    /// Whose owners these are, if several processes share the set.
    shard: Option<Shard>,
}

impl Scope {
    /// With these owners, unless they are left alone, or others look after them.
    fn with(mut self, owners: impl IntoIterator<Item = Whose>) -> Self {
        self.about.extend(owners);
        let (left, shard) = (&self.left, self.shard);
        let is_ours = |owner: &Whose| shard.is_none_or(|shard| shard.has(owner.as_ref()));
        self.about.retain(|owner| is_ours(owner) && !owner.as_ref().is_some_and(|owner| left.contains(owner)));
        self
    }

    /// Without the owners that are nowhere: of these it isn't known whether they are still wanted.
    fn without_unread(&mut self, prints: &Fingerprints) -> BTreeSet<Owner> {
        let (known, unread) = std::mem::take(&mut self.about).into_iter().partition(|owner| prints.contains_key(owner));
        self.about = known;
        BTreeSet::into_iter(unread).flatten().collect()
    }
}

impl Worker {
    /// Makes a pass over the files as they are, about what has changed in them and what is due.
    ///
    /// # Errors
    /// Why it could not be made, or not to its end.
    pub(super) fn pass(&mut self, due: &BTreeSet<Whose>) -> Result<(), Diagnostic> {
        let Some(snapshot) = self.followed()? else { return Ok(()) };
        let began = Instant::now();
        let planner = std::sync::Arc::clone(&self.planner);
        let key = planner.key(&snapshot.tree);
        // After a pass that isn't brought to its end there is none.
        let last = self.key.take();
        if !self.is_full_due && due.is_empty() && key.is_some() && key == last {
            self.advance(&snapshot, None)?;
        } else {
            let mut outcome = Ok(());
            let planned = planner.plan(&snapshot.tree, &mut |planned| outcome = self.pass_over(planned, &snapshot, due, began));
            if let Err(findings) = planned {
                return self.unreadable(&snapshot, &findings);
            }
            outcome?;
        }
        self.key = key;
        self.is_new = false;
        self.is_full_due = false;
        self.readable = Some(snapshot);
        if !self.is_unreadable {
            self.trouble_all(None);
        }
        Ok(())
    }

    fn pass_over(&mut self, planned: &Planned<'_>, snapshot: &Snapshot, due: &BTreeSet<Whose>, began: Instant) -> Result<(), Diagnostic> {
        let prints = fingerprints(planned.side, planned.world).map_err(|error| *error.0)?;
        // Whatever comes of it, it is what goes on if the next files can't be read: not what was before it.
        self.readable = Some(snapshot.clone());
        self.standing.see_findings(planned.side.findings);
        self.note_sets(planned.side);
        let mut scope = self.scope(planned.side, &prints, due);
        let rendering = began.elapsed();
        let declared = self.config.settings.workspaces == Workspaces::Declared;
        let is_broken = planned.side.findings.iter().any(Diagnostic::is_error);
        let is_all_broken = declared && is_all_broken(planned.side, &scope.left);
        if is_broken && !is_all_broken {
            self.tell_unread(&errors_beside(planned.side, &scope.left));
            self.note_unread(planned.side, &scope.without_unread(&prints));
        }
        self.count_taken(&scope.about, snapshot, began);
        // Those that are left alone have had their turn, too.
        self.owners.taken(scope.about.iter().chain(due), began);
        if scope.about.is_empty() && !scope.is_full {
            return self.advance(snapshot, Some(&digest(&prints)));
        }
        self.cluster.use_namespace(planned.namespace);
        let mut set = self.open_set(scope.is_full)?;
        if scope.is_full {
            // Of what is there and was not made by this process it isn't known yet whether it is still wanted.
            scope = scope.with(set.owners());
            if is_broken && !is_all_broken {
                self.note_unread(planned.side, &scope.without_unread(&prints));
            }
        }
        let about = &scope.about;
        let operator = self.operator.clone().filter(|(_, at)| at.elapsed() < OPERATOR_KNOWN).map(|(operator, _)| operator);
        let (digest, now) = (digest(&prints), self.now());
        let pass = Pass {
            cluster: &self.cluster,
            side: planned.side,
            settings: &self.config.settings,
            is_broken,
            unrendered: is_all_broken.then_some(&scope.left),
            operator,
            only: (!scope.is_full || !scope.left.is_empty() || scope.shard.is_some()).then_some(about),
        };
        let inputs = self.planner.inputs();
        let others_failed = self.owners.failures().any(|(owner, _)| !about.contains(owner));
        let pruning = Pruning {
            prune: self.config.prune,
            max_prune: self.config.max_prune,
            allowed: &self.config.allowed,
            patience: None,
            revision: snapshot.revision.as_deref(),
            inputs: &inputs,
            others_failed,
            rendering: Some(Rendering { digest: &digest, now: &now }),
        };
        let fights = Fights { fight: &mut self.fight, since: self.since, changed: self.owners.wanted_otherwise(&prints) };
        let mut account = Account::new(&mut self.ledger, &self.config.settings.manager, fights);
        let applying = Instant::now();
        let wanted = pass.wanted(Some(&set)).map_err(|trouble| trouble.finding())?;
        let passed = pass.run(wanted, Some(self.kinds.take().unwrap_or_default()), Some(&mut set), &pruning, &mut account);
        let outcome = account.conclude();
        let contents = set.record().map(|record| record.contents.clone()).unwrap_or_default();
        if scope.is_full {
            self.unlisted.looked(&self.config.name, !set.unlisted().is_empty(), Instant::now());
            self.note_left(&set, &outcome);
        }
        set.forget_members();
        self.set = Some(set);
        let passed = passed.map_err(|trouble| self.stopped(&trouble))?;
        self.note(about, &prints, &outcome);
        self.note_asked(planned, about, snapshot, &prints);
        self.stir_failed(&outcome);
        self.kinds = Some(passed.kinds);
        self.operator = passed.operator.map(|operator| (operator, began)).or(self.operator.take());
        self.follow(&contents)?;
        let applied = applying.elapsed().saturating_sub(passed.deciding);
        let times = Times { began, rendering, applied_from: applying, deciding: passed.deciding, applying: applied };
        self.log(snapshot, &outcome, about.len(), &times);
        self.count(snapshot, &outcome, &times);
        self.trace(snapshot, &outcome, about.len(), &times);
        self.tell(snapshot, outcome);
        Ok(())
    }

    /// Which owners a pass is about.
    fn scope(&mut self, side: &Side<'_>, prints: &Fingerprints, due: &BTreeSet<Whose>) -> Scope {
        // What could be planned has a fingerprint.
        let is_broken = |owner: &Owner| ["Workspace", "RAGEngine"].contains(&owner.kind) && !prints.contains_key(&Some(owner.clone()));
        let broken: BTreeSet<Owner> = side.owners().into_iter().filter(is_broken).collect();
        self.note_broken(side, &broken);
        self.paused = self.paused(side);
        let left: BTreeSet<Owner> = self.paused.iter().cloned().chain(broken).collect();
        // Until there is something new about them, there is nothing to come back for.
        self.owners.taken(&left.iter().cloned().map(Some).collect::<Vec<Whose>>(), Instant::now());
        let is_full = self.is_full_due || self.set.is_none() || !self.following.is_complete();
        let all = is_full.then(|| prints.keys().cloned()).into_iter().flatten();
        // What has drifted while there was nothing to read, or not all of it, was not put right.
        let drifted = if self.is_new { self.ledger.drifted() } else { BTreeMap::new() };
        let drifted = drifted.into_keys().filter(|owner| !self.owners.is_waiting(owner));
        let owners =
            self.owners.changed(prints).into_iter().chain(self.owners.gone(prints)).chain(due.iter().cloned()).chain(all).chain(drifted);
        Scope { is_full, about: BTreeSet::new(), left, shard: self.config.shard }.with(owners)
    }

    /// The Workspaces that are left alone, since they or those in the cluster say so.
    fn paused(&self, side: &Side<'_>) -> BTreeSet<Owner> {
        let is_paused = |owner: &Owner| {
            let is_declared = side.plan(owner).is_some_and(|plan| pause_of_workspace(plan.workspace).is_some());
            is_declared || self.ledger.declared(owner).is_some_and(|workspace| pause_of(&workspace).is_some())
        };
        let is_ours = |owner: &Owner| owner.kind == "Workspace" && self.is_ours(Some(owner));
        side.owners().into_iter().filter(|owner| is_ours(owner) && is_paused(owner)).collect()
    }

    /// The set, as the cluster has it or as it was left and is known to be.
    fn open_set(&mut self, anew: bool) -> Result<Set, Diagnostic> {
        if let Some(mut set) = self.set.take().filter(|_| !anew) {
            set.know_members(self.ledger.members(set.id()));
            return Ok(set);
        }
        let set = Set::open(&self.cluster, self.config.parent.clone(), self.config.prune).map_err(|trouble| trouble.finding())?;
        Ok(set.shared_as(self.config.shard))
    }

    /// The files are another revision, about which there is nothing to do. The digest is that of what is rendered; none if that is the same.
    fn advance(&mut self, snapshot: &Snapshot, digest: Option<&str>) -> Result<(), Diagnostic> {
        let (has_failed, now) = (self.owners.failures().next().is_some(), self.now());
        let (Some(set), Some(revision)) = (&mut self.set, &snapshot.revision) else { return Ok(()) };
        // What wasn't applied whole before isn't now.
        let noted = if has_failed || !set.unlisted().is_empty() {
            set.note_incomplete(&self.cluster, revision, digest, &now)
        } else {
            set.advance(&self.cluster, revision)
        };
        noted.map_err(|trouble| trouble.finding())
    }

    /// A pass was not brought to its end; what is known of the set may be wrong.
    fn stopped(&mut self, trouble: &Trouble) -> Diagnostic {
        self.set = None;
        self.is_full_due = true;
        trouble.finding()
    }

    /// Takes note of what can't be rendered.
    fn note_broken(&mut self, side: &Side<'_>, broken: &BTreeSet<Owner>) {
        for owner in broken.iter().filter(|owner| self.is_ours(Some(owner))).cloned().collect::<Vec<_>>() {
            let owner = &owner;
            let finding = side.findings_about(owner).next().cloned();
            let finding = finding.unwrap_or_else(|| Diagnostic::error(format!("{owner} can't be rendered")));
            tracing::error!(set = self.config.name, owner = owner.to_string(), error = finding.line(), "not rendered: what runs goes on");
            self.owners.broken(&Some(owner.clone()), finding);
            self.statuses.stir(owner);
        }
    }

    /// Takes note of those of which it isn't known whether they are still wanted, and why not.
    fn note_unread(&mut self, side: &Side<'_>, unread: &BTreeSet<Owner>) {
        let findings = errors_beside(side, &side.owners());
        let Some(finding) = findings.first().copied().or_else(|| side.findings.iter().find(|finding| finding.is_error())) else {
            return;
        };
        for owner in unread {
            let why = format!("it isn't known whether it is still wanted: {}", finding.line());
            self.owners.broken(&Some(owner.clone()), Diagnostic::error(why));
            self.statuses.stir(owner);
        }
    }

    /// Takes note of members that nobody wants and that are still there: no watch may have told of them yet, and who prunes them later looks no
    /// further than what is known.
    fn note_left(&mut self, set: &Set, outcome: &super::report::Outcome) {
        let is_known = |ledger: &Ledger, member: &ObjectRef| ledger.owner_wanting(member).is_some() || ledger.get(member).is_some();
        for member in set.members().filter(|member| !outcome.pruned.contains(&member.reference)) {
            if is_known(&self.ledger, &member.reference) {
                continue;
            }
            if let Some(sighting) = Sighting::of(member.object.read(), &self.config.settings.manager) {
                self.ledger.see(APPLIED, sighting);
            }
        }
    }

    /// Takes note of how the owners are that a pass was about.
    fn note(&mut self, about: &BTreeSet<Whose>, prints: &Fingerprints, outcome: &super::report::Outcome) {
        let now = Instant::now();
        let nothing = Vec::new();
        for owner in about {
            let print = prints.get(owner).copied();
            let failure = outcome.failures.get(owner).cloned();
            self.ledger.keep_settled(owner, outcome.applied.get(owner).unwrap_or(&nothing));
            match (print, failure, &outcome.prune_refused) {
                (None, None, None) => self.owners.forget(owner),
                // What is no longer wanted is still there.
                (None, None, Some(finding)) => {
                    let failure = Failure { finding: finding.clone(), cause: Cause::Failed, is_final: false, again_at: None };
                    self.owners.applied(owner, None, Some(failure), now);
                }
                (print, failure, refused) => {
                    self.owners.applied(owner, print, failure, now);
                    if refused.is_some() {
                        self.owners.unfinished(owner);
                    }
                }
            }
        }
    }
}

/// Whether all that is wrong is about these: that nothing else is wanted than what was rendered is known then.
fn is_all_broken(side: &Side<'_>, broken: &BTreeSet<Owner>) -> bool {
    let known: usize = broken.iter().map(|owner| side.findings_about(owner).count()).sum();
    known == side.findings.iter().filter(|finding| finding.is_error()).count()
}

/// What is wrong beside what is told of these owners.
fn errors_beside<'s>(side: &Side<'s>, owners: &BTreeSet<Owner>) -> Vec<&'s Diagnostic> {
    let is_told = |finding: &&Diagnostic| owners.iter().any(|owner| side.findings_about(owner).any(|one| std::ptr::eq(one, *finding)));
    side.findings.iter().filter(|finding| finding.is_error() && !is_told(finding)).collect()
}
