//! Templates to objects, so that no value can leave its field.
//!
//! A template is the text of a manifest. While it runs, every `{{ value }}` leaves only a numbered token in the text and puts
//! the value aside. The text, which so holds nothing but the template's own characters, is read as YAML, and the values are
//! put where their tokens stand: a scalar that is one token becomes the value as it is (a string stays a string, a mapping
//! becomes a mapping); a token in quotes or within a longer scalar becomes a part of that string. A value is never YAML text,
//! whatever it holds. A field to which the template gives nothing is left out. The same text is read only once: a thousand
//! Workspaces of one shape cost one reading.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, RwLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use rust_embed::RustEmbed;
use serde::Serialize;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, SourceFile, did_you_mean};
use crate::manifest::ObjectRef;
use crate::yaml;

use super::aside::{Aside, CLOSE, OPEN, holds_tokens};
use super::fields::Fields;
use super::shape::{Object, Shape};
use super::trace::{Marked, Trace};

/// How much a template of the user's own may do before it is stopped: so many instructions, or 64 times as many bytes.
const FUEL: u64 = 1_000_000;

/// The bytes for which a unit of it pays, as minijinja has it.
const BYTES_OF_FUEL: usize = 64;

/// The most bytes of an object that a template of the user's own makes, as JSON: what an API server takes in a request.
const MOST_BYTES: usize = 3 << 20;

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Embedded;

/// The templates of one Kaito version, by name: built in, overridden file by file.
pub struct Templates {
    version: String,
    overrides: HashMap<String, Arc<SourceFile>>,
}

impl Templates {
    /// The built-in templates with the user's files, named by their path below the template folder, in their place.
    pub fn new(version: &str, overrides: HashMap<String, Arc<SourceFile>>) -> Self {
        Self { version: version.to_owned(), overrides }
    }

    /// The names of the built-in templates of a version.
    pub fn names(version: &str) -> Vec<String> {
        let prefix = format!("{version}/");
        Embedded::iter().filter_map(|path| path.strip_prefix(&prefix).map(ToOwned::to_owned)).collect()
    }

    fn file(&self, name: &str) -> Option<Arc<SourceFile>> {
        if let Some(file) = self.overrides.get(name) {
            return Some(Arc::clone(file));
        }
        let path = format!("{}/{name}", self.version);
        let text = String::from_utf8(Embedded::get(&path)?.data.into_owned()).ok()?;
        Some(SourceFile::new(format!("templates/{path} (embedded)"), text))
    }
}

/// A template went wrong, or made something that is no Kubernetes object.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct TemplateError(pub Box<Diagnostic>);

/// Runs templates.
pub struct Engine {
    environment: Environment<'static>,
    /// The YAML reading of texts that templates have left so far.
    shapes: RwLock<HashMap<String, Arc<Shape>, foldhash::fast::RandomState>>,
    templates: Arc<Templates>,
    /// What was rendered, traced to its templates, if that was asked for.
    traces: Option<Tracing>,
}

/// The marked templates, and the traces of the objects that were rendered from them.
#[derive(Default)]
struct Tracing {
    marked: Arc<Marked>,
    traces: RwLock<HashMap<ObjectRef, Arc<Trace>>>,
}

/// How many values most templates put aside, or fewer.
const SOME: usize = 32;

/// The values that one run of a template has put aside.
struct Values(Vec<Aside>);

impl Engine {
    /// An engine for these templates; undefined names are errors.
    pub fn new(templates: Templates) -> Self {
        Self::build(templates, None)
    }

    /// An engine that can tell where each field of an object comes from.
    pub fn tracing(templates: Templates) -> Self {
        Self::build(templates, Some(Tracing::default()))
    }

    /// Where the fields of an object come from that this engine, which traces, has rendered.
    pub fn trace(&self, reference: &ObjectRef) -> Option<Arc<Trace>> {
        self.traces.as_ref()?.traces.read().ok()?.get(reference).cloned()
    }

