//! `kaito apply` on a real API server: stories of several runs, each with what is printed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::manifest::Manifest;
use super::playground;
use super::scene::Scene;
use crate::support::{self, Run, expect};

pub(super) const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi-4}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi-4}}}
inference: {preset: {name: phi-4}}
";

pub(super) const SETTINGS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {team: a}}
data: {a: \"1\", note: x}
";

/// Runs of kaito in a scene, and what happens between them; told to a golden file.
pub(super) struct Story {
    pub scene: Scene,
    folder: &'static str,
    name: String,
    text: String,
}

impl Story {
    pub(super) fn new(name: &str, files: &[&str]) -> Self {
        Self::of("apply", name, files)
    }

    /// A story whose golden file is in another folder.
    pub(super) fn of(folder: &'static str, name: &str, files: &[&str]) -> Self {
        Self { scene: Scene::new(&format!("{folder}-{name}"), files), folder, name: name.to_owned(), text: String::new() }
    }

    /// Says what happens next.
    pub(super) fn tell(&mut self, what: &str) {
        _ = writeln!(self.text, "# {what}");
    }

    /// Runs kaito with the scene's files, and checks its exit code.
    pub(super) fn apply(&mut self, args: &[&str], code: i32) -> Run {
        self.run(&["apply", "-R", "-f", "."], "kaito apply", args, code)
    }

    /// Runs a verb of kaito, which is told under a shorter name, and checks its exit code.
    pub(super) fn run(&mut self, verb: &[&str], told: &str, args: &[&str], code: i32) -> Run {
        let run = support::finish(self.command(verb).args(args));
        let words: Vec<&str> = [told].into_iter().chain(args.iter().copied()).collect();
        self.ran(&words, &run, code);
        run
    }

    /// Says what a run of kaito came to, and checks its exit code.
    pub(super) fn ran(&mut self, words: &[&str], run: &Run, code: i32) {
        _ = writeln!(self.text, "$ {}\n{}{}[exit code {}]\n", words.join(" "), run.stdout, run.stderr, run.code);
        assert_eq!(run.code, code, "{}: {}", self.name, self.text);
    }

    /// A verb of kaito in the scene's directory, on its cluster.
    pub(super) fn command(&self, verb: &[&str]) -> Command {
        let mut command = support::kaito();
        command.current_dir(self.scene.directory.path());
        command.args(verb).arg("--kubeconfig").arg(&self.scene.proxy.kubeconfig);
        command
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, String> {
        playground().client.get(&path.replace("NAMESPACE", &self.scene.namespace))
    }

    /// The objects of the scene as they are, by name: uid and resourceVersion.
    pub(super) fn versions(&self) -> Vec<(String, Value, Value)> {
        let client = &playground().client;
        let live = |object: Manifest| {
            let found = client.find(&object).unwrap();
            (object.title(), found["metadata"]["uid"].clone(), found["metadata"]["resourceVersion"].clone())
        };
        self.scene.rendered().into_iter().map(live).collect()
    }

    /// Looks for what must not be told.
    pub(super) fn hides(&self, secret: &str) {
        assert!(!self.text.contains(secret), "{}", self.text);
    }

    /// Compares the story with the golden one.
    pub(super) fn end(self) {
        expect(Path::new(&format!("golden/{}/{}.txt", self.folder, self.name)), &self.text).unwrap();
    }
}

#[test]
fn created_unchanged_configured() {
    let mut story = Story::new("again", &[WORKSPACE, SETTINGS]);
    story.apply(&["--dry-run=client"], 0);
    story.apply(&["--dry-run=server"], 0);
    assert!(story.get("/api/v1/namespaces/NAMESPACE/configmaps/settings").is_err(), "a dry run has made it");
    story.apply(&[], 0);
    let before = story.versions();
    story.scene.proxy.asked();
    story.apply(&[], 0);
    let asked = story.scene.proxy.asked();
    assert!(asked.iter().all(|asked| asked.starts_with("GET ")), "{asked:#?}");
    assert_eq!(story.versions(), before);
    story.tell("another value");
    story.scene.edit("1.yaml", "a: \"1\"", "a: \"2\"");
    story.apply(&["--dry-run=server"], 0);
    story.apply(&["--dry-run=client"], 0);
    assert_eq!(story.versions(), before);
    story.apply(&[], 0);
    story.tell("a field less");
    story.scene.edit("1.yaml", ", note: x", "");
    story.apply(&[], 0);
    let data = story.get("/api/v1/namespaces/NAMESPACE/configmaps/settings").unwrap()["data"].clone();
    assert_eq!(data, json!({"a": "2"}));
    story.end();
}

#[test]
fn formats() {
    let mut story = Story::new("formats", &[SETTINGS]);
    story.apply(&["-o", "name"], 0);
    let json: Value = serde_json::from_str(&story.apply(&["-o", "json"], 0).stdout).unwrap();
    let object = &json["items"][0];
    assert_eq!(object["metadata"]["name"], "settings");
    assert!(object["metadata"]["uid"].is_string() && object["metadata"]["managedFields"].is_null(), "{object}");
    let yaml = story.apply(&["-o", "yaml"], 0).stdout;
    assert!(yaml.starts_with("---\napiVersion: v1\n"), "{yaml}");
}

#[test]
fn fields_of_others() {
    let mut story = Story::new("conflict", &[WORKSPACE, SETTINGS]);
    story.apply(&[], 0);
    story.tell("an autoscaler takes spec.replicas, somebody edits the ConfigMap");
    let scaled = story.scene.object("apps/v1", "StatefulSet", "phi-4", json!({"spec": {"replicas": 3}}));
    playground().client.take_over(&scaled, "autoscaler").unwrap();
    story.scene.drift(&json!({"data": {"note": "y"}}));
    story.scene.edit("1.yaml", "a: \"1\"", "a: \"2\"");
    story.apply(&[], 1);
    story.apply(&["--force-conflicts"], 0);
    story.apply(&[], 0);
    story.end();
}

#[test]
fn what_cannot_be_changed() {
    let claim = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], storageClassName: a, resources: {requests: {storage: 10Gi}}}
";
    let job = "
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
";
    let mut story = Story::new("immutable", &[WORKSPACE, claim, job]);
    story.apply(&[], 0);
    let before = story.versions();
    story.tell("another class of storage, another image of the Job, a larger node");
    story.scene.edit("1.yaml", "storageClassName: a", "storageClassName: b");
    story.scene.edit("2.yaml", "image: a", "image: b");
    story.scene.edit("0.yaml", "NC24ads", "NC48ads");
    story.scene.proxy.asked();
    story.apply(&[], 1);
    let asked = story.scene.proxy.asked();
    assert!(asked.iter().all(|asked| asked.starts_with("GET ")), "{asked:#?}");
    story.tell("without a controller nothing takes the finalizer of a foreground deletion away");
    story.apply(&["--replace", "--timeout", "1s"], 1);
    assert_eq!(story.versions().len(), before.len());
    story.end();
}

