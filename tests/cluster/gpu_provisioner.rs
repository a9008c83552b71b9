//! The gpu-provisioner's part, played by a thread of the tests.
//!
//! The real one is a fork of Karpenter that only knows Azure's machines. Karpenter itself leaves its NodeClaims alone, as it does those
//! with any NodeClass that isn't its own: kwok's, here. So this does with NodeClaims and nodes what the real one does, in its order.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::components::{self, InstanceType};

const CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";
const FINALIZER: &str = "karpenter.sh/termination";

/// Makes nodes of the NodeClaims with Kaito's NodeClass until the tests end.
pub(super) fn play(client: Client) {
    let sizes = components::instance_types();
    thread::spawn(move || {
        loop {
            let claims = client.get(CLAIMS).unwrap_or_default();
            for claim in claims["items"].as_array().into_iter().flatten().filter(|claim| is_ours(claim)) {
                // What fails, as it does when somebody else has changed the object meanwhile, is tried again.
                _ = if claim["metadata"]["deletionTimestamp"].is_null() {
                    launch(&client, claim, &sizes)
                } else {
                    terminate(&client, claim)
                };
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
}

fn is_ours(claim: &Value) -> bool {
    claim["spec"]["nodeClassRef"]["group"] == "kaito.sh"
}

fn path(claim: &Value) -> String {
    format!("{CLAIMS}/{}", text(&claim["metadata"]["name"]))
}

fn node_name(claim: &Value) -> String {
    format!("aks-{}-00000000-vmss000000", text(&claim["metadata"]["name"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// One step from a claim to a node that is ready.
fn launch(client: &Client, claim: &Value, sizes: &[InstanceType]) -> Result<(), String> {
    if claim["metadata"]["finalizers"].is_null() {
        client.merge(&path(claim), &json!({"metadata": {"finalizers": [FINALIZER]}}))?;
    }
    let requirements = claim["spec"]["requirements"].as_array().map(Vec::as_slice).unwrap_or_default();
    let required = |key: &str| requirements.iter().find(|one| one["key"] == key).map_or("", |one| text(&one["values"][0]));
    let Some(size) = sizes.iter().find(|size| size.name == required("node.kubernetes.io/instance-type")) else {
        return set_conditions(client, claim, &json!({}), "False", claim);
    };
    match client.get(&format!("/api/v1/nodes/{}", node_name(claim))) {
        Err(_) => client.create("/api/v1/nodes", &node(claim, requirements, size)).map(drop),
        Ok(node) if is_ready(&node) && !is_ready(claim) => {
            let status = json!({
                "nodeName": node["metadata"]["name"], "providerID": node["spec"]["providerID"], "imageID": "none",
                "capacity": node["status"]["capacity"], "allocatable": node["status"]["allocatable"],
            });
            set_conditions(client, claim, &status, "True", &node)
        }
        Ok(_) => Ok(()),
    }
}

/// The node of a claim: with its labels, what it requires and its taints. It goes with the claim.
fn node(claim: &Value, requirements: &[Value], size: &InstanceType) -> Value {
    let mut labels = claim["metadata"]["labels"].clone();
    for one in requirements.iter().filter(|one| one["operator"] == "In") {
        labels[text(&one["key"])] = one["values"][0].clone();
    }
    let name = node_name(claim);
    let mut node = components::node(&name, &labels, Some(size));
    node["spec"] = json!({"providerID": format!("azure:///{name}"), "taints": claim["spec"]["taints"]});
    node["metadata"]["ownerReferences"] = json!([{
        "apiVersion": claim["apiVersion"], "kind": claim["kind"], "name": claim["metadata"]["name"], "uid": claim["metadata"]["uid"],
        "blockOwnerDeletion": true,
    }]);
    node
}

fn is_ready(object: &Value) -> bool {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// All conditions of a claim, since an object was made.
fn set_conditions(client: &Client, claim: &Value, status: &Value, answer: &str, since: &Value) -> Result<(), String> {
    let reason = if answer == "True" { "Ready" } else { "LaunchFailed" };
    if claim["status"]["conditions"][0]["reason"] == reason {
        return Ok(());
    }
    // What Azure says of a size that it doesn't sell there.
    let message = if answer == "True" { "" } else { "creating instance: SkuNotAvailable: the size is not available in this location" };
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": answer, "reason": reason, "message": message, "observedGeneration": claim["metadata"]["generation"],
            "lastTransitionTime": since["metadata"]["creationTimestamp"],
        })
    };
    let mut status = status.clone();
    status["conditions"] = ["Launched", "Registered", "Initialized", "Ready"].map(condition).to_vec().into();
    client.merge(&format!("{}/status", path(claim)), &json!({"status": status})).map(drop)
}

/// The node goes first, and the claim when it is gone.
fn terminate(client: &Client, claim: &Value) -> Result<(), String> {
    let node = format!("/api/v1/nodes/{}", node_name(claim));
    if client.get(&node).is_ok() {
        return client.delete(&node);
    }
    client.merge(&path(claim), &json!({"metadata": {"finalizers": null}})).map(drop)
}
