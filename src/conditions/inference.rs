//! Whether a model is served, and if not, what its pods meet with.
//!
//! The reasons and their order are those of Kaito 0.12. A container that crashes is now waiting, now running: the words here are the same
//! at each turn, and count no restarts.

use serde_json::Value;

use super::calm::calm;
use super::nodes::{outlook, pressure};
use super::part::{Outlook, Part};
use crate::health::{Condition, Status, health};

const KIND: &str = "InferenceReady";
const PENDING: &str = "WorkspaceInferenceStatusPending";

/// The init container that fetches the token for the storage that weights are streamed from.
const TOKEN_FETCHER: &str = "fetch-sas";

/// Looks for one thing, and says it in words for people.
type Look = fn(&Seen<'_>) -> Option<String>;

/// What pods may meet with, the first that is found being told.
const TROUBLES: [(&str, Look); 9] = [
    ("SASTokenFetchFailed", token_not_fetched),
    ("ContainerOOMKilled", out_of_memory),
    ("ImagePullError", image_not_pulled),
    ("ContainerStartError", not_started),
    ("ContainerCrashLoopBackOff", crashing),
    ("PodEvicted", evicted),
    ("NodeDiskPressure", |seen| seen.short_of("DiskPressure", "disk")),
    ("NodeMemoryPressure", |seen| seen.short_of("MemoryPressure", "memory")),
    ("Unschedulable", unschedulable),
];

/// Whether everything that serves is ready.
pub(super) fn inference(objects: &[&Value]) -> Part {
    let is_workload = |object: &&&Value| object["kind"] == "StatefulSet" || object["kind"] == "Deployment";
    let workloads: Vec<_> = objects.iter().filter(is_workload).map(|object| health(object)).collect();
    let Some(worst) = workloads.iter().max_by_key(|health| outlook(health)) else {
        return Part::new(KIND, Outlook::Coming, PENDING, "nothing runs yet");
    };
    if worst.status == Status::Current {
        return Part::new(KIND, Outlook::There, "WorkspaceInferenceStatusSuccess", "the model is served");
    }
    if let Some(trouble) = trouble(objects) {
        return Part { outlook: trouble.outlook.max(outlook(worst)), ..trouble };
    }
    let seen = Seen::new(objects);
    let pod = seen.pods.iter().map(|pod| health(pod)).filter(|health| health.status != Status::Current).max_by_key(outlook);
    let message = pod.as_ref().map_or_else(|| worst.message.clone(), |pod| format!("{}: {}", worst.message, pod.message));
    // A pod that has failed is made anew by what runs it.
    let of_pod = pod.as_ref().map_or(Outlook::Coming, |pod| outlook(pod).min(Outlook::Stuck));
    Part::new(KIND, outlook(worst).max(of_pod), PENDING, calm(&message))
}

/// What the pods among these objects have met with.
pub(super) fn trouble(objects: &[&Value]) -> Option<Part> {
    let seen = Seen::new(objects);
    let (reason, message) = TROUBLES.iter().find_map(|(reason, look)| Some((*reason, look(&seen)?)))?;
    Some(Part::new(KIND, Outlook::Stuck, reason, calm(&message)))
}

/// The pods that are not ready, and everything else.
struct Seen<'a> {
    objects: &'a [&'a Value],
    pods: Vec<&'a Value>,
}

/// A container that isn't ready, of such a pod.
struct Container<'a> {
    pod: &'a Value,
    status: &'a Value,
}

impl<'a> Seen<'a> {
    fn new(objects: &'a [&'a Value]) -> Self {
        let is_ready = |pod: &Value| Condition::find(pod, "Ready").is_some_and(|ready| ready.is_true());
        let is_waited_for = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null() && !is_ready(pod);
        let mut pods: Vec<&Value> = objects.iter().copied().filter(|object| object["kind"] == "Pod" && is_waited_for(object)).collect();
        pods.sort_by_key(|pod| pod["metadata"]["name"].as_str());
        Self { objects, pods }
    }

    fn containers(&self) -> impl Iterator<Item = Container<'a>> {
        let lists = ["initContainerStatuses", "containerStatuses"];
        let of_pod = move |pod: &'a Value| {
            let all = lists.into_iter().flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
            all.filter(|status| status["ready"] != true).map(move |status| Container { pod, status })
        };
        self.pods.clone().into_iter().flat_map(of_pod)
    }

    /// Nodes that are short of something take no pods, and send some away.
    fn short_of(&self, kind: &str, what: &str) -> Option<String> {
        pressure(self.objects, kind).then(|| format!("a node is short of {what}"))
    }
}

