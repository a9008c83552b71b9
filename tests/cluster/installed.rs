//! What `kaito install` prints, on a real API server: it is taken, its pod is let in where only restricted ones are, and its rights are enough.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::manifest::Manifest;
use super::playground;
use super::will::Will;
use crate::support::{file_hides_secrets, kaito, plant, run};

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi, namespace: PLACE}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi}}}
inference: {preset: {name: phi-4}}
";

/// An installation, whose loop runs here as the ServiceAccount would.
pub(super) struct Installed {
    pub namespace: &'static str,
    pub place: String,
    pub objects: Vec<Manifest>,
    home: TempDir,
    process: Option<Child>,
    /// It ends with the tests, however they end.
    will: Will,
}

impl Installed {
    /// Applies all that is printed.
    pub(super) fn new(namespace: &'static str, args: &[&str]) -> Self {
        let place = format!("{namespace}-models");
        playground().namespace(&place);
        let flags = ["install", "--image", "registry.example.com/kaito:0.1.0", "-n", namespace, "--service-monitor"];
        let printed = run(&[&flags[..], args].concat());
        assert_eq!(printed.code, 0, "{}", printed.stderr);
        let objects = Manifest::all("kaito install", &printed.stdout);
        for object in &objects {
            playground().client.apply(object, "").unwrap_or_else(|message| panic!("{} {}: {message}", object.kind(), object.name()));
        }
        Self { namespace, place, objects, home: tempfile::tempdir().unwrap(), process: None, will: Will::new().unwrap() }
    }

    fn deployment(&self) -> &Value {
        &self.objects.iter().find(|object| object.kind() == "Deployment").unwrap().value
    }

    /// A pod of the Deployment.
    fn pod(&self) -> Value {
        let template = &self.deployment()["spec"]["template"];
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
        pod["metadata"]["name"] = json!("kaito-watch-0");
        pod["metadata"]["namespace"] = json!(self.namespace);
        pod
    }

    /// Runs what the Deployment's container runs, with places of this machine.
    pub(super) fn start(&mut self) {
        let args = self.deployment()["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
        let here = |arg: &Value| match arg.as_str().unwrap() {
            "--cache-dir=/cache" => format!("--cache-dir={}", self.home.path().join("cache").display()),
            arg if arg.ends_with("-listen=:8080") => arg.replace(":8080", "127.0.0.1:0"),
            arg if arg.ends_with("-listen=:9790") => arg.replace(":9790", "127.0.0.1:0"),
            arg => arg.to_owned(),
        };
        let mut config = playground().server.kubeconfig(self.home.path(), &self.user());
        // As in a pod, nobody says which namespace it is.
        config["contexts"][0]["context"]["namespace"] = json!(self.namespace);
        let kubeconfig = self.home.path().join("kubeconfig");
        fs::write(&kubeconfig, config.to_string()).unwrap();
        let mut command = kaito();
        command.args(args.iter().map(here)).arg("--kubeconfig").arg(kubeconfig).env("HOME", self.home.path());
        let process = command.stdout(Stdio::null()).stderr(File::create(self.log()).unwrap()).spawn().unwrap();
        self.will.say(&format!("kill {}", process.id())).unwrap();
        self.process = Some(process);
    }

    /// The ServiceAccount, by a token as pods have it.
    fn user(&self) -> Value {
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/kaito-watch/token", self.namespace);
        let answer = playground().client.create(&path, &request).unwrap();
        json!({"token": plant(answer["status"]["token"].as_str().unwrap())})
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }

    pub(super) fn get(&self, path: &str) -> Option<Value> {
        playground().client.get(&path.replace("PLACE", &self.place)).ok()
    }

    /// Waits, and tells what the loop has said if it is in vain.
    pub(super) fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        catch_unwind(AssertUnwindSafe(|| playground().wait(what, || is_so().then_some(())))).unwrap_or_else(|fault| {
            let fault = fault.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("{fault}\n{}", fs::read_to_string(self.log()).unwrap_or_default())
        });
    }

