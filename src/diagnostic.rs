//! What is wrong with an input, and where: file, line, column, field, and what would be right.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A text that was read, with the name under which people know it.
pub struct SourceFile {
    /// The path as the user gave it, or `<stdin>`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// A file of this name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }

    /// The line and column, both from 1, of a byte offset; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        (line, 1 + String::from_utf8_lossy(&before[start..]).chars().count())
    }

    /// Whether lines around here may be shown: never those of a document that holds a Secret.
    fn may_show(&self, offset: usize) -> bool {
        let offset = offset.min(self.text.len());
        let start = self.text[..offset].rfind("\n---").unwrap_or(0);
        let end = self.text[offset..].find("\n---").map_or(self.text.len(), |at| offset + at);
        !self.text[start..end].lines().any(|line| line.contains("kind") && line.contains("Secret"))
    }
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SourceFile({})", self.name)
    }
}

/// A stretch of a file, as byte offsets.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The bytes.
    pub span: Range<usize>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The input can't be rendered.
    Error,
    /// It is rendered, but will hardly do what was meant.
    Warning,
    /// It is rendered; the reader should know something about it.
    Note,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in one line.
    pub message: String,
    /// Where, if it is about a text.
    pub place: Option<Place>,
    /// The path of the field, such as `inference.adapters[0].source.name`; empty for a whole document.
    pub field: String,
    /// Whether the place is the field's own, and not that of the nearest one above a field that is missing.
    pub is_exact: bool,
    /// What is allowed and what to do, a line each.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message)
    }

    /// A warning without a place.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message)
    }

    /// A note without a place.
    pub fn note(message: impl Into<String>) -> Self {
        Self::new(Severity::Note, message)
    }

    fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), place: None, field: String::new(), is_exact: false, help: Vec::new() }
    }

    /// The same finding at a place.
    #[must_use]
    pub fn at(mut self, file: &Arc<SourceFile>, span: Range<usize>) -> Self {
        self.place = Some(Place { file: Arc::clone(file), span });
        self
    }

    /// The same finding about a field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// The same finding with a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Whether nothing can be rendered because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The order in which findings are shown: by file, place, and severity.
    fn rank(&self) -> (&str, usize, Severity, &str) {
        let (file, start) = self.place.as_ref().map_or(("", 0), |place| (place.file.name.as_str(), place.span.start));
        (file, start, self.severity, &self.message)
    }

    /// The finding as text for a terminal (`styled`) or a log: a title, `--> file:line:column`, the lines, and help.
    pub fn render(&self, styled: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = if self.field.is_empty() { self.message.clone() } else { format!("{}: {}", self.field, self.message) };
        let mut group = Group::with_title(level.primary_title(title));
        let shown = self.place.as_ref().filter(|place| place.file.may_show(place.span.start));
        if let Some(place) = shown {
            let span = first_line(&place.file.text, &place.span);
            let annotation = AnnotationKind::Primary.span(span);
            group = group.element(Snippet::source(&place.file.text).path(&place.file.name).annotation(annotation));
        } else if let Some(place) = &self.place {
            let (line, column) = place.file.line_column(place.span.start);
            group = group.element(Level::NOTE.with_name("at").message(format!("{}:{line}:{column}", place.file.name)));
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// The part of a span that lies on its first line: what is shown stays short.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = span.start.min(text.len());
    let end = span.end.clamp(start, text.len());
    let line_end = text[start..end].find('\n').map_or(end, |at| start + at);
    start..text[start..line_end].trim_end().len() + start
}

/// Sorts findings into reading order and drops repetitions.
pub fn sort(findings: &mut Vec<Diagnostic>) {
    findings.sort_by(|a, b| a.rank().cmp(&b.rank()));
    findings.dedup_by(|a, b| a.rank() == b.rank() && a.field == b.field);
}

/// The allowed names nearest to a misspelled one, best first, at most three.
pub fn nearest<'a>(name: &str, allowed: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let score = |candidate: &str| {
        let other = candidate.to_lowercase();
        let distance = strsim::normalized_damerau_levenshtein(&lower, &other);
        // Half a name, such as a model without its organisation, is near too, though many letters are missing.
        let is_part = lower.len() >= 3 && other.len() >= 3 && (other.contains(&lower) || lower.contains(&other));
        if is_part { distance.max(0.7) } else { distance }
    };
    let mut scored: Vec<(f64, &str)> = allowed.into_iter().map(|candidate| (score(candidate), candidate)).filter(|(score, _)| *score >= 0.65).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    scored.retain(|(score, _)| *score >= best - 0.15);
    scored.truncate(3);
    scored.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The help line for a misspelled name: `did you mean a, b or c?`, if anything is near.
pub fn did_you_mean<'a>(name: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = nearest(name, allowed);
    (!near.is_empty()).then(|| format!("did you mean {}?", either(&near)))
}

/// Alternatives as prose: `a`, `a or b`, `a, b or c`.
pub fn either(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
