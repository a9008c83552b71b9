//! Who else does something in the cluster: controllers, which make nodes and pods of what is wanted, and people.

use serde_json::{Value, json};

use crate::checks::NOTE;
use crate::server::{Key, key, reference, remove, set};
use crate::world::World;

/// A controller that wants fields which aren't its business.
pub(crate) const MEDDLER: &str = "meddler";

/// What somebody does to an object of the set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meddling {
    /// `kubectl edit` of a field that is applied.
    Edit,
    /// Another controller sets a field that is applied, for good measure by force.
    Seize,
    /// A field that is applied is taken away.
    Strip,
    /// Another tool writes down something of its own.
    Note,
    /// It is deleted.
    Delete,
}

impl World {
    /// Controllers do what is to be done: what is to go is gone, and if they make something, claims get nodes and sets get pods.
    pub(crate) fn act_controllers(&mut self, make: bool) {
        for (key, claim) in self.server.of_kind("NodeClaim") {
            let claim = &claim.object;
            if !claim["metadata"]["deletionTimestamp"].is_null() {
                self.server.delete(&crate::server::key(&node(claim)));
                self.server.finalize(&key);
            } else if make && claim["metadata"]["name"] != "theirs" {
                self.launch(&key, claim);
            }
        }
        for (key, set) in self.server.of_kind("StatefulSet").iter().filter(|_| make) {
            let replicas = &set.object["spec"]["replicas"];
            let status = json!({
                "observedGeneration": set.object["metadata"]["generation"],
                "replicas": replicas,
                "readyReplicas": replicas,
                "currentReplicas": replicas,
                "updatedReplicas": replicas,
                "availableReplicas": replicas,
                "currentRevision": "one",
                "updateRevision": "one",
            });
            if set.object["status"] != status {
                self.server.change(key, ("kube-controller-manager", "status"), |object| object["status"] = status);
            }
        }
    }

    fn launch(&mut self, key: &Key, claim: &Value) {
        if claim["metadata"]["finalizers"].is_null() {
            self.server.change(key, ("karpenter", ""), |claim| set(claim, "/metadata/finalizers", json!(["karpenter.sh/termination"])));
        }
        let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": kind, "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let conditions: Vec<Value> = ["Launched", "Registered", "Initialized", "Ready"].map(condition).into();
        let node = node(claim);
        let status = json!({"conditions": conditions, "nodeName": node["metadata"]["name"]});
        if claim["status"] != status {
            self.server.change(key, ("karpenter", "status"), |claim| claim["status"] = status);
        }
        if self.server.get(&crate::server::key(&node)).is_none() {
            self.server.create("karpenter", node);
        }
    }

    /// The objects of the set.
    pub(crate) fn members(&self) -> Vec<Value> {
        let is_member = |object: &&Value| kaito::inventory::part_of(object).is_some_and(|set| set != "applyset-of-another-tool-v1");
        self.server.objects().filter(is_member).cloned().collect()
    }

    /// Somebody meddles with an object.
    pub(crate) fn meddle(&mut self, object: &Value, how: Meddling) {
        let (reference, key) = (reference(object), key(object));
        match how {
            Meddling::Edit => self.server.change(&key, ("kubectl-edit", ""), |object| deface(object, "edited")),
            Meddling::Seize => self.server.change(&key, (MEDDLER, ""), |object| deface(object, "seized")),
            Meddling::Strip => self.server.change(&key, ("kubectl-edit", ""), |object| {
                for field in
                    ["/spec/type", "/spec/replicas", "/metadata/annotations/karpenter.sh~1do-not-disrupt", "/data", "/inference/config"]
                {
                    remove(object, field);
                }
            }),
            Meddling::Note => {
                let note = format!("at {}", self.steps);
                self.server
                    .change(&key, ("notes", ""), |object| set(object, "/metadata/annotations/example.com~1note", note.clone().into()));
                debug_assert_eq!(NOTE, "example.com/note");
                if let Some(live) = self.server.get(&key).cloned() {
                    self.checks.noted(&live, &note);
                }
                return;
            }
            Meddling::Delete => self.server.delete(&key),
        }
        self.checks.touch(reference);
    }
}

/// Changes a field that is applied, in what kind of object ever.
fn deface(object: &mut Value, how: &str) {
    let (field, value) = match object["kind"].as_str() {
        Some("Service") => ("/spec/publishNotReadyAddresses", json!(how == "edited")),
        Some("StatefulSet") => ("/spec/replicas", json!(if how == "edited" { 3 } else { 0 })),
        // The rest of it can't be changed.
        Some("NodeClaim") => ("/metadata/annotations/karpenter.sh~1do-not-disrupt", json!(how)),
        Some("ConfigMap") => ("/data", json!({how: how})),
        Some("Workspace") => ("/inference/config", json!(how)),
        _ => return,
    };
    set(object, field, value);
}

/// The node of a claim.
fn node(claim: &Value) -> Value {
    let name = format!("node-{}", claim["metadata"]["name"].as_str().unwrap_or_default());
    let mut labels = claim["metadata"]["labels"].clone();
    labels["node.kubernetes.io/instance-type"] = "Standard_NC24ads_A100_v4".into();
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": {"nvidia.com/gpu": "1"},
            "allocatable": {"nvidia.com/gpu": "1"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}],
        },
    })
}
