//! `kaito why`: where a field of a rendered object comes from.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::{Diagnostic, Place, did_you_mean};
use crate::manifest::ObjectRef;
use crate::options::Options;
use crate::patch::{self, Outcome};
use crate::plan::{Reason, Reasons};
use crate::render::{Engine, Object, TemplateError};
use crate::session::Session;
use crate::spec::Input;
use crate::why::{self, FieldPath, Why, value_at};
use crate::yaml::{self, Document};

/// Show where a field of a rendered object comes from.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito why statefulset/phi-4 .spec.replicas -f workspace.yaml
  kaito why StatefulSet/phi-4 '.spec.template.spec.containers[name=phi-4].command' -f workspace.yaml
  kaito why service/models/phi-4 -f workspace.yaml")]
pub(super) struct Args {
    /// KIND/NAME or KIND/NAMESPACE/NAME, as `kaito render -o name` prints it
    object: String,
    /// Path of the field, such as .spec.replicas or 'containers[0]'; the whole object if absent
    #[arg(value_parser = FieldPath::parse, default_value = "")]
    path: FieldPath,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
}

/// What several share has no figures.
static NO_REASONS: Reasons = Reasons::new(true);

/// An object that may be meant, and what it was rendered for.
struct Found<'a> {
    object: Object,
    /// `Workspace default/phi-4`; none for what several share.
    owner: Option<(String, &'a Document, &'a Reasons)>,
}

/// Answers.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let mut findings = Vec::new();
    let Some(setup) = Setup::new(&args.rendering, &args.input, &mut findings) else {
        output::findings(findings, color, "shown");
        return Exit::Invalid;
    };
    let files = setup.read(&args.input, &mut findings);
    let input = Input::read(&files, &setup.options, &mut findings);
    let session = Session::new(&input, &setup.catalog, &setup.options, true, &mut findings);
    session.rehearse(&setup.engine(), &mut findings);
    // What is only doubtful was said by `render`.
    findings.retain(Diagnostic::is_error);
    if output::findings(findings, color, "shown") {
        return Exit::Invalid;
    }
    let engine = setup.tracing_engine();
    // What templates leave, so that patches can be told from it.
    let plain = Options { patches: Vec::new(), ..setup.options.clone() };
    let session = Session::new(&input, &setup.catalog, &plain, true, &mut Vec::new());
    match answer(args, &session, &input, &setup.options, &engine) {
        Ok(text) => output::data(&text),
        Err(finding) => {
            output::findings(vec![*finding], color, "shown");
            Exit::Invalid
        }
    }
}

fn answer(args: &Args, session: &Session<'_>, input: &Input, options: &Options, engine: &Engine) -> Result<String, Box<Diagnostic>> {
    let is_meant = |reference: &ObjectRef| is_meant(&args.object, reference);
    if let Some(passed) = input.passed.iter().find(|passed| is_meant(&passed.reference)) {
        let (reference, object) = session.pass(passed).map_err(|error| error.0)?.unwrap_or_else(|| (passed.reference.clone(), Value::Null));
        return passed_through(args, &reference, &object, &passed.document, options);
    }
    let all = rendered(session, engine).map_err(|error| error.0)?;
    let known: Vec<String> = all.iter().map(|found| found.object.reference().resource_name()).collect();
    let mut meant: Vec<Found<'_>> = all.into_iter().filter(|found| is_meant(found.object.reference())).collect();
    let Some(found) = meant.pop() else {
        let mut finding = Diagnostic::error(format!("nothing is rendered that is called {}", args.object));
        finding.help.extend(did_you_mean(&args.object.to_lowercase(), known.iter().map(String::as_str)));
        return Err(Box::new(finding.help("`kaito render -o name` lists all objects")));
    };
    if !meant.is_empty() {
        let names: Vec<String> = meant.iter().chain([&found]).map(|found| found.object.reference().to_string()).collect();
        let finding = Diagnostic::error(format!("{} may mean {}", args.object, names.join(", ")));
        return Err(Box::new(finding.help("say KIND/NAMESPACE/NAME")));
    }
    let object = found.object.to_value();
    let patched = patched(args, found.object.reference(), &object, options)?;
    let field = field(args, found.object.reference(), &patched.object)?;
    let mut text = heading(args, found.object.reference(), field);
    let document = found.owner.as_ref().map(|(_, document, _)| *document);
    let reasons = found.owner.as_ref().map_or(&NO_REASONS, |(_, _, reasons)| *reasons);
    if let Some((owner, document, _)) = &found.owner {
        _ = writeln!(text, "\nfor       {owner}, {}", at(&document.place(&[])));
    }
    let trace = engine.trace(found.object.reference());
    if let Some(why) = trace.as_ref().and_then(|trace| why::why(trace, &args.path, &object, document, reasons)) {
        text.push_str(&describe(&why));
    }
    text.push_str(&patched.by);
    Ok(text)
}

/// What patches make of an object, and a line for each that changes the field.
struct Patched {
    object: Value,
    by: String,
}

fn patched(args: &Args, reference: &ObjectRef, object: &Value, options: &Options) -> Result<Patched, Box<Diagnostic>> {
    let mut now = Patched { object: object.clone(), by: String::new() };
    for (number, patch) in options.patches.iter().enumerate() {
        let outcome = patch::apply(&options.patches[..=number], reference, || object.clone(), &options.namespace, &mut BTreeSet::new())?;
        let (kind, origin) = patch.origin();
        let after = match outcome {
            Outcome::Untouched => continue,
            Outcome::Changed(after) => after,
            Outcome::Deleted => {
                let finding = Diagnostic::error(format!("{reference} isn't rendered: {kind} deletes it"));
                return Err(Box::new(finding.help(format!("it is in {origin}"))));
            }
        };
        let field = |object: &Value| args.path.resolve(object).and_then(|steps| value_at(object, &steps).cloned());
        if field(&now.object) != field(&after) {
            _ = writeln!(now.by, "patch     {kind}, {origin}");
        }
        now.object = after;
    }
    Ok(now)
}

