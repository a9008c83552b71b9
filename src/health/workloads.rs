//! What runs pods: the workloads of the groups `apps` and `batch`.

use serde_json::Value;

use super::conditions::{Condition, pods_refused};
use super::text::{count, of, told};
use super::{Health, silent};

/// The health of a workload of the group `apps`.
pub(super) fn apps(object: &Value, kind: &str) -> Option<Health> {
    let rule = match kind {
        "Deployment" => deployment,
        "ReplicaSet" => replica_set,
        "StatefulSet" => stateful_set,
        "DaemonSet" => daemon_set,
        _ => return None,
    };
    // These controllers always say what they have looked at, so who hasn't said it hasn't looked.
    let is_seen = !object["status"]["observedGeneration"].is_null();
    Some(if is_seen { rule(object) } else { silent("its controller") })
}

/// The health of a workload of the group `batch`. A `CronJob` has nothing to wait for.
pub(super) fn batch(object: &Value, kind: &str) -> Option<Health> {
    (kind == "Job").then(|| job(object))
}

/// A number that is no less than 0, or what holds if there is none.
fn number(value: &Value, default: i64) -> i64 {
    value.as_i64().filter(|number| *number >= 0).unwrap_or(default)
}

/// A number of the status, which leaves out what is 0.
fn have(object: &Value, field: &str) -> i64 {
    number(&object["status"][field], 0)
}

fn replicas(object: &Value) -> i64 {
    number(&object["spec"]["replicas"], 1)
}

/// What is said of a workload that is complete.
fn complete(wanted: i64, state: &str) -> Health {
    Health::current(if wanted == 0 { "no pods are wanted".to_owned() } else { format!("{} {state}", of(wanted, wanted, "pod")) })
}

fn refusal(object: &Value) -> Option<Health> {
    Condition::find(object, "ReplicaFailure").filter(Condition::is_true).map(|refused| pods_refused(&refused))
}

fn deployment(object: &Value) -> Health {
    let wanted = replicas(object);
    let (all, updated, available) = (have(object, "replicas"), have(object, "updatedReplicas"), have(object, "availableReplicas"));
    let progress = if updated < wanted {
        format!("{} updated", of(updated, wanted, "pod"))
    } else if all > updated {
        format!("{} still to go", count(all - updated, "old pod"))
    } else if available < wanted {
        format!("{} available", of(available, wanted, "pod"))
    } else {
        return match Condition::find(object, "Available") {
            Some(available) if !available.is_true() => Health::in_progress(available.said()),
            _ => complete(wanted, "available"),
        };
    };
    let progressing = Condition::find(object, "Progressing");
    let is_late = progressing.is_some_and(|condition| condition.reason == "ProgressDeadlineExceeded");
    if let Some(refused) = refusal(object) {
        return if is_late { Health::failed(refused.message) } else { refused };
    }
    if is_late {
        let deadline = number(&object["spec"]["progressDeadlineSeconds"], 600);
        return Health::failed(format!("no progress in {deadline} s: {progress}"));
    }
    let is_paused = object["spec"]["paused"] == true;
    if is_paused { Health::stuck(format!("the rollout is paused: {progress}")) } else { Health::in_progress(progress) }
}

fn replica_set(object: &Value) -> Health {
    let wanted = replicas(object);
    let (all, available) = (have(object, "replicas"), have(object, "availableReplicas"));
    match refusal(object) {
        Some(refused) if available < wanted => refused,
        _ if available < wanted => Health::in_progress(format!("{} available", of(available, wanted, "pod"))),
        _ if all > wanted => Health::in_progress(format!("{} still to go", count(all - wanted, "pod"))),
        _ => complete(wanted, "available"),
    }
}

