//! What the API server makes of an object of kaito's kinds, by the CRDs of `kaito crd`.

use serde_json::{Value, json};

use super::client::Client;
use super::cluster;

/// A client, and a namespace with a Workspace of each version and one object of each other kind.
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
        json!({"apiVersion": "kaito.sh/v1beta1", "kind": "RAGEngine", "metadata": metadata("rag"),
            "spec": {"compute": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": selector}, "embedding": {"remote": {"url": "http://e"}}}}),
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
        ("v1beta1", "ragengines/rag", "/spec/compute/count", json!(1)),
        ("v1alpha1", "multiroleinferences/roles", "/spec/roles/0/replicas", Value::Null),
    ];
    for (version, path, field, want) in table {
        let object = client.get(&format!("/apis/kaito.sh/{version}/namespaces/defaults/{path}")).unwrap();
        assert_eq!(object.pointer(field).cloned().unwrap_or_default(), want, "{version} {path} {field}");
    }
}

#[test]
fn names() {
    let resources = cluster().client.get("/apis/kaito.sh/v1alpha1").unwrap();
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
    has(json!(["modelmirrors", "ModelMirror", "modelmirror", false, null]));
    has(json!(["multiroleinferences/status", "MultiRoleInference", "", true, null]));
}

/// Reports a status, and compares the line of `kubectl get`.
fn reports(object: Value, want: &[(&str, Value)]) {
    let object = object.into();
    let client = &cluster().client;
    client.apply_status(&object).unwrap();
    let row = client.row(&object).unwrap();
    let have: Vec<(&str, Value)> = row.iter().map(|(name, cell)| (name.as_str(), cell.clone())).collect();
    let (age, have) = have.split_last().unwrap();
    assert_eq!(have, want);
    assert!(age.0 == "Age" && age.1.is_string(), "{age:?}");
}

fn condition(kind: &str, status: &str) -> Value {
    json!({"type": kind, "status": status, "reason": "Said", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

#[test]
fn status_and_columns_of_a_workspace() {
    objects("workspace-status");
    let workspace = json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "new", "namespace": "workspace-status"},
        "status": {
            "state": "Ready",
            "targetNodeCount": 2,
            "workerNodes": ["a", "b"],
            "conditions": [condition("ResourceReady", "True"), condition("InferenceReady", "False"), condition("WorkspaceSucceeded", "Unknown")],
            "performance": {"metrics": {"throughput": {"description": "d", "value": "1", "unit": "u", "config": {"a": "b"}}}},
        },
    });
    let want = [
        ("Name", json!("new")),
        ("Instance", Value::Null),
        ("ResourceReady", json!("True")),
        ("InferenceReady", json!("False")),
        ("JobStarted", Value::Null),
        ("WorkspaceSucceeded", json!("Unknown")),
        ("TargetNodeCount", json!(2)),
        ("State", json!("Ready")),
    ];
    reports(workspace, &want);
}

#[test]
fn status_and_columns_of_sets() {
    let client = objects("set-status");
    let set = json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "InferenceSet",
        "metadata": {"name": "set", "namespace": "set-status"},
        "status": {
            "replicas": 2,
            "readyReplicas": 0,
            "selector": "a=b",
            "conditions": [condition("InferenceSetReady", "False")],
            "autoUpgrade": {"numDriftedWorkspaces": 1, "lastSuccessfulUpgradeTime": "2026-01-01T00:00:00Z"},
        },
    });
    reports(set, &[("Name", json!("set")), ("Replicas", json!(1)), ("ReadyReplicas", json!(0))]);
    let scale = client.get("/apis/kaito.sh/v1beta1/namespaces/set-status/inferencesets/set/scale").unwrap();
    assert_eq!((&scale["spec"], &scale["status"]), (&json!({"replicas": 1}), &json!({"replicas": 2, "selector": "a=b"})));
    let roles = json!({
        "apiVersion": "kaito.sh/v1alpha1",
        "kind": "MultiRoleInference",
        "metadata": {"name": "roles", "namespace": "set-status"},
        "status": {"conditions": [condition("Ready", "True")], "observedGeneration": 1},
    });
    reports(roles, &[("Name", json!("roles")), ("Model", json!("phi-4")), ("Ready", json!("True"))]);
}

#[test]
fn status_and_columns_of_a_rag_engine() {
    objects("rag-status");
    let engine = json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "RAGEngine",
        "metadata": {"name": "rag", "namespace": "rag-status"},
        "status": {"workerNodes": ["a"], "conditions": [condition("ResourceReady", "True"), condition("ServiceReady", "False")]},
    });
    let want = [
        ("Name", json!("rag")),
        ("Instance", json!("Standard_NC24ads_A100_v4")),
        ("ResourceReady", json!("True")),
        ("ServiceReady", json!("False")),
    ];
    reports(engine, &want);
}

#[test]
fn status_and_columns_of_a_model_mirror() {
    let metadata = json!({"name": "kinds"});
    let source = json!({"registry": "huggingface", "modelID": "microsoft/phi-4"});
    let mirror = json!({"apiVersion": "kaito.sh/v1alpha1", "kind": "ModelMirror", "metadata": metadata, "spec": {"source": source}});
    let made = cluster().client.apply(&mirror.into(), "").unwrap();
    assert_eq!(made["spec"], json!({"source": source, "mode": "Managed"}));
    let status = json!({
        "phase": "Pending",
        "modelPath": "/weights",
        "failureMessage": "",
        "lastDownloadTime": "2026-01-01T00:00:00Z",
        "download": {"speedBytesPerSecond": -1, "remainingSeconds": -1},
        "conditions": [condition("StorageReady", "True")],
    });
    let mirror = json!({"apiVersion": "kaito.sh/v1alpha1", "kind": "ModelMirror", "metadata": metadata, "status": status});
    reports(mirror, &[("Name", json!("kinds")), ("Model", json!("microsoft/phi-4")), ("Phase", json!("Pending"))]);
}

#[test]
fn status_that_is_wrong() {
    let client = objects("wrong-status");
    let with = |field: &str, value: &str| {
        let mut condition = condition("Ready", "True");
        condition[field] = json!(value);
        json!({"conditions": [condition]})
    };
    let table = [
        (json!({"phase": "Ready"}), ".status.phase: field not declared in schema"),
        (json!({"targetNodeCount": "1"}), "status.targetNodeCount"),
        (json!({"conditions": [{"type": "Ready"}]}), "status.conditions[0].status: Required value"),
        (with("status", "Yes"), "Unsupported value: \"Yes\""),
        (with("reason", "no word"), "status.conditions[0].reason"),
        (with("lastTransitionTime", "today"), "status.conditions[0].lastTransitionTime"),
    ];
    for (wrong, want) in table {
        let metadata = json!({"name": "new", "namespace": "wrong-status"});
        let object = json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": metadata, "status": wrong});
        let message = client.apply_status(&object.into()).expect_err(want);
        assert!(message.contains(want), "expected {want}, but got {message}");
    }
}
