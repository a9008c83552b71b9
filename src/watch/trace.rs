//! What is traced of passes: each is a span, with its parts as children.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Snapshot;
use super::log::Times;
use super::report::Outcome;
use super::worker::Worker;
use crate::diagnostic::Diagnostic;
use crate::telemetry::{Phase, Span};

/// What was done, as spans are called.
const PASS: &str = "pass";
const STATUS: &str = "status";

impl Worker {
    /// A pass was made. It is told of when the statuses have been written that follow from it.
    pub(super) fn trace(&mut self, snapshot: &Snapshot, outcome: &Outcome, owners: usize, times: &Times) {
        if self.config.traces.is_none() {
            return;
        }
        let diffing = times.applied_from + times.deciding;
        let mut parts = vec![
            part(Phase::Render, times.began, times.rendering),
            part(Phase::Diff, times.applied_from, times.deciding),
            part(Phase::Apply, diffing, times.applying),
        ];
        // What files there are was found out for the first pass over them.
        if self.is_new {
            let fetching = snapshot.noticed + snapshot.resolving;
            parts.push(part(Phase::Notice, snapshot.noticed, snapshot.resolving));
            parts.push(part(Phase::Fetch, fetching, snapshot.fetching));
        }
        let mut pass = Span::new(PASS, moment(if self.is_new { snapshot.noticed } else { times.began }), Duration::ZERO);
        pass.parts = parts;
        pass.attributes = self.attributes(Some(snapshot));
        let counts = [
            ("kaito.owners", owners),
            ("kaito.objects.created", outcome.created),
            ("kaito.objects.configured", outcome.configured),
            ("kaito.objects.unchanged", outcome.unchanged),
            ("kaito.objects.pruned", outcome.pruned.len()),
            ("kaito.owners.failed", outcome.failures.len()),
        ];
        pass.attributes.extend(counts.map(|(name, count)| (name, i64::try_from(count).unwrap_or(i64::MAX).into())));
        pass.error = outcome.failures.values().next().map(|failure| failure.finding.message.clone());
        self.traced = Some(pass);
    }

    /// What was begun then has ended: the last pass, if there was one, whose statuses were written in the end; or what went wrong instead.
    pub(super) fn trace_end(&mut self, began: Instant, writing: Option<Instant>, trouble: Option<&Diagnostic>) {
        let Some(traces) = self.config.traces.clone() else { return };
        let pass = self.traced.take();
        if pass.is_none() && trouble.is_none() {
            return;
        }
        let mut pass = pass.unwrap_or_else(|| Span {
            attributes: self.attributes(self.snapshot.as_ref()),
            ..Span::new(PASS, moment(began), Duration::ZERO)
        });
        pass.parts.extend(writing.map(|writing| Span::new(STATUS, moment(writing), writing.elapsed())));
        pass.took = SystemTime::now().duration_since(pass.start).unwrap_or_default();
        pass.error = pass.error.or(trouble.map(|trouble| trouble.message.clone()));
        traces.tell(pass);
    }

    fn attributes(&self, snapshot: Option<&Snapshot>) -> Vec<(&'static str, crate::telemetry::Attribute)> {
        let revision = snapshot.and_then(|snapshot| snapshot.revision.clone());
        let shard = self.config.shard.map(|shard| shard.to_string());
        let texts = [
            ("kaito.set", Some(self.config.name.clone())),
            ("kaito.source", Some(self.config.source.clone())),
            ("kaito.revision", revision),
            ("kaito.shard", shard),
        ];
        texts.into_iter().filter_map(|(name, text)| Some((name, text?.into()))).collect()
    }
}

fn part(phase: Phase, start: Instant, took: Duration) -> Span {
    Span::new(phase.word(), moment(start), took)
}

/// When something was, by the clock on the wall as it is now.
fn moment(instant: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(instant.elapsed()).unwrap_or(now)
}
