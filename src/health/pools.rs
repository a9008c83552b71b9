//! Pools of nodes that are declared to Cluster API or Azure Service Operator.

use serde_json::Value;

use super::conditions::Condition;
use super::text::{of, told};
use super::{Health, silent};

/// The health of an object of Azure Service Operator, such as a `ManagedClustersAgentPool`.
pub(super) fn azure(object: &Value) -> Option<Health> {
    let Some(ready) = Condition::find(object, "Ready") else { return Some(silent("Azure Service Operator")) };
    if ready.is_true() || ready.is_stale(object) {
        return None;
    }
    // It gives up on what is an error, and goes on with the rest.
    Some(match ready.severity {
        "Error" => Health::failed(ready.said()),
        "Warning" => Health::stuck(ready.said()),
        _ => Health::in_progress(ready.said()),
    })
}

/// The health of an object of Cluster API, or of one that stands behind it.
pub(super) fn cluster_api(object: &Value, kind: &str) -> Option<Health> {
    if !kind.ends_with("Pool") {
        return None;
    }
    let status = &object["status"];
    let text = |name: &str| status[name].as_str().unwrap_or_default();
    // `failureMessage` is set of what nobody will try again.
    if !text("failureMessage").is_empty() || !text("failureReason").is_empty() {
        return Some(Health::failed(told(text("failureMessage"), text("failureReason"), "it has failed")));
    }
    if status["phase"] == "Failed" {
        let unmet = Condition::first_unmet(object, &PARTS);
        return Some(Health::failed(unmet.map_or_else(|| "it has failed".to_owned(), |unmet| unmet.said())));
    }
    Some(if kind == "MachinePool" { machine_pool(object) } else { infrastructure(object) })
}

/// What a pool is made of, and then the conditions that sum up.
const PARTS: [&str; 7] =
    ["BootstrapReady", "BootstrapConfigReady", "InfrastructureReady", "AgentPoolReady", "ReplicasReady", "Ready", "Available"];

fn machine_pool(object: &Value) -> Health {
    if let Some(unmet) = Condition::first_unmet(object, &PARTS) {
        // Such an error is one that somebody has to look into, yet it is tried again.
        return Health::on_its_way(unmet.severity == "Error" || unmet.tells_trouble(), unmet.said());
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let ready = object["status"]["readyReplicas"].as_i64().unwrap_or_default();
    let is_summed_up = ["Ready", "Available"].iter().any(|kind| Condition::find(object, kind).is_some());
    if ready < wanted {
        return Health::in_progress(format!("{} ready", of(ready, wanted, "node")));
    }
    match object["status"]["phase"].as_str() {
        Some("Running") => Health::current(format!("{} ready", of(wanted, wanted, "node"))),
        None if is_summed_up => Health::current(format!("{} ready", of(wanted, wanted, "node"))),
        None => silent("Cluster API"),
        Some(phase) => Health::in_progress(format!("the pool is in the phase {phase}")),
    }
}

/// A pool of a cloud: it says that it is ready in a condition, a field, or the field of a later contract.
fn infrastructure(object: &Value) -> Health {
    let status = &object["status"];
    if let Some(unmet) = Condition::first_unmet(object, &PARTS) {
        return Health::on_its_way(unmet.severity == "Error" || unmet.tells_trouble(), unmet.said());
    }
    let is_ready = Condition::find(object, "Ready").is_some() || status["ready"] == true || status["initialization"]["provisioned"] == true;
    if is_ready { Health::current("ready") } else { Health::in_progress("the pool is being made") }
}
