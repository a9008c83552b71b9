//! Findings as a table, for a comment on a pull request.

use super::{Report, message};
use crate::diagnostic::Diagnostic;
use crate::diff::{inline, rows};

impl Report<'_> {
    /// The findings as a table of about so many bytes, and how many there are.
    pub fn markdown(&self, most: usize) -> String {
        let mut out = format!("**kaito lint**: {}\n\n", self.summary());
        if !self.findings.is_empty() {
            out.push_str("| level | rule | where | what |\n|---|---|---|---|\n");
            rows(self.findings.iter(), |finding| self.row(finding), "more findings", most, &mut out);
            out.push('\n');
        }
        out
    }

    fn row(&self, finding: &Diagnostic) -> String {
        let place = self.location(finding).map(|(file, region)| format!("{file}:{}", region.start.0)).unwrap_or_default();
        let cells = [finding.severity.name(), finding.rule().id, &place, &message(finding).replace('\n', "; ")];
        format!("| {} |\n", cells.map(inline).join(" | "))
    }
}
