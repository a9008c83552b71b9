//! `kaito status` and `kaito tree` on a real API server: stories whose objects are told how they are doing, as no controller runs.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::playground;
use super::scene::Scene;
use crate::support::{self, Run, expect};

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: WORKSPACE}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi-4}}}
inference: {preset: {name: phi-4}}
";

/// What is said of a scene as time goes by.
struct Story {
    scene: Scene,
    name: String,
    text: String,
}

impl Story {
    fn new(name: &str) -> Self {
        let files = [WORKSPACE.replace("WORKSPACE", &format!("phi-{name}"))];
        Self { scene: Scene::new(&format!("status-{name}"), &[&files[0]]), name: name.to_owned(), text: String::new() }
    }

    /// The name of the Workspace.
    fn workspace(&self) -> String {
        format!("phi-{}", self.name)
    }

    fn tell(&mut self, what: &str) {
        _ = writeln!(self.text, "# {what}");
    }

    fn run(&mut self, args: &[&str], code: i32) -> Run {
        let run = support::finish(support::kaito().args(args).arg("--kubeconfig").arg(&self.scene.proxy.kubeconfig));
        let stdout = if args.contains(&"json") { without_times(&run.stdout) } else { without_ages(&run.stdout) };
        _ = writeln!(self.text, "$ kaito {}\n{stdout}{}[exit code {}]\n", args.join(" "), run.stderr, run.code);
        assert_eq!(run.code, code, "{}", self.text);
        run
    }

    /// Tells how an object of the scene is doing.
    fn reports(&self, api_version: &str, kind: &str, name: &str, status: &Value) {
        let object = self.scene.object(api_version, kind, name, json!({"status": status}));
        playground().client.apply_status(&object).unwrap();
    }

    fn make(&self, api_version: &str, kind: &str, name: &str, fields: Value) {
        playground().client.take_over(&self.scene.object(api_version, kind, name, fields), "somebody").unwrap();
    }

    /// The name of the one `NodeClaim`.
    fn claim(&self) -> String {
        let found = self.scene.rendered().into_iter().find(|object| object.kind() == "NodeClaim").unwrap();
        found.name().to_owned()
    }

    fn claim_reports(&self, status: &str, reason: &str, message: &str) {
        let conditions = ["Launched", "Registered", "Initialized", "Ready"].map(|kind| condition(kind, status, reason, message));
        let node = format!("node-{}", self.name);
        let status = json!({"nodeName": node, "providerID": "a", "conditions": conditions});
        self.reports("karpenter.sh/v1", "NodeClaim", &self.claim(), &status);
    }

    fn set_reports(&self, ready: u64) {
        let status = json!({
            "replicas": 1, "currentReplicas": 1, "updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready,
            "currentRevision": "a", "updateRevision": "a", "observedGeneration": 1,
        });
        self.reports("apps/v1", "StatefulSet", &self.workspace(), &status);
    }

    /// A pod of the `StatefulSet`, as its controller makes it.
    fn pod(&self, state: &Value, phase: &str) {
        let name = format!("{}-0", self.workspace());
        let set = format!("/apis/apps/v1/namespaces/{}/statefulsets/{}", self.scene.namespace, self.workspace());
        let uid = playground().client.get(&set).unwrap()["metadata"]["uid"].clone();
        let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": self.workspace(), "uid": uid, "controller": true});
        // A pod needs an account, which a controller makes in every namespace.
        self.make("v1", "ServiceAccount", "default", json!({}));
        let spec = json!({"nodeName": format!("node-{}", self.name), "containers": [{"name": "a", "image": "a"}]});
        let metadata = json!({"labels": {"kaito.sh/workspace": self.workspace()}, "ownerReferences": [owner]});
        self.make("v1", "Pod", &name, json!({"metadata": metadata, "spec": spec}));
        let is_ready = phase == "Running";
        let container = json!({"name": "a", "image": "a", "imageID": "a", "ready": is_ready, "restartCount": 0, "state": state});
        let is_ready = if is_ready { "True" } else { "False" };
        let status = json!({"phase": phase, "containerStatuses": [container], "conditions": [condition("Ready", is_ready, "", "")]});
        self.reports("v1", "Pod", &name, &status);
    }

