//! Flux itself applies what is pushed and published: its source-controller and kustomize-controller, on the real API server.
//!
//! Building them takes minutes, so this runs only when it is asked for: `tests/flux/controllers` builds them.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::super::playground;
use super::Watching;
use super::stage::Stage;
use crate::flux::Registries;
use crate::git::Repo;
use crate::support::kaito;

/// The directory that has both programs.
const CONTROLLERS: &str = "KAITO_TEST_FLUX";

/// A controller that ends with this.
struct Controller(Child);

impl Controller {
    fn start(stage: &Stage, name: &str, args: &[&str]) -> Self {
        let directory = std::env::var_os(CONTROLLERS).unwrap_or_else(|| panic!("{CONTROLLERS} names no directory with {name}"));
        // Beside the program, where it can be read when all is over.
        let program = Path::new(&directory).join(name);
        let log = fs::File::create(program.with_extension("log")).unwrap();
        let mut command = Command::new(program);
        command.args(["--watch-all-namespaces=false", "--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"]).args(args);
        command.env("RUNTIME_NAMESPACE", &stage.namespace).env("KUBECONFIG", &stage.proxy.kubeconfig);
        Self(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// With a variable in it that is a script's own.
fn config_map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"script": "echo ${HOSTNAME} $$"}}).to_string()
}

fn kustomization(stage: &Stage, name: &str, source: &Value) -> Value {
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": stage.namespace},
        "spec": {
            "interval": "10m", "retryInterval": "2s", "path": "./", "prune": true, "wait": true, "timeout": "1m",
            "sourceRef": source, "targetNamespace": stage.namespace, "postBuild": {"substitute": {"CLUSTER": "test"}},
        },
    })
}

/// Waits until a Kustomization has applied a commit, and looks at what is live then.
fn until_applied(stage: &Stage, name: &str, commit: &str, object: &str) {
    let path = format!("/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/NAMESPACE/kustomizations/{name}");
    stage.until(&path, |kustomization| {
        let status = &kustomization["status"];
        let ready = status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
        let origin = status["lastAppliedOriginRevision"].as_str().unwrap_or_default();
        ready.is_some_and(|ready| ready["status"] == "True") && origin == format!("main@sha1:{commit}")
    });
    let live = stage.get(&format!("/api/v1/namespaces/NAMESPACE/configmaps/{object}")).unwrap();
    assert_eq!(live["data"]["script"], "echo ${HOSTNAME} $$");
}

#[test]
#[ignore = "it wants Flux' controllers"]
fn flux_applies_what_is_pushed_and_published() {
    let (stage, registries) = (Stage::new("flux", &[]), Registries::start());
    let storage = stage.directory.path().join("storage");
    fs::create_dir(&storage).unwrap();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (at, storage) = (free(), format!("--storage-path={}", storage.display()));
    let addresses = [format!("--storage-addr={at}"), format!("--storage-adv-addr={at}")];
    let _source = Controller::start(&stage, "source-controller", &[&storage, &addresses[0], &addresses[1]]);
    let _kustomize = Controller::start(&stage, "kustomize-controller", &["--feature-gates=ExternalArtifact=true"]);
    let client = &playground().client;

    let (pushed, address) = (Repo::new(), format!("oci://{}/org/fleet", registries.at.open));
    let push = |name: &str| {
        let commit = pushed.write("prod/c.yaml", config_map(name)).commit(name);
        let source = ["--source", "https://git.example.com/fleet.git", "--insecure-registry"];
        let run = pushed.kaito(&[&["push", &address, "-R", "-f", "prod", "-n", &stage.namespace], &source[..]].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        commit
    };
    let commit = push("one");
    let repository = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": {"name": "pushed", "namespace": stage.namespace},
        "spec": {"interval": "2s", "url": address, "insecure": true, "ref": {"tag": "latest"}},
    });
    client.apply(&repository.into(), "").unwrap();
    client.apply(&kustomization(&stage, "pushed", &json!({"kind": "OCIRepository", "name": "pushed"})).into(), "").unwrap();
    until_applied(&stage, "pushed", &commit, "one");
    let commit = push("two");
    until_applied(&stage, "pushed", &commit, "two");
    assert!(stage.get("/api/v1/namespaces/NAMESPACE/configmaps/one").is_err(), "what is gone is pruned");

    let published = Repo::new();
    let commit = published.write("prod/c.yaml", config_map("three")).commit("three");
    let mut command = kaito();
    command.args(["watch", "-f", "prod", "-R", "-n", &stage.namespace, "--interval", "1s", "--apply=false", "--url"]).arg(&published.path);
    command.args(["--external-artifact", "published", "--artifact-listen", &free(), "--kubeconfig"]).arg(&stage.proxy.kubeconfig);
    let watching = Watching::of(command.arg("--cache-dir").arg(stage.directory.path().join("cache")));
    let source = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact", "name": "published"});
    client.apply(&kustomization(&stage, "published", &source).into(), "").unwrap();
    until_applied(&stage, "published", &commit, "three");
    let commit = published.write("prod/c.yaml", config_map("four")).commit("four");
    until_applied(&stage, "published", &commit, "four");
    assert_eq!(watching.stop().code(), Some(0));
}
