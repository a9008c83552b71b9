//! What makes things ready in a cluster without controllers, played by a thread: the provisioner of nodes, kubelets, and the controller
//! of `StatefulSets`. Everything becomes ready at once.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::components::{self, InstanceType};
use super::super::wait::has;

const CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";
const NODES: &str = "/api/v1/nodes";

/// They play for as long as this is there, for the Workspaces of one namespace.
pub(super) struct StandIns {
    _stop: Sender<()>,
}

struct Play {
    client: Client,
    namespace: String,
    sizes: Vec<InstanceType>,
}

impl StandIns {
    pub(super) fn play(client: Client, namespace: &str) -> Self {
        let (stop, stopped) = channel();
        let play = Play { client, namespace: namespace.to_owned(), sizes: components::instance_types() };
        thread::spawn(move || play.until(&stopped));
        Self { _stop: stop }
    }
}

impl Play {
    fn until(&self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            // What fails is tried again: the server may be away, or somebody else has changed an object meanwhile.
            _ = self.nodes();
            _ = self.stateful_sets();
        }
    }

    fn nodes(&self) -> Result<(), String> {
        let of_ours = format!("?labelSelector=kaito.sh/workspacenamespace={}", self.namespace);
        let (claims, nodes) = (self.list(&format!("{CLAIMS}{of_ours}"))?, self.list(&format!("{NODES}{of_ours}"))?);
        for claim in &claims {
            if !nodes.iter().any(|node| node["metadata"]["name"] == claim["metadata"]["name"]) {
                self.client.create(NODES, &self.node(claim)).map(drop)?;
            }
            if !has(claim, "Ready") {
                let condition = |kind: &str| condition(kind, claim);
                let conditions = ["Launched", "Registered", "Initialized", "Ready"].map(condition).to_vec();
                let status = json!({"nodeName": claim["metadata"]["name"], "conditions": conditions});
                self.client.merge(&format!("{CLAIMS}/{}/status", name(claim)), &json!({"status": status}))?;
            }
        }
        let is_left = |node: &&Value| !claims.iter().any(|claim| claim["metadata"]["name"] == node["metadata"]["name"]);
        nodes.iter().filter(is_left).try_for_each(|node| self.client.delete(&format!("{NODES}/{}", name(node))))
    }

    /// The node of a claim, which is called as that is.
    fn node(&self, claim: &Value) -> Value {
        let mut labels = claim["metadata"]["labels"].clone();
        let requirements = claim["spec"]["requirements"].as_array().into_iter().flatten();
        requirements.for_each(|one| labels[one["key"].as_str().unwrap_or_default()] = one["values"][0].clone());
        let size = self.sizes.iter().find(|size| labels["node.kubernetes.io/instance-type"] == size.name.as_str());
        let mut node = components::node(name(claim), &labels, size);
        node["status"]["conditions"] = json!([condition("Ready", &json!({"metadata": {}}))]);
        node
    }

    fn stateful_sets(&self) -> Result<(), String> {
        let path = format!("/apis/apps/v1/namespaces/{}/statefulsets", self.namespace);
        for set in self.list(&path)? {
            let (generation, pods) = (&set["metadata"]["generation"], &set["spec"]["replicas"]);
            if set["status"]["observedGeneration"] != *generation || set["status"]["readyReplicas"] != *pods {
                let status = json!({
                    "observedGeneration": generation, "replicas": pods, "readyReplicas": pods, "availableReplicas": pods,
                    "currentReplicas": pods, "updatedReplicas": pods, "currentRevision": "a", "updateRevision": "a",
                });
                self.client.merge(&format!("{path}/{}/status", name(&set)), &json!({"status": status}))?;
            }
        }
        Ok(())
    }

    fn list(&self, path: &str) -> Result<Vec<Value>, String> {
        Ok(self.client.get(path)?["items"].as_array().cloned().unwrap_or_default())
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn condition(kind: &str, of: &Value) -> Value {
    json!({
        "type": kind, "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": of["metadata"]["generation"],
    })
}
