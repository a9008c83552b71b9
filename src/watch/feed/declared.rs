//! What people declare in a cluster, as files: without what servers and controllers have written, and without what is made for something
//! else that is declared.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::import::{clean, config_maps_of, is_made};
use crate::inventory::{PART_OF, part_of};

/// What tells an input to look things up in an object, and not to print it.
const LOCAL: &str = "config.kubernetes.io/local-config";

/// Whose objects are not declared by people.
#[derive(Clone, Debug)]
pub struct Own {
    /// The id of the set that is applied.
    pub set: String,
    /// The field manager that applies it, and other sets.
    pub manager: String,
    /// The `apiVersion` that objects of `kaito.sh` are read as, where a version of Kaito knows no newer one.
    pub api_version: Option<&'static str>,
}

/// A file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Declared {
    /// An object, as JSON.
    pub text: Arc<str>,
    /// The ConfigMaps that it names.
    pub config_maps: Vec<String>,
}

impl Own {
    /// Whether this process, or another one like it, has put an object into a set.
    pub(super) fn has_applied(&self, object: &Value) -> bool {
        if part_of(object) == Some(self.set.as_str()) {
            return true;
        }
        let mark = |entry: &Value| entry["fieldsV1"]["f:metadata"]["f:labels"].get(format!("f:{PART_OF}")).is_some();
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        entries.into_iter().any(|entry| entry["manager"] == *self.manager && entry["operation"] == "Apply" && mark(entry))
    }

    /// An object as a file; none if it isn't declared by people, or is being deleted.
    pub(super) fn declared(&self, mut object: Value) -> Option<Declared> {
        if object["kind"] == "Node" && object["apiVersion"] == "v1" {
            return Some(Declared { text: node(&object).to_string().into(), config_maps: Vec::new() });
        }
        if !object["metadata"]["deletionTimestamp"].is_null() || self.has_applied(&object) || is_made(&object) {
            return None;
        }
        clean(&mut object);
        match (object["kind"].as_str().unwrap_or_default(), self.api_version) {
            ("PersistentVolume" | "StorageClass" | "ConfigMap", _) => mark_as_local(&mut object),
            (_, Some(version)) => object["apiVersion"] = version.into(),
            _ => {}
        }
        Some(Declared { config_maps: config_maps_of(&object), text: object.to_string().into() })
    }
}

/// A node as far as it is a fact of an input: its labels, and whether it is ready.
fn node(node: &Value) -> Value {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.filter(|condition| condition["type"] == "Ready");
    let ready: Vec<Value> = ready.map(|condition| json!({"type": "Ready", "status": condition["status"]})).collect();
    let metadata = &node["metadata"];
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": metadata["name"], "labels": metadata["labels"]},
        "status": {"conditions": ready},
    });
    if !metadata["deletionTimestamp"].is_null() {
        object["metadata"]["deletionTimestamp"] = metadata["deletionTimestamp"].clone();
    }
    object
}

fn mark_as_local(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| Map::new().into());
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(LOCAL.to_owned(), "true".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done to a Workspace, and whether people declare it then.
    type Case = (&'static str, fn(&mut Value), bool);

    fn own() -> Own {
        Own { set: "one".to_owned(), manager: "kaito".to_owned(), api_version: None }
    }

    fn workspace(change: impl Fn(&mut Value)) -> Value {
        let mut object = json!({
            "apiVersion": "kaito.sh/v1beta1",
            "kind": "Workspace",
            "metadata": {
                "name": "phi",
                "namespace": "n",
                "uid": "1",
                "resourceVersion": "5",
                "generation": 2,
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "finalizers": ["workspace.finalizer.kaito.sh"],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
                "managedFields": [{"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {}}],
            },
            "resource": {"instanceType": "Standard_NC24ads_A100_v4"},
            "inference": {"preset": {"name": "phi-4"}},
            "status": {"state": "Ready"},
        });
        change(&mut object);
        object
    }

    #[test]
    fn what_servers_write_is_left_out() {
        let declared = own().declared(workspace(|_| {})).unwrap();
        let want = json!({
            "apiVersion": "kaito.sh/v1beta1",
            "kind": "Workspace",
            "metadata": {"name": "phi", "namespace": "n"},
            "resource": {"instanceType": "Standard_NC24ads_A100_v4"},
            "inference": {"preset": {"name": "phi-4"}},
        });
        assert_eq!(serde_json::from_str::<Value>(&declared.text).unwrap(), want);
        let older = Own { api_version: Some("kaito.sh/v1alpha1"), ..own() }.declared(workspace(|_| {})).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&older.text).unwrap()["apiVersion"], "kaito.sh/v1alpha1");
        let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "x"});
        let class = own().declared(class).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&class.text).unwrap()["metadata"]["annotations"], json!({LOCAL: "true"}));
    }

    #[test]
    fn what_is_declared_by_people() {
        fn applied(object: &mut Value, manager: &str, fields: &Value) {
            object["metadata"]["labels"][PART_OF] = "other".into();
            object["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply", "fieldsV1": {"f:metadata": fields}}]);
        }
        fn owned(object: &mut Value, api_version: &str, kind: &str) {
            object["metadata"]["ownerReferences"] = json!([{"apiVersion": api_version, "kind": kind, "name": "x", "uid": "2"}]);
        }
        let table: [Case; 10] = [
            ("as it is", |_| {}, true),
            ("being deleted", |object| object["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z".into(), false),
            ("of the set", |object| object["metadata"]["labels"][PART_OF] = "one".into(), false),
            ("of kubectl's set", |object| object["metadata"]["labels"][PART_OF] = "other".into(), true),
            ("of another set of kaito's", |object| applied(object, "kaito", &json!({"f:labels": {format!("f:{PART_OF}"): {}}})), false),
            ("of a set of somebody's", |object| applied(object, "me", &json!({"f:labels": {format!("f:{PART_OF}"): {}}})), true),
            ("noted on by kaito", |object| applied(object, "kaito", &json!({"f:annotations": {"f:a": {}}})), true),
            ("of a set of Workspaces", |object| owned(object, "kaito.sh/v1beta1", "InferenceSet"), false),
            ("of a set of another sort", |object| owned(object, "example.com/v1", "InferenceSet"), true),
            ("of an application", |object| owned(object, "app.k8s.io/v1", "Application"), true),
        ];
        for (what, change, want) in table {
            assert_eq!(own().declared(workspace(change)).is_some(), want, "{what}");
        }
    }

    #[test]
    fn a_node_is_its_labels_and_whether_it_is_ready() {
        let live = |heartbeat: &str| {
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": "gpu-0", "labels": {"apps": "phi"}, "resourceVersion": "7"},
                "status": {
                    "conditions": [
                        {"type": "MemoryPressure", "status": "False"},
                        {"type": "Ready", "status": "True", "lastHeartbeatTime": heartbeat},
                    ],
                    "images": [{"names": ["x"]}],
                },
            })
        };
        let declared = own().declared(live("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(declared, own().declared(live("2026-01-01T00:05:00Z")).unwrap(), "that it is still there is no news");
        let object: Value = serde_json::from_str(&declared.text).unwrap();
        assert_eq!(object["status"]["conditions"], json!([{"type": "Ready", "status": "True"}]));
        assert_eq!(object["metadata"], json!({"name": "gpu-0", "labels": {"apps": "phi"}}));
    }
}
