//! Workflow commands, which GitHub Actions turns into annotations of a pull request.
//!
//! Source: GitHub's "Workflow commands for GitHub Actions", and `@actions/core` for the escapes.

use super::{Report, message};
use crate::diagnostic::{Diagnostic, Severity};

impl Report<'_> {
    /// For the log of a GitHub workflow: a command for each finding, and a summary.
    pub fn github(&self) -> String {
        let mut text: String = self.findings.iter().map(|finding| self.command(finding) + "\n").collect();
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
        let properties: Vec<String> = properties.iter().map(|(name, value)| format!("{name}={}", property(value))).collect();
        format!("::{command} {}::{}", properties.join(","), data(&message(finding)))
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn what_ends_a_command_is_escaped() {
        assert_eq!(data("50%\r\n::error::a, b"), "50%25%0D%0A::error::a, b");
        assert_eq!(property("C:\\a,b%"), "C%3A\\a%2Cb%25");
    }
}
