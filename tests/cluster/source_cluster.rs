//! `kaito watch --source cluster`: what people apply with kubectl is rendered, applied, told about in its status and cleared away.

use std::fs::{self, File};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::kubectl::kubectl;
use super::will::Will;
use super::{Cluster, living, playground};
use crate::support::{Run, file_hides_secrets, finish, kaito};

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: NAME}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: NAME}}}
inference: {preset: {name: phi-4}}
";

const CONFIG: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {inference_config.yaml: \"vllm: {max-model-len: LENGTH}\"}
";

/// A namespace that is followed.
struct Followed {
    cluster: &'static Cluster,
    namespace: &'static str,
    home: TempDir,
    process: Option<Child>,
    /// It ends with the tests, however they end.
    will: Will,
}

impl Followed {
    fn new(cluster: &'static Cluster, namespace: &'static str) -> Self {
        Self::with(cluster, namespace, &[])
    }

    fn with(cluster: &'static Cluster, namespace: &'static str, args: &[&str]) -> Self {
        cluster.namespace(namespace);
        let mut followed = Self { cluster, namespace, home: tempfile::tempdir().unwrap(), process: None, will: Will::new().unwrap() };
        followed.start(&cluster.server.kubeconfig_file(), args);
        followed
    }

    fn start(&mut self, kubeconfig: &Path, args: &[&str]) {
        let mut command = kaito();
        command
            .args([
                "watch",
                "--source",
                "cluster",
                "-n",
                self.namespace,
                "--applyset",
                self.namespace,
                "--log-level",
                "debug",
                "--kubeconfig",
            ])
            .arg(kubeconfig)
            .args(args);
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let process = command.env("HOME", self.home.path()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.will.say(&format!("kill {}", process.id())).unwrap();
        self.process = Some(process);
    }

    fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        _ = process.kill();
        _ = process.wait();
        self.will.say(":").unwrap();
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }

    fn kubectl(&self, args: &[&str]) -> Run {
        let run = finish(kubectl(&self.cluster.server.kubeconfig_file()).args(["-n", self.namespace]).args(args));
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        run
    }

    /// Applies a text as somebody does who follows the quick start.
    fn apply(&self, text: &str) {
        let file = self.home.path().join("applied.yaml");
        File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
        self.kubectl(&["apply", "-f", &file.to_string_lossy()]);
    }

    fn path(&self, resource: &str, name: &str) -> String {
        let group = match resource {
            "statefulsets" => "/apis/apps/v1",
            "services" | "configmaps" => "/api/v1",
            "multiroleinferences" => "/apis/kaito.sh/v1alpha1",
            _ => "/apis/kaito.sh/v1beta1",
        };
        format!("{group}/namespaces/{}/{resource}/{name}", self.namespace)
    }

    fn get(&self, resource: &str, name: &str) -> Option<Value> {
        self.cluster.client.get(&self.path(resource, name)).ok()
    }

    /// What makes the nodes of a Workspace.
    fn claims(&self, workspace: &str) -> Vec<Value> {
        let labels = format!("kaito.sh/workspace={workspace},kaito.sh/workspacenamespace={}", self.namespace);
        let list = self.cluster.client.get(&format!("/apis/karpenter.sh/v1/nodeclaims?labelSelector={labels}")).unwrap();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits, and tells what the process has said if it is in vain.
    fn wait<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        catch_unwind(AssertUnwindSafe(|| self.cluster.wait(what, ask))).unwrap_or_else(|fault| {
            let fault = fault.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("{fault}\n{}", fs::read_to_string(self.log()).unwrap_or_default())
        })
    }

    /// Waits until a condition of a Workspace has this status, and gives back its message.
    fn wait_for(&self, workspace: &str, kind: &str, status: &str) -> String {
        self.wait_for_kind("workspaces", workspace, kind, status)
    }

    /// The same of an object of any kind.
    fn wait_for_kind(&self, resource: &str, name: &str, kind: &str, status: &str) -> String {
        self.wait(&format!("{kind} of {name} is {status}"), || {
            let object = self.get(resource, name)?;
            let condition = object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)?;
            (condition["status"] == status).then(|| condition["message"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// Waits until nothing is left of a Workspace.
    fn wait_until_gone(&self, workspace: &str) {
        self.wait(&format!("everything of {workspace} is gone"), || {
            let services = [workspace.to_owned(), format!("{workspace}-headless")].map(|name| self.get("services", &name));
            let is_gone = self.get("statefulsets", workspace).is_none() && services.iter().all(Option::is_none);
            (is_gone && self.claims(workspace).is_empty()).then_some(())
        });
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            file_hides_secrets(&self.log());
        }
    }
}

fn workspace(name: &str) -> String {
    WORKSPACE.replace("NAME", name)
}

/// The quick start, word for word.
#[test]
fn the_quick_start() {
    let followed = Followed::new(living(), "source-quick-start");
    followed.kubectl(&["apply", "-f", "examples/phi-3-mini/workspace.yaml"]);
    let row = followed.wait("all columns are True", || {
        let table = followed.kubectl(&["get", "workspace", "workspace-phi-3-mini"]).stdout;
        let mut lines = table.lines();
        let headings = lines.next().unwrap_or_default().to_owned();
        let row = lines.next().unwrap_or_default().to_owned();
        let cell = |heading: &str| {
            let start = headings.find(heading)?;
            row.get(start..)?.split_whitespace().next().map(ToOwned::to_owned)
        };
        let is_true = |heading: &&str| cell(heading).as_deref() == Some("True");
        ["RESOURCEREADY", "INFERENCEREADY", "WORKSPACESUCCEEDED"].iter().all(is_true).then_some(row)
    });
    assert!(row.contains("Standard_NC6s_v3"), "{row}");
    let services = followed.kubectl(&["get", "svc"]).stdout;
    let service = services.lines().find(|line| line.starts_with("workspace-phi-3-mini ")).unwrap_or_else(|| panic!("{services}"));
    assert!(service.contains("ClusterIP") && service.contains("80/TCP"), "{service}");
    followed.wait_for("workspace-phi-3-mini", "Ready", "True");

    followed.kubectl(&["delete", "-f", "examples/phi-3-mini/workspace.yaml"]);
    followed.wait_until_gone("workspace-phi-3-mini");
}

#[test]
fn what_is_edited_is_changed_and_what_is_deleted_goes() {
    let mut followed = Followed::new(playground(), "source-edited");
    followed.apply(&workspace("phi"));
    let pods = |followed: &Followed| {
        let set = followed.get("statefulsets", "phi")?;
        Some(set["spec"]["template"]["spec"].to_string())
    };
    let before = followed.wait("the StatefulSet is there", || pods(&followed));
    assert!(before.contains("microsoft/phi-4 ") && !before.contains("polite"), "{before}");
    followed.wait("a node is asked for", || (followed.claims("phi").len() == 1).then_some(()));
    followed.wait_for("phi", "Reconciling", "True");

    let adapters = "adapters: [{source: {name: polite, image: registry.example.com/polite:1}}]";
    followed.apply(&workspace("phi").replace("phi-4}", &format!("phi-4}}, {adapters}")));
    followed.wait("the StatefulSet is another one", || pods(&followed).filter(|after| after.contains("polite")));

    // Even if nobody looks: it is the last one, so that nothing is wanted afterwards.
    followed.stop();
    followed.kubectl(&["delete", "workspace", "phi"]);
    assert!(followed.get("statefulsets", "phi").is_some());
    followed.start(&playground().server.kubeconfig_file(), &[]);
    followed.wait_until_gone("phi");
}

#[test]
fn config_maps_are_read_that_are_named() {
    let followed = Followed::new(playground(), "source-config-maps");
    followed.apply(&workspace("phi").replace("phi-4}", "phi-4}, config: settings"));
    let message = followed.wait_for("phi", "Stalled", "True");
    assert!(message.contains("settings"), "{message}");
    assert!(followed.get("statefulsets", "phi").is_none());

    followed.apply(&CONFIG.replace("LENGTH", "16384"));
    followed.wait("the StatefulSet is there", || followed.get("statefulsets", "phi"));
    followed.wait_for("phi", "Reconciling", "True");
    let map = followed.get("configmaps", "settings").unwrap();
    assert!(map["metadata"]["labels"].is_null(), "it stays people's own: {map}");

    followed.apply(&CONFIG.replace("LENGTH", "[]"));
    followed.wait_for("phi", "Stalled", "True");
    assert!(followed.get("statefulsets", "phi").is_some(), "what runs goes on");
    followed.apply(&CONFIG.replace("LENGTH", "8192"));
    followed.wait_for("phi", "Reconciling", "True");
}

#[test]
fn one_that_is_wrong_hinders_no_other() {
    let followed = Followed::new(playground(), "source-wrong");
    followed.apply(&workspace("wrong"));
    followed.apply(&workspace("good"));
    followed.wait("both run", || followed.get("statefulsets", "wrong").and(followed.get("statefulsets", "good")));

    followed.apply(&workspace("wrong").replace("phi-4", "phi-nobody-knows"));
    let message = followed.wait_for("wrong", "Stalled", "True");
    assert!(message.contains("phi-nobody-knows"), "{message}");
    followed.apply(&workspace("other"));
    followed.wait("another one runs", || followed.get("statefulsets", "other"));

    followed.kubectl(&["delete", "workspace", "good"]);
    followed.wait_until_gone("good");
    assert!(followed.get("statefulsets", "wrong").is_some(), "what is wrong is left as it was");
    assert_eq!(followed.claims("wrong").len(), 1);
}

#[test]
fn what_is_made_for_a_set_is_not_rendered_twice() {
    let followed = Followed::new(playground(), "source-set");
    let set = |replicas: &str| {
        let template = "resource: {instanceType: Standard_NC24ads_A100_v4}, inference: {preset: {name: phi-4}}";
        let spec = format!("replicas: {replicas}, labelSelector: {{matchLabels: {{apps: phi}}}}, template: {{{template}}}");
        format!("{{apiVersion: kaito.sh/v1beta1, kind: InferenceSet, metadata: {{name: phi}}, spec: {{{spec}}}}}")
    };
    let names = || {
        let path = format!("/apis/apps/v1/namespaces/{}/statefulsets", followed.namespace);
        let list = playground().client.get(&path).unwrap();
        let names = list["items"].as_array().into_iter().flatten().map(|set| set["metadata"]["name"].as_str().unwrap_or_default());
        names.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    followed.apply(&set("1"));
    let first = followed.wait("one replica runs", || names().first().cloned());

    // As Kaito's operator makes it.
    let live = followed.get("inferencesets", "phi").unwrap();
    let owner = json!([{"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "name": "phi", "uid": live["metadata"]["uid"], "controller": true}]);
    let mut made: Value =
        json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": first, "ownerReferences": owner}});
    made["resource"] = json!({"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "phi"}}});
    made["inference"] = json!({"preset": {"name": "phi-4"}});
    followed.apply(&made.to_string());
    followed.apply(&set("2"));
    followed.wait("two replicas run", || (names().len() == 2).then_some(()));
    followed.apply(&set("1"));
    followed.wait("one replica runs again", || (names() == [first.clone()]).then_some(()));
    let log = fs::read_to_string(followed.log()).unwrap();
    assert!(!log.contains("stands here again"), "{log}");
}

const ENGINE: &str = "
apiVersion: kaito.sh/v1beta1
kind: RAGEngine
metadata: {name: docs}
spec:
  compute: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: docs}}}
  embedding: {local: {modelID: BAAI/bge-small-en-v1.5}}
  inferenceService: {url: \"http://phi/v1/chat/completions\", contextWindowSize: 4096}
";

const SET: &str = "
apiVersion: kaito.sh/v1beta1
kind: InferenceSet
metadata: {name: phi}
spec:
  replicas: 2
  labelSelector: {matchLabels: {apps: phi}}
  template: {resource: {instanceType: Standard_NC24ads_A100_v4}, inference: {preset: {name: phi-4}}}
";

pub(super) const ROLES: &str = "
apiVersion: kaito.sh/v1alpha1
kind: MultiRoleInference
metadata: {name: both}
spec:
  labelSelector: {matchLabels: {apps: both}}
  model: {name: phi-4-mini-instruct}
  roles:
  - {type: prefill, replicas: 1, instanceType: Standard_NC24ads_A100_v4}
  - {type: decode, replicas: 2, instanceType: Standard_NC24ads_A100_v4}
";

/// Other kinds than Workspaces have a status of their own.
#[test]
fn what_other_kinds_say_of_themselves() {
    let followed = Followed::new(living(), "source-kinds");
    followed.apply(ENGINE);
    followed.apply(SET);
    for kind in ["ResourceReady", "ServiceReady", "RAGEngineSucceeded", "Ready"] {
        followed.wait_for_kind("ragengines", "docs", kind, "True");
    }
    let engine = followed.get("ragengines", "docs").unwrap();
    assert_eq!(engine["status"]["workerNodes"].as_array().map(Vec::len), Some(1), "{engine:#}");
    let said = followed.wait_for_kind("inferencesets", "phi", "InferenceSetReady", "True");
    assert_eq!(said, "2 of 2 Workspaces are ready");
    let set = followed.get("inferencesets", "phi").unwrap();
    assert_eq!((&set["status"]["replicas"], &set["status"]["readyReplicas"]), (&json!(2), &json!(2)));
    assert_eq!(set["status"]["selector"], "inferenceset.kaito.sh/created-by=phi");
    // What is wrong with a set is said on it, and what runs goes on.
    followed.apply(&SET.replace("phi-4", "phi-nobody-knows"));
    let said = followed.wait_for_kind("inferencesets", "phi", "Stalled", "True");
    assert!(said.contains("phi-nobody-knows"), "{said}");
    assert!(followed.get("statefulsets", "phi-0").is_some());
}

#[test]
fn what_roles_say_of_themselves() {
    let gates = "gatewayAPIInferenceExtension=true,enableMultiRoleInferenceController=true";
    let followed = Followed::with(playground(), "source-roles", &["--feature-gates", gates]);
    followed.apply(ROLES);
    for (kind, count) in [("PrefillReady", "0 of 1 Workspaces are ready"), ("DecodeReady", "0 of 2 Workspaces are ready")] {
        let said = followed.wait_for_kind("multiroleinferences", "both", kind, "False");
        assert!(said.starts_with(count), "{said}");
    }
    followed.wait_for_kind("multiroleinferences", "both", "Reconciling", "True");
}

#[test]
fn what_may_not_be_read_is_not_taken_for_nothing() {
    let mut followed = Followed::new(playground(), "source-forbidden");
    followed.apply(&workspace("phi"));
    followed.wait("the StatefulSet is there", || followed.get("statefulsets", "phi"));
    followed.stop();
    let rules = json!([
        {"apiGroups": ["kaito.sh"], "resources": ["ragengines", "inferencesets"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["*"]},
    ]);
    let everything = json!([{"apiGroups": ["karpenter.sh"], "resources": ["*"], "verbs": ["*"]}]);
    let account = playground().account(followed.namespace, "reader", &rules, &everything);
    followed.start(&account.kubeconfig, &[]);
    followed.wait("it says so", || {
        let log = fs::read_to_string(followed.log()).unwrap_or_default();
        (log.contains("Workspace.kaito.sh can't be followed") && log.contains("forbidden")).then_some(())
    });
    assert!(followed.get("statefulsets", "phi").is_some());
    assert_eq!(followed.claims("phi").len(), 1);
}