/// A Workspace may say itself that its objects may be made anew.
#[test]
fn what_a_workspace_allows() {
    let forced = WORKSPACE.replace("{name: phi-4}\nresource", "{name: phi-4, annotations: {kaito.sh/force: Enabled}}\nresource");
    let mut story = Story::new("forced", &[&forced]);
    story.apply(&["--node-provisioner", "machine"], 0);
    let machines = "/apis/karpenter.sh/v1alpha5/machines";
    let uid = |story: &Story| {
        let machines = story.get(machines).unwrap()["items"].as_array().unwrap().clone();
        let of_ours = |machine: &&Value| machine["metadata"]["labels"]["kaito.sh/workspacenamespace"] == story.scene.namespace.as_str();
        machines.iter().find(of_ours).unwrap()["metadata"]["uid"].clone()
    };
    let before = uid(&story);
    story.tell("a larger node");
    story.scene.edit("0.yaml", "NC24ads", "NC48ads");
    story.apply(&["--node-provisioner", "machine", "--dry-run=server"], 0);
    assert_eq!(uid(&story), before);
    story.apply(&["--node-provisioner", "machine"], 0);
    assert_ne!(uid(&story), before);
    story.end();
}

#[test]
fn workspaces_too() {
    let _undisturbed = super::adoption::undisturbed();
    let mut story =
        Story::new("workspaces", &[&WORKSPACE.replace("name: phi-4}\nresource", "name: phi-4, namespace: NAMESPACE}\nresource")]);
    story.apply(&["--include-workspace"], 0);
    story.apply(&["--include-workspace"], 0);
    story.tell("another preset, which Kaito doesn't let be changed");
    story.scene.edit("0.yaml", "preset: {name: phi-4}", "preset: {name: phi-4-mini-instruct}");
    story.apply(&["--include-workspace"], 1);
    story.apply(&["--include-workspace", "--replace", "--dry-run=server"], 0);
    story.end();
}

#[test]
fn what_the_server_refuses() {
    let unknown = "{apiVersion: example.com/v1, kind: AllowList, metadata: {name: a}}";
    let elsewhere = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: kube-public}}";
    let wrong = "{apiVersion: v1, kind: ConfigMap, metadata: {name: wrong}, dat: {a: b}}";
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: wrong}, stringData: {a: b}, typ: hunter2}";
    let mut story = Story::new("refused", &[WORKSPACE, SETTINGS, unknown, elsewhere, wrong, secret]);
    story.apply(&[], 1);
    story.tell("the Workspace and its ConfigMap are there all the same");
    assert!(story.get("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi-4").is_ok());
    story.apply(&["--dry-run=server"], 1);
    story.end();
}

