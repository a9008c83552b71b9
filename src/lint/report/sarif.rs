//! SARIF 2.1.0, as GitHub's code scanning takes it.
//!
//! Source: the OASIS standard, and GitHub's "SARIF support for code scanning".

use serde_json::{Value, json};

use super::{Report, message};
use crate::diagnostic::Diagnostic;
use crate::rule;
use crate::yaml;

impl Report<'_> {
    /// For GitHub's code scanning, and whatever else reads SARIF.
    pub fn sarif(&self) -> String {
        let rules: Vec<Value> = rule::ALL
            .iter()
            .map(|rule| {
                json!({
                    "id": rule.id,
                    "shortDescription": { "text": rule.summary },
                    "help": { "text": rule.summary },
                    "defaultConfiguration": { "level": rule.level.name() },
                })
            })
            .collect();
        let run = json!({
            "tool": { "driver": { "name": "kaito", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": self.findings.iter().filter_map(|finding| self.result(finding)).collect::<Vec<_>>(),
            "invocations": [self.invocation()],
        });
        let log = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [run],
        });
        yaml::to_json(&log) + "\n"
    }

    /// A finding in a file. GitHub refuses a result without a place.
    fn result(&self, finding: &Diagnostic) -> Option<Value> {
        let (file, region) = self.location(finding)?;
        let region = json!({
            "startLine": region.start.0,
            "startColumn": region.start.1,
            "endLine": region.end.0,
            "endColumn": region.end.1,
        });
        Some(json!({
            "ruleId": finding.rule().id,
            "ruleIndex": rule::ALL.iter().position(|rule| *rule == finding.rule()),
            "level": finding.severity.name(),
            "message": { "text": message(finding) },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&file) }, "region": region } }],
        }))
    }

    /// What is to be said of the run itself, such as a file that isn't there.
    fn invocation(&self) -> Value {
        let general: Vec<&Diagnostic> = self.findings.iter().filter(|finding| finding.place.is_none()).collect();
        let notifications: Vec<Value> =
            general.iter().map(|finding| json!({ "level": finding.severity.name(), "message": { "text": message(finding) } })).collect();
        json!({
            "executionSuccessful": !general.iter().any(|finding| finding.is_error()),
            "toolExecutionNotifications": notifications,
        })
    }
}

/// A path as a reference of RFC 3986: relative if it is.
fn uri(path: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
