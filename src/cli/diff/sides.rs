//! The two sides of a comparison: directories, or revisions of git.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Outcome;
use crate::cli::output::{self, Color};
use crate::cli::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::Diagnostic;
use crate::source::{self, Disk, Range, Repository, Tree};
use crate::spec::Input;

/// One side that is to be read.
pub(in crate::cli) struct Asked {
    tree: Arc<dyn Tree>,
    inputs: InputArgs,
    except: Option<PathBuf>,
}

/// What was found of one side.
pub(super) struct Read {
    pub setup: Setup,
    pub input: Input,
    pub findings: Vec<Diagnostic>,
    /// What is doubtful about the files themselves, such as a `kaito.yaml` that isn't used.
    pub doubts: Vec<Diagnostic>,
}

impl Asked {
    fn new(tree: Arc<dyn Tree>, filename: Vec<PathBuf>, recursive: bool) -> Self {
        Self { tree, inputs: InputArgs { filename, recursive, revision: None }, except: None }
    }

    /// Those of these paths that a side has, with all below them: what is on one side only is new, or gone.
    pub(in crate::cli) fn within(side: source::Side, paths: &[PathBuf]) -> Self {
        let paths = paths.iter().filter(|path| side.tree.kind(path).is_some()).cloned().collect();
        Self::new(side.tree, paths, true)
    }

    /// The same without a directory, which holds no input.
    pub(in crate::cli) fn except(self, directory: Option<&Path>) -> Self {
        Self { except: directory.map(Path::to_owned), ..self }
    }

    pub(super) fn read(&self, rendering: &RenderingArgs, findings: &mut Vec<Diagnostic>) -> Option<Read> {
        let mut setup = Setup::at(Arc::clone(&self.tree), rendering, &self.inputs.filename, findings)?;
        // A patch of what a side doesn't hold is about nothing there, and no fault.
        setup.options.is_partial = true;
        setup.except.extend(self.except.clone());
        let mut own = Vec::new();
        let files = setup.read(&self.inputs, &mut own);
        let doubts = own.iter().filter(|finding| !finding.is_error()).cloned().collect();
        let input = Input::read(&files, &setup.options, &mut own);
        Some(Read { setup, input, findings: own, doubts })
    }
}

/// How standard input is called.
const STDIN: &str = "-";

/// The sides that were asked for: two paths that are there, or revisions and paths within them.
pub(super) fn asked(asked: &[String], recursive: bool, findings: &mut Vec<Diagnostic>) -> Result<(Asked, Asked), Outcome> {
    let is_there = |name: &str| name == STDIN || Disk.kind(Path::new(name)).is_some();
    if let [before, after] = asked
        && is_there(before)
    {
        if before == STDIN && after == STDIN {
            findings.push(Diagnostic::error("standard input can be one side, and not both"));
            return Err(Outcome::Misused);
        }
        if !is_there(after) {
            let finding = Diagnostic::error(format!("there is no file or directory {after} to compare {before} with"));
            findings.push(finding.help("between revisions, write A..B and then the paths"));
            return Err(Outcome::Misused);
        }
        let side = |name: &String| Asked::new(Arc::new(Disk), vec![PathBuf::from(name)], recursive);
        return Ok((side(before), side(after)));
    }
    if let [alone] = asked
        && is_there(alone)
    {
        let finding = Diagnostic::error(format!("{alone} is to be compared with nothing"));
        findings.push(finding.help(format!("name another path, or a revision before it: kaito diff HEAD {alone}")));
        return Err(Outcome::Misused);
    }
    let range = asked[0].parse::<Range>().map_err(|error| {
        findings.push(Diagnostic::error(error.to_string()));
        Outcome::Misused
    })?;
    let unreachable = |faults: Vec<Diagnostic>| (faults, Outcome::Unreachable);
    let opened = Repository::open().map_err(|finding| unreachable(vec![finding]));
    let found = opened.and_then(|repository| {
        let (range, paths) = with_second(&repository, range, &asked[1..]);
        Ok((repository.sides(&range, findings).map_err(unreachable)?, paths))
    });
    let ((older, newer), mut paths) = found.map_err(|(faults, outcome)| {
        findings.extend(faults);
        outcome
    })?;
    if paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    let is_in = |side: &source::Side, path: &Path| side.tree.kind(path).is_some();
    for path in paths.iter().filter(|path| !is_in(&older, path) && !is_in(&newer, path)) {
        let message = format!("{} is neither in {} nor in {}", path.display(), older.name, newer.name);
        findings.push(Diagnostic::error(message).help("paths start at the current directory"));
    }
    if findings.iter().any(Diagnostic::is_error) {
        return Err(Outcome::Misused);
    }
    Ok((Asked::within(older, &paths), Asked::within(newer, &paths)))
}

/// The range and the paths: as for git, `A B` are two revisions if B is one and no path.
fn with_second(repository: &Repository, range: Range, rest: &[String]) -> (Range, Vec<PathBuf>) {
    if let (Range::ToWorkingTree(first), [second, ..]) = (&range, rest)
        && Disk.kind(Path::new(second)).is_none()
        && repository.side(second).is_ok()
    {
        return (Range::Between(first.clone(), second.clone()), rest[1..].iter().map(PathBuf::from).collect());
    }
    (range, rest.iter().map(PathBuf::from).collect())
}

/// Says what is wrong with the sides, once what is wrong with both, and what is doubtful about the newer one; whether that is
/// anything that keeps objects from being compared.
pub(super) fn say(before: &[Diagnostic], after: &[Diagnostic], doubts: Vec<Diagnostic>, color: Color) -> bool {
    let is_same = |a: &Diagnostic, b: &Diagnostic| a.message == b.message && a.field == b.field;
    let errors = |findings: &[Diagnostic]| findings.iter().filter(|finding| finding.is_error()).cloned().collect::<Vec<_>>();
    let mut findings = errors(before);
    findings.retain(|finding| !after.iter().any(|other| is_same(finding, other)));
    findings.extend(errors(after));
    findings.extend(doubts);
    output::findings_with(findings, color, "what they are about was not compared")
}
