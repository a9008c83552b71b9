//! Flux itself applies what is pushed and published: its source-controller and kustomize-controller, on the real API server.
//!
//! Building them takes minutes, so this runs only when it is asked for: `tests/flux/controllers` builds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::super::playground;
use super::Watching;
use super::stage::Stage;
use crate::flux::Registries;
use crate::git::Repo;
use crate::git_remote::server::Served;
use crate::install::objects;
use crate::repositories;
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

/// Objects of `deploy/flux`, here and with other fields by kind, whose Kustomizations wait as those with `health.yaml` do.
fn deploy(stage: &Stage, file: &str, fields: &Value) {
    let read = |name: &str| objects(&fs::read_to_string(format!("deploy/flux/{name}")).unwrap());
    let health = &read("health.yaml")[0]["spec"];
    let quick = json!({"interval": "10m", "retryInterval": "2s", "timeout": "1m", "targetNamespace": stage.namespace,
        "postBuild": {"substitute": {"CLUSTER": "test"}}});
    for mut object in read(file) {
        let kind = object["kind"].as_str().unwrap().to_owned();
        object["metadata"]["namespace"] = json!(stage.namespace);
        match kind.as_str() {
            "Kustomization" => [health, &quick].into_iter().for_each(|more| merge(&mut object["spec"], more)),
            "RoleBinding" => object["subjects"][0]["namespace"] = json!(stage.namespace),
            _ => {}
        }
        if fields[&kind].is_object() {
            merge(&mut object["spec"], &fields[&kind]);
        }
        playground().client.apply(&object.into(), "").unwrap();
    }
}

fn merge(into: &mut Value, more: &Value) {
    more.as_object().unwrap().iter().for_each(|(name, value)| into[name] = value.clone());
}

/// The next way to the same Kustomization begins without it, and without what it has applied.
fn remove_kustomization(stage: &Stage) {
    let path = stage.path("/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/NAMESPACE/kustomizations/models");
    playground().client.delete(&path).unwrap();
    stage.wait("it is gone", || playground().client.get(&path).is_err().then_some(()));
}

/// Waits until the Kustomization has applied a commit, and looks at what is live then.
fn until_applied(stage: &Stage, commit: &str, object: &str) {
    let path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/NAMESPACE/kustomizations/models";
    stage.until(path, |kustomization| {
        let status = &kustomization["status"];
        let ready = status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
        // Of a branch there is no other revision than its own.
        let applied = status["lastAppliedOriginRevision"].as_str().or(status["lastAppliedRevision"].as_str()).unwrap_or_default();
        ready.is_some_and(|ready| ready["status"] == "True") && applied.ends_with(&format!("@sha1:{commit}"))
    });
    let live = stage.get(&format!("/api/v1/namespaces/NAMESPACE/configmaps/{object}")).unwrap();
    assert_eq!(live["data"]["script"], "echo ${HOSTNAME} $$");
}

/// An address where nobody listens.
fn free() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Both controllers, for what is in the stage's namespace.
fn controllers(stage: &Stage) -> [Controller; 2] {
    let storage = stage.directory.path().join("storage");
    fs::create_dir(&storage).unwrap();
    let (at, storage) = (free(), format!("--storage-path={}", storage.display()));
    let addresses = [format!("--storage-addr={at}"), format!("--storage-adv-addr={at}")];
    [
        Controller::start(stage, "source-controller", &[&storage, &addresses[0], &addresses[1]]),
        Controller::start(stage, "kustomize-controller", &["--feature-gates=ExternalArtifact=true"]),
    ]
}

/// Where a process that publishes finds the cluster, as this user.
fn publisher(stage: &Stage, user: &Value) -> PathBuf {
    let mut config = playground().server.kubeconfig(stage.directory.path(), user);
    config["contexts"][0]["context"]["namespace"] = json!(stage.namespace);
    let path = stage.directory.path().join("publisher");
    fs::write(&path, config.to_string()).unwrap();
    path
}

