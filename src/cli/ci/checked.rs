//! What is wrong with the newer commit by itself: what lint finds, and rendered files that are not what is rendered now.

use std::sync::Arc;

use super::Args;
use super::commits::Commits;
use crate::ci::Outdated;
use crate::cli::setup::{InputArgs, Setup};
use crate::cli::{render, rendered_branch};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::lint;
use crate::rule::{Levels, LintConfig};
use crate::session::Session;
use crate::source::Tree;
use crate::spec::Input;

/// What was found.
pub(super) struct Checked {
    /// What lint says, at its levels.
    pub findings: Vec<Diagnostic>,
    /// The files that were read.
    pub files: Vec<Arc<SourceFile>>,
    /// What `kaito.yaml` says about the rules.
    pub config: LintConfig,
    /// Whether all of it can be rendered.
    pub is_renderable: bool,
    /// Rendered files that are not current.
    pub outdated: Option<Outdated>,
}

/// Looks at the newer commit.
pub(super) fn check(args: &Args, commits: &Commits) -> Checked {
    let inputs = InputArgs { filename: args.filename.clone(), recursive: true, revision: None };
    let tree = &commits.newer.tree;
    let mut findings = Vec::new();
    let Some(mut setup) = Setup::at(Arc::clone(tree), &args.rendering, &inputs.filename, &mut findings) else {
        let config = LintConfig::default();
        let findings = lint::report(findings, &[], &Levels::new(&config, &args.lint.disable));
        return Checked { findings, files: Vec::new(), config, is_renderable: false, outdated: None };
    };
    setup.except.extend(args.rendered.clone());
    let files = setup.read(&inputs, &mut findings);
    let input = Input::read(&files, &setup.options, &mut findings);
    if input.is_empty() && findings.is_empty() {
        let finding = Diagnostic::error("there is nothing to check: the input has no object");
        findings.push(finding.help("name the files and directories with -f, from the current directory"));
    }
    let session = Session::new(&input, &setup.catalog, &setup.options, false, &mut findings);
    let engine = setup.engine();
    session.rehearse(&engine, &mut findings);
    let is_renderable = !findings.iter().any(Diagnostic::is_error);
    let mut outdated = None;
    if is_renderable && args.rendered.is_some() {
        let wanted = render::files(&engine, &session, &input.passed, args.include_workspace);
        match wanted.and_then(|wanted| compare(args, &**tree, &wanted)) {
            Ok(found) => outdated = found,
            Err(finding) => findings.push(finding),
        }
    }
    lint::check(&session, &mut findings);
    let findings = lint::report(findings, &files, &Levels::new(&setup.lint, &args.lint.disable));
    Checked { findings, files, config: setup.lint.clone(), is_renderable, outdated }
}

/// What is other in the directory of rendered files than it would be, if anything is.
fn compare(args: &Args, tree: &dyn Tree, wanted: &crate::output_dir::Files) -> Result<Option<Outdated>, Diagnostic> {
    let Some(directory) = &args.rendered else { return Ok(None) };
    let shown = directory.to_string_lossy().into_owned();
    let found = wanted.differences(tree, directory).map_err(|error| Diagnostic::error(format!("{shown} can't be read: {error}")))?;
    let files = found.lines();
    let command = rendered_branch::command(&args.filename, true, &args.rendering, None, args.include_workspace);
    let into = shlex::try_quote(&shown).map_or_else(|_| shown.clone(), std::borrow::Cow::into_owned);
    Ok((!files.is_empty()).then(|| Outdated { directory: shown, files, command: format!("{command} --output-dir {into}") }))
}
