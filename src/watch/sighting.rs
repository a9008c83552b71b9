//! A live object as it was seen: as small as it can be and still tell how it is doing, and whether it is as it was applied.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::diff::Owner;
use crate::inventory;
use crate::manifest::ObjectRef;
use crate::raw_object::RawObject;
use crate::status;

/// A live object, trimmed.
#[derive(Clone, Debug)]
pub struct Sighting {
    pub(super) reference: Arc<ObjectRef>,
    pub(super) owner: Option<Owner>,
    /// The set that it is a member of.
    set: Option<String>,
    /// The set that it keeps.
    keeps: Option<String>,
    /// A hash of all of it but what servers and controllers write down for themselves.
    pub(super) hash: u64,
    /// Its version as the server counts; 0 if it isn't known.
    pub(super) version: u64,
    /// What tells how it is doing.
    pub(super) object: RawObject,
}

impl Sighting {
    /// Trims an object as a cluster has it; `None` of what is no object. Fields count as settled as this field manager has applied them.
    pub fn of(mut object: Value, manager: &str) -> Option<Self> {
        let reference = ObjectRef::of(&object).ok()?;
        let (owner, set) = (status::whose(&object, None), inventory::part_of(&object).map(ToOwned::to_owned));
        let keeps = inventory::kept(&object).map(|(id, _)| id.to_owned());
        let (hash, version) = (hash(&object, manager), version(&object));
        trim(&mut object);
        Some(Self { reference: Arc::new(reference), owner, set, keeps, hash, version, object: RawObject::of(&object) })
    }

    /// What identifies it.
    pub fn reference(&self) -> &ObjectRef {
        &self.reference
    }

    /// The Workspace or RAGEngine that it belongs to, or is, or the set that it is for.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// The set that it is a member of.
    pub fn set(&self) -> Option<&str> {
        self.set.as_deref()
    }

    /// The set that it keeps.
    pub fn keeps(&self) -> Option<&str> {
        self.keeps.as_deref()
    }

    /// The object, as far as it is kept.
    pub fn object(&self) -> Value {
        self.object.read()
    }
}

/// The metadata that say something about an object's state. The others say what was done to it, or how the server counts.
const METADATA: [&str; 10] = [
    "annotations",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "labels",
    "name",
    "namespace",
    "ownerReferences",
    "uid",
];

/// An annotation in which kubectl keeps a whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn trim(object: &mut Value) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let Some(fields) = object.as_object_mut() else { return };
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| METADATA.contains(&name.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    for secret in ["data", "stringData", "binaryData"] {
        fields.remove(secret);
    }
    if kind == "Node" {
        trim_node(fields);
    }
    let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match kind.as_str() {
        "StatefulSet" | "Deployment" | "Job" | "ReplicaSet" => {
            spec.remove("template");
            spec.remove("volumeClaimTemplates");
        }
        "Pod" => {
            let containers = |name: &str| {
                let all = spec.get(name).and_then(Value::as_array).into_iter().flatten();
                all.map(|container| json!({"name": container["name"], "image": container["image"]})).collect::<Vec<_>>()
            };
            let kept = json!({
                "nodeName": spec.get("nodeName"),
                "containers": containers("containers"),
                "initContainers": containers("initContainers"),
            });
            if let Value::Object(kept) = kept {
                *spec = kept;
            }
        }
        _ => {}
    }
}

/// A node tells every few minutes that it is still there, and which images it has.
fn trim_node(node: &mut Map<String, Value>) {
    let Some(status) = node.get_mut("status").and_then(Value::as_object_mut) else { return };
    status.retain(|name, _| ["allocatable", "capacity", "conditions"].contains(&name.as_str()));
    for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        _ = condition.as_object_mut().map(|condition| condition.remove("lastHeartbeatTime"));
    }
}

/// The version of an object as the server counts them; 0 if it doesn't say any.
pub(super) fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// A hash of what makes an object what it is: everything but its status and the server's own notes, and which of its fields are this
/// manager's.
pub(super) fn hash(object: &Value, manager: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let Some(fields) = object.as_object() else { return 0 };
    for (name, value) in fields.iter().filter(|(name, _)| !["apiVersion", "kind", "metadata", "status"].contains(&name.as_str())) {
        name.hash(&mut hasher);
        value.to_string().hash(&mut hasher);
    }
    let nothing = Map::new();
    let metadata = object["metadata"].as_object().unwrap_or(&nothing);
    for name in ["annotations", "deletionTimestamp", "labels", "ownerReferences", "uid"] {
        metadata.get(name).filter(|value| !value.is_null()).map(ToString::to_string).hash(&mut hasher);
    }
    let entries = metadata.get("managedFields").and_then(Value::as_array).into_iter().flatten();
    let own = entries.filter(|entry| entry["manager"] == manager && entry["operation"] == "Apply" && entry["subresource"].is_null());
    own.for_each(|entry| entry["fieldsV1"].to_string().hash(&mut hasher));
    hasher.finish()
}
