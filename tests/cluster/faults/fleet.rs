//! A repository that is followed into a namespace, and what is asked of the cluster after everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, RwLockReadGuard};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::adoption::undisturbed;
use super::super::scene::rendered;
use super::super::wait::has;
use super::super::watching::Watching;
use super::super::{Cluster, playground};
use super::stand_ins::StandIns;
use crate::git_remote::server::Served;
use crate::support;

/// The directory of the repository that is followed.
const FLEET: &str = "fleet";

/// What may be in the namespace.
const NAMESPACED: [(&str, &str, &str); 4] = [
    ("Service", "/api/v1", "services"),
    ("ConfigMap", "/api/v1", "configmaps"),
    ("StatefulSet", "/apis/apps/v1", "statefulsets"),
    ("Workspace", "/apis/kaito.sh/v1beta1", "workspaces"),
];

/// A repository that git serves over HTTP, and the namespace of a cluster into which it is followed, as the set `prod`.
pub(super) struct Fleet<'c> {
    pub cluster: &'c Cluster,
    pub namespace: String,
    pub served: Served,
    pub home: TempDir,
    /// What was there, and its uids.
    known: Mutex<BTreeMap<String, String>>,
    _stand_ins: StandIns,
    _undisturbed: RwLockReadGuard<'static, ()>,
}

impl Fleet<'static> {
    /// In the cluster of the tests that hurt none, with the Workspaces `phi` and `other` and the ConfigMap `settings`.
    pub(super) fn new(name: &str) -> Self {
        Self::within(playground(), name)
    }
}

impl<'c> Fleet<'c> {
    /// The same in a cluster.
    pub(super) fn within(cluster: &'c Cluster, name: &str) -> Self {
        let namespace = format!("faults-{name}");
        let undisturbed = undisturbed();
        cluster.namespace(&namespace);
        let stand_ins = StandIns::play(cluster.server.client(), &namespace);
        let (served, home) = (Served::new(), tempfile::tempdir().unwrap());
        let known = Mutex::default();
        let fleet = Self { cluster, namespace, served, home, known, _stand_ins: stand_ins, _undisturbed: undisturbed };
        fleet.write("phi", &workspace("phi"));
        fleet.write("other", &workspace("other"));
        fleet.commit(1);
        fleet
    }

    /// Writes a file of the fleet.
    pub(super) fn write(&self, name: &str, text: &str) {
        self.served.repo.write(&format!("{FLEET}/{name}.yaml"), text);
    }