    /// Applies the scene as the set `prod`, from a revision.
    fn apply_set(&self) {
        let mut apply = support::kaito();
        apply.current_dir(self.scene.directory.path()).args(["apply", "-f", ".", "--applyset", "prod", "--kubeconfig"]);
        let run = support::finish(apply.arg(&self.scene.proxy.kubeconfig));
        assert_eq!(run.code, 0, "{}", run.stderr);
        let annotations = json!({"kaito.sh/revision": "main@sha1:0123456789abcdef0123456789abcdef01234567"});
        self.make("v1", "Secret", "prod", json!({"metadata": {"annotations": annotations}}));
    }

    fn end(self) {
        expect(Path::new(&format!("golden/status/{}.txt", self.name)), &self.text).unwrap();
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

/// A table in which everything is as old as everything else, with its columns as wide as that needs.
fn without_ages(table: &str) -> String {
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    let Some(age) = rows.first().and_then(|head| head.iter().position(|name| *name == "AGE")) else { return table.to_owned() };
    let young = |cell: &str| cell.ends_with('s') && cell.trim_end_matches('s').parse::<u32>().is_ok();
    let cell = |at: usize, cell: &str| if at == age && young(cell) { "1s".to_owned() } else { cell.to_owned() };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().enumerate().map(|(at, text)| cell(at, text)).collect()).collect();
    let width = |at: usize| rows.iter().filter_map(|row| Some(row.get(at)?.chars().count())).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().enumerate().map(|(at, cell)| format!("{cell:0$}", width(at))).collect();
        format!("{}\n", cells.join("   ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// JSON without the moment at which the test ran.
fn without_times(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("\"creationTimestamp\": \"2") {
        Some((before, _)) => format!("{before}\"creationTimestamp\": \"2026-01-01T00:00:00Z\",\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn from_nothing_to_ready() {
    let mut story = Story::new("ready");
    story.run(&["status"], 0);
    story.run(&["status", "phi-ready"], 1);
    story.scene.apply();
    story.run(&["status"], 0);
    story.tell("there is no machine of that size");
    story.claim_reports("False", "InsufficientCapacityError", "no capacity");
    story.run(&["status"], 0);
    story.tell("there is one, and the pod waits for its image");
    story.claim_reports("True", "Ready", "");
    story.set_reports(0);
    story.pod(&json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}), "Pending");
    story.run(&["status"], 0);
    story.run(&["status", "-o", "wide"], 0);
    story.run(&["status", "-o", "json"], 0);
    story.tell("everything is there");
    story.set_reports(1);
    story.pod(&json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}), "Running");
    story.run(&["status"], 0);
    story.run(&["status", "-o", "wide"], 0);
    story.run(&["status", "-A", "phi-ready", "ragengine/phi-ready"], 1);
    story.run(&["status", "-o", "name"], 0);
    story.run(&["status", "deployment/phi-ready"], 2);
    story.end();
}

#[test]
fn sets_and_revisions() {
    let mut story = Story::new("sets");
    story.run(&["status", "--applyset", "prod"], 1);
    story.apply_set();
    story.claim_reports("False", "InsufficientCapacityError", "no capacity");
    story.run(&["status", "--applyset", "prod"], 0);
    story.run(&["status", "--applyset", "services/prod"], 2);
    story.run(&["status", "-o", "json"], 0);
    story.scene.proxy.asked();
    story.run(&["status"], 0);
    let asked = story.scene.proxy.asked();
    assert!(asked.iter().all(|asked| asked.starts_with("GET ")), "{asked:#?}");
    let lists: Vec<&String> = asked.iter().filter(|asked| asked.contains("/statefulsets?")).collect();
    assert_eq!(lists.len(), 2, "a list for each label: {asked:#?}");
    story.end();
}

#[test]
fn what_kaito_says() {
    let mut story = Story::new("kaito");
    let selector = json!({"matchLabels": {"apps": "phi-4"}});
    let resource = json!({"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": selector});
    let fields = json!({"resource": resource, "inference": {"preset": {"name": "phi-4"}}});
    story.make("kaito.sh/v1beta1", "Workspace", "phi-kaito", fields);
    story.tell("a Workspace that nobody has looked at");
    story.run(&["status"], 0);
    let report = |story: &Story, status: &str| {
        let conditions = ["ResourceReady", "InferenceReady", "WorkspaceSucceeded"].map(|kind| condition(kind, status, "Said", "by Kaito"));
        story.reports("kaito.sh/v1beta1", "Workspace", "phi-kaito", &json!({"conditions": conditions}));
    };
    report(&story, "False");
    story.run(&["status"], 0);
    report(&story, "True");
    story.run(&["status", "-o", "wide"], 0);
    story.tell("what it is made of is not ready");
    story.scene.apply();
    story.run(&["status"], 0);
    story.end();
}

#[test]
fn what_may_not_be_read() {
    let mut story = Story::new("rights");
    story.scene.apply();
    let rules = json!([{"apiGroups": ["apps", "kaito.sh"], "resources": ["*"], "verbs": ["list"]}]);
    let subjects = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "status-reader"}]);
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"});
    story.make("rbac.authorization.k8s.io/v1", "Role", "reader", json!({"rules": rules}));
    story.make("rbac.authorization.k8s.io/v1", "RoleBinding", "reader", json!({"roleRef": role, "subjects": subjects}));
    let home = tempfile::tempdir().unwrap();
    let config = playground().server.kubeconfig(home.path(), &json!({}));
    std::fs::write(&story.scene.proxy.kubeconfig, config.to_string()).unwrap();
    let namespace = story.scene.namespace.clone();
    story.run(&["status", "-n", &namespace, "--as", "status-reader"], 0);
    let run = story.run(&["status", "-n", &namespace, "--as", "status-nobody"], 4);
    assert!(run.stdout.is_empty(), "{}", run.stdout);
    story.text = story.text.replace(config["clusters"][0]["cluster"]["server"].as_str().unwrap(), "SERVER");
    story.end();
}

