//! A document as a tree of values that know their place. There are many such values, and most are short. The build reads presets into such
//! trees, so nothing else is named here.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::{Map, Number, Value};
use smol_str::SmolStr;

/// A value and the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Node {
    /// The bytes of the value in its file.
    pub span: Range<usize>,
    /// The value.
    pub kind: Kind,
}

/// The value of a node.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing: the same as an absent field.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer, or a finite number with a fraction.
    Number(Number),
    /// A string.
    String(SmolStr),
    /// A list.
    Sequence(Box<[Node]>),
    /// A mapping in the order of its text, without repeated keys.
    Mapping(Box<[Entry]>),
}

/// One `key: value` of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: SmolStr,
    /// The bytes of the key.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

/// What a value takes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Size {
    /// The values in it, itself and the keys of mappings among them.
    pub(crate) nodes: usize,
    /// The bytes of its texts.
    pub(crate) bytes: usize,
}

/// One step of a field path.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A field of a mapping.
    Field(&'a str),
    /// An item of a list, from 0.
    Item(usize),
}

impl<'a> From<&'a str> for Step<'a> {
    fn from(name: &'a str) -> Self {
        Step::Field(name)
    }
}

impl From<usize> for Step<'_> {
    fn from(index: usize) -> Self {
        Step::Item(index)
    }
}

/// A field path as Kubernetes prints it: `a.b[2]["kaito.sh/x"]`.
pub(super) fn path_text(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Item(index) => _ = write!(text, "[{index}]"),
            Step::Field(name) if name.contains(['.', '/', ' ']) => _ = write!(text, "[{name:?}]"),
            Step::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
        }
    }
    text
}

impl Node {
    /// The value of a field, if this is a mapping that has it.
    pub fn get(&self, field: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Mapping(entries) => entries.iter().find(|entry| entry.key == field).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// What kind of value this is, for people.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Bool(value) => format!("the boolean {value}"),
            Kind::Number(value) => format!("the number {value}"),
            Kind::String(value) if value.len() <= 60 => format!("the string {value:?}"),
            _ => self.kind_name().to_owned(),
        }
    }

    /// What it is, without its value: `a number`.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    /// What it takes.
    pub(crate) fn size(&self) -> Size {
        let mut whole = Size { nodes: 1, bytes: 0 };
        let mut add = |nodes: usize, bytes: usize, node: &Node| {
            let part = node.size();
            whole.nodes += nodes + part.nodes;
            whole.bytes += bytes + part.bytes;
        };
        match &self.kind {
            Kind::Sequence(items) => items.iter().for_each(|item| add(0, 0, item)),
            Kind::Mapping(entries) => entries.iter().for_each(|entry| add(1, entry.key.len(), &entry.value)),
            Kind::String(text) => whole.bytes = text.len(),
            _ => {}
        }
        whole
    }

    /// The value without places.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(value) => Value::Number(value.clone()),
            Kind::String(value) => Value::String(value.to_string()),
            Kind::Sequence(items) => items.iter().map(Node::to_value).collect(),
            Kind::Mapping(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_value())).collect::<Map<_, _>>())
            }
        }
    }

    /// The bytes to point at for a path, and whether the path leads all the way: the value's, a key's where the value spans
    /// lines, or the deepest ancestor's.
    pub(super) fn span_of(&self, path: &[Step<'_>]) -> (Range<usize>, bool) {
        let mut node = self;
        let mut span = match &self.kind {
            Kind::Mapping(entries) => entries.first().map_or_else(|| self.span.clone(), |entry| entry.key_span.clone()),
            _ => self.span.clone(),
        };
        for step in path {
            let next = match (step, &node.kind) {
                (Step::Field(name), Kind::Mapping(entries)) => entries.iter().find(|entry| entry.key == *name).map(|entry| {
                    span = match entry.value.kind {
                        Kind::Mapping(_) | Kind::Sequence(_) | Kind::Null => entry.key_span.clone(),
                        _ => entry.value.span.clone(),
                    };
                    &entry.value
                }),
                (Step::Item(index), Kind::Sequence(items)) => items.get(*index).inspect(|item| {
                    span = match &item.kind {
                        Kind::Mapping(entries) if !entries.is_empty() => entries[0].key_span.clone(),
                        _ => item.span.clone(),
                    };
                }),
                _ => None,
            };
            let Some(next) = next else { return (span, false) };
            node = next;
        }
        (span, true)
    }
}