impl Container<'_> {
    /// Which one it is. The name of a pod that has the next one's place is another each time.
    fn name(&self) -> String {
        let container = self.status["name"].as_str().unwrap_or_default();
        format!("container {container} of {}", called(self.pod))
    }

    fn waiting(&self) -> Option<&str> {
        self.status["state"]["waiting"]["reason"].as_str()
    }

    /// How it has ended, or has the last time, if not well.
    fn end(&self) -> Option<&Value> {
        let ends = ["state", "lastState"].into_iter().map(|state| &self.status[state]["terminated"]);
        ends.into_iter().find(|end| end["exitCode"].as_i64().is_some_and(|code| code != 0))
    }
}

/// A pod by its name, if that is one that stays.
fn called(pod: &Value) -> String {
    let mut owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    match pod["metadata"]["name"].as_str() {
        Some(name) if owners.any(|owner| owner["kind"] == "StatefulSet") => format!("pod {name}"),
        _ => "a pod".to_owned(),
    }
}

fn token_not_fetched(seen: &Seen<'_>) -> Option<String> {
    let failed = seen.containers().find(|container| container.status["name"] == TOKEN_FETCHER && container.end().is_some())?;
    Some(format!("{} can't fetch the token for the storage of the weights", failed.name()))
}

fn out_of_memory(seen: &Seen<'_>) -> Option<String> {
    let killed = seen.containers().find(|container| container.end().is_some_and(|end| end["reason"] == "OOMKilled"))?;
    Some(format!("{} ran out of memory, and is started again", killed.name()))
}

/// Why an image can't be pulled, by words that registries say; what else they say is another at each try.
const REFUSALS: [(&str, &[&str]); 4] = [
    ("there is no such image", &["not found", "notfound", "manifest unknown"]),
    ("the registry has had too many requests", &["toomanyrequests", "too many requests"]),
    ("the registry asks for a login", &["unauthorized", "authentication required", "denied", "forbidden"]),
    ("the registry can't be reached", &["no such host", "timeout", "connection refused", "tls:"]),
];

fn image_not_pulled(seen: &Seen<'_>) -> Option<String> {
    const REASONS: [&str; 6] =
        ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError", "InvalidImageName"];
    let waits = seen.containers().find(|container| container.waiting().is_some_and(|reason| REASONS.contains(&reason)))?;
    let image = waits.status["image"].as_str().unwrap_or_default();
    let said = waits.status["state"]["waiting"]["message"].as_str().unwrap_or_default().to_lowercase();
    let why = REFUSALS.iter().find(|(_, words)| words.iter().any(|word| said.contains(word)));
    let why = why.map_or_else(String::new, |(why, _)| format!(": {why}"));
    Some(format!("image {image} of {} can't be pulled{why}", waits.name()))
}

fn not_started(seen: &Seen<'_>) -> Option<String> {
    const REASONS: [&str; 8] = [
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "StartError",
        "ContainerCannotRun",
        "PreStartHookError",
        "PostStartHookError",
        "PreCreateHookError",
    ];
    let waits = seen.containers().find(|container| container.waiting().is_some_and(|reason| REASONS.contains(&reason)))?;
    let said = waits.status["state"]["waiting"]["message"].as_str().unwrap_or_default();
    Some(format!("{} can't be started: {said}", waits.name()))
}

fn crashing(seen: &Seen<'_>) -> Option<String> {
    let is_crashing = |container: &Container<'_>| container.end().is_some() || container.waiting() == Some("CrashLoopBackOff");
    let crashing = seen.containers().find(is_crashing)?;
    let code = crashing.end().and_then(|end| end["exitCode"].as_i64()).unwrap_or_default();
    Some(format!("{} ended with exit code {code}, and is started again", crashing.name()))
}

fn evicted(seen: &Seen<'_>) -> Option<String> {
    let evicted = seen.pods.iter().find(|pod| pod["status"]["phase"] == "Failed" && pod["status"]["reason"] == "Evicted")?;
    Some(format!("{} was evicted from its node: {}", called(evicted), evicted["status"]["message"].as_str().unwrap_or_default()))
}

fn unschedulable(seen: &Seen<'_>) -> Option<String> {
    let mut scheduled = seen.pods.iter().filter_map(|pod| Some((pod, Condition::find(pod, "PodScheduled")?)));
    let (pod, said) = scheduled.find(|(_, scheduled)| scheduled.reason == "Unschedulable")?;
    Some(format!("no node takes {}: {}", called(pod), said.message))
}
