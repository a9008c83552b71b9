//! A repository behind a login, whose credentials are in a Secret, and its submodules.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::super::playground;
use super::Watching;
use super::stage::{Stage, workspace};
use crate::git::Repo;
use crate::git_remote::server::Served;
use crate::support::kaito;

fn config(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}).to_string()
}

/// Writes the Secret.
fn login(stage: &Stage, password: &str) {
    let encoded = |text: &str| BASE64_STANDARD.encode(text);
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "fleet", "namespace": stage.namespace},
        "data": {"username": encoded("me"), "password": encoded(password)},
    });
    playground().client.apply(&secret.into(), "").unwrap();
}

fn watch(stage: &Stage, url: &str, args: &[&str]) -> Watching {
    let mut command = kaito();
    command.args(["watch", "-R", "-f", "clusters", "--applyset", "prod", "--interval", "200ms", "--url", url]).args(args);
    command.arg("--cache-dir").arg(stage.directory.path().join("mirrors")).arg("--kubeconfig").arg(&stage.proxy.kubeconfig);
    Watching::of(&mut command)
}

#[test]
fn credentials_are_in_a_secret_and_change() {
    let (stage, served) = (Stage::new("secret", &[]), Served::new());
    served.repo.write("clusters/prod/phi.yaml", workspace("phi")).write("clusters/a.yaml", config("a")).commit("two");
    served.rules(&json!({"Username": "me", "Password": "hunter-of-git-1"}));
    let mut watching = watch(&stage, &served.http(), &["--secret-ref", "fleet"]);
    let line = watching.until(&["the source can't be read"]);
    assert!(line.contains(&format!("Secret {}/fleet: it isn't there", stage.namespace)), "{line}");
    login(&stage, "hunter-of-git-1");
    watching.until(&["reconciled", "created=6"]);
    // The one before is no longer good, and neither process nor pod is started anew.
    served.rules(&json!({"Username": "me", "Password": "hunter-of-git-2"}));
    watching.until(&["the source can't be read"]);
    served.repo.write("clusters/b.yaml", config("b")).commit("three");
    login(&stage, "hunter-of-git-2");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/b", |_| true);
    assert_eq!(watching.said(&["hunter"]), [""; 0]);
}

#[test]
fn submodules_are_followed_if_that_is_asked_for() {
    let (stage, served) = (Stage::new("submodules", &[]), Served::new());
    let part = served.root().join("part");
    let part_at = part.to_str().unwrap();
    Repo::new().git(&["init", "-q", "-b", "main", part_at]);
    let commit = |text: &str| {
        std::fs::write(part.join("part.yaml"), text).unwrap();
        served.repo.git(&["-C", part_at, "add", "-A"]);
        served.repo.git(&["-C", part_at, "commit", "-q", "-m", "part"]);
        served.repo.git(&["-C", part_at, "rev-parse", "HEAD"]).trim().to_owned()
    };
    let follow = |id: &str| {
        served.repo.write(".gitmodules", "[submodule \"part\"]\n\tpath = clusters/part\n\turl = ../part\n");
        served.repo.git(&["add", ".gitmodules"]);
        served.repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},clusters/part")]);
        served.repo.git(&["commit", "-q", "-m", "another part"]);
    };
    served.repo.git(&["rm", "-q", "-r", "clusters"]);
    served.repo.write("clusters/whole.yaml", config("whole")).commit("two");
    follow(&commit(&config("part")));
    let mut without = watch(&stage, &served.http(), &[]);
    without.until(&["reconciled", "created=1"]);
    assert_eq!(without.stop().code(), Some(0));
    let mut watching = watch(&stage, &served.http(), &["--recurse-submodules"]);
    watching.until(&["reconciled", "created=1"]);
    stage.until_live(&["configmaps part", "configmaps whole"]);
    follow(&commit(&config("other")));
    stage.until_live(&["configmaps other", "configmaps whole"]);
}
