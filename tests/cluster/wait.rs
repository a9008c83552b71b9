//! Waiting for what a cluster does in its own time, and the state of it all when that doesn't come.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Cluster;

/// Long enough for a machine with much else to do: what comes at all comes in seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is told of a cluster in which something doesn't come.
const STATE: &[&str] = &[
    "/api/v1/nodes",
    "/apis/karpenter.sh/v1/nodeclaims",
    "/apis/karpenter.sh/v1/nodepools",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/deployments",
    "/apis/batch/v1/jobs",
    "/api/v1/pods",
    "/api/v1/persistentvolumeclaims",
];

impl Cluster {
    /// Asks again and again until there is an answer. If none comes, the test fails with the state of the cluster.
    pub(super) fn wait<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            let fault = self.server.check().err();
            if let Some(fault) = fault.or_else(|| (start.elapsed() > PATIENCE).then(|| format!("not in {PATIENCE:?}"))) {
                panic!("waiting until {what}: {fault}\n{}\n{}", self.state(), self.server.last_words());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits for a condition of the object at a path, as `kubectl wait --for=condition=KIND`, and gives back the object.
    pub(super) fn wait_for(&self, path: &str, kind: &str) -> Value {
        self.wait(&format!("{path} is {kind}"), || self.client.get(path).ok().filter(|object| has(object, kind)))
    }

    /// Waits until all pods of the StatefulSet at a path are ready, and gives back the object.
    pub(super) fn wait_for_replicas(&self, path: &str) -> Value {
        self.wait(&format!("all pods of {path} are ready"), || {
            let object = self.client.get(path).ok()?;
            let (spec, status) = (&object["spec"], &object["status"]);
            let is_seen = status["observedGeneration"] == object["metadata"]["generation"];
            (is_seen && spec["replicas"] == status["readyReplicas"] && spec["replicas"] == status["updatedReplicas"]).then_some(object)
        })
    }

    /// Waits until nothing stands at a path.
    pub(super) fn wait_until_gone(&self, path: &str) {
        self.wait(&format!("{path} is gone"), || self.client.get(path).is_err().then_some(()));
    }

    /// A line for each object that matters, with its conditions.
    fn state(&self) -> String {
        let lists = STATE.iter().map(|path| (path, self.client.get(path).unwrap_or_default()));
        lists.fold(String::new(), |mut text, (path, list)| {
            _ = writeln!(text, "{path}");
            for object in list["items"].as_array().into_iter().flatten() {
                _ = writeln!(text, "  {}", line(object));
            }
            text
        })
    }
}

/// Whether a condition is true.
pub(super) fn has(object: &Value, kind: &str) -> bool {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn line(object: &Value) -> String {
    let words = ["/metadata/namespace", "/metadata/name", "/metadata/deletionTimestamp", "/spec/nodeName", "/status/phase"];
    let words = words.iter().filter_map(|path| object.pointer(path)?.as_str());
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let conditions = conditions.map(|condition| {
        let part = |name: &str| condition[name].as_str().unwrap_or_default();
        format!("\n      {}={} {}", part("type"), part("status"), part("message"))
    });
    words.collect::<Vec<_>>().join(" ") + &conditions.collect::<String>()
}
