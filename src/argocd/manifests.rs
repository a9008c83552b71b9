//! Manifests as Argo CD wants them.

use serde_json::{Value, json};

use crate::manifest::{ObjectRef, Stage};

/// Says in which wave an object is synced.
const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

/// Makes an object part of a sync hook, whose phases have an order of their own.
const HOOK: &str = "argocd.argoproj.io/hook";

/// What Argo CD writes itself, and refuses in what it hydrates.
const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";

/// Makes an object one for Argo CD: without an id that only Argo CD may write, and if `sync_waves` is said with the wave of
/// its stage, unless it names one.
pub fn for_application(reference: &ObjectRef, object: &mut Value, sync_waves: bool) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let annotations = metadata.entry("annotations").or_insert(json!({}));
    if annotations.is_null() {
        *annotations = json!({});
    }
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove(TRACKING_ID);
        if sync_waves && !annotations.contains_key(SYNC_WAVE) && !annotations.contains_key(HOOK) {
            annotations.insert(SYNC_WAVE.to_owned(), wave(reference).to_string().into());
        }
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

/// The wave of an object. That of Services, and of all that isn't known, is the one of objects without the annotation. A wave is
/// waited for: so a claim that its first pod must bind, and a Workspace that is ready when its pods are, go with the pods.
fn wave(reference: &ObjectRef) -> i32 {
    if reference.kind == "PersistentVolumeClaim" || reference.group == "kaito.sh" {
        return 1;
    }
    match reference.stage() {
        Stage::Definitions => -3,
        Stage::Settings => -2,
        Stage::Nodes => -1,
        Stage::Services => 0,
        Stage::Workloads => 1,
        Stage::Webhooks => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations() {
        let table = [
            ("", "ConfigMap", json!({}), true, json!({SYNC_WAVE: "-2"})),
            ("karpenter.sh", "NodeClaim", json!({"a": "b"}), true, json!({"a": "b", SYNC_WAVE: "-1"})),
            ("", "Service", Value::Null, true, json!({SYNC_WAVE: "0"})),
            ("apps", "StatefulSet", json!({}), true, json!({SYNC_WAVE: "1"})),
            ("", "PersistentVolumeClaim", json!({}), true, json!({SYNC_WAVE: "1"})),
            ("kaito.sh", "Workspace", json!({}), true, json!({SYNC_WAVE: "1"})),
            ("apps", "StatefulSet", json!({SYNC_WAVE: "7"}), true, json!({SYNC_WAVE: "7"})),
            ("batch", "Job", json!({HOOK: "PreSync"}), true, json!({HOOK: "PreSync"})),
            ("batch", "Job", json!({"a": "b", TRACKING_ID: "x"}), false, json!({"a": "b"})),
            ("batch", "Job", json!({TRACKING_ID: "x"}), false, Value::Null),
            ("batch", "Job", json!({}), false, Value::Null),
        ];
        for (group, kind, annotations, sync_waves, want) in table {
            let mut object = json!({"metadata": {"name": "a", "annotations": annotations}});
            for_application(&ObjectRef::new(group, kind, None, "a"), &mut object, sync_waves);
            assert_eq!(object["metadata"]["annotations"], want, "{kind} {annotations}");
            assert_eq!(object["metadata"]["name"], "a");
        }
    }
}
