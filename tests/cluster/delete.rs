//! `kaito delete` on a real API server: stories of several runs, each with what is printed.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::apply::{SETTINGS, Story, WORKSPACE};
use super::kubectl::kubectl;
use super::{living, playground};
use crate::support::{self, Run};

const PROD: [&str; 2] = ["--applyset", "prod"];

impl Story {
    fn delete(&mut self, args: &[&str], code: i32) -> Run {
        self.run(&["delete"], "kaito delete", args, code)
    }

    /// Deletes the set `prod`, or some of it.
    fn delete_prod(&mut self, args: &[&str], code: i32) -> Run {
        self.delete(&[&PROD, args].concat(), code)
    }

    fn apply_prod(&mut self) {
        self.apply(&PROD, 0);
    }

    /// Merges something into a live object.
    fn merge(&self, path: &str, change: &Value) {
        playground().client.merge(&path.replace("NAMESPACE", &self.scene.namespace), change).unwrap();
    }

    /// The kinds that were asked to go since the last time, in the order in which that happened, each once in a row.
    fn order(&self) -> Vec<String> {
        let asked = self.scene.proxy.asked();
        let deleted = asked.iter().filter_map(|asked| asked.strip_prefix("DELETE "));
        let mut kinds: Vec<String> = deleted.filter_map(|path| Some(path.split('?').next()?.rsplit('/').nth(1)?.to_owned())).collect();
        kinds.dedup();
        kinds
    }

    fn is_there(&self, path: &str) -> bool {
        self.get(path).is_ok()
    }

    /// The path of the one node of a Workspace.
    fn node(&self, workspace: &str) -> String {
        let root = "/apis/karpenter.sh/v1/nodeclaims";
        let list = self.get(&format!("{root}?labelSelector=kaito.sh/workspace={workspace},kaito.sh/workspacenamespace=NAMESPACE")).unwrap();
        format!("{root}/{}", list["items"][0]["metadata"]["name"].as_str().unwrap())
    }
}

const STATEFUL_SET: &str = "/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi-4";
const PARENT: &str = "/api/v1/namespaces/NAMESPACE/secrets/prod";

fn other() -> String {
    WORKSPACE.replace("name: phi-4}", "name: other}").replace("{preset: {name: other}}", "{preset: {name: phi-4}}")
}

#[test]
fn a_set() {
    let mut story = Story::of("delete", "set", &[WORKSPACE, SETTINGS, &other()]);
    story.apply_prod();
    story.scene.proxy.asked();
    story.delete_prod(&["--dry-run=client"], 0);
    assert_eq!(story.order(), Vec::<String>::new());
    story.delete_prod(&["--dry-run=server"], 0);
    assert!(story.is_there(STATEFUL_SET) && story.is_there(PARENT), "a dry run has deleted something");
    story.tell("one of its Workspaces");
    story.delete_prod(&["other"], 0);
    story.kept();
    story.delete_prod(&["other", "delete-set/phi-4", "--dry-run=client"], 1);
    story.tell("and the rest");
    story.scene.proxy.asked();
    story.delete_prod(&[], 0);
    assert_eq!(story.order(), ["statefulsets", "services", "nodeclaims", "configmaps", "secrets"]);
    assert!(!story.is_there(PARENT) && !story.is_there("/api/v1/namespaces/NAMESPACE/configmaps/settings"));
    story.delete_prod(&[], 1);
    story.delete_prod(&["--ignore-not-found"], 0);
    story.end();
}

