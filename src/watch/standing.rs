//! How a set stands: whether its revision is applied, and whether what was applied is ready. Those who are to be notified are told
//! whenever that is another, and what has happened meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::report::Outcome;
use super::worker::Worker;
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::health::{Status, health};
use crate::notify::{Event, Notice, Notify, Set};
use crate::telemetry::WorkspaceState;

/// How often in a row a pass has to go wrong as a whole before that is told: a cluster may be away for a moment.
const FAILURES: u32 = 3;

/// For how long it isn't told again that a source can't be read for the same reason.
const REPEATED_AFTER: Duration = Duration::from_secs(3600);

/// The lines that are kept of what was done.
const MOST_LINES: usize = 100;

/// How a Workspace is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Doing {
    Ready,
    Coming,
    /// It won't become ready without help, and why.
    Failed(String),
}

/// What a set is told to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    event: Event,
    summary: String,
    details: Vec<String>,
}

/// How a set stands, and what was told of it.
#[derive(Default)]
pub(super) struct Standing {
    /// Why the files as a whole couldn't be read the last time that they couldn't.
    pub unreadable: Option<String>,
    /// What can't be read or rendered of the files, while the rest is applied.
    broken: Vec<String>,
    /// Why nothing was pruned.
    unpruned: Option<String>,
    /// What may not be listed, so that nothing of it is pruned.
    pub unlisted: Vec<String>,
    /// Why the manifests couldn't be committed to their branch.
    pub unpushed: Option<Diagnostic>,
    doing: BTreeMap<Owner, Doing>,
    /// What was done since the last verdict.
    lines: Vec<String>,
    drift: Vec<String>,
    pruned: Vec<String>,
    /// The revision and verdict that were told last.
    told: Option<(Option<String>, Verdict)>,
    /// Why the source can't be read, and when that was told last.
    source_failure: Option<(String, Instant)>,
}

impl Standing {
    /// The files were read and planned.
    pub(super) fn see_findings(&mut self, findings: &[Diagnostic]) {
        let errors = findings.iter().filter(|finding| finding.is_error());
        self.broken = errors.take(MOST_LINES).map(Diagnostic::title).collect();
    }

    /// A pass has done something.
    pub(super) fn note(&mut self, outcome: &Outcome) {
        let fits = MOST_LINES.saturating_sub(self.lines.len());
        let repaired: Vec<String> = outcome.repaired.iter().map(|repaired| repaired.reference.resource_name()).collect();
        // What is put right is told by itself.
        let is_repaired = |line: &str| line.split_once(' ').is_some_and(|(name, _)| repaired.iter().any(|repaired| repaired == name));
        self.lines.extend(outcome.lines.values().flatten().filter(|line| !is_repaired(line)).take(fits).cloned());
        self.unpruned = outcome.prune_refused.as_ref().map(|finding| finding.message.clone());
        self.pruned.extend(outcome.pruned.iter().map(ToString::to_string));
    }

    /// Somebody has changed something, and it is put right.
    pub(super) fn repaired(&mut self, words: String) {
        self.drift.push(words);
    }

    /// The source can't be read; whether that is to be told.
    fn source_failed(&mut self, why: &str, at: Instant) -> bool {
        let is_told = |(message, told): &(String, Instant)| message == why && at.saturating_duration_since(*told) < REPEATED_AFTER;
        if self.source_failure.as_ref().is_some_and(is_told) {
            return false;
        }
        self.source_failure = Some((why.to_owned(), at));
        true
    }

    /// The source can be read; whether that is to be told.
    fn source_read(&mut self) -> bool {
        self.source_failure.take().is_some()
    }

    /// The status of a Workspace is known.
    pub(super) fn see_status(&mut self, owner: &Owner, status: &Value) {
        self.doing.insert(owner.clone(), doing(status));
    }

    /// The objects of a Workspace are known that the cluster doesn't have itself.
    pub(super) fn see_objects(&mut self, owner: &Owner, objects: &[Value]) {
        let all = objects.iter().map(health);
        let doing = all.fold(Doing::Ready, |doing, health| match (doing, health.status) {
            (Doing::Failed(why), _) => Doing::Failed(why),
            (_, Status::Failed) => Doing::Failed(health.message),
            (Doing::Ready, Status::Current) => Doing::Ready,
            _ => Doing::Coming,
        });
        self.doing.insert(owner.clone(), doing);
    }

