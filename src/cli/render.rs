//! `kaito render`.

use std::mem;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use super::argocd::{self, Application};
use super::explain;
use super::output::{self, Color, Exit, Stdout};
use super::rendered_branch::{self, OnceArgs, PushArgs};
use super::setup::{InputArgs, RenderingArgs, Setup};
use super::timings::Timings;
use crate::argocd::for_application;
use crate::diagnostic::{Diagnostic, plural};
use crate::diff::Side;
use crate::manifest::ObjectRef;
use crate::output_dir::{Files, OutputDirError};
use crate::parallel;
use crate::render::{Engine, Object, TemplateError};
use crate::selector::Selector;
use crate::session::Session;
use crate::spec::{Input, Passed};
use crate::yaml;

/// Print the manifests that Workspaces stand for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito render -f workspace.yaml
  kaito render -R -f clusters/prod | kubectl apply --server-side -f -
  kustomize build . | kaito render -f - -o name
  kaito render -R -f clusters/prod --push --push-branch environments/prod")]
pub(super) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    push: PushArgs,
    #[command(flatten)]
    push_once: OnceArgs,
    #[command(flatten)]
    plugin: PluginArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Argo CD")]
struct PluginArgs {
    /// Render as a config management plugin: the current directory, as the environment says
    #[arg(long, exclusive = true)]
    argocd: bool,
    /// Print the parameters of the plugin, as it announces them
    #[arg(long, exclusive = true)]
    argocd_parameters: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// Format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// Take only the objects of the input with these labels, as kubectl's -l
    #[arg(short = 'l', long, value_name = "SELECTOR", overrides_with = "selector")]
    selector: Option<Selector>,
    /// Write files into this directory, one folder a Workspace, and remove those of an earlier run that are gone
    #[arg(long, value_name = "DIR", conflicts_with = "push")]
    output_dir: Option<PathBuf>,
    /// Print the Workspaces and ModelMirrors of the input too
    #[arg(long)]
    include_workspace: bool,
    /// Whether plain manifests of the input (ConfigMaps, Secrets, ...) are printed too
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    passthrough: bool,
    /// An input that renders to nothing is no error
    #[arg(long)]
    allow_empty: bool,
    /// Show the formula and origin of every figure instead of manifests
    #[arg(long, conflicts_with_all = ["output", "output_dir", "push"])]
    explain: bool,
    /// Say on standard error what each stage took
    #[arg(long)]
    timings: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A stream of YAML documents
    #[default]
    Yaml,
    /// A List in JSON
    Json,
    /// Kind and name of each object
    Name,
}

/// Renders what was asked for.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    match &args.plugin {
        PluginArgs { argocd: true, .. } => argocd::generate(color),
        PluginArgs { argocd_parameters: true, .. } => argocd::announce(),
        _ => run_for(args, None, color),
    }
}

