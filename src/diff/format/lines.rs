//! What is different of an object, as lines that are gone, new or the same.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::diagnostic::visible;
use crate::diff::report::{Change, Field, ObjectChange};
use crate::yaml;

/// How many lines that are the same stand around those that aren't.
pub(super) const CONTEXT: usize = 3;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// The path of a field whose lines follow, or what a cluster says of the object.
    Path,
    /// The same on both sides.
    Same,
    /// Gone.
    Removed,
    /// New.
    Added,
}

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    /// What it is.
    pub sign: Sign,
    /// Without its end, and with nothing that a terminal or browser would obey.
    pub text: String,
}

impl Line {
    fn new(sign: Sign, text: &str) -> Self {
        Self { sign, text: visible(text) }
    }
}

/// What a cluster says of an object, and what is different of it: of one that is new or gone everything, of another each field.
pub(super) fn of_object(object: &ObjectChange) -> Vec<Line> {
    let mut lines: Vec<Line> = object.notes.iter().map(|note| Line::new(Sign::Path, &note.to_string())).collect();
    match object.change {
        Change::Changed => lines.extend(object.fields.iter().flat_map(of_field)),
        Change::Added | Change::Removed => lines.extend(of_values(object.before.as_ref(), object.after.as_ref())),
    }
    lines
}

fn of_field(field: &Field) -> Vec<Line> {
    let mut lines = vec![Line::new(Sign::Path, &field.change.path.to_string())];
    match &field.flags {
        Some(flags) => {
            for flag in flags {
                let side = |sign, value: &Option<String>| value.as_ref().map(|value| Line::new(sign, &with_value(&flag.flag, value)));
                lines.extend(side(Sign::Removed, &flag.before));
                lines.extend(side(Sign::Added, &flag.after));
            }
        }
        None => lines.extend(of_values(field.change.before.as_ref(), field.change.after.as_ref())),
    }
    lines
}

fn with_value(flag: &str, value: &str) -> String {
    if value.is_empty() { flag.to_owned() } else { format!("{flag} {value}") }
}

/// Two values line by line; one that is absent has no line.
pub(super) fn of_values(before: Option<&Value>, after: Option<&Value>) -> Vec<Line> {
    let text = |value: Option<&Value>| value.map(|value| of_value(value).join("\n") + "\n").unwrap_or_default();
    let (before, after) = (text(before), text(after));
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        if !lines.is_empty() {
            lines.push(Line::new(Sign::Same, "..."));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => Sign::Removed,
                ChangeTag::Insert => Sign::Added,
                ChangeTag::Equal => Sign::Same,
            };
            lines.push(Line::new(sign, change.value().trim_end_matches('\n')));
        }
    }
    lines
}

/// A value as lines: a text as it is, everything else as YAML.
pub(super) fn of_value(value: &Value) -> Vec<String> {
    let text = match value {
        Value::String(text) if !text.is_empty() => visible(text),
        value @ (Value::Object(_) | Value::Array(_)) => {
            let mut text = String::new();
            yaml::to_yaml(value, &mut text);
            text
        }
        other => other.to_string(),
    };
    text.lines().map(ToOwned::to_owned).collect()
}
