//! The path of a field, as people write it.

use std::fmt;

use serde_json::Value;

use crate::diagnostic::{did_you_mean, plural};

use crate::yaml::Step;

/// A path such as `.spec.template.spec.containers[0].image`, `containers[name=phi-4]` or `labels["kaito.sh/workspace"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Field(String),
    Item(usize),
    /// The item of a list in which a field has a value.
    Where(String, String),
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.trim().strip_prefix('$').unwrap_or(text.trim());
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let quote = inner.chars().next().filter(|first| matches!(first, '"' | '\''));
                let (part, after) = if let Some(quote) = quote {
                    let (key, after) = inner[1..].split_once(quote).ok_or_else(|| format!("{text:?}: a quote is not closed"))?;
                    (Part::Field(key.to_owned()), after.strip_prefix(']').ok_or_else(|| format!("{text:?}: a ] is missing"))?)
                } else {
                    let (inside, after) = inner.split_once(']').ok_or_else(|| format!("{text:?}: a ] is missing"))?;
                    (bracket(inside).ok_or_else(|| format!("[{inside}]: write [0], [name=value] or [\"key\"]"))?, after)
                };
                parts.push(part);
                rest = after;
            } else {
                let field = rest.strip_prefix('.').unwrap_or(rest);
                let end = field.find(['.', '[']).unwrap_or(field.len());
                if end == 0 && !field.is_empty() && !field.starts_with('[') {
                    return Err(format!("{text:?}: a field has no name"));
                }
                if end > 0 {
                    parts.push(Part::Field(field[..end].to_owned()));
                }
                rest = &field[end..];
            }
        }
        Ok(Self(parts))
    }

    /// The steps to the field in an object, if it has it.
    pub fn resolve<'p>(&'p self, object: &Value) -> Option<Vec<Step<'p>>> {
        let mut value = object;
        let mut steps = Vec::new();
        for part in &self.0 {
            let step = match part {
                Part::Field(name) => Step::Field(name),
                Part::Item(index) => Step::Item(*index),
                Part::Where(field, wanted) => {
                    let has = |item: &Value| match item.get(field) {
                        Some(Value::String(text)) => text == wanted,
                        Some(other) => serde_json::from_str(wanted).is_ok_and(|wanted: Value| wanted == *other),
                        None => false,
                    };
                    Step::Item(value.as_array()?.iter().position(has)?)
                }
            };
            value = match step {
                Step::Field(name) => value.get(name)?,
                Step::Item(index) => value.get(index)?,
            };
            steps.push(step);
        }
        Some(steps)
    }

    /// What could be meant where the object has no such field.
    pub fn nearest(&self, object: &Value) -> Option<String> {
        let mut value = object;
        for part in &self.0 {
            let next = Self(vec![part.clone()]).resolve(value).and_then(|steps| value_at(value, &steps));
            match (next, value, part) {
                (Some(next), ..) => value = next,
                (None, Value::Object(fields), Part::Field(name)) => {
                    let known = fields.keys().map(String::as_str);
                    return did_you_mean(name, known.clone())
                        .or_else(|| Some(format!("the fields there are {}", known.collect::<Vec<_>>().join(", "))));
                }
                (None, Value::Array(items), _) => return Some(format!("the list has {}", plural(items.len() as u64, "item"))),
                _ => return Some("there is a value without fields above it".to_owned()),
            }
        }
        None
    }

    /// The steps of a path of fields.
    pub(super) fn steps(fields: &[&'static str]) -> Vec<Step<'static>> {
        fields.iter().map(|field| Step::Field(field)).collect()
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Field(name) if name.contains(['.', '/', '[']) => write!(out, "[{name:?}]"),
            Part::Field(name) => write!(out, ".{name}"),
            Part::Item(index) => write!(out, "[{index}]"),
            Part::Where(field, value) => write!(out, "[{field}={value}]"),
        })
    }
}

/// A value at the end of steps.
pub fn value_at<'v>(object: &'v Value, steps: &[Step<'_>]) -> Option<&'v Value> {
    steps.iter().try_fold(object, |value, step| match step {
        Step::Field(name) => value.get(name),
        Step::Item(index) => value.get(index),
    })
}

fn bracket(inside: &str) -> Option<Part> {
    if let Ok(index) = inside.parse() {
        return Some(Part::Item(index));
    }
    let (field, value) = inside.split_once('=')?;
    (!field.is_empty()).then(|| Part::Where(field.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_fields() {
        let object = serde_json::json!({"a": {"b.c/d": [{"name": "x", "v": 1}, {"name": "y", "v": 2}]}});
        let table = [
            (".a", true),
            ("a", true),
            ("$.a", true),
            (r#".a["b.c/d"][1].v"#, true),
            (".a['b.c/d'][name=y].v", true),
            (".a['b.c/d'][name=z].v", false),
            (".a['b.c/d'][v=2]", true),
            (".b", false),
            ("", true),
        ];
        for (text, found) in table {
            let path = FieldPath::parse(text).unwrap_or_else(|message| panic!("{text}: {message}"));
            assert_eq!(path.resolve(&object).is_some_and(|steps| value_at(&object, &steps).is_some()), found, "{text}");
        }
        for text in [".a[", ".a[x]", ".a[\"b]", ".a..b", ".a[\"b\""] {
            assert!(FieldPath::parse(text).is_err(), "{text}");
        }
    }
}
