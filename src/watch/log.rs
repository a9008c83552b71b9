//! What is logged of passes.

use std::time::Duration;

use tokio::time::Instant;

use super::Snapshot;
use super::report::Outcome;
use super::worker::Worker;

/// How long the parts of a pass took.
pub(super) struct Times {
    /// When it began.
    pub began: Instant,
    /// Reading, planning, and finding out what has changed.
    pub rendering: Duration,
    /// When everything was rendered, and it began to be applied.
    pub applied_from: Instant,
    /// Finding out what is there, and deciding.
    pub deciding: Duration,
    /// Applying and pruning.
    pub applying: Duration,
}

impl Times {
    /// How long all of it took.
    pub(super) fn total(&self) -> Duration {
        self.rendering + self.deciding + self.applying
    }
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
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