/// Every object, with what it is for.
fn rendered<'s>(session: &'s Session<'_>, engine: &Engine) -> Result<Vec<Found<'s>>, TemplateError> {
    let mut all = Vec::new();
    session.render_shared(engine, |owner, object| {
        let engine = session.rag_engines().find(|planned| Some(planned.key()) == owner && object.reference().kind != "HelmRelease");
        let owner = engine.map(|planned| (name("RAGEngine", planned.key()), planned.document, &planned.reasons));
        let mirror = session.mirrors().find(|mirror| mirror.has(object.reference()));
        let owner = owner.or_else(|| mirror.map(|mirror| (mirror.owner(), mirror.document, &NO_REASONS)));
        all.push(Found { object, owner });
        Ok::<_, TemplateError>(())
    })?;
    session.render(
        engine,
        |plan, objects| Ok::<_, TemplateError>((plan.key().0.to_owned(), plan.key().1.to_owned(), objects)),
        |(namespace, workspace, objects)| {
            let plan = session.plans().find(|plan| plan.key() == (namespace.as_str(), workspace.as_str()));
            let owner = || plan.map(|plan| (name("Workspace", plan.key()), plan.document, &plan.reasons));
            all.extend(objects.into_iter().map(|object| Found { object, owner: owner() }));
            Ok(())
        },
    )?;
    Ok(all)
}

fn name(kind: &str, (namespace, name): (&str, &str)) -> String {
    format!("{kind} {namespace}/{name}")
}

/// Whether an object is called so: `KIND/NAME`, the kind in any case and with or without its group, or `KIND/NAMESPACE/NAME`.
fn is_meant(asked: &str, reference: &ObjectRef) -> bool {
    let mut parts = asked.splitn(3, '/');
    let (Some(kind), Some(second)) = (parts.next(), parts.next()) else { return false };
    let (namespace, name) = parts.next().map_or((None, second), |name| (Some(second), name));
    let kind = kind.to_lowercase();
    let own = reference.kind.to_lowercase();
    let is_kind = kind == own || kind == format!("{own}s") || kind == format!("{own}.{}", reference.group);
    is_kind && name == reference.name && namespace.is_none_or(|namespace| reference.namespace.as_deref() == Some(namespace))
}

fn passed_through(
    args: &Args,
    reference: &ObjectRef,
    object: &Value,
    document: &Document,
    options: &Options,
) -> Result<String, Box<Diagnostic>> {
    let patched = patched(args, reference, object, options)?;
    let value = field(args, reference, &patched.object)?;
    let steps = args.path.resolve(object).unwrap_or_default();
    let mut text = heading(args, reference, value);
    let declared = document.root.to_value();
    let is_declared = value_at(&declared, &steps) == value_at(object, &steps);
    let how = if is_declared { "passed through as it is" } else { "with images and registryMirrors of kaito.yaml" };
    _ = writeln!(text, "\ninput     {}, {how}", at(&document.place(&steps)));
    text.push_str(&patched.by);
    Ok(text)
}

fn field<'v>(args: &Args, reference: &ObjectRef, object: &'v Value) -> Result<&'v Value, Box<Diagnostic>> {
    let steps = args.path.resolve(object);
    steps.and_then(|steps| value_at(object, &steps)).ok_or_else(|| {
        let finding = Diagnostic::error(format!("{reference} has no field {}", args.path));
        Box::new(finding.help(args.path.nearest(object).unwrap_or_else(|| "`kaito render` shows the object".to_owned())))
    })
}

fn heading(args: &Args, reference: &ObjectRef, value: &Value) -> String {
    let mut text = format!("{reference} {}", args.path);
    text.truncate(text.trim_end().len());
    text.push('\n');
    let mut shown = String::new();
    match value {
        Value::Object(_) | Value::Array(_) => yaml::to_yaml(value, &mut shown),
        Value::String(line) => shown.push_str(line),
        other => shown.push_str(&other.to_string()),
    }
    for line in shown.lines() {
        _ = writeln!(text, "  {line}");
    }
    text
}

fn describe(why: &Why<'_>) -> String {
    let mut text = String::new();
    let lines = why.lines.iter().map(|line| ("template", line)).chain(why.within.iter().map(|line| ("within", line)));
    for (what, line) in lines {
        _ = writeln!(text, "{what:<9} {}\n            {}", line.place(), line.text());
    }
    let (arguments, figures): (Vec<&Reason>, Vec<&Reason>) = why.figures.iter().partition(|reason| reason.figure == "argument");
    for reason in figures {
        _ = writeln!(text, "figure    {}: {}", reason.figure, reason.value);
        _ = writeln!(text, "            = {}\n            from {}", reason.because, reason.origin);
    }
    let rows = arguments.iter().map(|reason| vec![format!("argument  {}", reason.value), format!("# {}", reason.origin)]);
    text.push_str(&output::table(&rows.collect::<Vec<_>>()));
    for (field, place) in &why.fields {
        let line = place.file.text.lines().nth(place.file.line_column(place.span.start).0 - 1).unwrap_or_default().trim();
        _ = writeln!(text, "field     {}: {field}\n            {line}", at(place));
    }
    text
}

fn at(place: &Place) -> String {
    let (line, column) = place.file.line_column(place.span.start);
    format!("{}:{line}:{column}", place.file.name)
}