    /// How a Workspace is doing, as far as that is known.
    pub(super) fn state(&self, owner: &Owner) -> WorkspaceState {
        match self.doing.get(owner) {
            Some(Doing::Ready) => WorkspaceState::Ready,
            Some(Doing::Failed(_)) => WorkspaceState::Failed,
            Some(Doing::Coming) | None => WorkspaceState::Progressing,
        }
    }

    /// The verdict on all that is known of a set whose Workspaces these are; `is_known` says whether all that is live is known, and
    /// as it was applied.
    fn verdict<'o>(&self, workspaces: impl Iterator<Item = &'o Owner>, is_known: bool) -> Verdict {
        let mut details = Vec::new();
        let (mut ready, mut all) = (0, 0);
        for owner in workspaces {
            all += 1;
            match self.doing.get(owner) {
                Some(Doing::Ready) => ready += 1,
                Some(Doing::Failed(why)) => details.push(format!("{owner}: {why}")),
                Some(Doing::Coming) | None => {}
            }
        }
        let of_all = counted(all, "Workspace");
        if !details.is_empty() {
            let summary = format!("applied, but {} of {of_all} can't become ready: {}", details.len(), details[0]);
            return Verdict { event: Event::HealthFailed, summary, details };
        }
        // How many are ready would be another text each time.
        if !is_known || ready < all {
            return Verdict { event: Event::Progressing, summary: "applied, and not all of it is ready yet".to_owned(), details };
        }
        let summary = if all == 0 { "applied".to_owned() } else { format!("applied, with {of_all} ready") };
        Verdict { event: Event::Succeeded, summary, details: self.lines.clone() }
    }

    /// Whether a verdict on a revision is to be told after the last one. What was ready once may be at work again without a word:
    /// commits would have statuses without end.
    fn is_to_be_told(&self, revision: Option<&str>, verdict: &Verdict) -> bool {
        let Some((_, before)) = self.told.as_ref().filter(|(told, _)| told.as_deref() == revision) else { return true };
        match verdict.event {
            Event::Progressing => before.event == Event::Failed,
            Event::Succeeded => before.event != Event::Succeeded || !self.lines.is_empty(),
            _ => (before.event, &before.summary) != (verdict.event, &verdict.summary),
        }
    }
}

impl Worker {
    /// Tells how the set stands, if that is another than it was; `trouble` is why no pass could be made.
    pub(super) fn tell_standing(&mut self, trouble: Option<&Diagnostic>) {
        let (drift, pruned) = (mem::take(&mut self.standing.drift), mem::take(&mut self.standing.pruned));
        let Some(notify) = self.config.notify.clone() else { return self.standing.lines.clear() };
        let revision = self.control.stays().or(self.snapshot.as_ref()).and_then(|snapshot| snapshot.revision.clone());
        if !drift.is_empty() {
            let summary = format!("{} changed by others, and put right", counted(drift.len(), "object"));
            self.send(&*notify, revision.clone(), Verdict { event: Event::DriftRepaired, summary, details: drift }, true);
        }
        if !pruned.is_empty() {
            let summary = format!("{} deleted, as no longer wanted", counted(pruned.len(), "object"));
            self.send(&*notify, revision.clone(), Verdict { event: Event::Pruned, summary, details: pruned }, true);
        }
        let Some(verdict) = self.judge(trouble) else { return };
        if !self.standing.is_to_be_told(revision.as_deref(), &verdict) {
            return;
        }
        let was_bad = self.standing.told.as_ref().is_some_and(|(_, before)| before.event.is_bad());
        let is_news = verdict.event.is_bad() || was_bad || !self.standing.lines.is_empty();
        if verdict.event == Event::Succeeded {
            self.standing.lines.clear();
        }
        self.standing.told = Some((revision.clone(), verdict.clone()));
        self.send(&*notify, revision, verdict, is_news);
    }

    /// There is a revision that isn't followed. How the set stands, as it goes on with another one, is told by itself.
    pub(super) fn tell_refused(&mut self, revision: &str, finding: &Diagnostic) {
        let Some(notify) = self.config.notify.clone() else { return };
        let summary = format!("refused, and what runs goes on: {}", finding.message);
        let verdict = Verdict { event: Event::Failed, summary, details: finding.help.clone() };
        self.send(&*notify, Some(revision.to_owned()), verdict, true);
    }

