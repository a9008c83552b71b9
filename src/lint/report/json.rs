//! A form of kaito's own, for scripts: described in docs/lint.md and kept as it is.

use serde::Serialize;

use super::{Counts, Report};
use crate::diagnostic::Diagnostic;

#[derive(Serialize)]
struct Root<'a> {
    findings: Vec<Finding<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'a str,
    level: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    help: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
}

#[derive(Serialize)]
struct Location {
    file: String,
    start: Position,
    end: Position,
}

#[derive(Serialize)]
struct Position {
    line: usize,
    column: usize,
}

impl From<(usize, usize)> for Position {
    fn from((line, column): (usize, usize)) -> Self {
        Self { line, column }
    }
}

impl Report<'_> {
    /// For scripts.
    pub fn json(&self) -> String {
        let findings = self.findings.iter().map(|finding| self.finding(finding)).collect();
        let root = Root { findings, summary: Summary { files: self.files.len(), counts: self.counts() } };
        serde_json::to_string_pretty(&root).unwrap_or_default() + "\n"
    }

    fn finding<'f>(&self, finding: &'f Diagnostic) -> Finding<'f> {
        let location = self.location(finding).map(|(file, region)| Location { file, start: region.start.into(), end: region.end.into() });
        Finding {
            rule: finding.rule().id,
            level: finding.severity.name(),
            message: &finding.message,
            field: &finding.field,
            help: &finding.help,
            location,
        }
    }
}
