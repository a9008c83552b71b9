//! `kaito explain` and `kaito render --explain`: why every figure is what it is.

use std::fmt::Write as _;

use super::completion::values;
use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::patch::Patch;
use crate::plan::{Plan, RagPlan, Reason};
use crate::session::{Patched, Session};
use crate::spec::{Input, RagEngine, Workspace, names};

/// Show the formula and origin of every figure of a Workspace.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kaito explain phi-4 -f workspace.yaml")]
pub(super) struct Args {
    /// Name of a Workspace or set, or NAMESPACE/NAME [default: all]
    #[arg(add = values::declared())]
    workspace: Option<String>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
}

/// Explains what was asked for.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let mut findings = Vec::new();
    let Some(setup) = Setup::new(&args.rendering, &args.input, &mut findings) else {
        output::findings(findings, color, "explained");
        return Exit::Invalid;
    };
    let files = setup.read(&args.input, &mut findings);
    let input = Input::read(&files, &setup.options, &mut findings);
    let asked = |namespace: &str, is_called: &dyn Fn(&str) -> bool| match &args.workspace {
        None => true,
        Some(asked) => match asked.split_once('/') {
            Some((in_namespace, name)) => in_namespace == namespace && is_called(name),
            None => is_called(asked),
        },
    };
    let asked_workspace = |workspace: &Workspace, namespace: &str| asked(namespace, &|name| is_called(workspace, name));
    let asked_engine = |engine: &RagEngine, namespace: &str| asked(namespace, &|name| engine.metadata.name == name);
    let session = Session::new(&input, &setup.catalog, &setup.options, true, &mut findings);
    let rag_engines = || input.rag_engines.iter().map(|located| located.value.metadata.name.as_str());
    let known = || input.workspaces.iter().map(|located| located.value.metadata.name.as_str()).chain(rag_engines());
    let is_known = input.workspaces.iter().any(|located| asked_workspace(&located.value, &located.namespace))
        || input.rag_engines.iter().any(|located| asked_engine(&located.value, &located.namespace));
    if !is_known && !findings.iter().any(Diagnostic::is_error) {
        findings.push(match args.workspace.as_deref() {
            Some(name) => {
                let mut finding = Diagnostic::error(format!("the input has no Workspace or RAGEngine {name}"));
                finding.help.extend(did_you_mean(name, known()));
                finding
            }
            None => nothing(),
        });
    }
    let patched = session.rehearse(&setup.engine(), &mut findings);
    if output::findings(findings, color, "explained") {
        return Exit::Invalid;
    }
    let workspaces = session.plans().filter(|plan| asked_workspace(plan.workspace, plan.namespace));
    let rag_engines = session.rag_engines().filter(|planned| asked_engine(planned.engine, planned.namespace));
    output::data(&text(workspaces, rag_engines, &setup.options.patches, &patched))
}

/// Whether a Workspace goes by a name: its own, or that of the set that makes it.
fn is_called(workspace: &Workspace, name: &str) -> bool {
    let sets = [names::INFERENCE_SET_CREATED_BY, names::MULTI_ROLE_CREATED_BY];
    workspace.metadata.name == name || sets.iter().any(|set| workspace.label(set) == Some(name))
}

/// What is said of an input without a Workspace.
pub(super) fn nothing() -> Diagnostic {
    Diagnostic::error("there is nothing to explain: the input has no Workspace")
        .help("name the files with -f (and -R for directories below)")
}

/// The reasons of plans as text, and the patches of their objects.
pub(super) fn text<'p, 'a: 'p>(
    workspaces: impl Iterator<Item = &'p Plan<'a>>,
    rag_engines: impl Iterator<Item = &'p RagPlan<'a>>,
    patches: &[Patch],
    patched: &[Patched],
) -> String {
    let workspaces = workspaces.map(|plan| ("Workspace", plan.key(), &plan.reasons));
    let rag_engines = rag_engines.map(|planned| ("RAGEngine", planned.key(), &planned.reasons));
    let mut text = String::new();
    for (kind, (namespace, name), reasons) in workspaces.chain(rag_engines) {
        if !text.is_empty() {
            text.push('\n');
        }
        _ = writeln!(text, "{kind} {namespace}/{name}");
        let (arguments, figures): (Vec<&Reason>, Vec<&Reason>) = reasons.iter().partition(|reason| reason.figure == "argument");
        for reason in figures {
            _ = writeln!(text, "  {}: {}", reason.figure, reason.value);
            _ = writeln!(text, "    = {}", reason.because);
            _ = writeln!(text, "    from {}", reason.origin);
        }
        let is_own = |patched: &&Patched| {
            patched.owner.as_ref().is_some_and(|(namespace, name)| (namespace.as_str(), name.as_str()) == (namespace, name))
        };
        for patched in patched.iter().filter(is_own) {
            let (kind, origin) = patches[patched.patch].origin();
            _ = writeln!(text, "  patched: {}\n    = {kind}\n    from {origin}", patched.object);
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
