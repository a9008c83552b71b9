//! What a template leaves: a YAML tree with tokens where values belong, and the values.
//!
//! A thousand Workspaces of one kind leave the same tree. It is read once, and once for each set of keys its text is written
//! with holes, so that writing an object is copying text and filling holes.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::aside::{Aside, OPEN, QUOTED, Scalar};
use crate::manifest::ObjectRef;
use crate::yaml::{self, Kind, Node};

/// A word that YAML writes as it is, and that no manifest holds.
const HOLE: &str = "Qkaitohole";

/// The bytes of a value, as most of them are.
const USUAL_VALUE: usize = 32;

/// How many sets of keys one tree keeps its text for.
const MOST_TEXTS: usize = 256;

/// A YAML tree with tokens.
pub(super) struct Shape {
    tree: Value,
    /// What the object is called.
    identity: Identity,
    /// The keys that have tokens.
    keys: Vec<String>,
    texts: RwLock<HashMap<Vec<SmolStr>, Arc<Text>, foldhash::fast::RandomState>>,
}

/// What identifies an object: `apiVersion`, `kind`, `metadata.namespace` and `metadata.name`.
struct Identity {
    api_version: Option<Scalar>,
    kind: Option<Scalar>,
    namespace: Option<Scalar>,
    name: Option<Scalar>,
}

/// The text of a tree, in pieces: before the first hole, between holes, after the last.
struct Text {
    pieces: Vec<String>,
    /// The scalar with tokens that belongs into each hole.
    holes: Vec<Scalar>,
}

/// An object: what a template has left, or what patches have made of that.
pub struct Object {
    form: Form,
    reference: ObjectRef,
}

enum Form {
    /// A text with holes, and what belongs into them.
    Shaped { shape: Arc<Shape>, text: Arc<Text>, values: Vec<Aside> },
    /// A value by itself.
    Whole(Value),
}

impl Shape {
    /// The tree of a template's output, without fields that have nothing.
    pub(super) fn new(root: &Node, text: &str) -> Self {
        let tree = tree(root, text);
        let mut keys = Vec::new();
        keys_with_tokens(&tree, &mut keys);
        Self { identity: Identity::of(&tree), tree, keys, texts: RwLock::default() }
    }

    /// The text for these keys, written when they are first seen.
    fn text(&self, keys: Vec<SmolStr>) -> Result<Arc<Text>, String> {
        if let Some(text) = self.texts.read().ok().and_then(|texts| texts.get(&keys).cloned()) {
            return Ok(text);
        }
        let text = Arc::new(Text::new(&self.tree, &self.keys, &keys)?);
        if let Ok(mut texts) = self.texts.write()
            && texts.len() < MOST_TEXTS
        {
            texts.insert(keys, Arc::clone(&text));
        }
        Ok(text)
    }
}

impl Identity {
    fn of(tree: &Value) -> Self {
        let scalar = |path: &[&str]| path.iter().try_fold(tree, |tree, field| tree.get(field))?.as_str().map(Scalar::of);
        Self {
            api_version: scalar(&["apiVersion"]),
            kind: scalar(&["kind"]),
            namespace: scalar(&["metadata", "namespace"]),
            name: scalar(&["metadata", "name"]),
        }
    }

    fn fill(&self, values: &[Aside]) -> Option<ObjectRef> {
        let fill = |scalar: &Option<Scalar>| scalar.as_ref()?.fill_text(values);
        let api_version = fill(&self.api_version)?;
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group).into();
        Some(ObjectRef { group, kind: fill(&self.kind)?, namespace: fill(&self.namespace), name: fill(&self.name)? })
    }
}

impl Object {
    /// An object of this shape with these values.
    ///
    /// # Errors
    /// What makes it no Kubernetes object.
    pub(super) fn new(shape: Arc<Shape>, values: Vec<Aside>) -> Result<Self, String> {
        let reference = shape.identity.fill(&values).ok_or("the result has no apiVersion, kind or metadata.name")?;
        let keys = shape.keys.iter().map(|key| Scalar::of(key).fill_key(&values)).collect::<Result<_, _>>()?;
        let text = shape.text(keys)?;
        Ok(Self { form: Form::Shaped { shape, text, values }, reference })
    }

    /// An object that is there as a value.
    ///
    /// # Errors
    /// What makes it no Kubernetes object.
    pub fn of(value: Value) -> Result<Self, String> {
        Ok(Self { reference: ObjectRef::of(&value)?, form: Form::Whole(value) })
    }

    /// What it is.
    pub fn reference(&self) -> &ObjectRef {
        &self.reference
    }

    /// The object as a value.
    pub fn to_value(&self) -> Value {
        match &self.form {
            Form::Shaped { shape, values, .. } => fill(&shape.tree, values),
            Form::Whole(value) => value.clone(),
        }
    }

