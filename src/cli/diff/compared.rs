//! Two sides, read and compared.

use super::sides::{Asked, Read};
use crate::cli::setup::RenderingArgs;
use crate::diagnostic::Diagnostic;
use crate::diff::{self, Report, Side};
use crate::session::Session;

/// What came of a comparison.
pub(in crate::cli) struct Compared {
    /// What is different.
    pub report: Report,
    /// What is wrong with the older side.
    pub older: Vec<Diagnostic>,
    /// What is wrong with the newer side.
    pub newer: Vec<Diagnostic>,
    /// What is doubtful about the files of the newer side, such as a `kaito.yaml` that isn't used.
    pub doubts: Vec<Diagnostic>,
}

/// Compares two sides, each with how it is rendered; nothing if that can't be, with the reasons among the findings.
pub(in crate::cli) fn compare(
    (older, old_rendering): (&Asked, &RenderingArgs),
    (newer, rendering): (&Asked, &RenderingArgs),
    show_secrets: bool,
    findings: &mut Vec<Diagnostic>,
) -> Option<Compared> {
    let (before, after) = (older.read(old_rendering, findings), newer.read(rendering, findings));
    let (before, after): (Read, Read) = (before?, after?);
    let mut faults = (before.findings, after.findings);
    let sessions = (
        Session::new(&before.input, &before.setup.catalog, &before.setup.options, false, &mut faults.0),
        Session::new(&after.input, &after.setup.catalog, &after.setup.options, false, &mut faults.1),
    );
    let engines = (before.setup.engine(), after.setup.engine());
    sessions.0.rehearse(&engines.0, &mut faults.0);
    sessions.1.rehearse(&engines.1, &mut faults.1);
    let sides = (Side::new(&sessions.0, &before.input, &engines.0, &faults.0), Side::new(&sessions.1, &after.input, &engines.1, &faults.1));
    let is_same_world = before.setup.world() == after.setup.world();
    let report = diff::compare(&sides.0, &sides.1, is_same_world, show_secrets, after.setup.prices.as_ref());
    let report = report.map_err(|error| findings.push(*error.0)).ok()?;
    Some(Compared { report, older: faults.0, newer: faults.1, doubts: after.doubts })
}
