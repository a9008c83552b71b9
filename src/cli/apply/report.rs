//! What is said while objects are applied: a line for each on standard output, and what went wrong on standard error.

use std::collections::BTreeMap;

use serde_json::Value;

use super::objects::Format;
use crate::apply::{Done, DryRun, Failure, Outcome, Refusal, Why};
use crate::cli::output::{self, Color, Exit, Stdout};
use crate::cluster::Deletion;
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::manifest::ObjectRef;
use crate::prune::{self, Kept};

/// What was done, said as it is done.
pub(super) struct Report {
    format: Option<Format>,
    dry_run: DryRun,
    out: Stdout,
    written: std::io::Result<()>,
    has_applied: bool,
    is_refused: bool,
    is_late: bool,
    has_unread: bool,
    objects: Vec<Value>,
    findings: Vec<Diagnostic>,
    /// What was not tried, by the object for which it wasn't.
    skipped: BTreeMap<ObjectRef, Vec<ObjectRef>>,
}

impl Report {
    pub(super) fn new(format: Option<Format>, dry_run: DryRun) -> Self {
        Self {
            format,
            dry_run,
            out: Stdout::new(),
            written: Ok(()),
            has_applied: false,
            is_refused: false,
            is_late: false,
            has_unread: false,
            objects: Vec::new(),
            findings: Vec::new(),
            skipped: BTreeMap::new(),
        }
    }

    /// Says what became of an object.
    pub(super) fn done(&mut self, done: Done) {
        let Done { reference, outcome, is_adopted, kept_fields, object, .. } = done;
        match &outcome {
            Outcome::Failed(failure) => self.failed(&reference, failure),
            Outcome::Skipped(culprit) => self.skipped.entry(culprit.clone()).or_default().push(reference),
            outcome => {
                let adopted = if is_adopted { " (adopted)" } else { "" };
                self.has_applied = true;
                self.kept_as_it_is(&reference, &kept_fields);
                self.line(&reference, outcome.word().unwrap_or_default(), adopted);
                if self.format.is_some_and(|format| format != Format::Name) {
                    self.objects.push(object);
                }
            }
        }
    }

    fn kept_as_it_is(&mut self, reference: &ObjectRef, fields: &[String]) {
        if !fields.is_empty() {
            let message = format!("{reference} stays as Kaito's operator made it in {}, which can't be changed", fields.join(", "));
            let help = "annotate its Workspace with kaito.sh/force: enabled to have it deleted and made anew";
            self.findings.push(Diagnostic::warning(message).help(help));
        }
    }

    fn failed(&mut self, reference: &ObjectRef, failure: &Failure) {
        let message = match failure {
            Failure::Refused(_) | Failure::Immutable(_) if is_secret(reference) => unquoted(),
            failure => failure.to_string(),
        };
        self.findings.push(Diagnostic::error(format!("{reference} was not applied: {message}")).help(failure.help()));
    }

    /// Says what was not tried, and why: once for all objects of a Workspace for which the reason is the same.
    pub(super) fn refused(&mut self, refusals: Vec<Refusal>) {
        let mut said: Vec<(Option<Owner>, Why, Vec<ObjectRef>)> = Vec::new();
        for Refusal { owner, reference, why } in refusals {
            match said.iter_mut().find(|(whose, reason, _)| owner.is_some() && *whose == owner && *reason == why) {
                Some((.., objects)) => objects.push(reference),
                None => said.push((owner, why, vec![reference])),
            }
        }
        for (owner, why, objects) in said {
            let objects = list(&objects);
            let message = match owner {
                Some(owner) => format!("{owner} was not applied: {objects}: {why}"),
                None => format!("{objects} was not applied: {why}"),
            };
            self.findings.push(Diagnostic::error(message).help(why.help()));
        }
    }

