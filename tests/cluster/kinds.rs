//! What the API server makes of an object of kaito's kinds, by the CRDs of `kaito crd`.

use serde_json::{Value, json};

use super::client::Client;
use super::cluster;

/// A client, and a namespace with a Workspace of each version, an InferenceSet and a MultiRoleInference.
fn objects(namespace: &str) -> &'static Client {
    let client = &cluster().client;
    let inference = json!({"preset": {"name": "phi-4"}});
    let selector = json!({"matchLabels": {"apps": "a"}});
    let metadata = |name: &str| json!({"name": name, "namespace": namespace});
    let all = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": metadata("new"),
            "resource": {"labelSelector": selector}, "inference": inference}),
        json!({"apiVersion": "kaito.sh/v1alpha1", "kind": "Workspace", "metadata": metadata("old"),
            "resource": {"labelSelector": selector}, "inference": inference}),
        json!({"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "metadata": metadata("set"),
            "spec": {"labelSelector": selector, "template": {"inference": inference}, "autoUpgrade": {"maintenanceWindow": {"schedule": "0 2 * * *"}}}}),
        json!({"apiVersion": "kaito.sh/v1alpha1", "kind": "MultiRoleInference", "metadata": metadata("roles"),
            "spec": {"labelSelector": selector, "model": {"name": "phi-4"}, "roles": [{"type": "prefill"}, {"type": "decode"}]}}),
    ];
    for object in all {
        client.apply(&object.into(), "").unwrap();
    }
    client
}

#[test]
fn defaults() {
    let client = objects("defaults");
    let table = [
        ("v1beta1", "workspaces/new", "/resource/count", json!(1)),
        ("v1beta1", "workspaces/new", "/resource/instanceType", Value::Null),
        ("v1beta1", "workspaces/new", "/inference/preset/accessMode", json!("public")),
        ("v1alpha1", "workspaces/old", "/resource/instanceType", json!("Standard_NC24ads_A100_v4")),
        // Both versions are stored alike, and what v1alpha1 fills in stays.
        ("v1beta1", "workspaces/old", "/resource/instanceType", json!("Standard_NC24ads_A100_v4")),
        ("v1beta1", "inferencesets/set", "/spec/replicas", json!(1)),
        ("v1beta1", "inferencesets/set", "/spec/updateStrategy/rollingUpdate/maxUnavailable", json!(1)),
        ("v1beta1", "inferencesets/set", "/spec/autoUpgrade/enabled", json!(false)),
        ("v1beta1", "inferencesets/set", "/spec/autoUpgrade/strategy", json!("InPlace")),
        ("v1beta1", "inferencesets/set", "/spec/autoUpgrade/maintenanceWindow/duration", json!("4h")),
        ("v1alpha1", "multiroleinferences/roles", "/spec/roles/0/replicas", Value::Null),
    ];
    for (version, path, field, want) in table {
        let object = client.get(&format!("/apis/kaito.sh/{version}/namespaces/defaults/{path}")).unwrap();
        assert_eq!(object.pointer(field).cloned().unwrap_or_default(), want, "{version} {path} {field}");
    }
}

#[test]
fn names() {
    let client = objects("names");
    let resources = client.get("/apis/kaito.sh/v1alpha1").unwrap();
    let names: Vec<Value> = resources["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| {
            json!([resource["name"], resource["kind"], resource["singularName"], resource["namespaced"], resource["shortNames"]])
        })
        .collect();
    let has = |want: Value| assert!(names.contains(&want), "{want} is not among {names:#?}");
    has(json!(["workspaces", "Workspace", "workspace", true, ["wk", "wks"]]));
    has(json!(["workspaces/status", "Workspace", "", true, null]));
    has(json!(["inferencesets", "InferenceSet", "inferenceset", true, ["is", "isets"]]));
    has(json!(["inferencesets/status", "InferenceSet", "", true, null]));
    has(json!(["inferencesets/scale", "Scale", "", true, null]));
    has(json!(["multiroleinferences", "MultiRoleInference", "multiroleinference", true, ["mri"]]));
    has(json!(["multiroleinferences/status", "MultiRoleInference", "", true, null]));
}

#[test]
fn status_and_columns() {
    let client = objects("columns");
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "Said", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let statuses = [
        (
            json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "new", "namespace": "columns"}, "status": {
                "state": "Ready", "targetNodeCount": 2, "workerNodes": ["a", "b"],
                "conditions": [condition("ResourceReady", "True"), condition("InferenceReady", "False"), condition("WorkspaceSucceeded", "Unknown")],
                "performance": {"metrics": {"throughput": {"description": "d", "value": "1", "unit": "u", "config": {"a": "b"}}}},
            }}),
            json!(["new", null, "True", "False", null, "Unknown", 2, "Ready"]),
        ),
        (
            json!({"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "metadata": {"name": "set", "namespace": "columns"}, "status": {
                "replicas": 1, "readyReplicas": 0, "selector": "a=b", "conditions": [condition("InferenceSetReady", "False")],
                "autoUpgrade": {"numDriftedWorkspaces": 1, "lastSuccessfulUpgradeTime": "2026-01-01T00:00:00Z"},
            }}),
            json!(["set", 1, 0]),
        ),
        (
            json!({"apiVersion": "kaito.sh/v1alpha1", "kind": "MultiRoleInference", "metadata": {"name": "roles", "namespace": "columns"}, "status": {
                "conditions": [condition("Ready", "True")], "observedGeneration": 1,
            }}),
            json!(["roles", "phi-4", "True"]),
        ),
    ];
    for (object, want) in statuses {
        let object = object.into();
        client.apply_status(&object).unwrap();
        let row = client.row(&object).unwrap();
        let (age, cells) = row.split_last().unwrap();
        assert_eq!(json!(cells), want);
        assert!(age.is_string(), "{age}");
    }
    let scale = client.get("/apis/kaito.sh/v1beta1/namespaces/columns/inferencesets/set/scale").unwrap();
    assert_eq!(json!([scale["spec"]["replicas"], scale["status"]["replicas"], scale["status"]["selector"]]), json!([1, 1, "a=b"]));
}

/// That a status is checked, and that it is no way to change what is wanted.
#[test]
fn status_that_is_wrong() {
    let client = objects("statuses");
    let status = |status: Value| json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "new", "namespace": "statuses"}, "status": status});
    let table = [
        (json!({"phase": "Ready"}), ".status.phase: field not declared in schema"),
        (json!({"targetNodeCount": "1"}), "status.targetNodeCount"),
        (json!({"conditions": [{"type": "Ready"}]}), "status.conditions[0].status: Required value"),
        (
            json!({"conditions": [{"type": "Ready", "status": "Yes", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
            "Unsupported value: \"Yes\"",
        ),
        (
            json!({"conditions": [{"type": "Ready", "status": "True", "reason": "no word", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
            "status.conditions[0].reason",
        ),
        (
            json!({"conditions": [{"type": "Ready", "status": "True", "reason": "R", "message": "", "lastTransitionTime": "today"}]}),
            "status.conditions[0].lastTransitionTime",
        ),
    ];
    for (wrong, want) in table {
        let message = client.apply_status(&status(wrong.clone()).into()).expect_err(&wrong.to_string());
        assert!(message.contains(want), "{wrong}: {message}");
    }
}