    /// Whether the loop has told how the Workspace is.
    fn is_told(&self) -> bool {
        let workspace = self.get("/apis/kaito.sh/v1beta1/namespaces/PLACE/workspaces/phi").unwrap_or_default();
        workspace["status"]["conditions"].is_array()
    }

    fn has_workload(&self) -> bool {
        self.get("/apis/apps/v1/namespaces/PLACE/statefulsets/phi").is_some()
    }

    /// Nothing that the loop has asked for was forbidden.
    pub(super) fn was_allowed_everything(&self) {
        let log = fs::read_to_string(self.log()).unwrap();
        assert!(log.contains("reconciled") && !log.contains("forbidden"), "{log}");
    }

    fn workspace(&self) -> String {
        WORKSPACE.replace("PLACE", &self.place)
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        _ = process.kill();
        _ = process.wait();
        _ = self.will.say(":");
        if !std::thread::panicking() {
            file_hides_secrets(&self.log());
        }
    }
}

pub(super) fn git(directory: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(directory).args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(args);
    assert!(command.stdout(Stdio::null()).status().unwrap().success(), "git {args:?}");
}

#[test]
fn its_pod_is_restricted() {
    let installed =
        Installed::new("installed-pod", &["--url", "https://git.example.com/a.git", "--credentials", "c", "--webhook-token", "t"]);
    let apply = |pod: &Value| playground().client.apply(&pod.clone().into(), "&dryRun=All");
    apply(&installed.pod()).unwrap();
    // Each of these is what it is let in for.
    for field in
        ["/spec/securityContext/runAsNonRoot", "/spec/securityContext/seccompProfile", "/spec/containers/0/securityContext/capabilities"]
    {
        let (parent, name) = field.rsplit_once('/').unwrap();
        let mut pod = installed.pod();
        pod.pointer_mut(parent).and_then(Value::as_object_mut).unwrap().remove(name).unwrap();
        let refused = apply(&pod).unwrap_err();
        assert!(refused.contains("violates PodSecurity \"restricted:latest\""), "{field}: {refused}");
    }
}

#[test]
fn its_rights_are_enough_for_what_people_apply() {
    let mut installed = Installed::new("installed-cluster", &["--namespaces", "installed-cluster-models"]);
    installed.start();
    playground().client.apply(&Manifest::all("workspace", &installed.workspace()).remove(0), "").unwrap();
    installed.wait("the StatefulSet is there", || installed.has_workload());
    installed.wait("the status is told", || installed.is_told());
    playground().client.delete(&format!("/apis/kaito.sh/v1beta1/namespaces/{}/workspaces/phi", installed.place)).unwrap();
    installed.wait("what it stood for is gone", || !installed.has_workload());
    installed.was_allowed_everything();
}

#[test]
fn its_rights_are_enough_for_a_repository() {
    let repository = tempfile::tempdir().unwrap();
    git(repository.path(), &["init", "-q", "-b", "main"]);
    fs::write(repository.path().join("phi.yaml"), WORKSPACE.replace("PLACE", "installed-git-models")).unwrap();
    git(repository.path(), &["add", "."]);
    git(repository.path(), &["commit", "-q", "-m", "one"]);
    let url = repository.path().to_str().unwrap();
    let mut installed = Installed::new("installed-git", &["--url", url, "--branch", "main", "--", "--interval=1s"]);
    installed.start();
    installed.wait("the StatefulSet is there", || installed.has_workload());
    installed.wait("the status is told", || installed.is_told());
    playground().client.delete("/apis/apps/v1/namespaces/installed-git-models/statefulsets/phi").unwrap();
    installed.wait("drift is put right", || installed.has_workload());
    fs::write(repository.path().join("other.yaml"), WORKSPACE.replace("PLACE", "installed-git-models").replace("phi,", "other,")).unwrap();
    fs::remove_file(repository.path().join("phi.yaml")).unwrap();
    git(repository.path(), &["add", "-A"]);
    git(repository.path(), &["commit", "-q", "-m", "two"]);
    installed.wait("what is no longer wanted is gone", || !installed.has_workload());
    installed.was_allowed_everything();
}
