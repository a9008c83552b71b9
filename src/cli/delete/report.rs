//! What is said while objects are deleted: a line for each on standard output, and what stays on standard error.

use super::args::{DeleteArgs, Format};
use crate::apply::Holder;
use crate::cli::output::{self, Color, Exit, Stdout};
use crate::delete::{line, waits_for};
use crate::diagnostic::Diagnostic;
use crate::manifest::ObjectRef;
use crate::prune::Kept;

/// What was deleted, said as it is done.
pub(super) struct Report<'a> {
    args: &'a DeleteArgs,
    out: Stdout,
    written: std::io::Result<()>,
    has_deleted: bool,
    is_late: bool,
    has_failed: bool,
    findings: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    pub(super) fn new(args: &'a DeleteArgs) -> Self {
        let out = Stdout::new();
        Self { args, out, written: Ok(()), has_deleted: false, is_late: false, has_failed: false, findings: Vec::new() }
    }

    /// Says that an object was deleted.
    pub(super) fn deleted(&mut self, reference: &ObjectRef) {
        self.has_deleted = true;
        let line = match self.args.output {
            None => format!("{}{}\n", line(reference), self.args.dry_run.remark()),
            Some(Format::Name) => format!("{}\n", reference.resource_name()),
        };
        // Who waits wants to see each when it is done.
        if self.written.is_ok() {
            self.written = self.out.write(&line).and_then(|()| self.out.flush());
        }
    }

    /// Says what isn't there.
    pub(super) fn missing(&mut self, what: &str) {
        if !self.args.ignore_not_found {
            self.fail(Diagnostic::error(format!("{what}: not found")).help("--ignore-not-found makes this no error"));
        }
    }

    /// Says why an object stays that was meant.
    pub(super) fn kept(&mut self, kept: &Kept<'_>) {
        let finding = Diagnostic::error(format!("{} was not deleted: {}", kept.candidate.reference(), kept.reason));
        self.fail(kept.reason.help_for("deleted", "--allow").into_iter().fold(finding, Diagnostic::help));
    }

    /// Says whose these objects are, which are left alone.
    pub(super) fn of_others(&mut self, references: &[ObjectRef], holder: &Holder) {
        let (why, help) = match holder {
            Holder::Nobody | Holder::Us => {
                let help = "--field-manager says who has applied it; or delete it yourself".to_owned();
                (format!("{} has not applied it", self.args.field_manager), help)
            }
            Holder::Set(id) => {
                let help = format!(
                    "name that set with --applyset: `kubectl get secrets,configmaps -A -l applyset.kubernetes.io/id={id}` tells which it is"
                );
                (format!("it belongs to {holder}"), help)
            }
            Holder::Operator(_) | Holder::Controller(_) | Holder::Other(_) => {
                (format!("it belongs to {holder}"), "delete that, and it goes with it".to_owned())
            }
            Holder::Tool(..) => (format!("it belongs to {holder}"), "delete it there".to_owned()),
        };
        self.fail(Diagnostic::error(format!("{} was not deleted: {why}", list(references))).help(help));
    }

    /// Says that the server refuses to delete an object.
    pub(super) fn refused(&mut self, what: &str, message: &str) {
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let finding = Diagnostic::error(format!("{what} was not deleted: the server refuses it: {message}"));
        self.fail(finding.help("put right what the server says, and delete again"));
    }

    /// Says what still keeps an object that was deleted.
    pub(super) fn late(&mut self, reference: &ObjectRef, finalizers: &[String]) {
        self.is_late = true;
        let finding = Diagnostic::error(format!("{reference} was deleted, and isn't gone yet: {}", waits_for(reference, finalizers)));
        let place = reference.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        let look = format!("`kubectl describe{place} {}` tells more; delete again to go on", reference.resource_name());
        self.findings.push(finding.help(look));
    }

    /// Says what was not tried, since what comes before it isn't gone.
    pub(super) fn skipped(&mut self, references: &[ObjectRef]) {
        let finding = Diagnostic::error(format!("not deleted, since what needs them may still be there: {}", list(references)));
        self.findings.push(finding.help("they are deleted the next time"));
    }

    /// Says that something went wrong.
    pub(super) fn fail(&mut self, finding: Diagnostic) {
        self.has_failed = true;
        self.findings.push(finding);
    }

    /// Says what stays, and how it ended.
    pub(super) fn finish(self, color: Color) -> Exit {
        let Self { out, written, has_deleted, is_late, has_failed, findings, .. } = self;
        drop(out);
        let printed = output::finish(written);
        output::findings_with(findings, color, if has_deleted { "everything else was deleted" } else { "nothing was deleted" });
        match (has_failed, is_late) {
            (true, _) => Exit::Invalid,
            (false, true) => Exit::Unhealthy,
            (false, false) => printed,
        }
    }
}

pub(super) fn list<'r>(references: impl IntoIterator<Item = &'r ObjectRef>) -> String {
    references.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
