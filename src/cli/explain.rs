//! `kaito explain` and `kaito render --explain`: why every figure is what it is.

use std::fmt::Write as _;

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plan::{Plan, Reason};
use crate::session::Session;
use crate::spec::{Input, Workspace, names};

/// Show the formula, the inputs and the origin of every figure of a Workspace.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kaito explain phi-4 -f workspace.yaml")]
pub(super) struct Args {
    /// Name of a Workspace or set, or NAMESPACE/NAME [default: all]
    workspace: Option<String>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
}

/// Explains what was asked for.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let mut findings = Vec::new();
    let Some(setup) = Setup::new(&args.rendering, &args.input.filename, &mut findings) else {
        output::findings(findings, color, "explained");
        return Exit::Invalid;
    };
    let files = setup.read(&args.input, &mut findings);
    let input = Input::read(&files, &setup.options, &mut findings);
    // A set is asked for by its own name.
    let is_called = |workspace: &Workspace, name: &str| {
        let sets = [names::INFERENCE_SET_CREATED_BY, names::MULTI_ROLE_CREATED_BY];
        workspace.metadata.name == name || sets.iter().any(|set| workspace.label(set) == Some(name))
    };
    let asked = |workspace: &Workspace, namespace: &str| match &args.workspace {
        None => true,
        Some(asked) => match asked.split_once('/') {
            Some((in_namespace, name)) => in_namespace == namespace && is_called(workspace, name),
            None => is_called(workspace, asked),
        },
    };
    let session = Session::new(&input, &setup.catalog, &setup.options, true, &mut findings);
    let known = || input.workspaces.iter().map(|located| located.value.metadata.name.as_str());
    let is_known = input.workspaces.iter().any(|located| asked(&located.value, &located.namespace));
    if !is_known && !findings.iter().any(Diagnostic::is_error) {
        findings.push(match args.workspace.as_deref() {
            Some(name) => {
                let mut finding = Diagnostic::error(format!("the input has no Workspace {name}"));
                finding.help.extend(did_you_mean(name, known()));
                finding
            }
            None => nothing(),
        });
    }
    if output::findings(findings, color, "explained") {
        return Exit::Invalid;
    }
    output::data(&text(session.plans().filter(|plan| asked(plan.workspace, plan.namespace))))
}

/// What is said of an input without a Workspace.
pub(super) fn nothing() -> Diagnostic {
    Diagnostic::error("there is nothing to explain: the input has no Workspace")
        .help("name the files with -f (and -R for directories below)")
}

/// The reasons of plans as text.
pub(super) fn text<'p, 'a: 'p>(plans: impl Iterator<Item = &'p Plan<'a>>) -> String {
    let mut text = String::new();
    for plan in plans {
        if !text.is_empty() {
            text.push('\n');
        }
        _ = writeln!(text, "Workspace {}/{}", plan.namespace, plan.workspace.metadata.name);
        let (arguments, figures): (Vec<&Reason>, Vec<&Reason>) = plan.reasons.iter().partition(|reason| reason.figure == "argument");
        for reason in figures {
            _ = writeln!(text, "  {}: {}", reason.figure, reason.value);
            _ = writeln!(text, "    = {}", reason.because);
            _ = writeln!(text, "    from {}", reason.origin);
        }
        if !arguments.is_empty() {
            text.push_str("  arguments:\n");
            let rows: Vec<Vec<String>> =
                arguments.iter().map(|reason| vec![format!("    {}", reason.value), format!("# {}", reason.origin)]).collect();
            text.push_str(&output::table(&rows));
        }
    }
    text
}