    /// Says why nothing is pruned. Where something has gone wrong before, that is no further error.
    pub(super) fn prune_refused(&mut self, refusal: &prune::Refusal<'_>) {
        let follows = matches!(refusal, prune::Refusal::RenderFailed | prune::Refusal::ApplyFailed);
        self.is_refused |= !follows;
        let message = refusal.to_string();
        self.findings.push(if follows { Diagnostic::warning(message) } else { Diagnostic::error(message) }.help(refusal.help()));
    }

    /// Says why a member stays that is no longer wanted.
    pub(super) fn kept(&mut self, kept: &Kept<'_>) {
        self.has_unread |= matches!(kept.reason, prune::Reason::Unread { .. });
        let message = format!("{} is not pruned: {}", kept.candidate.reference(), kept.reason);
        self.findings.push(kept.reason.help().into_iter().fold(Diagnostic::warning(message), Diagnostic::help));
    }

    /// Says what became of a member that had to go; whether it is still there.
    pub(super) fn pruned(&mut self, reference: &ObjectRef, deletion: &Deletion) -> bool {
        self.is_late |= matches!(deletion, Deletion::Kept(_));
        let message = match deletion {
            Deletion::Deleted => {
                self.line(reference, "pruned", "");
                return false;
            }
            Deletion::Kept(finalizers) if finalizers.is_empty() => format!("{reference} was deleted, and isn't gone yet"),
            Deletion::Kept(finalizers) => format!("{reference} was deleted, and isn't gone yet: it waits for {}", finalizers.join(", ")),
            Deletion::Refused(_) if is_secret(reference) => format!("{reference} was not pruned: {}", unquoted()),
            Deletion::Refused(message) => format!("{reference} was not pruned: the server refuses it: {message}"),
        };
        self.findings.push(Diagnostic::error(message).help("it stays in the set, and is pruned the next time"));
        true
    }

    /// Whether something may be wanted in files that were not read.
    pub(super) fn has_unread(&self) -> bool {
        self.has_unread
    }

    /// A line as kubectl prints it.
    pub(super) fn line(&mut self, reference: &ObjectRef, word: &str, remark: &str) {
        let line = match self.format {
            None => format!("{} {word}{remark}{}\n", reference.resource_name(), self.dry_run.remark()),
            Some(Format::Name) => format!("{}\n", reference.resource_name()),
            Some(Format::Json | Format::Yaml) => return,
        };
        // Who waits wants to see each when it is done.
        if self.written.is_ok() {
            self.written = self.out.write(&line).and_then(|()| self.out.flush());
        }
    }

    /// Whether something has gone wrong until now.
    pub(super) fn has_failed(&self) -> bool {
        !self.skipped.is_empty() || self.findings.iter().any(Diagnostic::is_error)
    }

    /// Says what went wrong, and how it ended.
    pub(super) fn finish(self, color: Color) -> Exit {
        let Self { format, out, written, has_applied, is_refused, is_late, objects, mut findings, skipped, .. } = self;
        for (culprit, objects) in skipped {
            let verb = if objects.len() == 1 { "was" } else { "were" };
            let finding =
                Diagnostic::error(format!("{} {verb} not applied, since {culprit} of the same Workspace was not", list(&objects)));
            findings.push(finding.help("it is applied with it the next time"));
        }
        drop(out);
        let printed = match format {
            Some(format @ (Format::Json | Format::Yaml)) => super::objects::print(objects, format),
            _ => output::finish(written),
        };
        let is_wrong = output::findings_with(findings, color, if has_applied { "everything else was done" } else { "nothing was applied" });
        match (is_refused, is_wrong) {
            (true, _) => Exit::Refused,
            (false, true) if is_late => Exit::Unhealthy,
            (false, true) => Exit::Invalid,
            (false, false) => printed,
        }
    }
}

fn is_secret(reference: &ObjectRef) -> bool {
    reference.kind == "Secret" && reference.group.is_empty()
}

/// What is said in the place of a server's words, which may quote what it refuses.
fn unquoted() -> String {
    "the server refuses it; `kubectl apply --server-side --dry-run=server` shows why".to_owned()
}

fn list(objects: &[ObjectRef]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
