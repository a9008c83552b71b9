//! All that was found, as one text: the summary of a job, and the one comment on a pull request, which is never longer than it may be.

use std::fmt::Write as _;

use crate::diagnostic::plural;
use crate::diff::{self, inline, rows};
use crate::lint;

/// Bytes of all: GitHub takes 65,536 characters.
const ALL: usize = 64_000;
/// Bytes of why a change is refused.
const REFUSALS: usize = 4_000;
/// Bytes of the names of files that aren't current.
const FILES: usize = 2_000;
/// Bytes of what lint has found.
const FINDINGS: usize = 8_000;

/// All that was found.
pub struct Summary<'s> {
    /// What is looked at, by a name that is the same from run to run.
    pub id: &'s str,
    /// Why the change is refused.
    pub refusals: &'s [String],
    /// What is wrong with rendered manifests that are committed; nothing if they are current, or there are none.
    pub outdated: Option<&'s Outdated>,
    /// What lint has found.
    pub lint: &'s lint::report::Report<'s>,
    /// What the change does, or why that isn't known.
    pub diff: Result<&'s diff::Report, &'s str>,
    /// The commits that were compared.
    pub range: &'s str,
}

/// Rendered manifests that are committed, and are other than what is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outdated {
    /// Their directory.
    pub directory: String,
    /// What is wrong with which files: `missing: models/phi-4/service.yaml`.
    pub files: Vec<String>,
    /// The command that makes them current.
    pub command: String,
}

/// The line by which the comment of an id is found again.
pub fn marker(id: &str) -> String {
    // Nothing in it may end the comment that it is in HTML.
    let mut id: String = id.chars().map(|c| if c.is_alphanumeric() || "._/,".contains(c) { c } else { '-' }).take(200).collect();
    while id.contains("--") {
        id = id.replace("--", "-");
    }
    format!("<!-- kaito-diff:{id} -->")
}

impl Outdated {
    /// What is wrong, in a line.
    pub fn message(&self) -> String {
        let verb = if self.files.len() == 1 { "is" } else { "are" };
        format!("{} in {} {verb} not what is rendered now", plural(self.files.len() as u64, "file"), self.directory)
    }
}

impl Summary<'_> {
    /// Whether there is nothing that anybody has to know.
    pub fn is_quiet(&self) -> bool {
        let is_same = self.diff.is_ok_and(|report| report.is_empty() && report.broken.is_empty());
        is_same && self.refusals.is_empty() && self.outdated.is_none() && self.lint.findings.is_empty()
    }

    /// The text. It begins with its marker.
    pub fn markdown(&self) -> String {
        let mut out = format!("{}\n### kaito: {}\n\n", marker(self.id), inline(self.id));
        if !self.refusals.is_empty() {
            out.push_str("**Refused**\n\n");
            rows(self.refusals.iter(), |refusal| format!("- {}\n", inline(refusal)), "more reasons", REFUSALS, &mut out);
            out.push('\n');
        }
        if let Some(outdated) = self.outdated {
            _ = writeln!(out, "**Not current**: {}\n", inline(&outdated.message()));
            rows(outdated.files.iter(), |file| format!("- {}\n", inline(file)), "more files", FILES, &mut out);
            _ = writeln!(out, "\nTo make it so, run this and commit what it writes:\n\n{}", fenced(&outdated.command));
        }
        out.push_str(&self.lint.markdown(FINDINGS));
        match self.diff {
            Ok(report) => {
                let end = format!("{}\n", inline(self.range));
                out.push_str(&diff::markdown_within(report, ALL.saturating_sub(out.len() + end.len())));
                out.push_str(&end);
            }
            Err(why) => _ = writeln!(out, "**kaito diff**: {}", inline(why)),
        }
        out
    }
}

/// A command on lines that nothing in it can end.
fn fenced(command: &str) -> String {
    let longest = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}console\n$ {}\n{fence}\n", command.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostic, SourceFile};
    use crate::diff::{Broken, Disruption, Owner, OwnerChange, Report, Totals};
    use crate::rule::FailOn;

    fn lint(findings: &[Diagnostic]) -> lint::report::Report<'_> {
        lint::report::Report { findings, files: &[], fail_on: FailOn::Error, base: "" }
    }

    #[test]
    fn markers_hold_nothing_that_ends_them() {
        let table = [
            ("clusters/prod,clusters/dev", "<!-- kaito-diff:clusters/prod,clusters/dev -->"),
            (".", "<!-- kaito-diff:. -->"),
            ("a--b -->\n# <x>", "<!-- kaito-diff:a-b-x- -->"),
        ];
        for (id, want) in table {
            assert_eq!(marker(id), want);
        }
    }

    #[test]
    fn it_is_never_too_long() {
        let long = "`|@€".repeat(500);
        let findings: Vec<Diagnostic> = (0..500).map(|_| Diagnostic::error(long.clone()).help(long.clone())).collect();
        let owner = |number: usize| OwnerChange {
            owner: Some(Owner { kind: "Workspace", namespace: "default".into(), name: format!("w{number}").into() }),
            words: vec![long.clone()],
            before: None,
            after: None,
            objects: Vec::new(),
            disruption: Disruption::InPlace,
            place: None,
        };
        let broken = |number: usize| Broken {
            owner: Owner { kind: "Workspace", namespace: "broken".into(), name: format!("b{number}").into() },
            place: None,
        };
        let report = Report {
            owners: (0..2000).map(owner).collect(),
            broken: (0..2000).map(broken).collect(),
            compared: 2000,
            totals: Totals::default(),
        };
        let strings = vec![long.clone(); 100];
        let outdated = Outdated { directory: long.clone(), files: strings.clone(), command: long.clone() };
        let summary =
            Summary { id: &long, refusals: &strings, outdated: Some(&outdated), lint: &lint(&findings), diff: Ok(&report), range: "1..2" };
        let text = summary.markdown();
        assert!(text.len() < 65_536, "{}", text.len());
        for part in ["more reasons", "more files", "more findings", "more Workspaces"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(text.ends_with("1..2\n") && !summary.is_quiet());
    }

    #[test]
    fn what_is_worth_a_comment() {
        let same = Report { owners: Vec::new(), broken: Vec::new(), compared: 3, totals: Totals::default() };
        let (none, one, refusals) = ([], [Diagnostic::warning("x").at(&SourceFile::new("a.yaml", "a: 1\n"), 0..1)], ["x".to_owned()]);
        let outdated = Outdated { directory: "rendered".to_owned(), files: Vec::new(), command: String::new() };
        let quiet = Summary { id: ".", refusals: &[], outdated: None, lint: &lint(&none), diff: Ok(&same), range: "" };
        assert!(quiet.is_quiet());
        assert!(!Summary { refusals: &refusals, ..quiet }.is_quiet());
        let lint = lint(&one);
        let told = Summary { id: ".", refusals: &[], outdated: None, lint: &lint, diff: Ok(&same), range: "" };
        assert!(!told.is_quiet() && told.markdown().contains("a.yaml:1"), "{}", told.markdown());
        assert!(!Summary { outdated: Some(&outdated), ..told }.is_quiet());
    }
}
