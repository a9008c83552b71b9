//! Whose a field is now: what `metadata.managedFields` tells of everybody else.
//!
//! Source: Kubernetes' documentation of server-side apply. Who removes a field leaves no trace there.

use std::fmt;

use serde_json::{Map, Value};

use super::owned::Key;
use crate::diff::{Part, Path};

/// Somebody who manages fields of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// When it last wrote any of its fields, as the server writes it; empty if that isn't told.
    pub time: String,
    /// The name of the field manager.
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: String,
}

impl fmt::Display for Manager {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, operation, time } = self;
        if time.is_empty() { write!(out, "{name} ({operation})") } else { write!(out, "{name} ({operation}, {time})") }
    }
}

/// The managers of a field of a live object besides this one, who wrote last being first.
pub fn managers(live: &Value, path: &Path, besides: &str) -> Vec<Manager> {
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let is_of = |entry: &&Value| {
        let owned = entry["fieldsV1"].as_object();
        entry["manager"] != besides && owned.is_some_and(|owned| !owned.is_empty() && manages(owned, live, &path.0))
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manager =
        |entry: &Value| Manager { time: text(&entry["time"]), name: text(&entry["manager"]), operation: text(&entry["operation"]) };
    let mut all: Vec<Manager> = entries.filter(is_of).map(manager).collect();
    all.sort_by(|one, other| other.cmp(one));
    all.dedup();
    all
}

/// Whether the field at the end of a path, or any below it, is among the owned ones.
fn manages(owned: &Map<String, Value>, live: &Value, path: &[Part]) -> bool {
    let is_whole = owned.keys().all(|name| name == ".");
    let Some((part, rest)) = path.split_first().filter(|_| !is_whole) else { return true };
    let below = |name: &str, live: &Value| owned.get(name).and_then(Value::as_object).is_some_and(|owned| manages(owned, live, rest));
    let item = |item: &Value| {
        let name = owned.keys().find(|name| Key::read(name).is_some_and(|key| key.is_of(item)));
        name.is_some_and(|name| below(name, item))
    };
    match part {
        // It's the list that has an order.
        Part::Field(_) if live.is_array() => true,
        Part::Field(name) => below(&format!("f:{name}"), &live[name.as_str()]),
        Part::Named(key, name) => {
            let is_named = |item: &&Value| item[*key].as_str().map_or_else(|| item[*key].to_string(), ToOwned::to_owned) == *name;
            live.as_array().and_then(|items| items.iter().find(is_named)).is_some_and(item)
        }
        Part::Item(number) => live.get(*number).is_some_and(item),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whose_fields_they_are() {
        let entry = |manager: &str, operation: &str, time: &str, fields: Value| json!({"manager": manager, "operation": operation, "time": time, "fieldsV1": fields});
        let image = json!({"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}});
        let port = json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}});
        let live = json!({
            "metadata": {"managedFields": [
                entry("kaito", "Apply", "2026-01-01T00:00:00Z", json!({"f:spec": {"f:a": {}, "f:b": {}}})),
                entry("edit", "Update", "2026-01-02T00:00:00Z", json!({"f:spec": {"f:a": {}}})),
                entry("hpa", "Apply", "2026-01-03T00:00:00Z", json!({"f:spec": {"f:a": {}, "f:whole": {}, "f:deep": {"f:er": {}}}})),
                entry("image", "Update", "2026-01-04T00:00:00Z", json!({"f:spec": image})),
                {"manager": "port", "operation": "Update", "fieldsV1": {"f:spec": port}},
                entry("broken", "Update", "2026-01-05T00:00:00Z", json!(1)),
            ]},
            "spec": {"a": 1, "whole": {"x": 1}, "deep": {"er": 1}, "containers": [{"name": "a", "image": "i"}], "ports": [{"name": "http", "port": 80}]},
        });
        let field = |name: &str| Part::Field(name.to_owned());
        let table = [
            (vec![field("a")], "hpa (Apply, 2026-01-03T00:00:00Z), edit (Update, 2026-01-02T00:00:00Z)"),
            (vec![field("b")], ""),
            (vec![field("gone")], ""),
            (vec![field("whole"), field("x")], "hpa (Apply, 2026-01-03T00:00:00Z)"),
            (vec![field("deep")], "hpa (Apply, 2026-01-03T00:00:00Z)"),
            (vec![field("containers"), Part::Named("name", "a".to_owned()), field("image")], "image (Update, 2026-01-04T00:00:00Z)"),
            (vec![field("containers"), Part::Named("name", "b".to_owned()), field("image")], ""),
            (vec![field("containers"), field("(order)")], "image (Update, 2026-01-04T00:00:00Z)"),
            (vec![field("ports"), Part::Named("name", "http".to_owned()), field("port")], "port (Update)"),
            (vec![field("ports"), Part::Item(0), field("port")], "port (Update)"),
        ];
        for (parts, want) in table {
            let path = Path([vec![field("spec")], parts].concat());
            let found: Vec<String> = managers(&live, &path, "kaito").iter().map(ToString::to_string).collect();
            assert_eq!(found.join(", "), want, "{path}");
        }
    }
}
