//! Which line of which template each line of an object comes from.
//!
//! An engine that traces puts a mark before each line of a template that leaves text. The marks come through macros, includes and
//! filters as the text does, and are taken out before it is read: what is rendered is the same.

use std::fmt::Write as _;
use std::sync::{Arc, RwLock};

use serde_json::Value;

use super::aside::{Aside, CLOSE, OPEN, Scalar};
use crate::diagnostic::SourceFile;
use crate::yaml::{Kind, Node, Step};

/// What stands around a mark; a character of Unicode's private use area.
const MARK: char = '\u{E0F3}';

/// The template files that were marked, by number.
#[derive(Default)]
pub(super) struct Marked(RwLock<Vec<Arc<SourceFile>>>);

/// A line of a template.
#[derive(Clone, Debug)]
pub struct TemplateLine {
    /// The template.
    pub file: Arc<SourceFile>,
    /// The line, from 1.
    pub line: usize,
}

/// Where the lines of one object come from.
pub struct Trace {
    root: Node,
    values: Vec<Aside>,
    text: String,
    /// The lines of templates behind each line of the text, from the outermost to the innermost.
    lines: Vec<Vec<TemplateLine>>,
}

impl Marked {
    /// A template with its lines marked.
    pub(super) fn mark(&self, file: &Arc<SourceFile>) -> String {
        let Ok(mut files) = self.0.write() else { return file.text.clone() };
        files.push(Arc::clone(file));
        let number = files.len() - 1;
        let mut marked = String::with_capacity(file.text.len() * 2);
        let mut open = None;
        for (index, line) in file.text.split_inclusive('\n').enumerate() {
            // A mark before a tag would be text, and within one no template.
            if open.is_none() && !line.trim_start().starts_with("{%") && !line.trim_start().starts_with("{#") {
                _ = write!(marked, "{MARK}{number}:{}{MARK}", index + 1);
            }
            marked.push_str(line);
            open = still_open(line, open);
        }
        marked
    }

    /// The text without marks, and the lines that these name.
    pub(super) fn strip(&self, text: &str) -> (String, Vec<Vec<TemplateLine>>) {
        let files = self.0.read().map(|files| files.clone()).unwrap_or_default();
        let mut plain = String::with_capacity(text.len());
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            let mut marks = Vec::new();
            for (index, part) in line.split(MARK).enumerate() {
                // What stands between two marks' ends is every other part.
                if index % 2 == 0 {
                    plain.push_str(part);
                } else if let Some((number, line)) =
                    part.split_once(':').and_then(|(file, line)| Some((file.parse::<usize>().ok()?, line.parse().ok()?)))
                {
                    marks.extend(files.get(number).map(|file| TemplateLine { file: Arc::clone(file), line }));
                }
            }
            lines.push(marks);
        }
        (plain, lines)
    }
}

