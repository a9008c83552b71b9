//! Changes that can't be made in place.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::diff::{Disruption, ObjectChange, Path};
use crate::manifest::ObjectRef;
use crate::spec::ObjectMeta;

/// The annotation of a Workspace whose objects may be deleted and made anew.
pub const FORCE: &str = "kaito.sh/force";

/// Whether the objects of something with these metadata may be replaced; values compare as Flux compares them.
pub fn is_forced(metadata: &ObjectMeta) -> bool {
    metadata.annotation(FORCE).is_some_and(|value| value.eq_ignore_ascii_case("enabled"))
}

/// What stands in the way of a change.
pub(super) enum Obstacle {
    /// These fields can't be changed; replacing the object costs this.
    Replace(Vec<Path>, &'static str),
    /// These fields can't be changed without losing data.
    Data(Vec<String>),
}

/// What stands in the way of a change of a live object, if anything does.
pub(super) fn obstacle(change: &ObjectChange, live: &Value) -> Option<Obstacle> {
    // ConfigMaps and Secrets may say of themselves that they can't be changed.
    if live["immutable"] == true {
        let content = change.fields.iter().filter(|field| !field.change.path.starts_with(&["metadata"]));
        let fields: Vec<Path> = content.map(|field| field.change.path.clone()).collect();
        return (!fields.is_empty()).then_some(Obstacle::Replace(fields, "what reads it may not find it for a moment"));
    }
    let fields = |class: Disruption| {
        let of_class = change.fields.iter().filter(|field| field.disruption == class);
        of_class.map(|field| field.change.path.clone()).collect::<Vec<_>>()
    };
    match change.disruption {
        Disruption::Data => Some(Obstacle::Data(fields(Disruption::Data).iter().map(ToString::to_string).collect())),
        Disruption::Node if is_fixed_node(&change.reference) => Some(Obstacle::Replace(fields(Disruption::Node), costs(&change.reference))),
        Disruption::Replace => Some(Obstacle::Replace(fields(Disruption::Replace), costs(&change.reference))),
        _ => None,
    }
}

/// Whether a node can't be changed: pools replace their nodes themselves.
///
/// Source: the CRD of Karpenter's NodeClaim ("spec is immutable").
fn is_fixed_node(reference: &ObjectRef) -> bool {
    ["NodeClaim", "Machine"].contains(&reference.kind.as_str()) && reference.group == "karpenter.sh"
}

fn costs(reference: &ObjectRef) -> &'static str {
    match reference.kind.as_str() {
        "NodeClaim" | "Machine" => "its node is deleted and another one is made",
        "Job" => "it begins anew",
        "Service" => "its address changes",
        "RoleBinding" | "ClusterRoleBinding" => "its subjects have no rights by it for a moment",
        "StorageClass" | "PriorityClass" | "Secret" => "what refers to it may not find it for a moment",
        "Workspace" => "Kaito's operator takes away all that it made for it, and makes it anew",
        _ => "its pods are stopped, and start again with the new one",
    }
}

/// The annotation of an object that was taken over with fields that can't be changed, and stay as they were made.
pub(super) const KEPT: &str = "kaito.sh/adopted";
const AS_IS: &str = "as-is";

/// Whether an object was taken over with fields that can't be changed.
pub(super) fn is_kept(live: &Value) -> bool {
    live["metadata"]["annotations"][KEPT] == AS_IS
}

/// Leaves the fields of `spec` as they are below which these stand, and notes that on the object; which fields those are.
pub(super) fn keep(desired: &mut Value, live: &Value, changed: &[Path]) -> Vec<String> {
    let fields: BTreeSet<&str> = changed.iter().filter_map(|path| path.fields().nth(1)).collect();
    for field in &fields {
        match live["spec"].get(field) {
            Some(value) => desired["spec"][field] = value.clone(),
            None => drop(desired["spec"].as_object_mut().and_then(|spec| spec.remove(*field))),
        }
    }
    if let Some(metadata) = desired["metadata"].as_object_mut() {
        let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
        annotations[KEPT] = AS_IS.into();
    }
    fields.into_iter().map(|field| format!("spec.{field}")).collect()
}

/// Whether a refusal of the server is about fields that can't be changed.
pub fn is_about_immutable(message: &str) -> bool {
    ["field is immutable", "is immutable", "are immutable", "updates to statefulset spec for fields other than", "may not change once set"]
        .iter()
        .any(|words| message.contains(words))
}

/// The names of the finalizers that keep an object which is being deleted; `None` if it isn't.
pub(super) fn finalizers(live: &Value) -> Option<Vec<String>> {
    let metadata = &live["metadata"];
    metadata["deletionTimestamp"].as_str()?;
    Some(metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect())
}
