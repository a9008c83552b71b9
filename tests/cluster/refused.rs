//! What the API server refuses by the CRDs of `kaito crd`, and by those of what kaito renders.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::cluster;

/// A change to a document that would be taken, as a JSON merge patch, and a part of what the server says of it.
type Change = (Value, &'static str);

fn workspace() -> (Value, Vec<Change>) {
    let good = json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w"},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "w"}}},
        "inference": {"preset": {"name": "phi-4"}},
    });
    let preset = |fields: Value| json!({"inference": {"preset": fields}});
    let partition = |fields: Value| json!({"resource": {"partition": fields}});
    let bad = vec![
        (json!({"spec": {}}), ".spec: field not declared in schema"),
        (json!({"resource": {"instanceTyp": "x"}}), ".resource.instanceTyp: field not declared in schema"),
        (json!({"resource": {"labelSelector": null}}), "resource.labelSelector: Required value"),
        (json!({"resource": {"labelSelector": {"matchLabels": {"apps": 1}}}}), ".resource.labelSelector.matchLabels.apps: expected string"),
        (json!({"resource": {"labelSelector": {"matchExpressions": [{"key": "a"}]}}}), "matchExpressions[0].operator: Required value"),
        (json!({"resource": {"count": "2"}}), "resource.count"),
        (json!({"resource": {"preferredNodes": "n"}}), "resource.preferredNodes"),
        (partition(json!({"count": 1})), "resource.partition.mode: Required value"),
        (partition(json!({"mode": "slice"})), "Unsupported value: \"slice\": supported values: \"mig\", \"accelerator\""),
        (partition(json!({"mode": "accelerator", "count": 0})), "resource.partition.count in body should be greater than or equal to 1"),
        (preset(json!({"name": null})), "inference.preset.name: Required value"),
        (preset(json!({"accessMode": "secret"})), "Unsupported value: \"secret\": supported values: \"public\", \"private\""),
        (preset(json!({"presetOptions": {"token": "t"}})), ".inference.preset.presetOptions.token: field not declared in schema"),
        (json!({"inference": {"template": "pod"}}), "inference.template"),
        (json!({"inference": {"adapters": [{"source": {"urls": "u"}}]}}), "inference.adapters[0].source.urls"),
        (json!({"inference": {"adapters": [{"strength": 0.5}]}}), "inference.adapters[0].strength"),
        (json!({"inference": null, "tuning": {"method": "lora", "output": {"image": "i"}}}), "tuning.input: Required value"),
        (json!({"inference": null, "tuning": {"method": "lora", "input": {"urls": ["u"]}}}), "tuning.output: Required value"),
        (
            json!({"apiVersion": "kaito.sh/v1alpha1", "resource": {"partition": {"mode": "mig"}}}),
            ".resource.partition: field not declared in schema",
        ),
        (
            json!({"apiVersion": "kaito.sh/v1alpha1", "inference": {"preset": {"presetOptions": {"modelAccessSecret": "s"}}}}),
            ".inference.preset.presetOptions.modelAccessSecret: field not declared in schema",
        ),
        (json!({"apiVersion": "kaito.sh/v1"}), "the server knows no kaito.sh/v1"),
        (json!({"metadata": {"name": "W"}}), "a lowercase RFC 1123 subdomain must consist of"),
    ];
    (good, bad)
}