/// Who is turned away comes again when the server says.
#[test]
fn the_server_is_busy() {
    let mut story = Story::new("busy", &[WORKSPACE, SETTINGS]);
    story.scene.proxy.turn_away(3);
    let run = story.apply(&[], 0);
    assert!(run.stdout.lines().count() == 5 && run.stdout.lines().all(|line| line.ends_with(" created")), "{}", run.stdout);
    let tries = story.scene.proxy.asked().iter().filter(|asked| asked.starts_with("PATCH")).count();
    assert_eq!(tries, 5 + 3);
}

#[test]
fn definitions_come_first() {
    let crd = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: teams.coming.example.com}
spec:
  group: coming.example.com
  names: {kind: Team, plural: teams}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
";
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: apply-coming-too}}";
    let team = "{apiVersion: coming.example.com/v1, kind: Team, metadata: {name: a, namespace: apply-coming-too}}";
    let mut story = Story::new("coming", &[team, crd, namespace, SETTINGS]);
    let named = ["--namespaces", "apply-coming-too"];
    story.apply(&[named[0], named[1], "--dry-run=server"], 0);
    story.apply(&named, 0);
    story.apply(&named, 0);
    story.end();
}

#[test]
fn one_broken_workspace() {
    let broken = WORKSPACE.replace("name: phi-4}", "name: broken}").replace("{preset: {name: broken}}", "{preset: {name: phi-44}}");
    let mut story = Story::new("broken", &[WORKSPACE, &broken]);
    story.apply(&[], 1);
    story.end();
}

#[test]
fn whose_it_is() {
    let mut story = Story::new("holders", &[WORKSPACE, SETTINGS]);
    story.tell("Flux has made the ConfigMap");
    let labels = json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    let made = story.scene.object("v1", "ConfigMap", "settings", json!({"metadata": {"labels": labels}, "data": {"a": "0"}}));
    playground().client.take_over(&made, "kustomize-controller").unwrap();
    story.apply(&[], 1);
    story.apply(&["--adopt", "all"], 0);
    story.tell("one set has it, and another one wants it");
    story.apply(&["--applyset", "one"], 0);
    story.apply(&["--applyset", "two"], 1);
    story.apply(&[], 1);
    story.apply(&["--applyset", "two", "--adopt", "all"], 0);
    story.end();
}

const SET: [&str; 3] = ["--applyset", "prod", "--prune"];

impl Story {
    /// Applies the scene's files as the set `prod`, pruning.
    fn prune(&mut self, args: &[&str], code: i32) -> Run {
        let args: Vec<&str> = SET.into_iter().chain(args.iter().copied()).collect();
        self.apply(&args, code)
    }

    /// What the parent of the set says of its kinds and namespaces.
    pub(super) fn kept(&mut self) {
        let parent = self.get("/api/v1/namespaces/NAMESPACE/secrets/prod").unwrap();
        let annotation = |name: &str| parent["metadata"]["annotations"][format!("applyset.kubernetes.io/{name}")].clone();
        let text = format!("the set has {} in {}", annotation("contains-group-kinds"), annotation("additional-namespaces"));
        self.tell(&text);
    }
}

#[test]
fn what_is_no_longer_wanted() {
    let more = SETTINGS.replace("name: settings", "name: more");
    let mut story = Story::new("prune", &[WORKSPACE, SETTINGS, &more]);
    story.apply(&["--prune"], 2);
    story.prune(&[], 0);
    story.kept();
    let before = story.versions();
    story.scene.proxy.asked();
    story.prune(&[], 0);
    let asked = story.scene.proxy.asked();
    assert!(asked.iter().all(|asked| asked.starts_with("GET ")), "{asked:#?}");
    // Members of the set that are wanted are read once.
    for kind in ["configmaps", "services", "statefulsets", "nodeclaims"] {
        let reads: Vec<&String> = asked.iter().filter(|asked| asked.contains(&format!("/{kind}"))).collect();
        assert_eq!(reads.len(), 1, "{reads:#?}");
    }
    assert_eq!(story.versions(), before);
    story.tell("a ConfigMap goes, and another one is called otherwise");
    story.scene.remove("2.yaml");
    story.scene.edit("1.yaml", "name: settings", "name: renamed");
    story.prune(&["--dry-run=server"], 0);
    story.prune(&["--max-prune", "1"], 5);
    story.prune(&["--max-prune", "50%"], 0);
    story.tell("a node of a Workspace that is still there");
    story.scene.write("kaito.yaml", "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nnodeProvisioner: karpenter\n");
    story.prune(&[], 0);
    story.prune(&["--prune-allow", "nodeclaims"], 0);
    story.kept();
    story.tell("the Workspace goes, with its nodes");
    story.scene.remove("0.yaml");
    story.prune(&[], 0);
    story.kept();
    story.tell("nothing is left, which is never meant");
    story.scene.remove("1.yaml");
    story.prune(&[], 1);
    assert!(story.get("/api/v1/namespaces/NAMESPACE/configmaps/renamed").is_ok());
    story.end();
}

