//! Pods, and what their containers are stuck at.

use serde_json::Value;

use super::Health;
use super::conditions::Condition;
use super::text::{because, of, told};

/// The health of a pod. One that has failed stays so: whoever owns it makes another.
pub(super) fn pod(object: &Value) -> Health {
    let status = &object["status"];
    match status["phase"].as_str().unwrap_or_default() {
        "Succeeded" => Health::current("completed"),
        "Failed" => Health::failed(failure(object)),
        "Unknown" => Health::stuck("its node doesn't answer"),
        _ if Condition::find(object, "Ready").is_some_and(|ready| ready.is_true()) => Health::current("ready"),
        _ => unscheduled(object).or_else(|| trouble(object)).unwrap_or_else(|| progress(object)),
    }
}

/// The containers of a list of the status.
fn containers<'a>(object: &'a Value, list: &str) -> &'a [Value] {
    object["status"][list].as_array().map_or(&[], Vec::as_slice)
}

/// All containers, in the order in which they are started.
fn all(object: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses"].into_iter().flat_map(|list| containers(object, list))
}

/// The words of a pod, or of one of its containers if it has several.
fn name(object: &Value, container: &Value) -> String {
    let is_alone = all(object).nth(1).is_none();
    container["name"].as_str().filter(|_| !is_alone).map_or_else(String::new, |name| format!("container {name}: "))
}

fn failure(object: &Value) -> String {
    let status = &object["status"];
    let (reason, message) = (status["reason"].as_str().unwrap_or_default(), status["message"].as_str().unwrap_or_default());
    if reason == "Evicted" {
        return because("evicted from its node", "", message);
    }
    if !reason.is_empty() {
        return told(message, reason, "it has failed");
    }
    let ended = all(object).find_map(|container| Some(format!("{}{}", name(object, container), end(&container["state"])?)));
    ended.unwrap_or_else(|| told(message, "", "it has failed"))
}

/// How a container has ended, if not well.
fn end(state: &Value) -> Option<String> {
    let ended = state["terminated"].as_object()?;
    let text = |name: &str| ended.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
    match text("reason") {
        "OOMKilled" => Some(because("ran out of memory", "OOMKilled", text("message"))),
        _ if code == 0 => None,
        "" | "Error" => Some(because(&format!("exit code {code}"), "", text("message"))),
        reason => Some(because(&format!("exit code {code}"), reason, text("message"))),
    }
}

fn unscheduled(object: &Value) -> Option<Health> {
    let scheduled = Condition::find(object, "PodScheduled").filter(Condition::is_false)?;
    Some(match scheduled.reason {
        "SchedulingGated" => Health::in_progress("held back by its scheduling gates"),
        _ => Health::stuck(because("no node takes it", "", scheduled.message)),
    })
}

/// What the first container is stuck at that is.
fn trouble(object: &Value) -> Option<Health> {
    all(object).find_map(|container| waiting(object, container).or_else(|| ended(object, container)))
}

/// Why a container is not started.
fn waiting(object: &Value, container: &Value) -> Option<Health> {
    let waiting = &container["state"]["waiting"];
    let (reason, message) = (waiting["reason"].as_str()?, waiting["message"].as_str().unwrap_or_default());
    let image = container["image"].as_str().unwrap_or_default();
    let name = name(object, container);
    let said = |what: &str| because(&format!("{name}{what}"), reason, message);
    Some(match reason {
        "ContainerCreating" | "PodInitializing" => return None,
        "InvalidImageName" => Health::failed(said(&format!("{image:?} is no name of an image"))),
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "RegistryUnavailable" | "ImageInspectError" => {
            Health::stuck(said(&format!("image {image} can't be pulled")))
        }
        "CrashLoopBackOff" => {
            let last = end(&container["lastState"]).unwrap_or_else(|| "exit code 0".to_owned());
            Health::stuck(format!("{name}crashes again and again (CrashLoopBackOff, {}): {last}", restarts(container)))
        }
        _ => Health::stuck(said("can't be started")),
    })
}

/// How a container that isn't ready has ended, or has the last time.
fn ended(object: &Value, container: &Value) -> Option<Health> {
    if container["ready"] == true {
        return None;
    }
    let name = name(object, container);
    if let Some(end) = end(&container["state"]) {
        return Some(Health::stuck(format!("{name}{end}")));
    }
    let last = end(&container["lastState"]).filter(|_| container["state"]["running"].is_object())?;
    Some(Health::stuck(format!("{name}runs again ({}) and is not ready yet; the last time: {last}", restarts(container))))
}

fn restarts(container: &Value) -> String {
    match container["restartCount"].as_i64().unwrap_or_default() {
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    }
}

/// How far a pod is that nothing is wrong with.
fn progress(object: &Value) -> Health {
    let scheduled = Condition::find(object, "PodScheduled").is_some_and(|scheduled| scheduled.is_true());
    let main = containers(object, "containerStatuses");
    if !scheduled && main.is_empty() {
        return Health::in_progress("waits for a node");
    }
    let running = containers(object, "initContainerStatuses").iter().find(|init| is_running(init) && init["started"] != true);
    if let Some(init) = running {
        return Health::in_progress(format!("init container {} runs", init["name"].as_str().unwrap_or_default()));
    }
    if !main.iter().any(is_running) {
        return Health::in_progress("its containers are being made: images pulled, volumes mounted");
    }
    let ready = main.iter().filter(|container| container["ready"] == true).count();
    if ready < main.len() {
        let is_starting = main.iter().any(|container| is_running(container) && container["started"] == false);
        return Health::in_progress(match (main.len(), is_starting) {
            (1, true) => "its container is starting up".to_owned(),
            (1, false) => "its container isn't ready yet".to_owned(),
            (all, true) => format!("{} ready, and one is starting up", of(number(ready), number(all), "container")),
            (all, false) => format!("{} ready", of(number(ready), number(all), "container")),
        });
    }
    let gate = Condition::find(object, "Ready").filter(|ready| !ready.message.is_empty());
    Health::in_progress(gate.map_or_else(|| "not ready yet".to_owned(), |ready| ready.said()))
}

fn is_running(container: &Value) -> bool {
    container["state"]["running"].is_object()
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