#[test]
fn files() {
    let mut story = Story::of("delete", "files", &[WORKSPACE, SETTINGS]);
    story.apply(&[], 0);
    story.tell("somebody else's ConfigMap in the place of ours, and a file that was never applied");
    story.scene.write("2.yaml", &SETTINGS.replace("name: settings", "name: more"));
    story.scene.write("3.yaml", &SETTINGS.replace("name: settings", "name: theirs"));
    let theirs = story.scene.object("v1", "ConfigMap", "theirs", json!({"data": {"a": "0"}}));
    playground().client.take_over(&theirs, "somebody").unwrap();
    story.delete(&["-R", "-f", ".", "-o", "name"], 1);
    assert!(story.is_there("/api/v1/namespaces/NAMESPACE/configmaps/theirs"));
    story.delete(&["-R", "-f", ".", "--ignore-not-found"], 1);
    story.scene.remove("3.yaml");
    story.delete(&["-R", "-f", ".", "--ignore-not-found"], 0);
    story.tell("what belongs to a set goes with the set's name");
    story.scene.remove("2.yaml");
    story.apply_prod();
    story.delete(&["-f", "0.yaml"], 1);
    story.tell("a Workspace that can't be rendered");
    story.scene.edit("0.yaml", "preset: {name: phi-4}", "preset: {name: phi-44}");
    story.delete_prod(&["-R", "-f", "."], 1);
    assert!(story.is_there(STATEFUL_SET));
    story.scene.edit("0.yaml", "preset: {name: phi-44}", "preset: {name: phi-4}");
    story.delete_prod(&["-f", "0.yaml"], 0);
    story.kept();
    story.delete_prod(&[], 0);
    story.end();
}

#[test]
fn what_stays() {
    let kept = "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}}";
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}";
    let mut story = Story::of("delete", "protected", &[WORKSPACE, SETTINGS, kept, claim]);
    story.apply_prod();
    story.delete_prod(&[], 1);
    story.kept();
    story.tell("nothing takes away the finalizer of a claim here");
    story.delete_prod(&["--allow", "pvc", "--timeout", "1s"], 1);
    story.merge("/api/v1/namespaces/NAMESPACE/persistentvolumeclaims/disk", &json!({"metadata": {"finalizers": null}}));
    story.merge("/api/v1/namespaces/NAMESPACE/configmaps/kept", &json!({"metadata": {"annotations": null}}));
    story.delete_prod(&[], 0);
    assert!(!story.is_there(PARENT));
    story.end();
}

#[test]
fn what_takes_long() {
    let mut story = Story::of("delete", "stuck", &[WORKSPACE, SETTINGS]);
    story.apply_prod();
    let node = story.node("phi-4");
    story.merge(&node, &json!({"metadata": {"finalizers": ["karpenter.sh/termination"]}}));
    story.tell("Karpenter is slow to drain a node");
    let run = story.delete_prod(&["--timeout", "1s"], 3);
    assert!(run.stderr.contains("Karpenter drains the node"), "{}", run.stderr);
    assert!(story.is_there("/api/v1/namespaces/NAMESPACE/configmaps/settings"), "it comes after the nodes");
    story.tell("without waiting all are asked to go");
    story.delete_prod(&["--wait=false"], 0);
    assert!(!story.is_there(PARENT) && story.is_there(&node));
    story.merge(&node, &json!({"metadata": {"finalizers": null}}));
    assert!(!story.is_there(&node));
    story.end();
}