/// The nodes of a Workspace are alike: one that is missing is made anew, whatever others there are.
#[test]
fn one_of_several_nodes() {
    let example = std::fs::read_to_string("examples/multi-node/workspace.yaml").unwrap();
    let mut story = Story::new("several-nodes", &[&example.replace("name: llama-70b", "name: llama-70b\n  namespace: NAMESPACE")]);
    story.prune(&[], 0);
    for at in [0, 2] {
        let claims = story.scene.rendered().into_iter().filter(|object| object.kind() == "NodeClaim");
        playground().client.remove(&claims.collect::<Vec<_>>()[at]);
        story.tell("a node goes");
        story.prune(&[], 0);
        story.versions();
    }
    story.end();
}

#[test]
fn what_keeps_others() {
    let with = |name: &str, metadata: &str| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, {metadata}}}}}");
    let protections = [
        ("flux", "annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}"),
        ("argo", "annotations: {argocd.argoproj.io/sync-options: \"Validate=false,Prune=false\"}"),
        ("helm", "annotations: {helm.sh/resource-policy: keep}"),
        ("kept", "annotations: {kaito.sh/prune: disabled}"),
    ];
    let texts: Vec<String> = protections.iter().map(|(name, metadata)| with(name, metadata)).collect();
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}";
    let mut files: Vec<&str> = texts.iter().map(String::as_str).collect();
    files.extend([claim, SETTINGS, WORKSPACE]);
    let mut story = Story::new("protected", &files);
    story.prune(&[], 0);
    for file in 0..5 {
        story.scene.remove(&format!("{file}.yaml"));
    }
    story.prune(&[], 0);
    story.kept();
    story.tell("a Workspace that can't be rendered, and a ConfigMap that is gone");
    story.scene.remove("5.yaml");
    story.scene.edit("6.yaml", "preset: {name: phi-4}", "preset: {name: phi-44}");
    story.prune(&[], 1);
    assert!(story.get("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi-4").is_ok());
    story.tell("what can't be applied keeps others from going");
    story.scene.edit("6.yaml", "preset: {name: phi-44}", "preset: {name: phi-4}");
    story.scene.write("7.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: wrong}, dat: {a: b}}");
    story.prune(&[], 1);
    story.scene.remove("7.yaml");
    story.prune(&[], 0);
    story.end();
}

#[test]
fn two_sets() {
    let mut story = Story::new("two-sets", &[SETTINGS]);
    story.prune(&[], 0);
    story.scene.edit("0.yaml", "name: settings", "name: others");
    story.tell("another set has other files, and prunes none of the first one's");
    story.apply(&["--applyset", "configmaps/other", "--prune"], 0);
    assert!(story.get("/api/v1/namespaces/NAMESPACE/configmaps/settings").is_ok());
    story.tell("what another tool keeps is not ours to prune");
    let parent = story.scene.object(
        "v1",
        "Secret",
        "prod",
        json!({"metadata": {"annotations": {"applyset.kubernetes.io/tooling": "kubectl/v1.35"}}}),
    );
    playground().client.take_over(&parent, "somebody").unwrap();
    story.prune(&[], 1);
    story.tell("a Secret that keeps no set");
    story.scene.write("1.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: plain}}");
    story.apply(&[], 1);
    story.apply(&["--applyset", "plain"], 1);
    story.apply(&["--applyset", "deployments/x"], 2);
    story.end();
}

/// The diff says what an apply does, before it does it: what is pruned too.
#[test]
fn what_the_diff_says_of_a_set() {
    let more = SETTINGS.replace("name: settings", "name: more");
    let mut story = Story::new("diff", &[WORKSPACE, SETTINGS, &more]);
    story.prune(&[], 0);
    let set = ["--applyset", "prod"];
    for args in [&[] as &[&str], &set] {
        let run = story.scene.diff(args);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    }
    story.scene.remove("2.yaml");
    story.scene.remove("0.yaml");
    let run = story.scene.diff(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    let run = story.scene.diff(&set);
    assert_eq!(run.code, 1, "{}", run.stderr);
    story.tell(&format!("kaito diff --live --applyset prod\n{}", run.stdout));
    story.prune(&[], 0);
    story.end();
}