    /// Removes one.
    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.files().join(format!("{name}.yaml"))).unwrap();
    }

    /// Commits what is written, and this number in `settings`; the commit.
    pub(super) fn commit(&self, number: usize) -> String {
        self.write("settings", &settings(number));
        self.served.repo.commit(&number.to_string())
    }

    /// The files that are followed.
    pub(super) fn files(&self) -> PathBuf {
        self.served.repo.path.join(FLEET)
    }

    /// `kaito watch`, with a kubeconfig and a cache of this name.
    pub(super) fn command(&self, replica: &str, kubeconfig: &Path, args: &[&str]) -> Command {
        self.command_at(&self.served.http(), replica, kubeconfig, args)
    }

    /// The same with another address of the repository.
    pub(super) fn command_at(&self, url: &str, replica: &str, kubeconfig: &Path, args: &[&str]) -> Command {
        let mut command = support::kaito();
        command.args(["watch", "--branch", "main", "-R", "-f", FLEET, "--applyset", "prod", "--interval", "200ms", "--url"]);
        command.arg(url).args(["-n", &self.namespace, "--kubeconfig"]).arg(kubeconfig);
        command.arg("--cache-dir").arg(self.home.path().join(replica)).args(args);
        command
    }

    /// A running one.
    pub(super) fn watch(&self) -> Watching {
        Watching::of(&mut self.command("cache", &self.cluster.server.kubeconfig_file(), &[]))
    }

    /// What stands at a path, in which `NAMESPACE` is that of the fleet.
    pub(super) fn get(&self, path: &str) -> Result<Value, String> {
        self.cluster.client.get(&self.path(path))
    }

    pub(super) fn path(&self, path: &str) -> String {
        path.replace("NAMESPACE", &self.namespace)
    }

    /// Deletes the StatefulSet of `phi`, and waits until there is another one.
    pub(super) fn until_repaired(&self) {
        const SET: &str = "/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi";
        let uid = self.get(SET).unwrap()["metadata"]["uid"].clone();
        self.known.lock().unwrap().remove("StatefulSet phi");
        self.cluster.client.delete(&self.path(SET)).unwrap();
        self.cluster.wait("what was deleted is back", || self.get(SET).ok().filter(|now| now["metadata"]["uid"] != uid));
    }

    /// Deletes something of the namespace, the same for the same number.
    pub(super) fn delete_one(&self, number: usize) {
        let live: Vec<(String, String)> = self.live().into_keys().filter_map(|key| Some((self.place(&key)?, key))).collect();
        if let Some((path, key)) = live.get(number % live.len().max(1)) {
            self.known.lock().unwrap().remove(key);
            // It may have gone meanwhile.
            _ = self.cluster.client.delete(path);
        }
    }

    /// Where an object of the namespace stands.
    fn place(&self, key: &str) -> Option<String> {
        let (kind, name) = key.split_once(' ')?;
        let (_, group, plural) = NAMESPACED.iter().find(|(other, ..)| *other == kind)?;
        Some(format!("{group}/namespaces/{}/{plural}/{name}", self.namespace))
    }

    /// Waits until the set says that a commit is applied whole.
    pub(super) fn until_applied(&self, commit: &str) {
        self.until_noted("kaito.sh/revision", commit);
    }

    /// Waits until the set has a commit in an annotation.
    pub(super) fn until_noted(&self, annotation: &str, commit: &str) {
        let want = format!("main@sha1:{commit}");
        self.cluster.wait(&format!("{annotation} of {} is {want}", self.namespace), || {
            let parent = self.get("/api/v1/namespaces/NAMESPACE/secrets/prod").ok()?;
            (parent["metadata"]["annotations"][annotation] == want).then_some(())
        });
    }

    /// Waits until a commit, which is checked out, is all that is live: just its objects, each as it says, every Workspace ready, and none
    /// of what was there another one, unless it was deleted here.
    pub(super) fn until_all_is(&self, commit: &str) {
        assert_eq!(self.served.repo.git(&["rev-parse", "HEAD"]), commit, "it is not checked out");
        self.until_applied(commit);
        let want = self.wanted();
        self.cluster.wait(&format!("there are just {want:?}"), || (self.live().into_keys().collect::<BTreeSet<_>>() == want).then_some(()));
        for key in want.iter().filter_map(|key| key.strip_prefix("Workspace ")) {
            let path = format!("/apis/kaito.sh/v1beta1/namespaces/NAMESPACE/workspaces/{key}");
            self.cluster.wait(&format!("{key} is ready"), || self.get(&path).ok().filter(is_ready));
        }
        self.assert_nothing_differs();
        let mut known = self.known.lock().unwrap();
        let now = self.uids();
        for (key, uid) in &now {
            assert!(known.get(key).is_none_or(|before| before == uid), "{key} is another one");
        }
        *known = now;
    }

    /// What the files stand for: kinds and names.
    fn wanted(&self) -> BTreeSet<String> {
        let objects = rendered(&self.files(), &self.namespace);
        let of = |kind: &'static str, as_kind: &'static str| {
            let named = objects.iter().filter(move |object| object.kind() == kind);
            named.map(move |object| format!("{as_kind} {}", object.name()))
        };
        let kinds = ["Service", "ConfigMap", "StatefulSet", "NodeClaim"];
        let all = kinds.into_iter().flat_map(|kind| of(kind, kind));
        assert_eq!(all.clone().count(), objects.len(), "there are kinds that nobody looks at");
        // A Workspace has a StatefulSet of its name.
        all.chain(of("StatefulSet", "Workspace")).collect()
    }

    /// What is live, by kind and name.
    fn live(&self) -> BTreeMap<String, Value> {
        let of = |kind: &str, path: &str| {
            let list = self.get(path).unwrap_or_default();
            let items = list["items"].as_array().cloned().unwrap_or_default().into_iter();
            items.map(|object| (format!("{kind} {}", object["metadata"]["name"].as_str().unwrap_or_default()), object)).collect::<Vec<_>>()
        };
        let namespaced = NAMESPACED.iter().flat_map(|(kind, group, plural)| of(kind, &format!("{group}/namespaces/NAMESPACE/{plural}")));
        let claims = of("NodeClaim", "/apis/karpenter.sh/v1/nodeclaims?labelSelector=kaito.sh/workspacenamespace=NAMESPACE");
        let mut live: BTreeMap<String, Value> = namespaced.chain(claims).collect();
        live.remove("ConfigMap kube-root-ca.crt");
        live
    }

    /// The uids of what is live, by kind and name.
    pub(super) fn uids(&self) -> BTreeMap<String, String> {
        self.live().into_iter().map(|(key, object)| (key, object["metadata"]["uid"].to_string())).collect()
    }

    /// That the server would change nothing, if all were applied once more.
    fn assert_nothing_differs(&self) {
        let mut command = support::kaito();
        command.args(["diff", "--live", "--ask-all", "-R", "-n", &self.namespace, "--kubeconfig"]);
        command.arg(self.cluster.server.kubeconfig_file()).arg("-f").arg(self.files());
        let run = support::finish(&mut command);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    }
}

/// Whether a Workspace is ready, and says so of what it is now.
fn is_ready(workspace: &Value) -> bool {
    let conditions = workspace["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
    let is_of_now = ready.all(|ready| ready["observedGeneration"] == workspace["metadata"]["generation"]);
    is_of_now && ["Ready", "WorkspaceSucceeded"].iter().all(|kind| has(workspace, kind)) && !has(workspace, "Stalled")
}

fn settings(number: usize) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"number": number.to_string()}}).to_string()
}

/// A Workspace that is called so.
pub(super) fn workspace(name: &str) -> String {
    let object = json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": name},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": name}}},
        "inference": {"preset": {"name": "phi-4"}},
    });
    object.to_string()
}
