//! What is logged of passes.

use std::time::Duration;

use super::Snapshot;
use super::report::Outcome;
use super::worker::Worker;
use crate::telemetry::{ObjectOutcome, Phase, ReconcileResult};

/// How long the parts of a pass took.
pub(super) struct Times {
    /// Reading, planning, and finding out what has changed.
    pub rendering: Duration,
    /// Finding out what is there, and deciding.
    pub deciding: Duration,
    /// Applying and pruning.
    pub applying: Duration,
}

impl Worker {
    /// A pass was made.
    pub(super) fn log(&self, snapshot: &Snapshot, outcome: &Outcome, about: usize, times: &Times) {
        let set = self.config.name.as_str();
        let revision = snapshot.revision.as_deref().unwrap_or_default();
        for (owner, lines) in &outcome.lines {
            let owner = owner.as_ref().map(ToString::to_string).unwrap_or_default();
            for line in lines {
                tracing::info!(set, revision, owner, object = line, "applied");
            }
        }
        for reference in &outcome.pruned {
            tracing::info!(set, revision, object = reference.resource_name(), "pruned");
        }
        for (owner, failure) in &outcome.failures {
            let owner = owner.as_ref().map(ToString::to_string).unwrap_or_default();
            tracing::error!(set, revision, owner, error = failure.finding.message, help = failure.finding.help.join("; "), "not applied");
        }
        for remark in outcome.remarks.iter().chain(&outcome.prune_refused) {
            tracing::warn!(set, revision, why = remark.message, help = remark.help.join("; "), "not pruned");
        }
        tracing::info!(
            set,
            revision,
            owners = about,
            created = outcome.created,
            configured = outcome.configured,
            unchanged = outcome.unchanged,
            pruned = outcome.pruned.len(),
            failed = outcome.failures.len(),
            notice_ms = millis(snapshot.resolving),
            fetch_ms = millis(snapshot.fetching),
            render_ms = millis(times.rendering),
            diff_ms = millis(times.deciding),
            apply_ms = millis(times.applying),
            "reconciled"
        );
    }

    /// The same, for metrics.
    pub(super) fn count(&self, snapshot: &Snapshot, outcome: &Outcome, times: &Times) {
        let (set, metrics) = (self.config.name.as_str(), &self.config.metrics);
        let result = if outcome.failures.is_empty() { ReconcileResult::Success } else { ReconcileResult::Error };
        metrics.reconciled("watch", result, times.rendering + times.deciding + times.applying);
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
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