    fn build(templates: Templates, traces: Option<Tracing>) -> Self {
        let has_overrides = !templates.overrides.is_empty();
        let templates = Arc::new(templates);
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(block_lines());
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("yaml".into()));
        environment.set_formatter(move |out, state, value| {
            // Only a user's template can have joined the text of a macro with more, and its tokens would show.
            if has_overrides && !value.is_safe() && value.as_str().is_some_and(holds_tokens) {
                let message = "the value holds what a block or macro has left; print that by itself";
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
            put_aside(out, state, value)
        });
        // A value marked safe would be text again.
        environment.remove_filter("safe");
        environment.add_filter("shell_quote", shell_quote);
        environment.add_filter("indent", indent);
        if has_overrides {
            environment.set_fuel(Some(FUEL));
            environment.set_debug(true);
        }
        let files = Arc::clone(&templates);
        let marked = traces.as_ref().map(|traces| Arc::clone(&traces.marked));
        environment.set_loader(move |name| match files.file(name) {
            Some(file) if holds_tokens(&file.text) => {
                Err(Error::new(ErrorKind::SyntaxError, "a template can't hold the characters U+E0F0 to U+E0F2"))
            }
            found => Ok(found.map(|file| marked.as_ref().map_or_else(|| file.text.clone(), |marked| marked.mark(&file)))),
        });
        Self { environment, shapes: RwLock::default(), templates, traces }
    }

    /// Whether the user has put templates of their own in the place of built-in ones.
    pub fn has_overrides(&self) -> bool {
        !self.templates.overrides.is_empty()
    }

    /// Renders one object.
    ///
    /// # Errors
    /// The template, line and reason.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<Object, TemplateError> {
        let fault = |error: Error| self.error(name, &error, context);
        let template = self.environment.get_template(name).map_err(fault)?;
        let mut run = template.render_captured(Fields::of(context).map_err(fault)?).map_err(fault)?;
        let values =
            run.with_state_mut(|state| state.get_extension_mut::<Values>().map(|values| std::mem::take(&mut values.0)).unwrap_or_default());
        let (text, lines) = match &self.traces {
            None => (Cow::Borrowed(run.output()), Vec::new()),
            Some(traces) => {
                let (text, lines) = traces.marked.strip(run.output());
                (Cow::Owned(text), lines)
            }
        };
        let shape = self.shape(name, &text)?;
        let traced = self.traces.as_ref().map(|traces| (traces, values.clone()));
        let object = Object::new(shape, values).map_err(|message| self.fault(name, &message))?;
        if let Some((traces, values)) = traced {
            let documents = yaml::read(&SourceFile::new("", text.as_ref()), yaml::Limits::default(), &mut Vec::new());
            let trace = documents.first().map(|document| Trace::new(document.root.as_ref().clone(), text.into_owned(), values, lines));
            if let (Some(trace), Ok(mut all)) = (trace, traces.traces.write()) {
                all.insert(object.reference().clone(), Arc::new(trace));
            }
        }
        if self.has_overrides() {
            let json = object.to_value().to_string();
            if holds_tokens(&json) {
                return Err(self.fault(name, "a value holds a part of what a block or macro has left; print that by itself"));
            }
            if json.len() > MOST_BYTES {
                let message = format!("it made an object of {} bytes; an API server takes {MOST_BYTES}", json.len());
                return Err(self.fault(name, &message));
            }
        }
        Ok(object)
    }

    /// The YAML reading of a text with tokens.
    fn shape(&self, name: &str, text: &str) -> Result<Arc<Shape>, TemplateError> {
        if let Some(shape) = self.shapes.read().ok().and_then(|shapes| shapes.get(text).cloned()) {
            return Ok(shape);
        }
        let file = SourceFile::new("", text);
        let mut findings = Vec::new();
        let mut documents = yaml::read(&file, yaml::Limits::default(), &mut findings);
        if let Some(finding) = findings.first() {
            let line = finding.place.as_ref().map_or(0, |place| file.line_column(place.span.start).0);
            let source = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim().replace([OPEN, CLOSE], "");
            return Err(self.fault(name, &format!("line {line} of its output: {}: {source}", finding.message)));
        }
        if documents.len() != 1 {
            return Err(self.fault(name, &format!("it made {} documents; one is wanted", documents.len())));
        }
        let shape = Arc::new(Shape::new(&documents.remove(0).root, text));
        if let Ok(mut shapes) = self.shapes.write() {
            shapes.insert(text.to_owned(), Arc::clone(&shape));
        }
        Ok(shape)
    }

    fn fault(&self, name: &str, message: &str) -> TemplateError {
        let file = self.templates.file(name);
        let shown = file.as_ref().map_or(name, |file| file.name.as_str());
        TemplateError(Box::new(Diagnostic::error(format!("template {shown}: {message}"))))
    }

    /// What minijinja says, at its place in the template.
    fn error(&self, name: &str, error: &Error, context: &impl Serialize) -> TemplateError {
        let mut innermost = error;
        while let Some(inner) = std::error::Error::source(innermost).and_then(|source| source.downcast_ref::<Error>()) {
            innermost = inner;
        }
        let said = innermost.detail().map_or_else(|| innermost.kind().to_string(), ToOwned::to_owned);
        let Some(file) = self.templates.file(innermost.name().unwrap_or(name)) else { return self.fault(name, &said) };
        let span = innermost.range().or_else(|| line_span(&file.text, innermost.line()?)).unwrap_or(0..0);
        // Of what ends too soon, minijinja shows what would come next.
        let span = span.start.min(file.text.len())..span.end.min(file.text.len());
        let mut finding = Diagnostic::error(match innermost.kind() {
            ErrorKind::OutOfFuel => "the template was stopped: it runs on and on".to_owned(),
            ErrorKind::SyntaxError => format!("syntax error: {said}"),
            _ => said,
        });
        if innermost.kind() == ErrorKind::UndefinedError {
            let values = serde_json::to_value(context).unwrap_or_default();
            let names: Vec<&str> = values.as_object().into_iter().flat_map(|values| values.keys().map(String::as_str)).collect();
            let asked = file.text.get(span.clone()).unwrap_or_default();
            finding.help.extend(did_you_mean(asked, names.iter().copied()));
            finding = finding.help(format!("the names here are {}", names.join(", ")));
        }
        TemplateError(Box::new(finding.at(&file, span)))
    }
}