/// Killed in the middle and run again it ends the same.
#[test]
fn killed_in_the_middle() {
    let mut story = Story::of("delete", "killed", &[WORKSPACE, SETTINGS]);
    story.apply_prod();
    let node = story.node("phi-4");
    story.merge(&node, &json!({"metadata": {"finalizers": ["karpenter.sh/termination"]}}));
    let mut child = story.command(&["delete"]).args(PROD).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while story.get(&node).unwrap()["metadata"]["deletionTimestamp"].is_null() {
        sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    let said = child.wait_with_output().unwrap();
    support::hides_secrets("output", &String::from_utf8_lossy(&[said.stdout, said.stderr].concat()));
    assert!(!story.is_there(STATEFUL_SET) && story.is_there(PARENT));
    story.tell("killed while it waits for a node");
    story.merge(&node, &json!({"metadata": {"finalizers": null}}));
    story.delete_prod(&[], 0);
    assert!(!story.is_there(PARENT));
    story.end();
}

/// What belongs to what is deleted goes before it, if that is asked for: only the garbage collector can say when that is done.
#[test]
fn cascade() {
    let mut story = Story::of("delete", "cascade", &[WORKSPACE]);
    story.apply_prod();
    let run = story.delete_prod(&["--cascade=foreground", "--timeout=1s"], 3);
    assert!(run.stderr.contains("waits for foregroundDeletion"), "{}", run.stderr);
    story.merge(STATEFUL_SET, &json!({"metadata": {"finalizers": null}}));
    let run = story.delete_prod(&["--cascade=orphan", "--timeout=1s"], 3);
    assert!(run.stderr.contains("waits for orphan"), "{}", run.stderr);
    story.end();
}

#[test]
fn used_wrongly() {
    let mut story = Story::of("delete", "usage", &[WORKSPACE]);
    for args in [&[][..], &["phi-4"], &["-f", ".", "phi-4"], &["--applyset", "x", "--cascade", "up"], &["--applyset", "x", "-o", "json"]] {
        let run = story.delete(args, 2);
        assert!(run.stdout.is_empty(), "{}", run.stdout);
    }
    story.delete(&["--applyset", "deployments/x"], 2);
    story.scene.write("1.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: plain}}");
    story.apply(&[], 0);
    let run = story.delete(&["--applyset", "plain"], 1);
    assert!(run.stderr.contains("keeps no ApplySet"), "{}", run.stderr);
}

/// What kubectl would say of the same objects.
#[test]
fn lines_are_kubectls() {
    let mut story = Story::of("delete", "kubectl", &[WORKSPACE, SETTINGS]);
    story.apply(&[], 0);
    let run = support::finish(support::kaito().args(["render", "-n", "delete-kubectl", "-R", "-f"]).arg(story.scene.directory.path()));
    let rendered = story.scene.directory.path().join("rendered.txt");
    fs::write(&rendered, run.stdout).unwrap();
    let sorted = |text: &str| text.lines().map(ToOwned::to_owned).collect::<BTreeSet<String>>();
    for dry_run in ["client", "server"] {
        let mut kubectl = kubectl(&playground().server.kubeconfig_file());
        let theirs =
            support::finish(kubectl.args(["delete", "-n", "delete-kubectl", &format!("--dry-run={dry_run}"), "-f"]).arg(&rendered));
        let ours = story.delete(&["-R", "-f", ".", "--dry-run", dry_run], 0);
        assert_eq!((sorted(&ours.stdout), ours.stdout.lines().count()), (sorted(&theirs.stdout), 5), "{}", theirs.stderr);
    }
}

/// Where things really become ready, run and are drained: pods are gone before the nodes that they run on.
#[test]
fn in_a_living_cluster() {
    let namespace = "living-delete";
    living().namespace(namespace);
    let kaito = |args: &[&str]| {
        let mut command = support::kaito();
        command.args(args).args(["-n", namespace, "--applyset", "prod", "--timeout", "3m"]);
        let run = support::finish(command.arg("--kubeconfig").arg(living().server.kubeconfig_file()));
        assert_eq!(run.code, 0, "{args:?}: {}{}", run.stdout, run.stderr);
    };
    let input = ["-f", "examples/karpenter/workspace.yaml", "--config", "tests/cluster/kwok.yaml"];
    kaito(&[&["apply"], &input[..]].concat());
    let path = |kind: &str| format!("/apis/apps/v1/namespaces/{namespace}/{kind}");
    living().wait_for_replicas(&format!("{}/phi-4", path("statefulsets")));
    let nodes = "/api/v1/nodes?labelSelector=karpenter.sh/nodepool=living-delete-phi-4";
    let count = |path: &str| living().client.get(path).unwrap()["items"].as_array().unwrap().len();
    assert_eq!(count(nodes), 2);
    kaito(&["delete", "--cascade=foreground"]);
    assert_eq!((count(&path("statefulsets")), count(&format!("/api/v1/namespaces/{namespace}/pods"))), (0, 0));
    assert_eq!(count(nodes), 0);
    assert!(living().client.get(&format!("/api/v1/namespaces/{namespace}/secrets/prod")).is_err());
}
