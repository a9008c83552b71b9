//! Kaito's own kinds. None of them is `Current` before Kaito says so.

use serde_json::Value;

use super::conditions::Condition;
use super::nodes;
use super::text::{because, of};
use super::{Health, silent, unseen};

/// The health of an object of `kaito.sh`.
pub(super) fn kaito(object: &Value, kind: &str) -> Option<Health> {
    match kind {
        "Workspace" => Some(workspace(object)),
        "InferenceSet" => Some(inference_set(object)),
        "MultiRoleInference" => Some(multi_role_inference(object)),
        "RAGEngine" => Some(rag_engine(object)),
        "ModelMirror" => Some(model_mirror(object)),
        _ => None,
    }
}

/// The parts of a Workspace and of a RAGEngine, in the order in which they come to hold.
const PARTS: [&str; 8] = [
    "NodeClaimReady",
    "NodesReady",
    "ModelMirrorReady",
    "ResourceReady",
    "InferenceReady",
    "JobStarted",
    "ServiceReady",
    "RAGEngineServiceReady",
];

fn workspace(object: &Value) -> Health {
    let succeeded = Condition::find(object, "WorkspaceSucceeded");
    // What was said before the last change neither helps nor harms: a change may be what mends it.
    if succeeded.is_some_and(|condition| condition.is_stale(object)) {
        return unseen();
    }
    let failed = succeeded.filter(|condition| matches!(condition.reason, "workspaceFailed" | "BenchmarkFailed") && condition.is_false());
    if let Some(failed) = failed {
        return Health::failed(failed.said());
    }
    match object["status"]["state"].as_str() {
        Some("Failed") => {
            return Health::failed(succeeded.map_or_else(|| "Kaito says that it has failed".to_owned(), |condition| condition.said()));
        }
        Some("Succeeded") if succeeded.is_some_and(|condition| condition.is_true()) => return Health::current("the tuning has succeeded"),
        _ => {}
    }
    match succeeded {
        Some(condition) if condition.is_true() => Health::current("ready"),
        succeeded => unfinished(object, succeeded),
    }
}

/// What something waits for: the first part that doesn't hold, or else what the summary says.
fn unfinished(object: &Value, summary: Option<Condition>) -> Health {
    let Some(condition) = Condition::first_unmet(object, &PARTS).or(summary) else { return silent("Kaito") };
    if condition.kind == "NodeClaimReady" && nodes::is_final(&condition) {
        return Health::failed(condition.said());
    }
    // Only another annotation helps.
    if condition.reason == "ModelStreamingInvalidAnnotations" {
        return Health::failed(condition.said());
    }
    let reads_an_error = condition.message.contains("last reconcile error");
    let is_stuck = reads_an_error || !(is_on_its_way(condition.reason) || nodes::is_benign(condition.reason));
    Health::on_its_way(is_stuck, if is_stuck { condition.said() } else { plain(&condition) })
}

/// Whether a reason is one that everything gives on its way.
fn is_on_its_way(reason: &str) -> bool {
    const REASONS: [&str; 4] = ["NodeClaimNotReady", "NodePluginsNotReady", "PVCPending", "ragengineResourceStatusNotReady"];
    REASONS.contains(&reason)
        || reason.ends_with("Pending")
        || reason == "workspaceResourceStatusNotReady"
        || reason == "ModelMirrorNotReady"
}

/// What a condition says whose reason is just that it doesn't hold yet.
fn plain(condition: &Condition) -> String {
    if condition.message.is_empty() { condition.said() } else { condition.message.to_owned() }
}

fn inference_set(object: &Value) -> Health {
    let Some(ready) = Condition::find(object, "InferenceSetReady") else { return silent("Kaito") };
    if ready.is_stale(object) {
        return unseen();
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let have = object["status"]["readyReplicas"].as_i64().unwrap_or_default();
    let replicas = format!("{} ready", of(have, wanted, "Workspace"));
    match ready.reason {
        "inferencesetFailed" => Health::stuck(ready.said()),
        _ if ready.is_true() && have >= wanted => Health::current(replicas),
        _ => Health::in_progress(replicas),
    }
}

fn multi_role_inference(object: &Value) -> Health {
    let Some(ready) = Condition::find(object, "Ready") else { return silent("Kaito") };
    if ready.is_stale(object) {
        return unseen();
    }
    if ready.is_true() {
        return Health::current("ready");
    }
    if ready.reason == "ReconcileFailed" {
        return Health::stuck(ready.said());
    }
    let part = Condition::first_unmet(object, &["PrefillReady", "DecodeReady", "InferencePoolReady"]);
    Health::in_progress(plain(&part.unwrap_or(ready)))
}

/// A RAGEngine, whose conditions keep the generation of their last change, so that it doesn't tell what has been looked at.
fn rag_engine(object: &Value) -> Health {
    match Condition::find(object, "RAGEngineSucceeded") {
        Some(condition) if condition.is_true() => Health::current("ready"),
        // Whatever went wrong is tried again, and the parts say it better, if they say it.
        Some(condition) if condition.is_false() && Condition::first_unmet(object, &PARTS).is_none() => Health::stuck(condition.said()),
        summary => unfinished(object, summary),
    }
}

fn model_mirror(object: &Value) -> Health {
    let status = &object["status"];
    let ready = Condition::find(object, "Ready");
    if status["phase"] == "Ready" {
        return Health::current(if object["spec"]["mode"] == "Static" { "ready" } else { "the weights are there" });
    }
    if let Some(invalid) = ready.filter(|ready| ready.reason == "InvalidSpec") {
        return Health::failed(because("its spec isn't valid", "", invalid.message));
    }
    if let Some(failed) = ready.filter(|ready| !ready.is_true() && ready.tells_trouble() || is_killed(ready.reason)) {
        return Health::stuck(because("the weights can't be downloaded, and it is tried again", failed.reason, failed.message));
    }
    if let Some(storage) = Condition::find(object, "StorageReady").filter(|storage| !storage.is_true()) {
        return Health::on_its_way(storage.tells_trouble(), plain(&storage));
    }
    if status.is_null() { silent("Kaito") } else { Health::in_progress(download(&status["download"])) }
}

fn is_killed(reason: &str) -> bool {
    matches!(reason, "DownloadOOMKilled" | "DownloadEvicted")
}

/// How far a download is; what isn't known is -1, and 0 before it has begun.
fn download(progress: &Value) -> String {
    let (speed, left) = (progress["speedBytesPerSecond"].as_i64().unwrap_or(0), progress["remainingSeconds"].as_i64().unwrap_or(0));
    let at = if speed > 0 { format!(" at {} MB/s", speed.saturating_add(500_000) / 1_000_000) } else { String::new() };
    let left = match left {
        ..=0 => String::new(),
        1..120 => format!(", {left} s are left"),
        _ => format!(", {} minutes are left", left.saturating_add(30) / 60),
    };
    format!("the weights are being downloaded{at}{left}")
}
