//! What a set is rendered to is committed to a branch, whether it is applied, too, or not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use super::Watching;
use super::stage::{Stage, workspace};
use crate::git::Repo;
use crate::support::kaito;

const BRANCH: &str = "environments/prod";

fn config_map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}).to_string()
}

/// A bare repository beside another one.
fn bare(repo: &Repo) -> String {
    let bare = repo.path.parent().unwrap().join("rendered.git").display().to_string();
    repo.git(&["init", "-q", "--bare", &bare]);
    bare
}

/// It needs no cluster that answers.
#[test]
fn what_is_only_pushed() {
    let repo = Repo::new();
    let bare = bare(&repo);
    let show = |path: &str| repo.git(&["-C", &bare, "show", &format!("{BRANCH}:{path}")]);
    let kubeconfig = repo.path.parent().unwrap().join("kubeconfig");
    let cluster = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    });
    fs::write(&kubeconfig, cluster.to_string()).unwrap();
    repo.write("prod/c.yaml", config_map("one")).commit("one");
    let mut command = kaito();
    command.args(["watch", "-f", "prod", "-R", "-n", "models", "--interval", "100ms", "--apply=false", "--url"]).arg(&repo.path);
    command.args(["--push", &bare, "--push-branch", BRANCH, "--push-path", "prod", "--kubeconfig"]).arg(&kubeconfig);
    command.arg("--cache-dir").arg(repo.path.parent().unwrap().join("cache"));
    let mut watching = Watching::of(&mut command);
    watching.until(&["pushed", "written=5", "removed=0"]);
    assert!(show("prod/manifest.yaml").contains("name: one\n"));
    assert!(show("prod/README.md").contains("kaito render -R -f prod --namespace models"), "{}", show("prod/README.md"));

    let dry = repo.write("prod/c.yaml", config_map("two")).commit("two");
    watching.until(&["pushed", "written=", &dry]);
    assert!(show("prod/manifest.yaml").contains("name: two\n"));
    // What can't be rendered whole isn't pushed.
    repo.write("prod/w.yaml", workspace("phi").replace("phi-4", "no-such-model")).commit("broken");
    watching.until(&["not pushed", "not all can be rendered"]);
    assert!(show("hydrator.metadata").contains(&dry));
    fs::remove_file(repo.path.join("prod/w.yaml")).unwrap();
    let dry = repo.commit("whole again");
    watching.until(&["the branch holds this already", &dry]);
    assert_eq!(watching.said(&["reconciled"]), [""; 0]);
    assert_eq!(watching.stop().code(), Some(0));
}

/// What can't be pushed is applied all the same, and told.
#[test]
fn what_is_applied_and_pushed() {
    let (stage, repo) = (Stage::new("pushed", &[]), Repo::new());
    let bare = bare(&repo);
    let hook = Path::new(&bare).join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    repo.write("prod/c.yaml", config_map("one")).commit("one");
    let config = json!({
        "apiVersion": "watch.kaito.sh/v1alpha1",
        "kind": "WatchConfig",
        "sources": [{
            "name": "fleet",
            "git": {"url": repo.path, "branch": "main"},
            "interval": "200ms",
            "sets": [{
                "applyset": "fleet", "namespace": stage.namespace, "paths": ["prod"],
                "push": {"url": bare, "branch": BRANCH, "layout": "files", "author": "Robot <robot@example.com>"},
            }],
        }],
    });
    let path = stage.directory.path().join("watch.yaml");
    fs::write(&path, config.to_string()).unwrap();
    let mut command = kaito();
    command.args(["watch", "--watch-config"]).arg(&path).arg("--kubeconfig").arg(&stage.proxy.kubeconfig);
    command.arg("--cache-dir").arg(stage.directory.path().join("cache"));
    let mut watching = Watching::of(&mut command);
    watching.until(&["not pushed", "it has a hook called pre-receive"]);
    watching.skip();
    let dry = repo.write("prod/c.yaml", config_map("two")).commit("two");
    watching.until(&["applied", &dry]);
    fs::remove_file(&hook).unwrap();
    watching.signal("HUP");
    watching.until(&["pushed", "written=", &dry]);
    let files = repo.git(&["-C", &bare, "ls-tree", "-r", "--name-only", BRANCH]);
    assert!(files.lines().any(|file| file == "configmap-two.yaml"), "{files}");
    let events = format!("/apis/events.k8s.io/v1/namespaces/{}/events", stage.namespace);
    for reason in ["PushFailed", "Pushed"] {
        let is_it = |event: &serde_json::Value| event["reason"] == reason && event["regarding"]["name"] == "fleet";
        let told = || stage.get(&events).ok()?["items"].as_array()?.iter().find(|event| is_it(event)).cloned();
        stage.wait(reason, told);
    }
}
