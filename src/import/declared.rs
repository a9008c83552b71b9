//! What people declare in a cluster: objects without what servers and controllers have written into them, and what these refer to.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::apply;
use crate::inventory::PART_OF;
use crate::plan::drop_what_servers_write;

/// An annotation in which kubectl keeps a whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How the names begin of the annotations in which Kaito's operator keeps hashes and revisions.
const REVISIONS: [&str; 3] = ["workspace.kaito.io/", "inferenceset.kaito.io/", "ragengine.kaito.io/"];

/// What Kaito's operator notes when it upgrades a base image: a label and an annotation.
const UPGRADES: [&str; 2] = ["kaito.sh/upgrade-to-version", "kaito.sh/upgrade-start-time"];

/// The kinds that make others of `kaito.sh`, where Kaito's operator runs.
pub(super) const MAKERS: [&str; 2] = ["InferenceSet", "MultiRoleInference"];

/// Where a kind names ConfigMaps of its namespace; `*` is each item.
const CONFIG_MAPS: [(&str, &str); 6] = [
    ("Workspace", "inference.config"),
    ("Workspace", "tuning.config"),
    ("InferenceSet", "spec.template.inference.config"),
    ("MultiRoleInference", "spec.roles.*.runtimeConfig"),
    ("MultiRoleInference", "spec.eppPluginsConfig"),
    ("RAGEngine", "spec.guardrails.configMapRef.name"),
];

/// The fields that name a Secret, or several, as texts or as references.
const SECRETS: [&str; 9] = [
    "modelAccessSecret",
    "accessSecret",
    "imagePullSecret",
    "imagePullSecrets",
    "imagePushSecret",
    "secretName",
    "secretRef",
    "secretKeyRef",
    "secret",
];

/// Whether Kaito's operator makes an object for another one that is declared: rendered is that one.
pub fn is_made(object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.into_iter().any(|owner| {
        let is_kaitos = owner["apiVersion"].as_str().is_some_and(|version| version.starts_with("kaito.sh/"));
        is_kaitos && MAKERS.iter().any(|kind| owner["kind"] == *kind)
    })
}

/// Takes out of an object what the server, garbage collection and kubectl keep in it.
pub fn clean(object: &mut Value) {
    drop_what_servers_write(object);
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for field in ["ownerReferences", "finalizers", "generateName"] {
        metadata.remove(field);
    }
    drop_marks(object, |mark| mark == LAST_APPLIED);
}

/// Takes out of an object what Kaito's operator notes in it, and by what tools know what is theirs.
pub(super) fn drop_notes(object: &mut Value) {
    let is_noted = |mark: &str| {
        REVISIONS.iter().any(|start| mark.starts_with(start)) || UPGRADES.contains(&mark) || mark == PART_OF || apply::is_mark_of_tool(mark)
    };
    drop_marks(object, is_noted);
}

/// Takes labels and annotations out of an object, and the fields if nothing is left in them.
fn drop_marks(object: &mut Value, is_dropped: impl Fn(&str) -> bool) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for place in ["labels", "annotations"] {
        if let Some(marks) = metadata.get_mut(place).and_then(Value::as_object_mut) {
            marks.retain(|mark, _| !is_dropped(mark));
            if marks.is_empty() {
                metadata.remove(place);
            }
        }
    }
}

/// The names of the ConfigMaps of its namespace that an object names.
pub fn config_maps_of(object: &Value) -> Vec<String> {
    let paths = CONFIG_MAPS.iter().filter(|(kind, _)| object["kind"] == *kind);
    let found = paths.flat_map(|(_, path)| path.split('.').fold(vec![object], step));
    found.filter_map(Value::as_str).filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

fn step<'v>(values: Vec<&'v Value>, field: &str) -> Vec<&'v Value> {
    let below = |value: &'v Value| match field {
        "*" => value.as_array().into_iter().flatten().collect(),
        _ => value.get(field).into_iter().collect::<Vec<_>>(),
    };
    values.into_iter().flat_map(below).collect()
}

/// The names of the Secrets that an object names.
pub(super) fn secrets(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(secrets).collect(),
        Value::Object(fields) => {
            let named = fields.iter().filter(|(field, _)| SECRETS.contains(&field.as_str())).flat_map(|(_, value)| names(value));
            named.chain(fields.values().flat_map(secrets)).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// A name, the name of a reference, or those of a list of either.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(names).collect(),
        value => value.as_str().or_else(|| value["name"].as_str()).filter(|name| !name.is_empty()).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn config_maps_are_found() {
        let object = |kind: &str, fields: Value| {
            let mut object = fields;
            object["kind"] = kind.into();
            object
        };
        let table = [
            (object("Workspace", json!({"inference": {"config": "a"}})), vec!["a"]),
            (object("Workspace", json!({"inference": {"config": ""}, "tuning": {"config": "b"}})), vec!["b"]),
            (object("Workspace", json!({"inference": {"preset": {"name": "phi-4"}}})), vec![]),
            (object("InferenceSet", json!({"spec": {"template": {"inference": {"config": "a"}}}})), vec!["a"]),
            (
                object(
                    "MultiRoleInference",
                    json!({"spec": {"roles": [{"runtimeConfig": "a"}, {}, {"runtimeConfig": "b"}], "eppPluginsConfig": "c"}}),
                ),
                vec!["a", "b", "c"],
            ),
            (object("RAGEngine", json!({"spec": {"guardrails": {"configMapRef": {"name": "a"}}}})), vec!["a"]),
            (object("ModelMirror", json!({"inference": {"config": "a"}})), vec![]),
        ];
        for (object, want) in table {
            assert_eq!(config_maps_of(&object), want, "{object}");
        }
    }

    #[test]
    fn secrets_are_found() {
        let table = [
            (json!({"inference": {"preset": {"presetOptions": {"modelAccessSecret": "hf"}}}}), vec!["hf"]),
            (json!({"inference": {"adapters": [{"source": {"imagePullSecrets": ["b", "a"]}}]}}), vec!["a", "b"]),
            (json!({"tuning": {"output": {"imagePushSecret": "push"}}}), vec!["push"]),
            (json!({"inference": {"template": {"spec": {"imagePullSecrets": [{"name": "pull"}]}}}}), vec!["pull"]),
            (json!({"env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k"}}}]}), vec!["t"]),
            (json!({"envFrom": [{"secretRef": {"name": "all"}}], "volumes": [{"secret": {"secretName": "v"}}]}), vec!["all", "v"]),
            (json!({"spec": {"source": {"accessSecret": {"name": "m", "namespace": "n"}}}}), vec!["m"]),
            (json!({"inference": {"preset": {"name": "phi-4", "presetOptions": {"modelAccessSecret": ""}}}}), vec![]),
        ];
        for (object, want) in table {
            assert_eq!(secrets(&object).into_iter().collect::<Vec<_>>(), want, "{object}");
        }
    }

    #[test]
    fn notes_go() {
        let mut object = json!({
            "metadata": {
                "labels": {"team": "a", "kaito.sh/upgrade-to-version": "0.5.1", PART_OF: "x"},
                "annotations": {
                    "workspace.kaito.io/hash": "h",
                    "workspace.kaito.io/revision": "3",
                    "kaito.sh/upgrade-start-time": "2026-01-01T00:00:00Z",
                    "argocd.argoproj.io/tracking-id": "a:b",
                    LAST_APPLIED: "{}",
                },
                "finalizers": ["workspace.finalizer.kaito.sh"],
            },
        });
        clean(&mut object);
        drop_notes(&mut object);
        assert_eq!(object, json!({"metadata": {"labels": {"team": "a"}}}));
    }
}
