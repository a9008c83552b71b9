//! How much all files together may declare, so that no repository takes all memory. What one document may hold is up to `yaml`.

use crate::diagnostic::Diagnostic;

/// Values of all documents, those of a set once for each of its Workspaces.
const MOST_VALUES: usize = 2_000_000;

/// Workspaces, those of sets among them.
const MOST_WORKSPACES: usize = 50_000;

/// Errors and warnings that are found while files are read.
const MOST_FINDINGS: usize = 200_000;

/// What was declared so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Measure {
    pub(super) values: usize,
    pub(super) workspaces: usize,
    pub(super) findings: usize,
}

impl Measure {
    /// Counts more.
    pub(super) fn add(&mut self, more: Self) {
        self.values = self.values.saturating_add(more.values);
        self.workspaces = self.workspaces.saturating_add(more.workspaces);
        self.findings = self.findings.saturating_add(more.findings);
    }

    /// What is said if that is too much.
    pub(super) fn excess(&self) -> Option<Diagnostic> {
        let table = [
            (self.values, MOST_VALUES, "values"),
            (self.workspaces, MOST_WORKSPACES, "Workspaces"),
            (self.findings, MOST_FINDINGS, "errors and warnings"),
        ];
        let (_, most, what) = table.into_iter().find(|(count, most, _)| count > most)?;
        let finding =
            Diagnostic::error(format!("all files together have more than {most} {what}, which is the limit: they weren't read further"));
        Some(finding.help("name fewer files and directories with -f"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_said() {
        let table = [
            (Measure { values: MOST_VALUES, workspaces: MOST_WORKSPACES, findings: MOST_FINDINGS }, Measure::default(), None),
            (Measure { values: MOST_VALUES, ..Measure::default() }, Measure { values: 1, ..Measure::default() }, Some("2000000 values")),
            (Measure::default(), Measure { workspaces: usize::MAX, ..Measure::default() }, Some("50000 Workspaces")),
            (
                Measure { findings: 1, ..Measure::default() },
                Measure { findings: usize::MAX, ..Measure::default() },
                Some("200000 errors and warnings"),
            ),
        ];
        for (mut measure, more, want) in table {
            measure.add(more);
            let said = measure.excess().map(|finding| finding.message);
            assert!(said.is_some() == want.is_some() && want.is_none_or(|want| said.as_ref().unwrap().contains(want)), "{said:?}");
        }
    }
}