fn inference_set() -> (Value, Vec<Change>) {
    let good = json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "InferenceSet",
        "metadata": {"name": "s"},
        "spec": {
            "labelSelector": {"matchLabels": {"apps": "s"}},
            "template": {"resource": {"instanceType": "Standard_NC24ads_A100_v4"}, "inference": {"preset": {"name": "phi-4"}}},
            "autoUpgrade": {"enabled": true, "maintenanceWindow": {"schedule": "0 2 * * *"}},
        },
    });
    let spec = |fields: Value| json!({"spec": fields});
    let bad = vec![
        (json!({"spec": null}), "spec: Required value"),
        (spec(json!({"replicas": -1})), "spec.replicas in body should be greater than or equal to 0"),
        (spec(json!({"labelSelector": null})), "spec.labelSelector: Required value"),
        (spec(json!({"template": null})), "spec.template: Required value"),
        (spec(json!({"template": {"inference": null}})), "spec.template.inference: Required value"),
        (spec(json!({"template": {"resource": {"count": 1}}})), ".spec.template.resource.count: field not declared in schema"),
        (spec(json!({"autoUpgrade": {"strategy": "Slow"}})), "Unsupported value: \"Slow\": supported values: \"InPlace\", \"Surge\""),
        (
            spec(json!({"autoUpgrade": {"maintenanceWindow": {"schedule": null}}})),
            "spec.autoUpgrade.maintenanceWindow.schedule: Required value",
        ),
        (
            json!({"apiVersion": "kaito.sh/v1alpha1", "spec": {"template": {"resource": {"partition": {"mode": "mig"}}}}}),
            ".spec.template.resource.partition: field not declared in schema",
        ),
    ];
    (good, bad)
}

fn multi_role_inference() -> (Value, Vec<Change>) {
    let good = json!({
        "apiVersion": "kaito.sh/v1alpha1",
        "kind": "MultiRoleInference",
        "metadata": {"name": "m"},
        "spec": {
            "labelSelector": {"matchLabels": {"apps": "m"}},
            "model": {"name": "phi-4"},
            "roles": [{"type": "prefill", "replicas": 2}, {"type": "decode"}],
        },
    });
    let spec = |fields: Value| json!({"spec": fields});
    let roles = |roles: Value| json!({"spec": {"roles": roles}});
    let bad = vec![
        (json!({"apiVersion": "kaito.sh/v1beta1"}), "the server knows no MultiRoleInference of kaito.sh/v1beta1"),
        (spec(json!({"model": null})), "spec.model: Required value"),
        (spec(json!({"model": {"name": null}})), "spec.model.name: Required value"),
        (spec(json!({"labelSelector": {"matchLabels": null}})), "the selector is empty: name at least one label"),
        (spec(json!({"labelSelector": {"matchLabels": {"apps": null}}})), "the selector is empty: name at least one label"),
        (spec(json!({"roles": null})), "spec.roles: Required value"),
        (roles(json!([{"type": "prefill"}])), "spec.roles in body should have at least 2 items"),
        (roles(json!([{"type": "prefill"}, {"type": "decode"}, {"type": "decode"}])), "spec.roles: Too many: 3: must have at most 2 items"),
        (roles(json!([{"type": "decode"}, {"type": "decode"}])), "one role is prefill, the other decode"),
        (
            roles(json!([{"type": "prefill"}, {"type": "encode"}])),
            "Unsupported value: \"encode\": supported values: \"prefill\", \"decode\"",
        ),
        (roles(json!([{"type": "prefill"}, {"type": "decode", "replicas": 0}])), "replicas in body should be greater than or equal to 1"),
    ];
    (good, bad)
}

fn rag_engine() -> (Value, Vec<Change>) {
    let good = json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "RAGEngine",
        "metadata": {"name": "r"},
        "spec": {
            "compute": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "r"}}},
            "storage": {"persistentVolume": {"persistentVolumeClaim": "c"}, "vectorDB": {"engine": "qdrant", "url": "http://q"}},
            "embedding": {"local": {"modelID": "BAAI/bge-small-en-v1.5"}},
            "inferenceService": {"url": "http://w", "contextWindowSize": 4096},
            "guardrails": {"enabled": true, "configMapRef": {"name": "g"}},
        },
    });
    let spec = |fields: Value| json!({"spec": fields});
    let bad = vec![
        (json!({"apiVersion": "kaito.sh/v1alpha1"}), "the server knows no RAGEngine of kaito.sh/v1alpha1"),
        (json!({"spec": null}), "spec: Required value"),
        (spec(json!({"embedding": null})), "spec.embedding: Required value"),
        (spec(json!({"embedding": {"remote": {"accessSecret": "s"}}})), "spec.embedding.remote.url: Required value"),
        (spec(json!({"compute": {"labelSelector": null}})), "spec.compute.labelSelector: Required value"),
        (spec(json!({"storage": {"mountPath": "/mnt"}})), ".spec.storage.mountPath: field not declared in schema"),
        (spec(json!({"storage": {"persistentVolume": {"persistentVolumeClaim": null}}})), "persistentVolumeClaim: Required value"),
        (spec(json!({"storage": {"vectorDB": {"url": null}}})), "spec.storage.vectorDB.url: Required value"),
        (spec(json!({"inferenceService": {"contextWindowSize": null}})), "spec.inferenceService.contextWindowSize: Required value"),
        (spec(json!({"inferenceService": {"contextWindowSize": "4096"}})), "spec.inferenceService.contextWindowSize"),
        (spec(json!({"guardrails": {"configMapRef": {"name": null}}})), "spec.guardrails.configMapRef.name: Required value"),
        (spec(json!({"queryServiceName": "q"})), ".spec.queryServiceName: field not declared in schema"),
    ];
    (good, bad)
}

