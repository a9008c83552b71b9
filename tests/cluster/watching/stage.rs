//! A scene that a loop follows, and what is live in it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::RwLockReadGuard;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::adoption::undisturbed;
use super::super::playground;
use super::super::scene::Scene;

/// What may be in a scene's namespace.
const NAMESPACED: [&str; 5] =
    ["api/v1 services", "api/v1 configmaps", "apis/apps/v1 statefulsets", "apis/batch/v1 jobs", "apis/kaito.sh/v1beta1 workspaces"];

/// The nodes of all scenes.
const NODE_CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";

/// Long enough for a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// For how long nothing must be asked to call that quiet.
const QUIET: Duration = Duration::from_secs(1);

/// A scene in a cluster without an operator.
pub(super) struct Stage {
    scene: Scene,
    _undisturbed: RwLockReadGuard<'static, ()>,
}

impl Deref for Stage {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl Stage {
    pub(super) fn new(name: &str, files: &[&str]) -> Self {
        Self { _undisturbed: undisturbed(), scene: Scene::new(&format!("watching-{name}"), files) }
    }

    /// What is live of the scene, by kind and name: `statefulsets phi`.
    pub(super) fn live(&self) -> BTreeMap<String, Value> {
        let mut live = BTreeMap::new();
        for kind in NAMESPACED {
            let (group, plural) = kind.split_once(' ').unwrap();
            let list = playground().client.get(&format!("/{group}/namespaces/{}/{plural}", self.namespace)).unwrap();
            for object in list["items"].as_array().unwrap() {
                live.insert(format!("{plural} {}", name(object)), object.clone());
            }
        }
        let claims = self.claims().into_iter().map(|claim| (format!("nodeclaims {}", name(&claim)), claim));
        live.extend(claims);
        live.retain(|key, _| key != "configmaps kube-root-ca.crt");
        live
    }

    /// The nodes of the scene's Workspaces that there are, or are going to be.
    pub(super) fn claims(&self) -> Vec<Value> {
        let claims = playground().client.get(NODE_CLAIMS).unwrap()["items"].as_array().unwrap().clone();
        let is_ours = |claim: &Value| claim["metadata"]["labels"]["kaito.sh/workspacenamespace"] == self.namespace.as_str();
        claims.into_iter().filter(is_ours).collect()
    }

    /// The uid and `resourceVersion` of everything that is live.
    pub(super) fn versions(&self) -> BTreeMap<String, String> {
        let version = |object: &Value| format!("{} {}", text(&object["metadata"]["uid"]), text(&object["metadata"]["resourceVersion"]));
        self.live().iter().map(|(key, object)| (key.clone(), version(object))).collect()
    }

    /// Asks again and again until there is an answer. If none comes, the test fails with what is live.
    pub(super) fn wait<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(answer) = ask() {
                return answer;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let live = self.live().into_iter().map(|(key, object)| {
            let metadata = &object["metadata"];
            format!("{key}: {} {} {}\n", metadata["deletionTimestamp"], metadata["finalizers"], object["status"])
        });
        panic!("waiting until {what}: not in {PATIENCE:?}\n{}", live.collect::<String>());
    }

    /// Waits until what is live has just these names, each of its kind.
    pub(super) fn until_live(&self, want: &[&str]) {
        self.wait(&format!("there are {want:?}"), || {
            let live = self.live();
            // The names of nodes are made up.
            let live: Vec<&str> = live.keys().map(|key| if key.starts_with("nodeclaims ") { "nodeclaims" } else { key.as_str() }).collect();
            let mut want = want.to_vec();
            want.sort_unstable();
            (live == want).then_some(())
        });
    }

    /// What stands at a path, in which `NAMESPACE` is the scene's.
    pub(super) fn get(&self, path: &str) -> Result<Value, String> {
        playground().client.get(&self.path(path))
    }

    pub(super) fn path(&self, path: &str) -> String {
        path.replace("NAMESPACE", &self.namespace)
    }

    /// Waits until what stands at a path is as it is wanted.
    pub(super) fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.wait(&format!("{path} is as it is wanted"), || self.get(path).ok().filter(&is_so))
    }

    /// Waits until a condition of a Workspace has a status and a reason, and gives back its message.
    pub(super) fn until_condition(&self, workspace: &str, kind: &str, status: &str, reason: &str) -> String {
        let path = self.path(&format!("/apis/kaito.sh/v1beta1/namespaces/NAMESPACE/workspaces/{workspace}"));
        self.wait(&format!("{workspace} is {kind}={status} {reason}"), || {
            let workspace = playground().client.get(&path).ok()?;
            let found = condition(&workspace, kind)?;
            (found["status"] == status && found["reason"] == reason).then(|| text(&found["message"]).to_owned())
        })
    }

    /// Waits until nothing is asked for a while; what was asked until then.
    pub(super) fn until_quiet(&self) -> Vec<String> {
        let (mut since, mut all) = (Instant::now(), Vec::new());
        self.wait("nothing is asked any more", || {
            let asked = self.proxy.asked();
            if !asked.is_empty() {
                since = Instant::now();
            }
            all.extend(asked);
            (since.elapsed() > QUIET).then_some(())
        });
        all
    }

    /// The uid and `resourceVersion` of everything when nothing is asked any more.
    pub(super) fn versions_at_rest(&self) -> BTreeMap<String, String> {
        self.until_quiet();
        self.versions()
    }

    /// Merges a change into what stands at a path, as this field manager.
    pub(super) fn merge(&self, path: &str, manager: &str, change: &Value) {
        playground().client.merge(&format!("{}?fieldManager={manager}", self.path(path)), change).unwrap();
    }
}

/// A condition of an object.
pub(super) fn condition<'o>(object: &'o Value, kind: &str) -> Option<&'o Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

pub(super) const SETTINGS: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: \"1\"}}";

/// A Workspace that is called so.
pub(super) fn workspace(name: &str) -> String {
    let object = json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": name},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": name}}},
        "inference": {"preset": {"name": "phi-4"}},
    });
    format!("{object}\n")
}

fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