#[test]
fn a_watch_tells_what_changes() {
    let story = Story::new("watch");
    story.scene.apply();
    let mut command = support::kaito();
    command.args(["status", "-w", "--kubeconfig"]).arg(&story.scene.proxy.kubeconfig).stdout(Stdio::piped());
    let mut kaito = command.spawn().unwrap();
    let mut lines = BufReader::new(kaito.stdout.take().unwrap()).lines();
    let mut next = || {
        let line = lines.next().unwrap().unwrap();
        support::hides_secrets("stdout", &line);
        line
    };
    assert!(next().starts_with("NAME "));
    assert!(next().contains("0/1"));
    story.claim_reports("True", "Ready", "");
    assert!(next().contains("1/1"));
    for object in story.scene.rendered() {
        playground().client.remove(&object);
    }
    // The objects go one after the other.
    assert!(std::iter::repeat_with(next).any(|line| line.ends_with("it is gone")));
    kaito.kill().unwrap();
    kaito.wait().unwrap();
}

#[test]
fn trees() {
    let mut story = Story::new("tree");
    story.run(&["tree"], 0);
    story.run(&["tree", "phi-tree"], 1);
    story.scene.apply();
    story.claim_reports("True", "Ready", "");
    story.set_reports(0);
    story.pod(&json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}), "Pending");
    story.tell("the node has not joined");
    story.run(&["tree"], 0);
    story.make("v1", "Node", "node-tree", json!({}));
    story.reports("v1", "Node", "node-tree", &json!({"conditions": [condition("Ready", "True", "KubeletReady", "")]}));
    story.apply_set();
    story.tell("it has, and everything is part of a set");
    story.run(&["tree", "--applyset", "prod"], 0);
    story.run(&["tree", "-A", "phi-tree"], 0);
    story.run(&["tree", "-o", "json"], 0);
    story.end();
}