fn stateful_set(object: &Value) -> Health {
    let (wanted, status, strategy) = (replicas(object), &object["status"], &object["spec"]["updateStrategy"]);
    let (all, ready, updated) = (have(object, "replicas"), have(object, "readyReplicas"), have(object, "updatedReplicas"));
    let settling = number(&object["spec"]["minReadySeconds"], 0);
    let partition = number(&strategy["rollingUpdate"]["partition"], 0);
    // Pods below the partition keep the old revision, and so does the set.
    let due = wanted.saturating_sub(partition).max(0);
    let has_old = status["currentRevision"] != status["updateRevision"];
    if ready < wanted {
        return Health::in_progress(format!("{} ready", of(ready, wanted, "pod")));
    }
    if all > wanted {
        return Health::in_progress(format!("{} still to go", count(all - wanted, "pod")));
    }
    if settling > 0 && have(object, "availableReplicas") < wanted {
        return Health::in_progress(format!("{} available", of(have(object, "availableReplicas"), wanted, "pod")));
    }
    // Updates wait for somebody to delete pods, which may be never.
    if strategy["type"] == "OnDelete" {
        return complete(wanted, "ready");
    }
    if has_old && updated < due {
        let held = if partition > 0 { format!(", without those below the partition {partition}") } else { String::new() };
        return Health::in_progress(format!("{} updated{held}", of(updated, due, "pod")));
    }
    if has_old && partition == 0 {
        return Health::in_progress("the update is not finished yet");
    }
    complete(wanted, "ready")
}

fn daemon_set(object: &Value) -> Health {
    let Some(wanted) = object["status"]["desiredNumberScheduled"].as_i64().filter(|wanted| *wanted >= 0) else {
        return silent("its controller");
    };
    let scheduled = have(object, "currentNumberScheduled");
    let (updated, available) = (have(object, "updatedNumberScheduled"), have(object, "numberAvailable"));
    if scheduled < wanted {
        return Health::in_progress(format!("{} made", of(scheduled, wanted, "pod")));
    }
    if updated < wanted && object["spec"]["updateStrategy"]["type"] != "OnDelete" {
        return Health::in_progress(format!("{} updated", of(updated, wanted, "pod")));
    }
    if available < wanted {
        return Health::in_progress(format!("{} available", of(available, wanted, "pod")));
    }
    complete(wanted, "available")
}

fn job(object: &Value) -> Health {
    let holds = |kind| Condition::find(object, kind).filter(Condition::is_true);
    let (succeeded, failed, active) = (have(object, "succeeded"), have(object, "failed"), have(object, "active"));
    if holds("Complete").is_some() {
        return Health::current("completed");
    }
    // The first is said when it is settled, the second when the last pods are gone too.
    if let Some(failure) = holds("FailureTarget").or_else(|| holds("Failed")) {
        return Health::failed(told(failure.message, failure.reason, "it has failed"));
    }
    if object["spec"]["suspend"] == true {
        return suspended(object);
    }
    if object["status"]["startTime"].is_null() {
        return Health::in_progress("not started yet");
    }
    let mut parts = vec![match active {
        0 => "no pod is running".to_owned(),
        1 => "1 pod is running".to_owned(),
        _ => format!("{active} pods are running"),
    }];
    if let Some(wanted) = object["spec"]["completions"].as_i64().filter(|wanted| *wanted > 1) {
        parts.push(format!("{} completed", of(succeeded, wanted, "pod")));
    }
    if failed > 0 {
        let have = if failed == 1 { "has" } else { "have" };
        parts.push(format!("{failed} {have} failed, and up to {} may", number(&object["spec"]["backoffLimit"], 6)));
    }
    Health::on_its_way(failed > 0, parts.join(", "))
}

/// A Job that is suspended is as it was declared, unless a queue has suspended it.
fn suspended(object: &Value) -> Health {
    match object["metadata"]["labels"]["kueue.x-k8s.io/queue-name"].as_str() {
        Some(queue) => Health::in_progress(format!("waits in the queue {queue} of Kueue")),
        None => Health::current("suspended"),
    }
}
