//! Files that can't be read or rendered, or are gone: what runs goes on, and so do others.

use std::collections::BTreeMap;
use std::fs;

use super::super::playground;
use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};
use crate::git::Repo;
use crate::support;

#[test]
fn one_of_many() {
    let stage = Stage::new("broken", &[&workspace("phi"), &workspace("other"), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    stage.until_condition("other", "Reconciling", "True", "Progressing");
    let before = stage.versions_at_rest();
    // A model that isn't there.
    stage.edit("0.yaml", "\"phi-4\"", "\"phi-5-nano\"");
    let said = stage.until_condition("phi", "Stalled", "True", "BuildFailed");
    assert!(said.contains("phi-5-nano"), "{said}");
    assert!(said.contains("0.yaml:1"), "where it stands: {said}");
    // Meanwhile others go on.
    stage.edit("2.yaml", "\"1\"", "\"2\"");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings", |object| object["data"]["a"] == "2");
    // And nothing is pruned.
    stage.remove("1.yaml");
    stage.until_condition("other", "Stalled", "True", "BuildFailed");
    assert_eq!(stage.versions().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    // Mended, everything is.
    stage.write("0.yaml", &workspace("phi"));
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    stage.until_live(&["services phi", "services phi-headless", "statefulsets phi", "workspaces phi", "nodeclaims", "configmaps settings"]);
}

/// What a ConfigMap says that was read only in part isn't known, so that neither it nor who needs it is applied.
#[test]
fn a_configuration_in_part() {
    const CONFIG: &str =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {inference_config.yaml: 'vllm: {max-model-len: 4096}'}\n";
    const CONFIG_MAP: &str = "/api/v1/namespaces/NAMESPACE/configmaps/c";
    let phi = workspace("phi").replace(r#""phi-4"}"#, r#""phi-4"},"config":"c""#);
    let stage = Stage::new("part", &[&phi, SETTINGS, CONFIG]);
    let _watching = Watching::start(&stage, &[]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    let before = stage.versions_at_rest();
    stage.write("2.yaml", &CONFIG.replace("data: {", "data: {inference_config.yaml: 'vllm: {max-model-len: 2048}', "));
    let said = stage.until_condition("phi", "Stalled", "True", "BuildFailed");
    assert!(said.contains("the ConfigMap c couldn't be read whole"), "{said}");
    stage.edit("1.yaml", "\"1\"", "\"2\"");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings", |object| object["data"]["a"] == "2");
    let now = stage.versions_at_rest();
    let changed: Vec<&String> = now.keys().filter(|key| now.get(*key) != before.get(*key)).collect();
    assert_eq!((changed, now.len()), (vec![&"configmaps settings".to_owned(), &"workspaces phi".to_owned()], before.len()));
    // Read whole, it is applied with what it says.
    stage.write("2.yaml", &CONFIG.replace("4096", "2048"));
    stage.until(CONFIG_MAP, |object| object["data"]["inference_config.yaml"] == "vllm: {max-model-len: 2048}");
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
}

/// It is rendered all the same, so that no Workspace says it; but nothing is pruned for it, so the log does.
#[test]
fn a_namespace_that_is_another() {
    let elsewhere = workspace("phi").replace(r#""name":"phi"}"#, r#""name":"phi","namespace":"elsewhere"}"#);
    let stage = Stage::new("elsewhere", &[&elsewhere, SETTINGS]);
    let mut watching = Watching::start(&stage, &["-n", &stage.namespace]);
    watching.until(&["what runs goes on", "0.yaml:1", "does not match the namespace"]);
}

#[test]
fn what_is_no_yaml() {
    let stage = Stage::new("yaml", &[&workspace("phi"), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    let names = || stage.versions_at_rest().into_keys().collect::<Vec<_>>();
    let before = names();
    stage.write("0.yaml", "apiVersion: kaito.sh/v1beta1\nkind: [\n");
    watching.until(&["0.yaml:2"]);
    let said = stage.until_condition("phi", "Stalled", "True", "BuildFailed");
    assert!(said.contains("0.yaml:2"), "{said}");
    stage.edit("1.yaml", "\"1\"", "\"2\"");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings", |object| object["data"]["a"] == "2");
    assert_eq!(names(), before);
    // What is deleted meanwhile comes back with the file that says what it was.
    playground().client.delete(&stage.path("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi")).unwrap();
    stage.until_quiet();
    stage.write("0.yaml", &workspace("phi"));
    stage.edit("1.yaml", "\"2\"", "\"3\"");
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings", |object| object["data"]["a"] == "3");
    assert_eq!(names(), before);
}

#[test]
fn what_is_gone() {
    let stage = Stage::new("gone", &[]);
    let directory = stage.directory.path().join("set");
    let fill = || {
        fs::create_dir(&directory).unwrap();
        stage.write("set/0.yaml", &workspace("phi"));
        stage.write("set/1.yaml", SETTINGS);
    };
    fill();
    let mut watching = Watching::start_in(&stage, "set", &[]);
    watching.until(&["reconciled", "failed=0"]);
    let before = stage.versions_at_rest();
    stage.remove("set/0.yaml");
    stage.remove("set/1.yaml");
    watching.until(&["there is nothing to apply"]);
    stage.until_condition("phi", "Stalled", "True", "BuildFailed");
    fs::remove_dir(&directory).unwrap();
    watching.until(&["no such file or directory"]);
    let said = stage.until_condition("phi", "Ready", "False", "ArtifactFailed");
    assert!(said.contains("no such file or directory"), "{said}");
    stage.until_condition("phi", "Reconciling", "True", "ProgressingWithRetry");
    // All else is left alone, and the status is written once.
    let gone = stage.versions_at_rest();
    assert_eq!(but_workspaces(&gone), but_workspaces(&before));
    watching.signal("HUP");
    watching.until(&["no such file or directory"]);
    assert_eq!(stage.versions_at_rest(), gone);
    fill();
    stage.edit("set/1.yaml", "\"1\"", "\"2\"");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings", |object| object["data"]["a"] == "2");
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    assert_eq!(stage.versions().len(), before.len());
}

/// What is live, without Workspaces: their status is written.
fn but_workspaces(versions: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    versions.iter().filter(|(name, _)| !name.starts_with("workspaces ")).map(|(name, version)| (name.clone(), version.clone())).collect()
}

/// Whoever starts while there is no repository goes on with what it has of it. Without anything it knows what runs, and says why it is left
/// alone.
#[test]
fn a_repository_that_is_away() {
    let stage = Stage::new("away", &[]);
    let repo = Repo::new();
    repo.write("phi.yaml", workspace("phi")).write("settings.yaml", SETTINGS).commit("one");
    let away = repo.path.with_extension("away");
    let url = format!("file://{}", repo.path.display());
    let start = |cache: &str| {
        let mut command = support::kaito();
        command.current_dir(stage.directory.path()).args(["watch", "--url", &url, "-f", ".", "--applyset", "prod", "--cache-dir", cache]);
        Watching::of(command.args(["--interval", "1s", "--kubeconfig"]).arg(&stage.proxy.kubeconfig))
    };
    let mut watching = start("one");
    watching.until(&["reconciled", "failed=0"]);
    let said = stage.until_condition("phi", "Reconciling", "True", "Progressing");
    // What is known of the repository is enough as long as there is a process that knows it.
    let before = stage.versions_at_rest();
    fs::rename(&repo.path, &away).unwrap();
    watching.until(&["the source can't be read"]);
    assert_eq!(stage.versions_at_rest(), before);
    playground().client.delete(&stage.path("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi")).unwrap();
    watching.until(&["drift is put right", "was deleted"]);
    assert_eq!(stage.until_condition("phi", "Reconciling", "True", "Progressing"), said);
    drop(watching);
    // Neither does another one need more than the files that run.
    playground().client.delete(&stage.path("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi")).unwrap();
    let mut watching = start("one");
    watching.until(&["the source can't be read"]);
    watching.until(&["the set goes on with what it has", "main@sha1:"]);
    watching.until(&["reconciled", "created=1", "failed=0"]);
    assert_eq!(stage.until_condition("phi", "Reconciling", "True", "Progressing"), said);
    stage.versions_at_rest();
    playground().client.delete(&stage.path("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi")).unwrap();
    watching.until(&["drift is put right", "was deleted"]);
    drop(watching);
    // One that has none knows nothing of what is wanted.
    let mut watching = start("two");
    stage.until_condition("phi", "Ready", "False", "ArtifactFailed");
    stage.until_condition("phi", "Reconciling", "True", "ProgressingWithRetry");
    let before = stage.versions_at_rest();
    watching.skip();
    watching.until(&["the source can't be read"]);
    assert_eq!(stage.versions_at_rest(), before, "it is written once");
    fs::rename(&away, &repo.path).unwrap();
    watching.until(&["the source can be read again"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    assert_eq!(but_workspaces(&stage.versions_at_rest()), but_workspaces(&before));
}

#[test]
fn the_configuration() {
    let stage = Stage::new("config", &[&workspace("phi"), SETTINGS]);
    stage.write("kaito.yaml", "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n");
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    let before = stage.versions_at_rest();
    stage.write("kaito.yaml", "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nnoSuchField: 1\n");
    watching.until(&["noSuchField"]);
    stage.edit("1.yaml", "\"1\"", "\"2\"");
    watching.until(&["noSuchField"]);
    let said = stage.until_condition("phi", "Stalled", "True", "BuildFailed");
    assert!(said.contains("noSuchField"), "{said}");
    assert_eq!(but_workspaces(&stage.versions_at_rest()), but_workspaces(&before));
    stage.write("kaito.yaml", "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings", |object| object["data"]["a"] == "2");
}
