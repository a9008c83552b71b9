//! What is said while objects are applied: a line for each on standard output, and what went wrong on standard error.

use std::collections::BTreeMap;

use serde_json::Value;

use super::objects::Format;
use super::wait::Waiting;
use crate::apply::{Done, DryRun, Outcome, Refusal};
use crate::cli::output::{self, Color, Exit, Stdout};
use crate::cluster::{Deletion, Unlisted};
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::manifest::ObjectRef;
use crate::prune::{self, Kept};
use crate::reconcile::{Listener, Trouble, words};

/// What was done, said as it is done.
pub(super) struct Report {
    format: Option<Format>,
    dry_run: DryRun,
    out: Stdout,
    written: std::io::Result<()>,
    has_applied: bool,
    is_refused: bool,
    is_late: bool,
    objects: Vec<Value>,
    findings: Vec<Diagnostic>,
    /// What was not tried, by the object for which it wasn't.
    skipped: BTreeMap<ObjectRef, Vec<ObjectRef>>,
    /// What was applied, if it is waited for.
    waiting: Option<Waiting>,
}

impl Report {
    pub(super) fn new(format: Option<Format>, dry_run: DryRun, waits: bool) -> Self {
        Self {
            format,
            dry_run,
            out: Stdout::new(),
            written: Ok(()),
            has_applied: false,
            is_refused: false,
            is_late: false,
            objects: Vec::new(),
            findings: Vec::new(),
            skipped: BTreeMap::new(),
            waiting: waits.then(Waiting::default),
        }
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

    /// Says what went wrong, and how it ended; and what is waited for, if anything is. With trouble, it ended early.
    pub(super) fn finish(self, trouble: Option<&Trouble>, color: Color) -> (Exit, Option<Waiting>) {
        let Self { format, out, written, has_applied, is_refused, is_late, objects, mut findings, skipped, waiting, .. } = self;
        findings.extend(skipped.iter().map(|(culprit, objects)| words::skipped(culprit, objects)));
        drop(out);
        let printed = match format {
            Some(format @ (Format::Json | Format::Yaml)) => super::objects::print(objects, format),
            _ => output::finish(written),
        };
        findings.extend(trouble.map(Trouble::finding));
        let follows = match trouble {
            Some(trouble) => &format!("nothing was {}", trouble.undone()),
            None if has_applied => "everything else was done",
            None => "nothing was applied",
        };
        let is_wrong = output::findings_with(findings, color, follows);
        let exit = match (is_refused, is_wrong) {
            (true, _) => Exit::Refused,
            (false, true) if is_late => Exit::Unhealthy,
            (false, true) => Exit::Invalid,
            (false, false) => printed,
        };
        (exit, waiting)
    }
}

impl Listener for Report {
    fn done(&mut self, done: Done) {
        if let Some(waiting) = &mut self.waiting {
            waiting.applied(&done);
        }
        let Done { reference, outcome, is_adopted, kept_fields, object, .. } = done;
        match &outcome {
            Outcome::Failed(failure) => self.findings.push(words::failed(&reference, failure)),
            Outcome::Skipped(culprit) => self.skipped.entry(culprit.clone()).or_default().push(reference),
            outcome => {
                let adopted = if is_adopted { " (adopted)" } else { "" };
                self.has_applied = true;
                self.findings.extend(words::kept_as_made(&reference, &kept_fields));
                self.line(&reference, outcome.word().unwrap_or_default(), adopted);
                if self.format.is_some_and(|format| format != Format::Name) {
                    self.objects.push(object.read());
                }
            }
        }
    }

    fn refused(&mut self, refusals: Vec<Refusal>) {
        self.findings.extend(words::refused(refusals).into_iter().map(|(_, finding)| finding));
    }

    fn kept(&mut self, kept: &Kept<'_>) {
        self.findings.push(words::kept(kept));
    }

    fn unlisted(&mut self, unlisted: &Unlisted) {
        self.findings.push(words::unlisted(unlisted));
    }

    fn pruned(&mut self, _: Option<&Owner>, reference: &ObjectRef, deletion: &Deletion) {
        self.is_late |= matches!(deletion, Deletion::Kept(_));
        match words::not_pruned(reference, deletion) {
            None => self.line(reference, "pruned", ""),
            Some(finding) => self.findings.push(finding),
        }
    }

    fn prune_refused(&mut self, refusal: &prune::Refusal<'_>) {
        self.is_refused |= !words::follows(refusal);
        self.findings.push(words::prune_refused(refusal));
    }
}