/// Renders for an Application, if there is one.
pub(super) fn run_for(args: &Args, application: Option<&Application>, color: Color) -> Exit {
    if args.output.output_dir.is_some() && args.output.output != Format::Yaml {
        output::error("--output-dir writes YAML; leave out --output");
        return Exit::Usage;
    }
    if args.push.is_asked() && (args.output.output != Format::Yaml || !args.output.passthrough) {
        output::error("--push commits all manifests as YAML; leave out --output and --passthrough");
        return Exit::Usage;
    }
    let mut timings = Timings::start(args.output.timings);
    let mut findings = Vec::new();
    let input_args = if args.push.is_asked() { rendered_branch::committed(&args.input) } else { Ok(args.input.clone()) };
    let input_args = match input_args {
        Ok(input_args) => input_args,
        Err(finding) => {
            output::findings(vec![finding], color, "rendered");
            return Exit::Usage;
        }
    };
    let setup = match application {
        Some(application) => Setup::at(application.tree.clone(), &args.rendering, &input_args.filename, &mut findings),
        None => Setup::new(&args.rendering, &input_args, &mut findings),
    };
    let Some(mut setup) = setup else {
        output::findings(findings, color, "rendered");
        return Exit::Invalid;
    };
    setup.options.selector.clone_from(&args.output.selector);
    if let Some(namespace) = application.and_then(|application| application.namespace.clone()).filter(|_| !setup.says_namespace) {
        setup.options.namespace = namespace;
    }
    // Yesterday's output is not today's input.
    setup.except.extend(args.output.output_dir.clone());
    timings.end("set up", || "kaito.yaml, presets, options".to_owned());
    let files = setup.read(&input_args, &mut findings);
    timings.end("read", || plural(files.len() as u64, "file"));
    let input = Input::read(&files, &setup.options, &mut findings);
    timings.end("parse", || plural(files.iter().map(|file| file.text.len() as u64).sum(), "byte"));
    let session = Session::new(&input, &setup.catalog, &setup.options, args.output.explain, &mut findings);
    timings.end("plan", || plural(session.plans().count() as u64, "Workspace"));
    let passed = if args.output.passthrough { input.passed.as_slice() } else { &[] };
    if session.is_empty() && passed.is_empty() && !args.output.allow_empty && !findings.iter().any(Diagnostic::is_error) {
        findings.push(if args.output.selector.is_some() {
            Diagnostic::error("there is nothing to render: no object of the input has the labels of --selector")
                .help("or say --allow-empty")
        } else {
            let finding = Diagnostic::error("there is nothing to render: the input has no Workspace and no manifest");
            finding.help("name the files with -f (and -R for directories below), or say --allow-empty")
        });
    }
    if args.output.explain && session.is_empty() && !findings.iter().any(Diagnostic::is_error) {
        findings.push(explain::nothing());
    }
    let engine = setup.engine();
    let patched = session.rehearse(&engine, &mut findings);
    timings.end("rehearse", || "templates and patches of your own".to_owned());
    if output::findings(findings, color, if args.output.explain { "explained" } else { "rendered" }) {
        return Exit::Invalid;
    }
    if args.output.explain {
        let text = explain::text(session.plans(), session.rag_engines(), &setup.options.patches, &patched);
        return output::data(&text);
    }
    if args.push.is_asked() {
        let side = Side::new(&session, &input, &engine, &[]);
        return rendered_branch::run(
            (&args.push, args.push_once),
            &input_args,
            &args.rendering,
            &side,
            args.output.include_workspace,
            color,
        );
    }
    let written = write(args, application, &engine, &session, passed);
    timings.end("render", || "and write".to_owned());
    timings.show();
    // The process ends here, and gives everything back at once.
    mem::forget((session, engine));
    mem::forget((input, setup));
    match written {
        Ok(exit) => exit,
        Err(Failure::Output(error)) => output::finish(Err(error)),
        Err(Failure::Template(error)) => {
            output::findings(vec![*error.0], color, "rendered");
            Exit::Invalid
        }
        Err(Failure::Directory(error)) => failed(&error.to_string()),
        Err(Failure::Empty) => failed("there is nothing to render: patches delete every object"),
    }
}

fn failed(message: &str) -> Exit {
    output::error(message);
    Exit::Invalid
}