/// The end of a tag that a line leaves open.
fn still_open(line: &str, open: Option<&'static str>) -> Option<&'static str> {
    let mut open = open;
    let mut rest = line;
    loop {
        if let Some(end) = open {
            match rest.find(end) {
                Some(at) => rest = &rest[at + end.len()..],
                None => return open,
            }
            open = None;
        } else {
            let tags = [("{#", "#}"), ("{%", "%}"), ("{{", "}}")];
            let (at, end) = tags.iter().filter_map(|(start, end)| Some((rest.find(start)?, *end))).min()?;
            rest = &rest[at + 2..];
            open = Some(end);
        }
    }
}

impl TemplateLine {
    /// The template and the line, for people: `templates/0.12/service.yaml:12 (embedded)`.
    pub fn place(&self) -> String {
        match self.file.name.strip_suffix(" (embedded)") {
            Some(name) => format!("{name}:{} (embedded)", self.line),
            None => format!("{}:{}", self.file.name, self.line),
        }
    }

    /// The line itself, without space around it.
    pub fn text(&self) -> &str {
        self.file.text.lines().nth(self.line - 1).unwrap_or_default().trim()
    }

    /// The conditions and loops that the line stands in, from the outermost to the innermost, each with its line.
    pub fn within(&self) -> Vec<Self> {
        let mut open: Vec<Self> = Vec::new();
        for (index, text) in self.file.text.lines().take(self.line.saturating_sub(1)).enumerate() {
            let Some(tag) = text.trim().strip_prefix("{%").map(|tag| tag.trim_start_matches('-').trim_start()) else { continue };
            let this = || Self { file: Arc::clone(&self.file), line: index + 1 };
            // A tag that is closed on its own line opens nothing.
            if (tag.starts_with("if ") && !text.contains("endif")) || (tag.starts_with("for ") && !text.contains("endfor")) {
                open.push(this());
            } else if tag.starts_with("elif ") || tag.starts_with("else") {
                open.pop();
                open.push(this());
            } else if tag.starts_with("endif") || tag.starts_with("endfor") {
                open.pop();
            }
        }
        open
    }
}

impl Trace {
    pub(super) fn new(root: Node, text: String, values: Vec<Aside>, lines: Vec<Vec<TemplateLine>>) -> Self {
        Self { root, values, text, lines }
    }

    /// The lines of templates behind a field, or behind the value that it is a part of: for each line of text, from the outermost
    /// to the innermost. The first is that of the field itself, the others are those of what is below it.
    pub fn find(&self, path: &[Step<'_>]) -> Option<&[Vec<TemplateLine>]> {
        let mut node = &self.root;
        let mut start = node.span.start;
        for step in path {
            let next = match (step, &node.kind) {
                (Step::Field(name), Kind::Mapping(entries)) => {
                    let entry = entries.iter().find(|entry| Scalar::of(&entry.key).fill_key(&self.values).is_ok_and(|key| key == *name));
                    entry.map(|entry| (entry.key_span.start, &entry.value))
                }
                (Step::Item(index), Kind::Sequence(items)) => items.get(*index).map(|item| (item.span.start, item)),
                _ => None,
            };
            match next {
                Some((at, next)) => (start, node) = (at, next),
                None if self.is_value(node) => break,
                None => return None,
            }
        }
        let line_of = |offset: usize| self.text.get(..offset).map(|before| before.matches('\n').count());
        let first = line_of(start)?;
        let last = line_of(last_byte(node))?.max(first);
        self.lines.get(first..=last)
    }

    /// Whether a node is one value that was put aside, with fields of its own.
    fn is_value(&self, node: &Node) -> bool {
        let Kind::String(text) = &node.kind else { return false };
        text.starts_with(OPEN)
            && text.ends_with(CLOSE)
            && matches!(Scalar::of(text).fill(&self.values), Aside::Other(Value::Object(_) | Value::Array(_)))
    }
}

/// Where the last value of a tree begins.
fn last_byte(node: &Node) -> usize {
    match &node.kind {
        Kind::Sequence(items) => items.last().map_or(node.span.start, last_byte),
        Kind::Mapping(entries) => entries.last().map_or(node.span.start, |entry| last_byte(&entry.value)),
        _ => node.span.start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_out_as_they_came_in() {
        let text = "{# a\n   b #}\n{% if x %}\nkind: {{ kind }}\n{% set y %}\n  z: 1\n{% endset %}\n{{ y }}\n";
        let file = SourceFile::new("t", text);
        let marked = Marked::default();
        let with_marks = marked.mark(&file);
        let (plain, lines) = marked.strip(&with_marks);
        assert_eq!(plain, text);
        let numbers: Vec<Vec<usize>> = lines.iter().map(|lines| lines.iter().map(|line| line.line).collect()).collect();
        assert_eq!(numbers, [vec![], vec![], vec![], vec![4], vec![], vec![6], vec![], vec![8]]);
    }
}