/// The bytes of a line, counted from 1.
fn line_span(text: &str, line: usize) -> Option<std::ops::Range<usize>> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    Some(start..start + text[start..].lines().next().map_or(0, str::len))
}

/// Block tags on lines of their own leave no line behind.
fn block_lines() -> SyntaxConfig {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().expect("the delimiters are minijinja's own")
}

/// Indents all lines but the first, as minijinja does, but text of a macro stays text.
fn indent(state: &State<'_, '_>, value: &minijinja::Value, width: usize) -> Result<minijinja::Value, Error> {
    let text = value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    // It is paid for before it is made.
    let more = width.saturating_mul(lines);
    state.consume_fuel((more.max(width) / BYTES_OF_FUEL) as u64)?;
    let mut indented = String::with_capacity(text.len() + more);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            indented.push('\n');
            indented.extend(std::iter::repeat_n(' ', width));
        }
        indented.push_str(line);
    }
    Ok(if value.is_safe() { minijinja::Value::from_safe_string(indented) } else { minijinja::Value::from(indented) })
}

/// Writes a token for a value. Only what macros and captures have written, which holds tokens itself, stays text.
fn put_aside(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &minijinja::Value) -> Result<(), Error> {
    if value.is_safe() {
        return out.write_str(value.as_str().unwrap_or_default()).map_err(Error::from);
    }
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::UndefinedError, "the value is undefined"));
    }
    let aside = match value.kind() {
        ValueKind::String => Some(Aside::Text(value.as_str().unwrap_or_default().into())),
        ValueKind::Plain | ValueKind::Bytes | ValueKind::Invalid => None,
        _ => serde_json::to_value(value).ok().map(|value| Aside::Other(whole(value))),
    };
    let aside = aside.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the value has no YAML form"))?;
    let values = &mut state.get_or_insert_extension_with(|| Values(Vec::with_capacity(SOME))).0;
    let number = values.len();
    values.push(aside);
    out.write_char(OPEN)?;
    out.write_str(itoa::Buffer::new().format(number))?;
    out.write_char(CLOSE).map_err(Error::from)
}

/// A number without a fraction as an integer: minijinja's `/` makes 2.0 of 4 / 2, which Go refuses for an integer.
fn whole(value: Value) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    match value.as_f64() {
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 9e15 => Value::from(number as i64),
        _ => value,
    }
}

/// A string as one word of a POSIX shell.
fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