#[test]
#[ignore = "it wants Flux' controllers"]
fn flux_applies_what_is_pushed_and_published() {
    let (stage, registries) = (Stage::new("flux", &[]), Registries::start());
    let _controllers = controllers(&stage);

    let (pushed, address) = (Repo::new(), format!("oci://{}/org/fleet", registries.at.open));
    let push = |name: &str| {
        let commit = pushed.write("prod/c.yaml", config_map(name)).commit(name);
        let source = ["--source", "https://git.example.com/fleet.git", "--insecure-registry"];
        let run = pushed.kaito(&[&["push", &address, "-R", "-f", "prod", "-n", &stage.namespace], &source[..]].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        commit
    };
    let commit = push("one");
    deploy(&stage, "oci-repository.yaml", &json!({"OCIRepository": {"interval": "2s", "url": address, "insecure": true}}));
    until_applied(&stage, &commit, "one");
    let commit = push("two");
    until_applied(&stage, &commit, "two");
    assert!(stage.get("/api/v1/namespaces/NAMESPACE/configmaps/one").is_err(), "what is gone is pruned");
    remove_kustomization(&stage);

    let published = Repo::new();
    let commit = published.write("prod/c.yaml", config_map("three")).commit("three");
    deploy(&stage, "external-artifact.yaml", &Value::Null);
    // Whoever publishes may do what the file says, and no more.
    let account = json!({"as": format!("system:serviceaccount:{}:kaito-watch", stage.namespace)});
    let kubeconfig = publisher(&stage, &account);
    let mut command = kaito();
    command.args(["watch", "-f", "prod", "-R", "-n", &stage.namespace, "--interval", "1s", "--apply=false", "--url"]).arg(&published.path);
    command.args(["--external-artifact", "models", "--artifact-listen", &free(), "--kubeconfig"]).arg(&kubeconfig);
    let watching = Watching::of(command.arg("--cache-dir").arg(stage.directory.path().join("cache")));
    until_applied(&stage, &commit, "three");
    let commit = published.write("prod/c.yaml", config_map("four")).commit("four");
    until_applied(&stage, &commit, "four");
    assert_eq!(watching.said(&["forbidden"]), Vec::<String>::new());
    assert_eq!(watching.stop().code(), Some(0));
    remove_kustomization(&stage);

    let served = Served::new();
    let branch = |name: &str| {
        served.repo.write("clusters/prod/phi.yaml", config_map(name)).commit(name);
        let to = ["--push", ".", "--push-branch", "environments/prod", "--push-path", "prod"];
        let run = served.repo.kaito(&[&["render", "--flux", "-R", "-f", "clusters/prod", "-n", &stage.namespace], &to[..]].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        served.repo.git(&["rev-parse", "environments/prod"])
    };
    let commit = branch("five");
    deploy(&stage, "rendered-branch.yaml", &json!({"GitRepository": {"interval": "2s", "url": served.http()}}));
    until_applied(&stage, &commit, "five");
    let commit = branch("six");
    until_applied(&stage, &commit, "six");
    assert!(stage.get("/api/v1/namespaces/NAMESPACE/configmaps/five").is_err(), "what is gone is pruned");
}

/// What an example repository has for Flux, here and from this address, is ready; what its Workspace stands for is there, and goes with it.
fn follow(stage: &Stage, name: &str, file: &str, source: &Value) {
    let mut names = Vec::new();
    for mut object in objects(&fs::read_to_string(Path::new(repositories::FOLDER).join(name).join(file)).unwrap()) {
        let kind = object["kind"].as_str().unwrap().to_owned();
        object["metadata"]["namespace"] = json!(stage.namespace);
        match kind.as_str() {
            "Kustomization" => {
                merge(&mut object["spec"], &json!({"retryInterval": "2s", "timeout": "1m", "targetNamespace": stage.namespace}));
                names.push(object["metadata"]["name"].as_str().unwrap().to_owned());
            }
            "GitRepository" | "OCIRepository" => merge(&mut object["spec"], source),
            _ => continue,
        }
        playground().client.apply(&object.into(), "").unwrap();
    }
    assert_eq!(names.len(), 1, "{name}");
    let path = format!("/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/NAMESPACE/kustomizations/{}", names[0]);
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    stage.until(&path, |applied| applied["status"]["conditions"].as_array().into_iter().flatten().any(is_ready));
    for object in ["apps/v1/namespaces/NAMESPACE/statefulsets/phi-4", "karpenter.sh/v1/nodeclaims?labelSelector=kaito.sh/workspace%3Dphi-4"]
    {
        let live = stage.get(&format!("/apis/{object}")).unwrap();
        assert!(live["metadata"]["name"] == "phi-4" || live["items"].as_array().is_some_and(|items| !items.is_empty()), "{name}: {live}");
    }
    playground().client.delete(&stage.path(&path)).unwrap();
    stage.wait("it is gone", || stage.get(&path).is_err().then_some(()));
    assert!(stage.get("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi-4").is_err(), "{name}: what was applied goes with it");
}

/// Each example repository does with Flux itself what it is there for.
#[test]
#[ignore = "it wants Flux' controllers"]
fn flux_follows_the_example_repositories() {
    let (stage, registries) = (Stage::new("flux-examples", &[]), Registries::start());
    let _controllers = controllers(&stage);

    let served = Served::new();
    repositories::fill(&served.repo, "flux-branch");
    repositories::push_branch(&served.repo);
    follow(&stage, "flux-branch", "flux/sync.yaml", &json!({"interval": "2s", "url": served.http()}));

    let repo = repositories::copy("flux-artifact");
    let address = repositories::push_artifact(&repo, &registries);
    follow(&stage, "flux-artifact", "flux/sync.yaml", &json!({"interval": "2s", "url": address, "insecure": true}));

    let repo = repositories::copy("flux-external-artifact");
    let arguments = repositories::arguments("flux-external-artifact", "flux/kaito-watch.yaml");
    let is_of_the_pod = |flag: &&String| {
        ["--url=", "--artifact-listen=", "--leader-elect", "--cache-dir=", "--health", "--metrics"].iter().any(|own| flag.starts_with(own))
    };
    let mut command = kaito();
    command
        .args(arguments.iter().filter(|flag| !is_of_the_pod(flag)))
        .args(["--interval=1s", "--artifact-listen", &free(), "--url"])
        .arg(&repo.path);
    command.arg("--kubeconfig").arg(publisher(&stage, &json!({}))).arg("--cache-dir").arg(stage.directory.path().join("cache"));
    let watching = Watching::of(&mut command);
    follow(&stage, "flux-external-artifact", "flux/models.yaml", &Value::Null);
    assert_eq!(watching.stop().code(), Some(0));
}
