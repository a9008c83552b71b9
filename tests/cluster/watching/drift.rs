//! What somebody changes or deletes in the cluster is put right, by whoever may have meant it.

use std::io::Write as _;
use std::time::Instant;

use serde_json::{Value, json};

use super::super::kubectl::kubectl;
use super::super::playground;
use super::Watching;
use super::stage::{SETTINGS, Stage, text, workspace};
use crate::support;

const SET: &str = "/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi";
const SERVICE: &str = "/api/v1/namespaces/NAMESPACE/services/phi";
const CONFIG: &str = "/api/v1/namespaces/NAMESPACE/configmaps/settings";

/// A stage whose objects are there and at rest.
fn begin(name: &str) -> (Stage, Watching) {
    let stage = Stage::new(name, &[&workspace("phi"), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    stage.until_quiet();
    watching.skip();
    (stage, watching)
}

fn uid(object: &Value) -> &Value {
    &object["metadata"]["uid"]
}

#[test]
fn what_is_deleted_comes_back() {
    let (stage, mut watching) = begin("deleted");
    for path in [SET, SERVICE, CONFIG] {
        let before = stage.get(path).unwrap();
        let start = Instant::now();
        playground().client.delete(&stage.path(path)).unwrap();
        stage.until(path, |object| uid(object) != uid(&before));
        _ = writeln!(std::io::stderr(), "{path} is back after {:?}", start.elapsed());
        let said = watching.until(&["drift is put right"]);
        assert!(said.contains(path.rsplit('/').next().unwrap()), "{said}");
    }
    // A node is made anew once: two would cost twice as much.
    let claim = stage.claims().remove(0);
    playground().client.delete(&format!("/apis/karpenter.sh/v1/nodeclaims/{}", claim["metadata"]["name"].as_str().unwrap())).unwrap();
    watching.until(&["drift is put right", "NodeClaim"]);
    stage.until_quiet();
    let claims = stage.claims();
    assert_eq!(claims.len(), 1, "{claims:#?}");
    assert_ne!(uid(&claims[0]), uid(&claim));
    assert_eq!(watching.said(&["nodeclaim", "created"]).len(), 2, "at first, and now");
}

#[test]
fn what_is_edited_is_put_right() {
    let (stage, mut watching) = begin("edited");
    let run = |args: &[&str]| {
        // Not through the proxy, which would be taken for who does it.
        let mut command = kubectl(&playground().server.kubeconfig_file());
        let run = support::finish(command.args(["-n", &stage.namespace]).args(args));
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
    };
    let set = stage.get(SET).unwrap();
    let (service, config) = (stage.get(SERVICE).unwrap(), stage.get(CONFIG).unwrap());
    let image = |object: &Value| object["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let ports = service["spec"]["ports"].clone();
    let mut other_ports = ports.clone();
    other_ports[0]["targetPort"] = json!(4711);
    let is_as_before = |path: &str, before: &Value| {
        let now = stage.until(path, |object| {
            object["spec"] == before["spec"]
                && object["data"] == before["data"]
                && object["metadata"]["labels"] == before["metadata"]["labels"]
        });
        assert_eq!(uid(&now), uid(before));
    };
    let edits: [(&str, &Value, &dyn Fn()); 8] = [
        (SET, &set, &|| run(&["scale", "statefulset/phi", "--replicas=3"])),
        (SET, &set, &|| run(&["set", "image", "statefulset/phi", "*=example.com/other:1"])),
        (SERVICE, &service, &|| run(&["patch", "service/phi", "--type=merge", "-p", &json!({"spec": {"ports": other_ports}}).to_string()])),
        (SERVICE, &service, &|| stage.merge(SERVICE, "kubectl-edit", &json!({"spec": {"ports": [other_ports[0]]}}))),
        (SERVICE, &service, &|| run(&["label", "service/phi", "kaito.sh/workspace-"])),
        (CONFIG, &config, &|| run(&["patch", "configmap/settings", "-p", r#"{"data":{"a":"7"}}"#])),
        (CONFIG, &config, &|| run(&["patch", "configmap/settings", "--type=json", "-p", r#"[{"op":"remove","path":"/data"}]"#])),
        (CONFIG, &config, &|| run(&["label", "configmap/settings", "applyset.kubernetes.io/part-of-"])),
    ];
    for (number, (path, before, edit)) in edits.iter().enumerate() {
        let start = Instant::now();
        edit();
        watching.until(&["drift is put right", path.rsplit('/').next().unwrap()]);
        is_as_before(path, before);
        _ = writeln!(std::io::stderr(), "edit {number} of {path} is put right after {:?}", start.elapsed());
        if number % 3 != 2 {
            continue;
        }
        // The calm after which it counts as a new drift would take minutes: another process knows of none.
        drop(std::mem::replace(&mut watching, Watching::start(&stage, &[])));
        watching.until(&["reconciled", "failed=0"]);
        stage.until_quiet();
        watching.skip();
    }
    assert_eq!(image(&stage.get(SET).unwrap()), image(&set));
    // What others add is theirs.
    stage.merge(SERVICE, "somebody", &json!({"metadata": {"labels": {"team": "a"}}}));
    stage.until_quiet();
    assert_eq!(stage.get(SERVICE).unwrap()["metadata"]["labels"]["team"], "a");
}

#[test]
fn what_another_controller_wants_is_no_fight() {
    let (stage, mut watching) = begin("conflict");
    let scaled = stage.object("apps/v1", "StatefulSet", "phi", json!({"spec": {"replicas": 3}}));
    playground().client.take_over(&scaled, "autoscaler").unwrap();
    let said = stage.until_condition("phi", "Ready", "False", "FieldsInConflict");
    assert!(said.contains("autoscaler") && said.contains("spec.replicas"), "{said}");
    watching.until(&["not applied", "autoscaler"]);
    assert_eq!(stage.get(SET).unwrap()["spec"]["replicas"], 3);
    // Who gives it back ends it.
    let given_back = stage.object("apps/v1", "StatefulSet", "phi", json!({}));
    playground().client.take_over(&given_back, "autoscaler").unwrap();
    stage.until(SET, |object| object["spec"]["replicas"] == 1);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
}

#[test]
fn what_is_deleted_again_and_again() {
    let (stage, mut watching) = begin("again");
    for _ in 0..6 {
        let before = stage.until(SET, |_| true);
        playground().client.delete(&stage.path(SET)).unwrap();
        stage.until(SET, |object| uid(object) != uid(&before));
        watching.until(&["drift is put right", "StatefulSet"]);
    }
    assert_eq!(watching.said(&["two fight over fields"]).len(), 0);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
}

#[test]
fn another_controller_that_rewrites_a_field() {
    let (stage, mut watching) = begin("fight");
    let scale = || stage.merge(SET, "kubectl-patch", &json!({"spec": {"replicas": 3}}));
    for _ in 0..20 {
        scale();
        let said = watching.until(&["drift is put right"]);
        assert!(said.contains("spec.replicas is 3 instead of 1") && said.contains("kubectl-patch"), "{said}");
        stage.until(SET, |object| object["spec"]["replicas"] == 1);
    }
    scale();
    let said = watching.until(&["two fight over fields"]);
    assert!(said.contains("kubectl-patch takes spec.replicas of StatefulSet watching-fight/phi back again and again"), "{said}");
    stage.until_condition("phi", "Ready", "False", "FieldsFoughtOver");
    stage.until_condition("phi", "Reconciling", "True", "ProgressingWithRetry");
    stage.until_quiet();
    // It goes on, and nothing is done about it.
    stage.merge(SET, "kubectl-patch", &json!({"spec": {"replicas": 4}}));
    assert_eq!(stage.until_quiet(), [""; 0]);
    assert_eq!(stage.get(SET).unwrap()["spec"]["replicas"], 4);
    assert_eq!((watching.said(&["drift is put right"]).len(), watching.said(&["two fight over fields"]).len()), (20, 1));
    let last_status = || {
        let parent = stage.get("/api/v1/namespaces/NAMESPACE/secrets/prod").unwrap();
        let history: Value = serde_json::from_str(text(&parent["metadata"]["annotations"]["kaito.sh/history"])).unwrap();
        history[0]["lastReconciledStatus"].clone()
    };
    assert_eq!(last_status(), "ReconciliationFailed");
    // What is gone serves nobody.
    let before = stage.get(SET).unwrap();
    playground().client.delete(&stage.path(SET)).unwrap();
    stage.until(SET, |object| uid(object) != uid(&before));
    stage.until_quiet();
    stage.merge(SET, "kubectl-patch", &json!({"spec": {"replicas": 4}}));
    stage.until_quiet();
    // Others are none the worse for it.
    stage.edit("1.yaml", "\"1\"", "\"2\"");
    stage.until(CONFIG, |object| object["data"]["a"] == "2");
    assert_eq!(stage.get(SET).unwrap()["spec"]["replicas"], 4);
    // What is wanted otherwise is tried at once.
    stage.edit("0.yaml", r#"{"name":"phi"}"#, r#"{"annotations":{"team":"a"},"name":"phi"}"#);
    stage.until(SET, |object| object["spec"]["replicas"] == 1);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    stage.until_quiet();
    assert_eq!(last_status(), "ReconciliationSucceeded");
}
