//! Two values, field by field: what is different, and where.

use std::fmt;

use serde_json::Value;

use crate::quantity;

/// One step of the path to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A field.
    Field(String),
    /// An item of a list by the value of one of its fields, as `containers[name=phi-4]`.
    Named(&'static str, String),
    /// An item of a list by its number.
    Item(usize),
}

/// The path to a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Part>);

/// A field that is different.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where.
    pub path: Path,
    /// What was there.
    pub before: Option<Value>,
    /// What is there now.
    pub after: Option<Value>,
}

/// The fields by which items of lists are known, in the order in which they are tried.
pub(super) const KEYS: [&str; 6] = ["name", "mountPath", "containerPort", "port", "key", "path"];

/// Every field in which two values differ, the deepest that can be named.
pub fn changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare(&mut Path::default(), Some(before), Some(after), &mut found);
    found
}

fn compare(path: &mut Path, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<FieldChange>) {
    match (before, after) {
        (Some(before), Some(after)) if before == after || is_same_quantity(path, before, after) => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            let mut keys: Vec<&String> = before.keys().chain(added).collect();
            keys.sort();
            for key in keys {
                path.0.push(Part::Field(key.clone()));
                compare(path, before.get(key), after.get(key), found);
                path.0.pop();
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => lists(path, before, after, found),
        (before, after) => found.push(FieldChange { path: path.clone(), before: before.cloned(), after: after.cloned() }),
    }
}

fn lists(path: &mut Path, before: &[Value], after: &[Value], found: &mut Vec<FieldChange>) {
    if let Some(key) = KEYS.into_iter().find(|key| is_key(key, before) && is_key(key, after)) {
        let name = |item: &Value| text(&item[key]);
        let names = |items: &[Value]| items.iter().map(name).collect::<Vec<_>>();
        let (old, new) = (names(before), names(after));
        for name in old.iter().chain(new.iter().filter(|name| !old.contains(name))) {
            let item =
                |items: &'_ [Value], names: &[String]| names.iter().position(|other| other == name).map(|index| items[index].clone());
            path.0.push(Part::Named(key, name.clone()));
            compare(path, item(before, &old).as_ref(), item(after, &new).as_ref(), found);
            path.0.pop();
        }
        // The order counts too: of containers that start, of variables that name each other.
        let kept = |names: &[String], others: &[String]| names.iter().filter(|name| others.contains(name)).cloned().collect::<Vec<_>>();
        if kept(&old, &new) != kept(&new, &old) {
            let order = |names: &[String]| Some(Value::from(names.to_vec()));
            path.0.push(Part::Field("(order)".to_owned()));
            found.push(FieldChange { path: path.clone(), before: order(&old), after: order(&new) });
            path.0.pop();
        }
        return;
    }
    if before.len() == after.len() {
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            path.0.push(Part::Item(index));
            compare(path, Some(before), Some(after), found);
            path.0.pop();
        }
    } else {
        found.push(FieldChange { path: path.clone(), before: Some(before.into()), after: Some(after.into()) });
    }
}

/// Whether every item has the field, each another value.
pub(super) fn is_key(key: &str, items: &[Value]) -> bool {
    let values: Vec<&Value> = items.iter().filter_map(|item| item.get(key)).collect();
    values.len() == items.len() && values.iter().enumerate().all(|(index, value)| !values[..index].contains(value))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Whether two quantities are written otherwise and are the same: `1024Gi` and `1Ti`.
fn is_same_quantity(path: &Path, before: &Value, after: &Value) -> bool {
    let parent = path.0.iter().rev().nth(1);
    let is_quantity = matches!(parent, Some(Part::Field(name)) if name == "requests" || name == "limits");
    is_quantity && quantity::is_same(&text(before), &text(after))
}

impl Path {
    /// The names of the fields on the path, without the items of lists.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Named(..) | Part::Item(_) => None,
        })
    }

    /// Whether the path begins with these fields.
    pub fn starts_with(&self, fields: &[&str]) -> bool {
        self.0.len() >= fields.len() && fields.iter().zip(&self.0).all(|(field, part)| matches!(part, Part::Field(name) if name == field))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::Field(name) if name.contains(['.', '/', '[', ' ']) => write!(out, "[{name:?}]")?,
                Part::Field(name) if index == 0 => out.write_str(name)?,
                Part::Field(name) => write!(out, ".{name}")?,
                Part::Named(key, value) => write!(out, "[{key}={value}]")?,
                Part::Item(number) => write!(out, "[{number}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_different() {
        let table = [
            (json!({"a": 1}), json!({"a": 1}), vec![]),
            (json!({"a": 1}), json!({"a": 2}), vec!["a: 1 -> 2"]),
            (json!({}), json!({"a": {"b": 1}}), vec![r#"a: none -> {"b":1}"#]),
            (json!({"a": {"b.c": 1}}), json!({"a": {}}), vec![r#"a["b.c"]: 1 -> none"#]),
            (
                json!({"l": [{"name": "x", "v": 1}, {"name": "y"}]}),
                json!({"l": [{"name": "x", "v": 2}, {"name": "y"}]}),
                vec!["l[name=x].v: 1 -> 2"],
            ),
            (
                json!({"l": [{"name": "x"}]}),
                json!({"l": [{"name": "y"}]}),
                vec![r#"l[name=x]: {"name":"x"} -> none"#, r#"l[name=y]: none -> {"name":"y"}"#],
            ),
            (
                json!({"l": [{"name": "x"}, {"name": "y"}]}),
                json!({"l": [{"name": "y"}, {"name": "x"}]}),
                vec![r#"l.(order): ["x","y"] -> ["y","x"]"#],
            ),
            (json!({"l": ["a", "b"]}), json!({"l": ["a", "c"]}), vec![r#"l[1]: "b" -> "c""#]),
            (json!({"l": ["a"]}), json!({"l": ["a", "c"]}), vec![r#"l: ["a"] -> ["a","c"]"#]),
            (json!({"requests": {"storage": "1024Gi"}}), json!({"requests": {"storage": "1Ti"}}), vec![]),
            (json!({"limits": {"cpu": "500m"}}), json!({"limits": {"cpu": "0.5"}}), vec![]),
            (json!({"limits": {"cpu": 1}}), json!({"limits": {"cpu": "0.5"}}), vec![r#"limits.cpu: 1 -> "0.5""#]),
            (json!({"requests": {"storage": "1Gi"}}), json!({"requests": {"storage": "1G"}}), vec![r#"requests.storage: "1Gi" -> "1G""#]),
        ];
        for (before, after, want) in table {
            let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            let found = changes(&before, &after);
            let found: Vec<String> =
                found.iter().map(|change| format!("{}: {} -> {}", change.path, shown(&change.before), shown(&change.after))).collect();
            assert_eq!(found, want, "{before} and {after}");
        }
    }
}
