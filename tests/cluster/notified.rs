//! `kaito watch` tells a webhook what becomes of each commit, on a real API server.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::scene::Scene;
use crate::git::Repo;
use crate::notify::{Receiver, ok};
use crate::support::{file_hides_secrets, kaito};

/// A process that is killed when this is dropped, and the file with what it has logged.
struct Running(Child, PathBuf);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.0.kill();
        _ = self.0.wait();
        if std::thread::panicking() {
            _ = writeln!(std::io::stderr(), "--- kaito watch\n{}", fs::read_to_string(&self.1).unwrap());
        } else {
            file_hides_secrets(&self.1);
        }
    }
}

fn config_map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}).to_string()
}

#[test]
fn what_becomes_of_a_commit_is_told() {
    let (scene, repo, receiver) = (Scene::new("notified", &[]), Repo::new(), Receiver::new(ok));
    let commit = |files: &[(&str, &str)]| {
        files.iter().for_each(|(path, text)| _ = repo.write(path, text));
        repo.commit("change").trim().to_owned()
    };
    let first = commit(&[("prod/settings.yaml", &config_map("settings")), ("prod/other.yaml", &config_map("other"))]);
    let config = json!({
        "apiVersion": "watch.kaito.sh/v1alpha1",
        "kind": "WatchConfig",
        "notifications": [{
            "type": "generic",
            "address": format!("{}/hook", receiver.url),
            "cluster": "test",
            "events": ["progressing", "succeeded", "failed", "health-failed", "drift-repaired", "pruned"],
        }],
        "sources": [{
            "name": "fleet",
            "git": {"url": repo.path},
            "interval": "200ms",
            "sets": [{"applyset": "fleet", "namespace": scene.namespace, "paths": ["prod"]}],
        }],
    });
    let path = scene.directory.path().join("watch.yaml");
    fs::write(&path, config.to_string()).unwrap();
    let mut command = kaito();
    command.args(["watch", "--watch-config"]).arg(&path).arg("--kubeconfig").arg(&scene.proxy.kubeconfig);
    command.arg("--cache-dir").arg(scene.directory.path().join("mirrors"));
    let log = scene.directory.path().join("log");
    let child = command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let _running = Running(child, log);

    // What is told of what happens, up to an event.
    let until = |reason: &str| {
        let mut told: Vec<Value> = Vec::new();
        while told.last().is_none_or(|last| last["reason"] != reason) {
            told.push(receiver.next().body());
        }
        told
    };
    let last = |told: &[Value]| told.last().cloned().unwrap();

    let told = last(&until("Succeeded"));
    assert_eq!(told["metadata"]["commit"], first.as_str());
    assert_eq!(told["involvedObject"], json!({"apiVersion": "v1", "kind": "Secret", "namespace": "notified", "name": "fleet"}));
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("configmap/settings created"), "{message}");

    scene.drift(&json!({"data": {"a": "2"}}));
    let told = until("DriftRepaired");
    let message = told[0]["message"].as_str().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(message.starts_with("1 object changed by others") && message.contains("kubectl-edit"), "{message}");

    let second = commit(&[("prod/settings.yaml", "kind: [")]);
    let told = last(&until("Failed"));
    assert_eq!((&told["metadata"]["commit"], &told["severity"]), (&json!(second), &json!("error")));

    repo.git(&["rm", "-q", "prod/other.yaml"]);
    let third = commit(&[("prod/settings.yaml", &config_map("settings"))]);
    let told = until("Succeeded");
    assert!(told.iter().any(|told| told["reason"] == "Pruned" && told["message"].as_str().unwrap().contains("other")), "{told:?}");
    assert_eq!(last(&told)["metadata"]["commit"], third.as_str());

    // A Workspace of which nothing runs is not ready, and so neither is its commit.
    let workspace = "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: phi}\nresource: {instanceType: Standard_NC24ads_A100_v4, \
                     labelSelector: {matchLabels: {apps: phi}}}\ninference: {preset: {name: phi-4}}\n";
    let fourth = commit(&[("prod/phi.yaml", workspace)]);
    let told = last(&until("Progressing"));
    assert_eq!(told["metadata"]["commit"], fourth.as_str());
}
