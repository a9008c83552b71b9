//! Findings as people and machines read them. Everything is text in memory; the command line prints it.

mod github;
mod json;
mod junit;
mod markdown;
mod sarif;

use std::sync::Arc;

use crate::diagnostic::{self, Diagnostic, Region, Severity, SourceFile, plural};
use crate::rule::FailOn;

/// What was found, and in what.
pub struct Report<'a> {
    /// The findings, at their levels and in reading order.
    pub findings: &'a [Diagnostic],
    /// The files that were read.
    pub files: &'a [Arc<SourceFile>],
    /// The least level at which the run fails.
    pub fail_on: FailOn,
    /// The directory that paths are relative to, absolute; empty to leave paths as they were given.
    pub base: &'a str,
}

/// How many findings there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Report<'_> {
    /// Whether something was found that is reason to fail.
    pub fn fails(&self) -> bool {
        self.findings.iter().any(|finding| self.is_failure(finding))
    }

    /// For people: each finding with its lines, and a summary.
    pub fn text(&self, styled: bool) -> String {
        let (shown, others) = diagnostic::first(self.findings);
        let mut text: String = shown.into_iter().map(|finding| finding.render_with_rule(styled) + "\n\n").collect();
        text.push_str(&others);
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    /// One line: `2 errors and 1 warning in 3 files`.
    fn summary(&self) -> String {
        let Counts { errors, warnings, notes } = self.counts();
        let parts = [(errors, "error"), (warnings, "warning"), (notes, "note")];
        let parts: Vec<String> =
            parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, noun)| plural(count as u64, noun)).collect();
        let found = match parts.as_slice() {
            [] => "no findings".to_owned(),
            [one] => one.clone(),
            [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
        };
        match self.files.len() {
            0 => found,
            files => format!("{found} in {}", plural(files as u64, "file")),
        }
    }

    fn counts(&self) -> Counts {
        let of = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        Counts { errors: of(Severity::Error), warnings: of(Severity::Warning), notes: of(Severity::Note) }
    }

    fn is_failure(&self, finding: &Diagnostic) -> bool {
        self.fail_on.includes(finding.severity)
    }

    /// The file on disk that a finding is about, and where in it.
    fn location(&self, finding: &Diagnostic) -> Option<(String, Region)> {
        let (file, region) = finding.place.as_ref()?.region();
        Some((self.path(file), region))
    }

    /// The path of a file: from the root of its repository if it is one of a revision, else relative to the base if it lies below.
    fn path(&self, file: &SourceFile) -> String {
        let below = || file.name.strip_prefix(self.base).filter(|_| !self.base.is_empty()).and_then(|rest| rest.strip_prefix('/'));
        let of_revision = file.blob.as_ref().and_then(|_| Some(file.name.split_once(':')?.1));
        let path = of_revision.or_else(below).unwrap_or(&file.name).replace('\\', "/");
        let parts: Vec<&str> =
            path.split('/').enumerate().filter(|(at, part)| *part != "." && (*at == 0 || !part.is_empty())).map(|(_, part)| part).collect();
        parts.join("/")
    }
}

/// The message with its help, a line each.
fn message(finding: &Diagnostic) -> String {
    std::iter::once(finding.title()).chain(finding.help.iter().cloned()).collect::<Vec<_>>().join("\n")
}