fn model_mirror() -> (Value, Vec<Change>) {
    let good = json!({
        "apiVersion": "kaito.sh/v1alpha1",
        "kind": "ModelMirror",
        "metadata": {"name": "m"},
        "spec": {
            "mode": "Managed",
            "source": {"registry": "huggingface", "modelID": "microsoft/phi-4", "accessSecret": {"name": "s", "namespace": "n"}},
            "storage": {"size": "80Gi", "storageClassName": "c"},
            "jobNamespace": "n",
            "serviceAccountName": "a",
        },
    });
    let spec = |fields: Value| json!({"spec": fields});
    let bad = vec![
        (spec(json!({"mode": "Manual"})), "Unsupported value: \"Manual\": supported values: \"Managed\", \"Static\""),
        (spec(json!({"source": {"registry": "modelscope"}})), "Unsupported value: \"modelscope\": supported values: \"huggingface\""),
        (spec(json!({"source": {"modelID": null}})), "spec.source.modelID: Required value"),
        (spec(json!({"source": {"accessSecret": {"key": "k"}}})), ".spec.source.accessSecret.key: field not declared in schema"),
        (spec(json!({"storage": {"size": null}})), "spec.storage.size: Required value"),
        (spec(json!({"storage": {"accessModes": []}})), ".spec.storage.accessModes: field not declared in schema"),
    ];
    (good, bad)
}

/// That the server looks at what is rendered, too.
fn node_claim() -> (Value, Vec<Change>) {
    let good = json!({
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"name": "n"},
        "spec": {
            "nodeClassRef": {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"},
            "requirements": [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["Standard_NC24ads_A100_v4"]}],
        },
    });
    let spec = |fields: Value| json!({"spec": fields});
    let bad = vec![
        (spec(json!({"nodeClassRef": null})), "spec.nodeClassRef: Required value"),
        (spec(json!({"requirement": []})), ".spec.requirement: field not declared in schema"),
        (spec(json!({"taints": [{"key": "sku", "effect": "Never"}]})), "Unsupported value: \"Never\""),
    ];
    (good, bad)
}

/// Changes a value as a JSON merge patch says (RFC 7396).
fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else { return *value = patch.clone() };
    if !value.is_object() {
        *value = json!({});
    }
    for (name, change) in changes {
        if change.is_null() {
            _ = value.as_object_mut().and_then(|fields| fields.remove(name));
        } else {
            merge(&mut value[name], change);
        }
    }
}

#[test]
fn what_is_wrong() {
    let client = &cluster().client;
    let mut faults = String::new();
    for (good, bad) in [workspace(), inference_set(), multi_role_inference(), rag_engine(), model_mirror(), node_claim()] {
        let kind = good["kind"].clone();
        if let Err(message) = client.apply(&good.clone().into(), "&dryRun=All") {
            _ = writeln!(faults, "{kind} should be accepted\n    {message}");
        }
        for (change, want) in bad {
            let mut document = good.clone();
            merge(&mut document, &change);
            match client.apply(&document.into(), "&dryRun=All") {
                Err(message) if message.contains(want) => {}
                Err(message) => _ = writeln!(faults, "{kind} with {change}\n    expected  {want}\n    but got   {message}"),
                Ok(_) => _ = writeln!(faults, "{kind} with {change}\n    is accepted, but should be refused: {want}"),
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}
