//! What is logged of passes.

use std::time::Duration;

use super::Snapshot;
use super::report::Outcome;
use super::worker::Worker;
use crate::diagnostic::Diagnostic;

impl Worker {
    /// A pass was made.
    pub(super) fn log(&self, snapshot: &Snapshot, outcome: &Outcome, about: usize, rendering: Duration, applying: Duration) {
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
        for repaired in &outcome.repaired {
            let owner = repaired.owner.as_ref().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(set, revision, owner, object = repaired.reference.to_string(), "drift repaired");
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
            render_ms = millis(rendering),
            apply_ms = millis(applying),
            total_ms = millis(snapshot.noticed.elapsed()),
            "reconciled"
        );
    }

    /// There is nothing to make a pass over.
    pub(super) fn unreadable(&self, snapshot: &Snapshot, findings: &[Diagnostic]) {
        let revision = snapshot.revision.as_deref().unwrap_or_default();
        for finding in findings.iter().filter(|finding| finding.is_error()) {
            tracing::error!(set = self.config.name, revision, error = finding.message, "not rendered: what runs goes on");
        }
    }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