    /// How the set stands; none if that isn't to be told yet.
    fn judge(&mut self, trouble: Option<&Diagnostic>) -> Option<Verdict> {
        let failed = |summary: String, details| Some(Verdict { event: Event::Failed, summary, details });
        if let Some(finding) = trouble {
            let is_lasting = self.failures_in_a_row() >= FAILURES;
            return if is_lasting { failed(finding.message.clone(), finding.help.clone()) } else { None };
        }
        self.snapshot.as_ref()?;
        if let Some(why) = self.standing.unreadable.as_ref().filter(|_| self.is_unreadable) {
            return failed(why.clone(), Vec::new());
        }
        let failures: Vec<String> = self
            .owners
            .failures()
            .map(|(owner, failure)| {
                let owner = owner.as_ref().map_or_else(String::new, |owner| format!("{owner}: "));
                format!("{owner}{}", failure.finding.message)
            })
            .collect();
        if let Some(first) = self.standing.broken.first() {
            return failed(format!("not all can be rendered: {first}"), self.standing.broken.clone());
        }
        if let Some(first) = failures.first() {
            return failed(format!("not all is applied: {first}"), failures);
        }
        if let Some(why) = &self.standing.unpruned {
            return failed(why.clone(), Vec::new());
        }
        if let Some(first) = self.standing.unlisted.first() {
            return failed(first.clone(), self.standing.unlisted.clone());
        }
        if let Some(finding) = &self.standing.unpushed {
            return failed(format!("applied, but not pushed: {}", finding.message), finding.help.clone());
        }
        let asked: BTreeSet<Owner> = self.statuses.asked().cloned().collect();
        self.standing.doing.retain(|owner, _| asked.contains(owner));
        let is_known = self.following.is_complete() && self.ledger.drifted().is_empty();
        Some(self.standing.verdict(asked.iter(), is_known))
    }

    /// The source can't be read. That is told at first, and then from time to time.
    pub(super) fn tell_source_failed(&mut self, finding: &Diagnostic) {
        if !self.standing.source_failed(&finding.message, Instant::now()) {
            return;
        }
        let Some(notify) = self.config.notify.clone() else { return };
        let summary = format!("the source can't be read, and what runs goes on: {}", finding.message);
        self.send(&*notify, None, Verdict { event: Event::Failed, summary, details: finding.help.clone() }, true);
    }

    /// The source can be read. That is told if it couldn't be.
    pub(super) fn source_read(&mut self) {
        if !self.standing.source_read() {
            return;
        }
        tracing::info!(set = self.config.name, "the source can be read again");
        let Some(notify) = self.config.notify.clone() else { return };
        let summary = "the source can be read again".to_owned();
        self.send(&*notify, None, Verdict { event: Event::Succeeded, summary, details: Vec::new() }, true);
    }

    fn send(&self, notify: &dyn Notify, revision: Option<String>, verdict: Verdict, is_news: bool) {
        let Verdict { event, summary, details } = verdict;
        let parent = &self.config.parent;
        let shard = self.config.shard.map(|shard| shard.to_string());
        let set = Set { kind: parent.reference().kind.into(), namespace: parent.namespace.clone(), name: parent.name.clone(), shard };
        let at = super::to_the_second((self.config.now)());
        notify.notify(Notice { set, source: self.config.source.clone(), revision, event, summary, details, is_news, at });
    }
}

