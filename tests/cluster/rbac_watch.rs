//! `kaito watch` with the rights that are printed for it: everything that it does works; without one of them the log says which it is.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::playground;
use super::rbac::Account;
use crate::support;

const HERE: &str = "rbac-watch";
const ELSEWHERE: &str = "rbac-watch-elsewhere";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/rbac-watch/leases/kaito-watch";

/// Long enough for a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that watches. It ends with this value.
struct Watching {
    process: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Watching {
    fn start(account: &Account) -> Self {
        let mut command = support::kaito();
        command.current_dir(account.story.scene.directory.path());
        command.args(["watch", "-R", "-f", ".", "--applyset", "prod", "--namespaces", ELSEWHERE, "--leader-elect"]);
        command.args(["--as", &account.user()]).arg("--kubeconfig").arg(playground().server.kubeconfig_file());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let (sender, lines) = channel();
        // The other side may have heard enough.
        thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| _ = sender.send(line)));
        Self { process, lines, heard: Vec::new() }
    }

    /// Waits for a line of the log with all of these words.
    fn hears(&mut self, words: &[&str]) {
        let has = |line: &String| words.iter().all(|word| line.contains(word));
        while !self.heard.iter().any(has) {
            let line = self.lines.recv_timeout(PATIENCE);
            self.heard.push(line.unwrap_or_else(|_| panic!("{words:?} is not heard in {:#?}", self.heard)).replace(['"', '\\'], ""));
        }
    }

    /// Waits for the end, and for what is said until then.
    fn ends(mut self) -> Vec<String> {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        self.heard.extend(self.lines.iter());
        self.heard.clone()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
        if !thread::panicking() {
            support::hides_secrets("log", &self.heard.join("\n"));
        }
    }
}

/// A node with a GPU that was made for a Workspace, and that nobody has labelled yet; where it stands.
pub(super) fn gpu_node(name: &str, workspace: &str, namespace: &str) -> String {
    let (client, path) = (&playground().client, format!("/api/v1/nodes/{name}"));
    client.delete(&path).ok();
    let labels = json!({
        "apps": workspace,
        "kaito.sh/workspace": workspace,
        "kaito.sh/workspacenamespace": namespace,
        "node.kubernetes.io/instance-type": "Standard_NC24ads_A100_v4",
    });
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}});
    client.create("/api/v1/nodes", &node).unwrap();
    client.merge(&format!("{path}/status"), &json!({"status": {"capacity": {"nvidia.com/gpu": "1"}}})).unwrap();
    path
}

fn workspace(namespace: &str, name: &str) -> Value {
    playground().client.get(&format!("/apis/kaito.sh/v1beta1/namespaces/{namespace}/workspaces/{name}")).unwrap_or_default()
}

fn events(namespace: &str) -> Vec<Value> {
    let events = playground().client.get(&format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events")).unwrap();
    events["items"].as_array().unwrap().clone()
}

#[test]
fn rights_of_the_loop() {
    let account = Account::new("watch", &["--applyset", "prod", "--for", "watch", "--leader-elect"]);
    let wait = |what: &str, is_so: &dyn Fn() -> bool| playground().wait(what, || is_so().then_some(()));
    let node = gpu_node("rbac-watch-gpu", "phi-4", HERE);
    let mut watching = Watching::start(&account);
    watching.hears(&["reconciled"]);
    for (namespace, name) in [(HERE, "phi-4"), (ELSEWHERE, "other")] {
        wait("the status is told", &|| workspace(namespace, name)["status"]["conditions"].is_array());
        wait("events are written", &|| events(namespace).iter().any(|event| event["reason"] == "Applied"));
    }
    wait("the node is labelled", &|| playground().client.get(&node).unwrap()["metadata"]["labels"]["accelerator"] == "nvidia");
    account.story.scene.drift(&json!({"data": {"a": "9"}}));
    watching.hears(&["drift is put right", "settings"]);
    playground().client.delete("/apis/apps/v1/namespaces/rbac-watch/statefulsets/phi-4").unwrap();
    watching.hears(&["drift is put right", "StatefulSet", "was deleted"]);
    account.story.scene.remove("3.yaml");
    watching.hears(&["pruned", "configmap/more"]);
    let log = watching.ends();
    assert!(!log.iter().any(|line| line.contains("forbidden")), "{log:#?}");
    assert_eq!(playground().client.get(LEASE).unwrap()["spec"]["holderIdentity"], "");
    account.without_each_resource(|resource| {
        // Whether Kaito's operator runs is asked only where objects are its.
        if resource == "deployments" {
            return;
        }
        let delete = ["delete", "--ignore-not-found", "-n", HERE, "--applyset", "prod"];
        account.admin(&delete);
        playground().client.delete(LEASE).ok();
        gpu_node("rbac-watch-gpu", "phi-4", HERE);
        Watching::start(&account).hears(&["is forbidden", &format!("resource {resource} ")]);
    });
}