enum Failure {
    Template(TemplateError),
    Output(std::io::Error),
    Directory(OutputDirError),
    Empty,
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        Self::Template(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<OutputDirError> for Failure {
    fn from(error: OutputDirError) -> Self {
        Self::Directory(error)
    }
}

fn write(
    args: &Args,
    application: Option<&Application>,
    engine: &Engine,
    session: &Session<'_>,
    passed: &[Passed],
) -> Result<Exit, Failure> {
    let format = if args.output.output_dir.is_some() { Format::Yaml } else { args.output.output };
    let form = &Form { format, application };
    let mut sink = match &args.output.output_dir {
        Some(directory) => Sink::Directory(Files::default(), directory.clone()),
        None => Sink::Stream(Stdout::new(), format, 0),
    };
    fill(&mut sink, form, args.output.include_workspace, engine, session, passed)?;
    // To Argo CD, no manifests would mean that all are to be deleted.
    if application.is_some() && matches!(sink, Sink::Stream(_, _, 0)) {
        return Err(Failure::Empty);
    }
    sink.finish()
}

/// The files of `--output-dir`; the Workspaces and `ModelMirrors` of the input too, if that is said.
///
/// # Errors
/// A template at fault, or two objects with one file.
pub(super) fn files(engine: &Engine, session: &Session<'_>, passed: &[Passed], include_workspace: bool) -> Result<Files, Diagnostic> {
    let form = Form { format: Format::Yaml, application: None };
    let mut sink = Sink::Directory(Files::default(), PathBuf::new());
    fill(&mut sink, &form, include_workspace, engine, session, passed).map_err(|failure| match failure {
        Failure::Template(error) => *error.0,
        Failure::Directory(error) => Diagnostic::error(error.to_string()),
        Failure::Output(error) => Diagnostic::error(error.to_string()),
        Failure::Empty => Diagnostic::error("there is nothing to render"),
    })?;
    match sink {
        Sink::Directory(files, _) => Ok(files),
        Sink::Stream(..) => Ok(Files::default()),
    }
}

fn fill(
    sink: &mut Sink,
    form: &Form<'_>,
    include_workspace: bool,
    engine: &Engine,
    session: &Session<'_>,
    passed: &[Passed],
) -> Result<(), Failure> {
    for some in passed.chunks(256) {
        let written =
            parallel::map(some, |passed| Ok(session.pass(passed)?.map(|(reference, value)| Written::declared(&reference, value, form))));
        written
            .into_iter()
            .try_for_each(|written: Result<_, TemplateError>| written?.map_or(Ok(()), |written| sink.take(None, written)))?;
    }
    if include_workspace {
        session.declared_mirrors().try_for_each(|(reference, value)| sink.take(None, Written::declared(&reference, value, form)))?;
    }
    session.render_shared(engine, |owner, object| sink.take(owner, Written::rendered(&object, form)))?;
    session.render(
        engine,
        |plan, objects| {
            let owner = (plan.namespace.to_owned(), plan.workspace.metadata.name.clone());
            let mut written = Vec::new();
            if include_workspace {
                let reference = ObjectRef::new("kaito.sh", "Workspace", Some(&owner.0), &owner.1);
                written.push(Written::declared(&reference, session.declared(plan), form));
            }
            written.extend(objects.iter().map(|object| Written::rendered(object, form)));
            Ok((owner, written))
        },
        |(owner, written): ((String, String), Vec<Written>)| {
            written.into_iter().try_for_each(|written| sink.take(Some((&owner.0, &owner.1)), written))
        },
    )
}

/// How objects are written.
struct Form<'a> {
    format: Format,
    application: Option<&'a Application>,
}

/// An object as text.
struct Written {
    reference: ObjectRef,
    text: String,
}

impl Written {
    fn declared(reference: &ObjectRef, mut object: Value, form: &Form<'_>) -> Self {
        if let Some(application) = form.application {
            for_application(reference, &mut object, application.sync_waves);
        }
        let mut text = String::new();
        match form.format {
            Format::Yaml => yaml::to_yaml(&object, &mut text),
            Format::Json => text = yaml::to_json(&object),
            Format::Name => text = reference.resource_name(),
        }
        Self { reference: reference.clone(), text }
    }

    fn rendered(object: &Object, form: &Form<'_>) -> Self {
        if form.format != Format::Yaml || form.application.is_some() {
            return Self::declared(object.reference(), object.to_value(), form);
        }
        let mut text = String::new();
        object.to_yaml(&mut text);
        Self { reference: object.reference().clone(), text }
    }
}

/// Where manifests go.
enum Sink {
    Stream(Stdout, Format, usize),
    Directory(Files, PathBuf),
}

impl Sink {
    fn take(&mut self, workspace: Option<(&str, &str)>, object: Written) -> Result<(), Failure> {
        match self {
            Self::Directory(files, _) => files.add(&object.reference, workspace, object.text)?,
            Self::Stream(out, format, count) => {
                match format {
                    Format::Name => out.write(&format!("{}\n", object.text))?,
                    Format::Yaml => {
                        out.write(if *count > 0 { "---\n" } else { "" })?;
                        out.write(&object.text)?;
                    }
                    Format::Json => {
                        out.write(if *count == 0 {
                            "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": [\n    "
                        } else {
                            ",\n    "
                        })?;
                        out.write(&object.text.replace('\n', "\n    "))?;
                    }
                }
                *count += 1;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Exit, Failure> {
        match self {
            Self::Directory(files, directory) => {
                let done = files.write(&directory)?;
                let message = format!(
                    "{}: {} written, {} unchanged, {} removed",
                    directory.display(),
                    plural(done.written as u64, "file"),
                    done.unchanged,
                    done.removed
                );
                output::done(&message);
            }
            Self::Stream(mut out, format, count) => {
                match (format, count) {
                    (Format::Json, 0) => out.write("{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": []\n}\n")?,
                    (Format::Json, _) => out.write("\n  ]\n}\n")?,
                    _ => {}
                }
                out.flush()?;
            }
        }
        Ok(Exit::Done)
    }
}
