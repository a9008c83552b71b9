//! How a live object is doing, as a function of its JSON and nothing else.
//!
//! The rules in their order: what is being deleted; what its controller has not looked at since it was changed; the
//! conditions `Stalled` and `Reconciling`; what is known of the kind; the condition `Ready`. What says nothing of itself at all is
//! there, and that is all that is asked of it.
//!
//! The words are those of kstatus. Where the answers are not:
//! - A Job that runs is `InProgress`, since a tuning is waited for to its end.
//! - A pod that can't be scheduled, or whose container crashes again and again, is stuck and not `Failed`: nodes with GPUs take
//!   minutes to come, and a container may only wait for something else. A pod that has failed is `Failed`.
//! - A Workspace is judged by what Kaito says of it; kstatus takes it for `Current` from the first second.
//!
//! Sources: kstatus of sigs.k8s.io/cli-utils, Kubernetes' documentation of the kinds, and the APIs of Kaito 0.12, Karpenter,
//! Cluster API, Azure Service Operator and Flux.

mod built_in;
mod conditions;
mod flux;
mod kaito;
mod nodes;
mod pods;
mod pools;
mod text;
mod workloads;

use std::fmt;

use serde_json::Value;

pub(crate) use conditions::Condition;
pub(crate) use nodes::is_benign;
pub use text::line;

/// How an object is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// In one word.
    pub status: Status,
    /// Something is wrong that may yet right itself, or that others have to put right: worth telling before a wait is over. What
    /// has failed is not stuck, and neither is what is `Current`.
    pub is_stuck: bool,
    /// In words for people: one short line, with nothing in it that a terminal would obey.
    pub message: String,
}

/// How an object is doing, in the words of kstatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It is as it was declared.
    Current,
    /// It is on its way.
    InProgress,
    /// It will not get there by waiting: it has to be changed, or made anew.
    Failed,
    /// It is being deleted.
    Terminating,
    /// It can't be told: this is no Kubernetes object.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::Unknown => "Unknown",
        })
    }
}

impl Health {
    fn new(status: Status, is_stuck: bool, message: &str) -> Self {
        Self { status, is_stuck, message: text::line(message) }
    }

    fn current(message: impl AsRef<str>) -> Self {
        Self::new(Status::Current, false, message.as_ref())
    }

    fn in_progress(message: impl AsRef<str>) -> Self {
        Self::new(Status::InProgress, false, message.as_ref())
    }

    fn stuck(message: impl AsRef<str>) -> Self {
        Self::new(Status::InProgress, true, message.as_ref())
    }

    fn failed(message: impl AsRef<str>) -> Self {
        Self::new(Status::Failed, false, message.as_ref())
    }

    /// On its way, and stuck if something is wrong.
    fn on_its_way(is_stuck: bool, message: impl AsRef<str>) -> Self {
        Self::new(Status::InProgress, is_stuck, message.as_ref())
    }
}

/// How a live object is doing.
pub fn health(object: &Value) -> Health {
    let (Some(api_version), Some(kind)) = (object["apiVersion"].as_str(), object["kind"].as_str()) else {
        return Health::new(Status::Unknown, false, "it has no apiVersion and kind");
    };
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return built_in::deletion(object, group, kind);
    }
    if let Some(health) = of_any_kind(object) {
        return health;
    }
    match group {
        "" => built_in::core(object, kind),
        "apps" => workloads::apps(object, kind),
        "batch" => workloads::batch(object, kind),
        "policy" | "apiextensions.k8s.io" => built_in::extension(object, kind),
        "karpenter.sh" => nodes::karpenter(object, kind),
        "cluster.x-k8s.io" | "infrastructure.cluster.x-k8s.io" => pools::cluster_api(object, kind),
        "kaito.sh" => kaito::kaito(object, kind),
        // Classes of nodes tell their readiness as others do.
        "karpenter.azure.com" => None,
        group if group.ends_with(".azure.com") => pools::azure(object),
        group if group.ends_with(".toolkit.fluxcd.io") => flux::flux(object),
        _ => None,
    }
    .unwrap_or_else(|| by_ready(object))
}

/// What any controller may say: that it has not looked yet, has given up, or is at work.
fn of_any_kind(object: &Value) -> Option<Health> {
    let observed = object["status"]["observedGeneration"].as_i64();
    let generation = generation(object);
    if observed.is_some() && generation.is_some() && observed != generation {
        return Some(unseen());
    }
    let holds = |kind| Condition::find(object, kind).filter(Condition::is_true);
    if let Some(stalled) = holds("Stalled") {
        return Some(Health::failed(stalled.said()));
    }
    let reconciling = holds("Reconciling")?;
    // It is at work again after it has failed; why it has is what the readiness tells.
    if reconciling.reason == "ProgressingWithRetry" {
        let ready = Condition::find(object, "Ready").filter(|ready| !ready.is_true() && !ready.message.is_empty());
        return Some(Health::stuck(ready.unwrap_or(reconciling).said()));
    }
    Some(Health::in_progress(reconciling.said()))
}

/// What the condition `Ready` says, of what has one. What has none is there.
fn by_ready(object: &Value) -> Health {
    Condition::find(object, "Ready").map_or_else(|| Health::current("there"), |ready| ready.health(object))
}

fn generation(object: &Value) -> Option<i64> {
    object["metadata"]["generation"].as_i64()
}

/// The last change has not been looked at.
fn unseen() -> Health {
    Health::in_progress("the last change has not been looked at yet")
}

/// Whoever looks after it has said nothing of it so far.
fn silent(by: &str) -> Health {
    Health::in_progress(format!("{by} has not looked at it yet"))
}
