//! Nodes, and what Karpenter makes them from.

use serde_json::Value;

use super::conditions::Condition;
use super::text::{because, count, of};
use super::{Health, silent};

/// The health of an object of `karpenter.sh`.
pub(super) fn karpenter(object: &Value, kind: &str) -> Option<Health> {
    match kind {
        "NodeClaim" => Some(claim(object, "")),
        "Machine" => Some(claim(object, "Machine")),
        "NodePool" => Some(pool(object)),
        _ => None,
    }
}

/// The stages of a claim, and what is said at each of them.
const STAGES: [(&str, &str); 3] = [
    ("Launched", "the machine is being made"),
    ("Registered", "the machine is made, and its node has not joined the cluster yet"),
    ("Initialized", "its node has joined the cluster, and is being set up"),
];

/// The health of a `NodeClaim`, or of a `Machine` of Karpenter's v1alpha5, whose conditions have that prefix.
fn claim(object: &Value, prefix: &str) -> Health {
    for (stage, doing) in STAGES {
        let condition = Condition::find(object, &format!("{prefix}{stage}"));
        match condition {
            Some(condition) if condition.is_true() => {}
            Some(condition) => return stage_health(&condition, stage, doing),
            None => return Health::in_progress(doing),
        }
    }
    match Condition::find(object, "Ready").filter(|ready| !ready.is_true()) {
        Some(ready) => Health::on_its_way(ready.tells_trouble(), ready.said()),
        None => Health::current(object["status"]["nodeName"].as_str().map_or("ready".to_owned(), |node| format!("node {node} is ready"))),
    }
}

fn stage_health(condition: &Condition, stage: &str, doing: &str) -> Health {
    if is_final(condition) {
        return Health::failed(because("the machine can't be made", condition.reason, condition.message));
    }
    match stage {
        _ if is_benign(condition.reason) => {
            // Which of the things that a node needs is missing says more than the stage; that there is no node says less.
            let detail = if stage == "Initialized" { condition.message } else { "" };
            Health::in_progress(because(doing, "", detail))
        }
        "Launched" => Health::stuck(because("the machine can't be made", condition.reason, condition.message)),
        _ => Health::stuck(because(doing, condition.reason, condition.message)),
    }
}

/// Whether a reason is one that every claim gives on its way.
pub(crate) fn is_benign(reason: &str) -> bool {
    const REASONS: [&str; 9] = [
        "",
        "AwaitingReconciliation",
        "NodeNotFound",
        "NodeNotReady",
        "StartupTaintsExist",
        "KnownEphemeralTaintsExist",
        "ResourceNotRegistered",
        "DRADriverPoolsNotPublished",
        "RegistrationHookPending",
    ];
    REASONS.contains(&reason)
}

/// Whether a cloud refuses a machine in a way that the same question won't change: it has none of the size, the quota is used
/// up, or the caller may not.
pub(super) fn is_final(condition: &Condition) -> bool {
    const REASONS: [&str; 9] = [
        "InsufficientCapacity",
        "QuotaExceeded",
        "QuotaReached",
        "LimitExceeded",
        "AllocationFail",
        "SKUNotAvailable",
        "Unauthorized",
        "AuthorizationFailed",
        "Overconstrained",
    ];
    // Where the reason is just `LaunchFailed`, the cloud's own code stands in the message.
    const WORDS: [&str; 9] = [
        "InsufficientCapacityError",
        "InsufficientInstanceCapacity",
        "insufficient capacity",
        "QuotaExceeded",
        "InsufficientVCPUQuota",
        "VcpuLimitExceeded",
        "AuthorizationFailed",
        "SkuNotAvailable",
        "exceeding approved",
    ];
    let is_any = |words: &[&str], text: &str| words.iter().any(|word| text.contains(word));
    !is_benign(condition.reason) && (is_any(&REASONS, condition.reason) || is_any(&WORDS, condition.message))
}

fn pool(object: &Value) -> Health {
    let unmet = |kind| Condition::find(object, kind).filter(Condition::is_false);
    if let Some(invalid) = unmet("ValidationSucceeded") {
        return Health::failed(because("it isn't valid", "", &invalid.said()));
    }
    if let Some(class) = unmet("NodeClassReady") {
        return Health::stuck(because("its NodeClass isn't ready", class.reason, class.message));
    }
    // Before v1 there may be no conditions at all, and a pool is there to be used.
    let Some(ready) = Condition::find(object, "Ready") else {
        return if object["apiVersion"] == "karpenter.sh/v1" { silent("Karpenter") } else { Health::current("there") };
    };
    let health = ready.health(object);
    if health != Health::current("ready") {
        return health;
    }
    let Some(wanted) = object["spec"]["replicas"].as_i64() else { return health };
    let nodes = object["status"]["nodes"].as_i64().unwrap_or_default();
    match unmet("NodeRegistrationHealthy") {
        _ if nodes >= wanted => Health::current(format!("{} there", of(wanted, wanted, "node"))),
        Some(unhealthy) => Health::stuck(because(&format!("{} there", of(nodes, wanted, "node")), "", &unhealthy.said())),
        None => Health::in_progress(format!("{} there", of(nodes, wanted, "node"))),
    }
}

/// What a node is short of, by the condition that says so.
const SHORTAGES: [(&str, &str); 4] = [
    ("DiskPressure", "short of disk"),
    ("MemoryPressure", "short of memory"),
    ("PIDPressure", "short of process ids"),
    ("NetworkUnavailable", "its network isn't set up"),
];

/// The health of a node: whether it is ready, and what it is short of.
pub(super) fn node(object: &Value) -> Health {
    let Some(ready) = Condition::find(object, "Ready") else { return Health::in_progress("its kubelet has not reported yet") };
    if ready.status == "Unknown" {
        return Health::stuck(because("its kubelet doesn't answer", "", ready.message));
    }
    if !ready.is_true() {
        return Health::on_its_way(ready.tells_trouble(), ready.said());
    }
    let short = SHORTAGES.iter().find(|(kind, _)| Condition::find(object, kind).is_some_and(|condition| condition.is_true()));
    match short {
        Some((kind, what)) => Health::stuck(because(what, kind, "")),
        None if object["spec"]["unschedulable"] == true => Health::current("ready, and closed for new pods"),
        None => match object["status"]["capacity"]["nvidia.com/gpu"].as_str().and_then(|gpus| gpus.parse().ok()) {
            Some(gpus) => Health::current(format!("ready, with {}", count(gpus, "GPU"))),
            None => Health::current("ready"),
        },
    }
}