/// How a Workspace is doing by its status.
fn doing(status: &Value) -> Doing {
    let condition = |kind: &str| status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == kind);
    let holds = |kind: &str| condition(kind).filter(|condition| condition["status"] == "True");
    match holds("Stalled") {
        Some(stalled) => Doing::Failed(stalled["message"].as_str().unwrap_or_default().to_owned()),
        None if holds("Ready").is_some() => Doing::Ready,
        None => Doing::Coming,
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owner(name: &str) -> Owner {
        Owner { kind: "Workspace", namespace: "n".into(), name: name.into() }
    }

    fn status(conditions: &[(&str, &str)]) -> Value {
        let conditions: Vec<Value> =
            conditions.iter().map(|(kind, status)| json!({"type": kind, "status": status, "message": "no quota"})).collect();
        json!({"conditions": conditions})
    }

    #[test]
    fn verdicts() {
        let ready = status(&[("Ready", "True")]);
        let coming = status(&[("Ready", "False"), ("Reconciling", "True")]);
        let stalled = status(&[("Ready", "False"), ("Stalled", "True")]);
        let table: [(&[Option<&Value>], bool, Event, &str); 8] = [
            (&[], true, Event::Succeeded, "applied"),
            (&[], false, Event::Progressing, "applied, and not all of it is ready yet"),
            (&[Some(&ready)], true, Event::Succeeded, "applied, with 1 Workspace ready"),
            (&[Some(&ready), Some(&ready)], true, Event::Succeeded, "applied, with 2 Workspaces ready"),
            (&[Some(&ready)], false, Event::Progressing, "applied, and not all of it is ready yet"),
            (&[Some(&ready), Some(&coming)], true, Event::Progressing, "applied, and not all of it is ready yet"),
            (&[Some(&ready), None], true, Event::Progressing, "applied, and not all of it is ready yet"),
            (
                &[Some(&coming), Some(&stalled)],
                true,
                Event::HealthFailed,
                "applied, but 1 of 2 Workspaces can't become ready: Workspace n/w1: no quota",
            ),
        ];
        for (statuses, is_known, event, summary) in table {
            let mut standing = Standing::default();
            let owners: Vec<Owner> = (0..statuses.len()).map(|number| owner(&format!("w{number}"))).collect();
            for (owner, status) in owners.iter().zip(statuses) {
                status.iter().for_each(|status| standing.see_status(owner, status));
            }
            let verdict = standing.verdict(owners.iter(), is_known);
            assert_eq!((verdict.event, verdict.summary.as_str()), (event, summary));
        }
    }

    #[test]
    fn objects_stand_for_a_workspace_that_the_cluster_does_not_know() {
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        let rolling = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 1},
            "status": {"observedGeneration": 1}});
        let failed = json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True"}]}});
        let table = [
            (vec![config.clone()], Doing::Ready),
            (vec![config.clone(), rolling.clone()], Doing::Coming),
            (vec![rolling.clone(), config.clone()], Doing::Coming),
            (vec![failed.clone(), rolling.clone()], Doing::Failed(health(&failed).message)),
            (vec![rolling, failed.clone()], Doing::Failed(health(&failed).message)),
        ];
        for (objects, want) in table {
            let mut standing = Standing::default();
            standing.see_objects(&owner("w"), &objects);
            assert_eq!(standing.doing[&owner("w")], want, "{objects:?}");
        }
    }

    #[test]
    fn a_source_that_comes_and_goes() {
        let (mut standing, start, hour) = (Standing::default(), Instant::now(), REPEATED_AFTER);
        assert!(!standing.source_read(), "it was never away");
        assert!(standing.source_failed("gone", start));
        assert!(!standing.source_failed("gone", start + hour / 2), "it was told");
        assert!(standing.source_failed("refused", start + hour / 2), "for another reason");
        assert!(!standing.source_failed("refused", start + hour));
        assert!(standing.source_failed("refused", start + 2 * hour), "for long");
        assert!(standing.source_read());
        assert!(!standing.source_read(), "it was told");
        assert!(standing.source_failed("refused", start + 2 * hour), "once more");
    }

    #[test]
    fn what_is_told_after_what() {
        let verdict = |event, summary: &str| Verdict { event, summary: summary.to_owned(), details: Vec::new() };
        let progressing = verdict(Event::Progressing, "p");
        let succeeded = verdict(Event::Succeeded, "s");
        let (failed, otherwise) = (verdict(Event::Failed, "f"), verdict(Event::Failed, "g"));
        let unhealthy = verdict(Event::HealthFailed, "h");
        let table = [
            (None, "b", &progressing, true),
            (Some(("a", &succeeded)), "b", &progressing, true),
            (Some(("a", &succeeded)), "b", &succeeded, true),
            (Some(("b", &progressing)), "b", &progressing, false),
            (Some(("b", &progressing)), "b", &succeeded, true),
            (Some(("b", &succeeded)), "b", &succeeded, false),
            (Some(("b", &succeeded)), "b", &progressing, false),
            (Some(("b", &succeeded)), "b", &unhealthy, true),
            (Some(("b", &unhealthy)), "b", &unhealthy, false),
            (Some(("b", &unhealthy)), "b", &progressing, false),
            (Some(("b", &unhealthy)), "b", &succeeded, true),
            (Some(("b", &failed)), "b", &failed, false),
            (Some(("b", &failed)), "b", &otherwise, true),
            (Some(("b", &failed)), "b", &progressing, true),
        ];
        for (told, revision, verdict, want) in table {
            let told = told.map(|(revision, verdict)| (Some(revision.to_owned()), verdict.clone()));
            let standing = Standing { told: told.clone(), ..Standing::default() };
            assert_eq!(standing.is_to_be_told(Some(revision), verdict), want, "{verdict:?} after {told:?}");
        }
    }
}
