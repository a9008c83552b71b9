//! What is counted of passes, and of the Workspaces that they are about.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Snapshot;
use super::log::Times;
use super::owners::Whose;
use super::report::Outcome;
use super::worker::Worker;
use crate::diff::Owner;
use crate::telemetry::{ObjectOutcome, Phase, ReconcileResult, WorkspaceState};

impl Worker {
    /// A pass begins about these owners, which have waited for it since something was new about them.
    pub(super) fn count_taken(&self, about: &BTreeSet<Whose>, snapshot: &Snapshot, began: Instant) {
        let noticed = if self.is_new { snapshot.noticed } else { began };
        let waited = |owner: &Whose| began.saturating_duration_since(self.owners.due_since(owner).unwrap_or(noticed));
        let waited: Vec<Duration> = about.iter().map(waited).collect();
        self.config.metrics.taken(&self.config.name, &waited);
        self.config.metrics.queue_depth(&self.config.name, about.len());
    }

    /// A pass was made.
    pub(super) fn count(&self, snapshot: &Snapshot, outcome: &Outcome, times: &Times) {
        let (set, metrics) = (self.config.name.as_str(), &self.config.metrics);
        let result = if outcome.failures.is_empty() { ReconcileResult::Success } else { ReconcileResult::Error };
        metrics.reconciled(result, times.total());
        metrics.worked(set, times.total(), outcome.failures.len());
        // Of files that were there before only the pass is new.
        let phases = [
            (Phase::Notice, snapshot.resolving, self.is_new),
            (Phase::Fetch, snapshot.fetching, self.is_new),
            (Phase::Render, times.rendering, true),
            (Phase::Diff, times.deciding, true),
            (Phase::Apply, times.applying, true),
        ];
        phases.into_iter().filter(|(.., is_counted)| *is_counted).for_each(|(phase, took, _)| metrics.phase(set, phase, took));
        let outcomes = [
            (ObjectOutcome::Created, outcome.created),
            (ObjectOutcome::Configured, outcome.configured),
            (ObjectOutcome::Unchanged, outcome.unchanged),
            (ObjectOutcome::Pruned, outcome.pruned.len()),
            (ObjectOutcome::Failed, outcome.failures.len()),
        ];
        outcomes.into_iter().for_each(|(outcome, count)| metrics.objects(set, outcome, count));
        outcome.repaired.iter().for_each(|_| metrics.drifted(set));
        if let Some(revision) = &snapshot.revision {
            metrics.revision(set, revision);
        }
    }

    /// A pass that began then was not brought to its end, and is made again for so many owners.
    pub(super) fn count_failed(&self, began: Instant, retries: usize) {
        self.config.metrics.reconciled(ReconcileResult::Error, began.elapsed());
        self.config.metrics.worked(&self.config.name, began.elapsed(), retries);
    }

    /// How many Workspaces are in each state, and how many are to be looked after by now.
    pub(super) fn count_workspaces(&self) {
        let (set, metrics) = (self.config.name.as_str(), &self.config.metrics);
        metrics.queue_depth(set, self.owners.due(Instant::now()).len());
        let is_workspace = |owner: &&Owner| owner.kind == "Workspace";
        let failed: BTreeSet<&Owner> = self.owners.failures().filter_map(|(owner, _)| owner.as_ref()).filter(is_workspace).collect();
        let all: BTreeSet<&Owner> = self.statuses.asked().chain(&self.paused).chain(failed.iter().copied()).collect();
        let mut counts: BTreeMap<WorkspaceState, usize> = BTreeMap::new();
        for owner in all {
            let state = match () {
                () if self.paused.contains(owner) => WorkspaceState::Suspended,
                () if failed.contains(owner) => WorkspaceState::Failed,
                () => self.standing.state(owner),
            };
            *counts.entry(state).or_default() += 1;
        }
        metrics.workspaces(set, &counts);
    }
}
