//! Workflow commands, which GitHub Actions turns into annotations of a pull request.

use super::{Report, message};
use crate::diagnostic::{Diagnostic, Severity};
use crate::github;

impl Report<'_> {
    /// For the log of a GitHub workflow: a command for each finding, and a summary.
    pub fn github(&self) -> String {
        let mut text: String = self.findings.iter().map(|finding| self.command(finding)).collect();
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    fn command(&self, finding: &Diagnostic) -> String {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut properties = Vec::new();
        if let Some((file, region)) = self.location(finding) {
            properties.extend([("file", file), ("line", region.start.0.to_string()), ("endLine", region.end.0.to_string())]);
            properties.push(("col", region.start.1.to_string()));
            // GitHub takes an end only within one line.
            if region.start.0 == region.end.0 {
                properties.push(("endColumn", region.end.1.to_string()));
            }
        }
        properties.push(("title", format!("kaito lint: {}", finding.rule().id)));
        github::command(command, &properties, &message(finding))
    }
}