    /// Appends the object as YAML, the same bytes as [`yaml::to_yaml`] of its value.
    pub fn to_yaml(&self, out: &mut String) {
        match &self.form {
            Form::Shaped { text, values, .. } if text.fill(values, out) => {}
            Form::Shaped { .. } => yaml::to_yaml(&self.to_value(), out),
            Form::Whole(value) => yaml::to_yaml(value, out),
        }
    }
}

impl Text {
    /// Copies the text and fills its holes; `false`, and nothing is written, if a value needs more than one line.
    fn fill(&self, values: &[Aside], out: &mut String) -> bool {
        let start = out.len();
        let mut space = String::new();
        let Some((first, others)) = self.pieces.split_first() else { return false };
        out.reserve(self.pieces.iter().map(String::len).sum::<usize>() + USUAL_VALUE * self.holes.len());
        out.push_str(first);
        for (hole, piece) in self.holes.iter().zip(others) {
            if !hole.to_yaml(values, &mut space, out) {
                out.truncate(start);
                return false;
            }
            out.push_str(piece);
        }
        true
    }

    /// Writes a tree with its keys filled, and a hole for every scalar that has tokens.
    ///
    /// # Errors
    /// A key that so stands twice in one mapping.
    fn new(tree: &Value, keys: &[String], filled: &[SmolStr]) -> Result<Self, String> {
        let keys: HashMap<&str, &str> = keys.iter().map(String::as_str).zip(filled.iter().map(SmolStr::as_str)).collect();
        let mut holes = Vec::new();
        let with_holes = dig(tree, &keys, &mut holes)?;
        let mut text = String::new();
        yaml::to_yaml(&with_holes, &mut text);
        // A tree that holds the word itself has no text, and its objects are written the long way.
        Ok(Self::cut(&text, &holes).unwrap_or(Self { pieces: Vec::new(), holes: Vec::new() }))
    }

    /// Cuts a text at its holes, which stand in another order there, since maps are sorted as they are written.
    fn cut(text: &str, holes: &[String]) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut ordered = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(HOLE) {
            let (number, after) = after.split_once('q')?;
            ordered.push(Scalar::of(holes.get(number.parse::<usize>().ok()?)?));
            pieces.push(before.to_owned());
            rest = after;
        }
        pieces.push(rest.to_owned());
        (ordered.len() == holes.len()).then_some(Self { pieces, holes: ordered })
    }
}

fn dig(tree: &Value, keys: &HashMap<&str, &str>, holes: &mut Vec<String>) -> Result<Value, String> {
    Ok(match tree {
        Value::String(text) if text.contains(OPEN) => {
            holes.push(text.clone());
            Value::String(format!("{HOLE}{}q", holes.len() - 1))
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| dig(item, keys, holes)).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let mut filled = Map::new();
            for (key, value) in fields {
                let key = keys.get(key.as_str()).copied().unwrap_or(key);
                if filled.insert(key.to_owned(), dig(value, keys, holes)?).is_some() {
                    return Err(format!("the key {key:?} stands twice in one mapping"));
                }
            }
            Value::Object(filled)
        }
        other => other.clone(),
    })
}

/// A text's YAML with its tokens, without fields that have nothing, and with scalars marked that stand in quotes.
fn tree(node: &Node, text: &str) -> Value {
    match &node.kind {
        Kind::String(scalar) if scalar.contains(OPEN) && text[node.span.start..].starts_with(['"', '\'']) => {
            format!("{QUOTED}{scalar}").into()
        }
        Kind::Sequence(items) => items.iter().map(|item| tree(item, text)).collect(),
        Kind::Mapping(entries) => {
            let present = entries.iter().filter(|entry| !entry.value.is_null());
            Value::Object(present.map(|entry| (entry.key.to_string(), tree(&entry.value, text))).collect())
        }
        _ => node.to_value(),
    }
}

fn keys_with_tokens(tree: &Value, found: &mut Vec<String>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|item| keys_with_tokens(item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if key.contains(OPEN) {
                    found.push(key.clone());
                }
                keys_with_tokens(value, found);
            }
        }
        _ => {}
    }
}

/// Puts values where their tokens stand. That no two keys become one was seen when the text was written.
fn fill(tree: &Value, values: &[Aside]) -> Value {
    match tree {
        Value::String(text) if text.contains(OPEN) => Scalar::of(text).fill(values).to_value(),
        Value::Array(items) => items.iter().map(|item| fill(item, values)).collect(),
        Value::Object(fields) => {
            let key =
                |key: &str| if key.contains(OPEN) { Scalar::of(key).fill_key(values).unwrap_or_default().into() } else { key.to_owned() };
            Value::Object(fields.iter().map(|(name, value)| (key(name), fill(value, values))).collect())
        }
        other => other.clone(),
    }
}
