//! What others have changed of objects that were applied: what it is, whose it is now, and whether two fight over it.

mod fight;

use std::fmt;

use serde_json::Value;

use crate::diff::live::{Manager, change_without_secrets, managers};
use crate::diff::{FieldChange, Path};
use crate::health::line;
use crate::manifest::ObjectRef;

pub use fight::{Fight, Round};

/// What others have done to an object. [`fmt::Display`] says it in a line for an event, with secrets hidden.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The object.
    pub object: ObjectRef,
    /// What they have done.
    pub what: What,
}

/// What others have done to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It is gone. Who has deleted it is told nowhere but in the audit log of the server.
    Deleted,
    /// It is on its way to be gone.
    Deleting,
    /// Fields of ours are otherwise.
    Changed(Vec<Changed>),
}

/// A field of ours that is otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The field, what it is (`before` it is put right), and what it should be.
    pub change: FieldChange,
    /// Whose it is now; nobody's if it was removed.
    pub managers: Vec<Manager>,
}

/// What was done to a live object that was applied as `desired` by this field manager; `None` if nothing that matters.
pub fn drift(desired: &Value, live: &Value, manager: &str) -> Option<Drift> {
    if !live["metadata"]["deletionTimestamp"].is_null() {
        return Some(Drift { object: ObjectRef::of(live).ok()?, what: What::Deleting });
    }
    let found = change_without_secrets(desired, live, manager)?;
    let changed = |change: FieldChange| Changed { managers: managers(live, &change.path, manager), change };
    let fields = found.fields.into_iter().map(|field| changed(field.change)).collect();
    Some(Drift { object: found.reference, what: What::Changed(fields) })
}

impl Drift {
    /// That an object is gone.
    pub fn deleted(object: ObjectRef) -> Self {
        Self { object, what: What::Deleted }
    }

    /// The fields that are otherwise.
    pub fn paths(&self) -> Vec<&Path> {
        self.changed().iter().map(|changed| &changed.change.path).collect()
    }

    /// The names of those whose these fields are now, each once.
    pub fn managers(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.changed().iter().flat_map(|changed| &changed.managers).map(|manager| manager.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn changed(&self) -> &[Changed] {
        match &self.what {
            What::Changed(fields) => fields,
            What::Deleted | What::Deleting => &[],
        }
    }
}

/// How many fields are told one by one: an event takes 1,024 characters.
const TOLD: usize = 4;

impl fmt::Display for Drift {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ", self.object)?;
        let fields = match &self.what {
            What::Deleted => return out.write_str("was deleted"),
            What::Deleting => return out.write_str("is being deleted"),
            What::Changed(fields) => fields,
        };
        out.write_str("was changed: ")?;
        for (index, field) in fields.iter().take(TOLD).enumerate() {
            if index > 0 {
                out.write_str("; ")?;
            }
            field.fmt(out)?;
        }
        match fields.len().saturating_sub(TOLD) {
            0 => Ok(()),
            1 => out.write_str("; and 1 more field"),
            more => write!(out, "; and {more} more fields"),
        }
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FieldChange { path, before, after } = &self.change;
        let path = shortened(&path.to_string(), 120);
        match (before, after) {
            (None, _) => write!(out, "{path} was removed")?,
            (Some(_), None) => write!(out, "{path} was added")?,
            (Some(is), Some(was)) => match (shown(is), shown(was)) {
                (Some(is), Some(was)) => write!(out, "{path} is {is} instead of {was}")?,
                _ => write!(out, "{path} is another")?,
            },
        }
        match self.managers.as_slice() {
            [] => Ok(()),
            [manager] => write!(out, " by {manager}"),
            [manager, ..] => write!(out, " by {manager} and others"),
        }
    }
}

/// A value, if it is short and nothing in it is hidden.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Object(_) | Value::Array(_) => return None,
        value => line(&value.to_string()),
    };
    (text.chars().count() <= 60 && !text.contains("***")).then_some(text)
}

fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => line(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(spec: &Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "phi-4", "namespace": "models"}, "spec": spec})
    }

    fn managed(mut object: Value, ours: &Value, theirs: &Value) -> Value {
        object["metadata"]["managedFields"] = json!([
            {"manager": "kaito", "operation": "Apply", "apiVersion": object["apiVersion"], "time": "2026-03-02T08:00:00Z", "fieldsV1": ours},
            {"manager": "kubectl-edit", "operation": "Update", "apiVersion": object["apiVersion"], "time": "2026-03-02T09:00:00Z", "fieldsV1": theirs},
        ]);
        object
    }

    #[test]
    fn what_was_changed_and_by_whom() {
        let containers = |image: &str| json!({"replicas": 1, "template": {"spec": {"containers": [{"name": "phi-4", "image": image}]}}});
        let image = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"phi-4\"}": {".": {}, "f:image": {}}}}}}});
        let env = |value: &str| json!({"env": [{"name": "HF_TOKEN", "value": value}]});
        let secret =
            |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"a": value}});
        let many = |value: u64| set(&json!({"a": value, "b": value, "c": value, "d": value, "e": value, "f": value}));
        let replicas = json!({"f:spec": {"f:replicas": {}}});
        // What is wanted, what is there, whose fields are ours and theirs; what is said.
        let table = [
            (set(&json!({"replicas": 1})), set(&json!({"replicas": 1})), replicas.clone(), json!({}), None),
            (
                set(&json!({"replicas": 1})),
                set(&json!({"replicas": 1, "other": 1})),
                replicas.clone(),
                json!({"f:spec": {"f:other": {}}}),
                None,
            ),
            (
                set(&json!({"replicas": 1})),
                set(&json!({"replicas": 3})),
                json!({}),
                replicas.clone(),
                Some("was changed: spec.replicas is 3 instead of 1 by kubectl-edit (Update, 2026-03-02T09:00:00Z)"),
            ),
            (set(&json!({"replicas": 1})), set(&json!({})), json!({}), json!({}), Some("was changed: spec.replicas was removed")),
            (
                set(&containers("a:1")),
                set(&containers("a:2")),
                replicas,
                image,
                Some(
                    "was changed: spec.template.spec.containers[name=phi-4].image is \"a:2\" instead of \"a:1\" by kubectl-edit (Update, 2026-03-02T09:00:00Z)",
                ),
            ),
            (
                set(&env("hf_0123456789abcdef0123")),
                set(&env("hf_3210fedcba9876543210")),
                json!({}),
                json!({"f:spec": {"f:env": {}}}),
                Some("was changed: spec.env[name=HF_TOKEN].value is another by kubectl-edit (Update, 2026-03-02T09:00:00Z)"),
            ),
            (
                secret("b25l"),
                secret("dHdv"),
                json!({}),
                json!({"f:data": {"f:a": {}}}),
                Some("was changed: data.a is another by kubectl-edit (Update, 2026-03-02T09:00:00Z)"),
            ),
            (
                many(1),
                many(2),
                json!({}),
                json!({}),
                Some(
                    "was changed: spec.a is 2 instead of 1; spec.b is 2 instead of 1; spec.c is 2 instead of 1; spec.d is 2 instead of 1; and 2 more fields",
                ),
            ),
        ];
        for (desired, live, ours, theirs, want) in table {
            let said = drift(&desired, &managed(live, &ours, &theirs), "kaito").map(|drift| drift.to_string());
            let name = if desired["kind"] == "Secret" { "Secret n/s" } else { "StatefulSet models/phi-4" };
            assert_eq!(said, want.map(|want| format!("{name} {want}")), "{desired}");
        }
    }

    #[test]
    fn what_is_gone_has_words_of_its_own() {
        let mut going = set(&json!({"replicas": 1}));
        going["metadata"]["deletionTimestamp"] = json!("2026-03-02T09:00:00Z");
        let drift = drift(&set(&json!({"replicas": 1})), &going, "kaito").unwrap();
        assert_eq!(drift.to_string(), "StatefulSet models/phi-4 is being deleted");
        assert!(drift.paths().is_empty() && drift.managers().is_empty());
        let gone = Drift::deleted(ObjectRef::of(&going).unwrap());
        assert_eq!(gone.to_string(), "StatefulSet models/phi-4 was deleted");
    }
}
