//! Rows as JSON, in a form that stays.

use serde_json::{Value, json};

use super::{Progress, Row, Sets};
use crate::health::Health;
use crate::manifest::ObjectRef;

/// The version of the form. Fields may be added to it.
pub(super) const API_VERSION: &str = "status.kaito.sh/v1";

/// Rows as one object.
pub fn list(rows: &[Row], sets: &Sets) -> Value {
    let items: Vec<Value> = rows.iter().map(|row| item(row, sets)).collect();
    json!({"apiVersion": API_VERSION, "kind": "StatusList", "items": items})
}

/// A row as an object of its own.
pub fn item(row: &Row, sets: &Sets) -> Value {
    let progress = |Progress { ready, wanted }: Progress| json!({"ready": ready, "wanted": wanted});
    let mut health = self::health(&row.health);
    if let Some(about) = &row.about {
        health["object"] = reference(about);
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": "Status",
        "of": reference(&ObjectRef::new("kaito.sh", row.owner.kind, Some(&row.owner.namespace), &row.owner.name)),
        "instanceType": row.instance_type,
        "resourceReady": row.resource_ready,
        "inferenceReady": row.inference_ready,
        "workspaceReady": row.is_ready(),
        "nodes": progress(row.nodes),
        "pods": progress(row.pods),
        "health": health,
        "applySets": row.sets.iter().map(|id| set(id, sets)).collect::<Vec<_>>(),
        "creationTimestamp": row.created,
    })
}

pub(super) fn health(health: &Health) -> Value {
    json!({"status": health.status.to_string(), "isStuck": health.is_stuck, "message": health.message})
}

/// What identifies an object.
pub(super) fn reference(object: &ObjectRef) -> Value {
    let mut described = json!({"group": object.group, "kind": object.kind, "name": object.name});
    if let Some(namespace) = &object.namespace {
        described["namespace"] = namespace.as_str().into();
    }
    described
}

fn set(id: &str, sets: &Sets) -> Value {
    let mut described = json!({"id": id});
    if let Some(keeper) = sets.keeper(id) {
        described["parent"] = reference(&keeper.parent);
        described["revision"] = keeper.revision.clone().into();
    }
    described
}
