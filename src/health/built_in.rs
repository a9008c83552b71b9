//! Kubernetes' own kinds that run nothing, and deletions.

use serde_json::Value;

use super::conditions::Condition;
use super::text::because;
use super::{Health, Status, nodes, pods, silent};

/// The health of an object of the core group. What has no status, such as a `ConfigMap`, is there.
pub(super) fn core(object: &Value, kind: &str) -> Option<Health> {
    match kind {
        "Pod" => Some(pods::pod(object)),
        "Node" => Some(nodes::node(object)),
        "Service" => Some(service(object)),
        "PersistentVolumeClaim" => Some(claim(object)),
        "PersistentVolume" => Some(volume(object)),
        _ => None,
    }
}

/// The health of an object that extends the API or limits what may be done to others.
pub(super) fn extension(object: &Value, kind: &str) -> Option<Health> {
    match kind {
        "CustomResourceDefinition" => Some(definition(object)),
        "PodDisruptionBudget" => Some(budget(object)),
        _ => None,
    }
}

/// What an object that is being deleted still waits for.
pub(super) fn deletion(object: &Value, group: &str, kind: &str) -> Health {
    let terminating = |is_stuck, message: &str| Health::new(Status::Terminating, is_stuck, message);
    if group.is_empty() && kind == "Namespace" {
        const FAILURES: [&str; 3] =
            ["NamespaceDeletionDiscoveryFailure", "NamespaceDeletionGroupVersionParsingFailure", "NamespaceDeletionContentFailure"];
        let holds = |kind: &&str| Condition::find(object, kind).filter(Condition::is_true);
        if let Some(failure) = FAILURES.iter().find_map(holds) {
            return terminating(true, &because("it can't be emptied", failure.reason, failure.message));
        }
        if let Some(rest) = ["NamespaceFinalizersRemaining", "NamespaceContentRemaining"].iter().find_map(holds) {
            return terminating(false, &because("being deleted", "", rest.message));
        }
    }
    let finalizers: Vec<&str> = object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match finalizers.as_slice() {
        [] => terminating(false, "being deleted"),
        [finalizer] => terminating(false, &format!("being deleted, once the finalizer {finalizer} is done")),
        finalizers => terminating(false, &format!("being deleted, once the finalizers {} are done", finalizers.join(", "))),
    }
}

fn service(object: &Value) -> Health {
    let (spec, kind) = (&object["spec"], object["spec"]["type"].as_str().unwrap_or("ClusterIP"));
    if kind == "ExternalName" {
        return Health::current("ready");
    }
    if spec["clusterIP"].as_str().unwrap_or_default().is_empty() {
        return Health::in_progress("it has no address in the cluster yet");
    }
    let is_given = object["status"]["loadBalancer"]["ingress"].as_array().is_some_and(|addresses| !addresses.is_empty());
    if kind == "LoadBalancer" && !is_given {
        return Health::in_progress("the load balancer has no address yet");
    }
    Health::current("ready")
}

fn claim(object: &Value) -> Health {
    let resize = Condition::find(object, "ControllerResizeError").or_else(|| Condition::find(object, "NodeResizeError"));
    match object["status"]["phase"].as_str() {
        // It is bound again when a volume of that name comes back.
        Some("Lost") => Health::stuck("the volume that it was bound to is gone"),
        Some("Bound") => match resize.filter(Condition::is_true) {
            Some(resize) => Health::stuck(because("it can't be made larger", "", resize.message)),
            None => Health::current("bound"),
        },
        // Some classes make a volume once a pod asks for it, and nothing here says so.
        _ => Health::in_progress("not bound to a volume yet"),
    }
}

fn volume(object: &Value) -> Health {
    match object["status"]["phase"].as_str() {
        Some("Bound") => Health::current("bound"),
        Some("Available") => Health::current("available"),
        Some("Released") => Health::stuck("its claim is gone, and no other can have it before it is set free"),
        Some("Failed") => {
            let status = &object["status"];
            let text = |name: &str| status[name].as_str().unwrap_or_default();
            Health::failed(because("it can't be cleaned up", text("reason"), text("message")))
        }
        _ => Health::in_progress("not available yet"),
    }
}

fn definition(object: &Value) -> Health {
    if let Some(names) = Condition::find(object, "NamesAccepted").filter(Condition::is_false) {
        return Health::failed(because("its names are not accepted", names.reason, names.message));
    }
    match Condition::find(object, "Established") {
        Some(established) if established.is_true() => Health::current("established"),
        Some(established) if established.is_false() && established.reason != "Installing" => Health::failed(established.said()),
        _ => Health::in_progress("not established yet"),
    }
}

/// A budget is there to be counted; whether it allows a disruption just now is no matter of health.
fn budget(object: &Value) -> Health {
    match Condition::find(object, "DisruptionAllowed").filter(|allowed| allowed.reason == "SyncFailed") {
        Some(failure) => Health::stuck(because("its pods can't be counted", "", failure.message)),
        None if object["status"]["observedGeneration"].is_null() => silent("its controller"),
        None => Health::current("counted"),
    }
}
