//! What is wrong with an input, and where: file, line, column, field, and what would be right.

mod place;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

pub use place::{Place, Region, SourceFile, next_document};

use crate::rule::{self, Rule};

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

impl Severity {
    /// The name as formats and flags spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The rule that is broken; none if it is about the run itself.
    pub rule: Option<&'static Rule>,
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
        Self::new(None, Severity::Error, message)
    }

    /// A warning without a place.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(None, Severity::Warning, message)
    }

    /// A note without a place.
    pub fn note(message: impl Into<String>) -> Self {
        Self::new(None, Severity::Note, message)
    }

    pub(crate) fn new(rule: Option<&'static Rule>, severity: Severity, message: impl Into<String>) -> Self {
        Self { rule, severity, message: message.into(), place: None, field: String::new(), is_exact: false, help: Vec::new() }
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

    /// The same finding, that only warns.
    #[must_use]
    pub fn into_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether it is about this field, or one below it.
    pub fn is_about(&self, field: &str) -> bool {
        self.field.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
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

    /// The message with its field before it, shortened.
    pub fn title(&self) -> String {
        let message = shortened(&self.message);
        if self.field.is_empty() { message.into_owned() } else { format!("{}: {message}", shortened(&self.field)) }
    }

    /// The finding in one line, for a log or a status: `file:line:column: field: message`.
    pub fn line(&self) -> String {
        let Some(place) = &self.place else { return self.title() };
        let (line, column) = place.file.line_column(place.span.start);
        format!("{}:{line}:{column}: {}", place.file.name, self.title())
    }

    /// The finding as text for a terminal (`styled`) or a log: a title, `--> file:line:column`, the lines, and help.
    pub fn render(&self, styled: bool) -> String {
        self.render_as(None, styled)
    }

    /// The same with the name of its rule in the title, as `error[unknown-preset]`.
    pub fn render_with_rule(&self, styled: bool) -> String {
        self.render_as(Some(self.rule().id), styled)
    }

    /// The rule; the general one if it has none of its own.
    pub fn rule(&self) -> &'static Rule {
        self.rule.unwrap_or(&rule::GENERAL)
    }

    fn render_as(&self, rule: Option<&str>, styled: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(visible(&self.title()));
        let mut group = Group::with_title(match rule {
            Some(rule) => title.id(rule),
            None => title,
        });
        let shown = self.place.as_ref().filter(|place| place.file.may_show(place.span.start));
        // Whoever gives a file its name may not be who reads this.
        let file = self.place.as_ref().map(|place| visible_in_a_line(&place.file.name)).unwrap_or_default();
        if let Some(place) = shown {
            let (number, start) = place.file.line(place.span.start);
            let line = place.file.text[start..].lines().next().unwrap_or_default();
            let annotation = AnnotationKind::Primary.span(within_line(line, start, &place.span));
            // Those that `Snippet` leaves, by one of as many bytes.
            let line = line.replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "\u{b7}");
            group = group.element(Snippet::source(line).line_start(number).path(&file).annotation(annotation));
        } else if let Some(place) = &self.place {
            let (line, column) = place.file.line_column(place.span.start);
            group = group.element(Origin::path(&file).line(line).char_column(column));
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(visible(help)));
        }
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// A number of things: `1 node`, `2 nodes`.
pub fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A text in which nothing moves a cursor, colours a terminal or turns the reading direction. Its lines and tabs stay.
pub fn visible(text: &str) -> String {
    escaped(text, |c| c == '\n' || c == '\t')
}

/// The same in one line, for names: of files and objects, which whoever may write a repository chooses.
pub fn visible_in_a_line(text: &str) -> String {
    escaped(text, |_| false)
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // Source of the latter: "Trojan Source", the overrides and isolates of Unicode's bidirectional algorithm.
        if c.is_control() && !stays(c) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A message without the middle of a very long one, which quotes somebody's very long value.
fn shortened(message: &str) -> Cow<'_, str> {
    const MOST: usize = 400;
    if message.len() <= MOST {
        return Cow::Borrowed(message);
    }
    let head: String = message.chars().take(MOST / 2).collect();
    let tail: Vec<char> = message.chars().rev().take(MOST / 4).collect();
    Cow::Owned(format!("{head} ... {}", tail.into_iter().rev().collect::<String>()))
}

/// The part of a span that lies on its first line, as offsets in that line: what is shown stays short.
fn within_line(line: &str, line_start: usize, span: &Range<usize>) -> Range<usize> {
    let boundary = |offset: usize| (0..=offset.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let start = boundary(span.start.saturating_sub(line_start));
    let end = boundary(span.end.saturating_sub(line_start)).max(start);
    start..start + line[start..end].trim_end().len()
}

/// Sorts findings into reading order and drops repetitions.
pub fn sort(findings: &mut Vec<Diagnostic>) {
    findings.sort_by(|a, b| a.rank().cmp(&b.rank()));
    findings.dedup_by(|a, b| a.rank() == b.rank() && a.field == b.field);
}

/// The findings that are shown, and a line about the others: nobody reads a hundred thousand, which one file may have. Of too many, the worst
/// are shown.
pub fn first(findings: &[Diagnostic]) -> (Vec<&Diagnostic>, String) {
    const MOST: usize = 1000;
    let mut first: Vec<&Diagnostic> = findings.iter().collect();
    if first.len() <= MOST {
        return (first, String::new());
    }
    first.sort_by_key(|finding| finding.severity);
    let others = format!("... and {} more\n", first.len() - MOST);
    first.truncate(MOST);
    (first, others)
}

/// The allowed names nearest to a misspelled one, best first, at most three.
pub fn nearest<'a>(name: &str, allowed: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // To compare two names takes as much memory as both are long, multiplied.
    const LONGEST: usize = 200;
    if name.len() > LONGEST {
        return Vec::new();
    }
    let lower = name.to_lowercase();
    let score = |candidate: &str| {
        let other = candidate.to_lowercase();
        let distance = strsim::normalized_damerau_levenshtein(&lower, &other);
        // Half a name, such as a model without its organisation, is near too, though many letters are missing.
        let is_part = lower.len() >= 3 && other.len() >= 3 && (other.contains(&lower) || lower.contains(&other));
        if is_part { distance.max(0.7) } else { distance }
    };
    let mut scored: Vec<(f64, &str)> =
        allowed.into_iter().map(|candidate| (score(candidate), candidate)).filter(|(score, _)| *score >= 0.65).collect();
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
