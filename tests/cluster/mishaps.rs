//! What must not happen: objects and nodes that are deleted or overwritten though nobody meant it.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::apply::Story;
use super::playground;
use crate::support;

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: NAME}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi-4}}}
inference: {preset: {name: phi-4}}
";

const SET: [&str; 3] = ["--applyset", "prod", "--prune"];

fn workspace(name: &str) -> String {
    WORKSPACE.replace("NAME", name)
}

fn config_map(name: &str) -> String {
    format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{a: \"1\"}}}}")
}

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SET.into_iter().chain(more.iter().copied()).collect()
}

/// Two applies of one set at the same time: the slower one, which knows less, deletes nothing that the other has made.
#[test]
fn two_at_a_time() {
    let mut story = Story::new("two-at-a-time", &[&workspace("one")]);
    // The first one waits for an answer to its second write: the set is written, a node is on its way.
    story.scene.proxy.hold(1, true);
    let mut slow = support::kaito();
    slow.args(["apply", "-f"]).arg(story.scene.directory.path()).arg("--kubeconfig").arg(&story.scene.proxy.kubeconfig).args(SET);
    let slow = thread::spawn(move || support::finish(&mut slow));
    while !story.scene.proxy.is_held() {
        thread::sleep(Duration::from_millis(5));
    }
    story.tell("meanwhile, with a second Workspace and a ConfigMap, a kind that the first one knows nothing of");
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("0.yaml"), workspace("one")).unwrap();
    std::fs::write(other.path().join("1.yaml"), workspace("two")).unwrap();
    std::fs::write(other.path().join("2.yaml"), config_map("settings")).unwrap();
    let mut fast = support::kaito();
    fast.args(["apply", "-n", &story.scene.namespace, "-f"]).arg(other.path()).arg("--kubeconfig");
    let fast = support::finish(fast.arg(playground().server.kubeconfig_file()).args(SET));
    assert_eq!(fast.code, 0, "{}{}", fast.stdout, fast.stderr);
    story.scene.proxy.resume();
    let slow = slow.join().unwrap();
    assert_eq!(slow.code, 0, "{}{}", slow.stdout, slow.stderr);
    assert!(!slow.stdout.contains("pruned"), "{}", slow.stdout);
    let path = "/apis/apps/v1/namespaces/NAMESPACE/statefulsets/two";
    assert!(story.get(path).is_ok(), "{}", slow.stdout);
    let parent = story.get("/api/v1/namespaces/NAMESPACE/secrets/prod").unwrap();
    let kinds = parent["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"].as_str().unwrap();
    assert!(kinds.contains("ConfigMap"), "the set has forgotten a kind: {kinds}");
}

#[test]
fn what_is_made_is_not_pruned() {
    let crd = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.mishap.example.com}
spec:
  group: mishap.example.com
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
";
    let mut story = Story::new("made", &[crd, "{apiVersion: mishap.example.com/v1, kind: Thing, metadata: {name: mine}, spec: {a: 1}}"]);
    story.apply(&SET, 0);
    story.apply(&SET, 0);
    assert!(story.get("/apis/mishap.example.com/v1/namespaces/NAMESPACE/things/mine").is_ok());
    story.end();
}

#[test]
fn what_is_elsewhere_stays() {
    let namespaced = config_map("far").replace("{name: far}", "{name: far, namespace: apply-elsewhere-far}");
    let mut story = Story::new("elsewhere", &[&config_map("near"), &config_map("goes"), &namespaced]);
    for name in ["apply-elsewhere-far", "apply-elsewhere-copy"] {
        playground().namespace(name);
    }
    story.apply(&with(&["--namespaces", "apply-elsewhere-far"]), 0);
    story.tell("somebody copies a member, with its label, to where the set never was");
    let mut copy = story.get("/api/v1/namespaces/NAMESPACE/configmaps/goes").unwrap();
    copy["metadata"] = json!({"name": "goes", "namespace": "apply-elsewhere-copy", "labels": copy["metadata"]["labels"]});
    playground().client.create("/api/v1/namespaces/apply-elsewhere-copy/configmaps", &copy).unwrap();
    story.scene.remove("1.yaml");
    story.scene.remove("2.yaml");
    story.apply(&SET, 0);
    for path in ["apply-elsewhere-copy/configmaps/goes", "apply-elsewhere-far/configmaps/far"] {
        assert!(story.get(&format!("/api/v1/namespaces/{path}")).is_ok(), "{path} is gone");
    }
    story.apply(&with(&["--namespaces", "apply-elsewhere-far"]), 0);
    story.end();
}

#[test]
fn fewer_files_are_read() {
    let mut story = Story::new("fewer", &[&workspace("one"), &workspace("two"), &config_map("settings")]);
    story.apply(&SET, 0);
    story.tell("only one of the files, by mistake");
    let narrow = |story: &mut Story, args: &[&str], code: i32| {
        let mut command = support::kaito();
        command.args(["apply", "-f"]).arg(story.scene.directory.path().join("0.yaml"));
        command.arg("--kubeconfig").arg(&story.scene.proxy.kubeconfig).args(["--applyset", "prod"]).args(args);
        let run = support::finish(&mut command);
        let here = story.scene.directory.path().canonicalize().unwrap().to_string_lossy().into_owned();
        let run = support::Run { stderr: run.stderr.replace(&here, "DIRECTORY"), ..run };
        let words = [&["kaito", "apply", "-f", "0.yaml", "--applyset", "prod"], args].concat();
        story.ran(&words, &run, code);
    };
    narrow(&mut story, &["--prune"], 0);
    narrow(&mut story, &["--prune"], 0);
    let claims = playground().client.get("/apis/karpenter.sh/v1/nodeclaims").unwrap()["items"].as_array().unwrap().clone();
    let of_ours =
        claims.iter().filter(|claim| claim["metadata"]["labels"]["kaito.sh/workspacenamespace"] == story.scene.namespace.as_str());
    assert_eq!(of_ours.count(), 2, "a node is gone");
    story.tell("this one is all there is from now on");
    narrow(&mut story, &[], 0);
    narrow(&mut story, &["--prune"], 0);
    story.end();
}

#[test]
fn a_set_of_itself() {
    let parent = "{apiVersion: v1, kind: Secret, metadata: {name: prod}, stringData: {a: b}}";
    let mut story = Story::new("itself", &[&config_map("a"), parent]);
    story.apply(&SET, 1);
    story.apply(&SET, 1);
    story.end();
}

#[test]
fn a_set_in_a_namespace_that_comes() {
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: apply-home-new}}";
    let mut story = Story::new("home", &[&config_map("a"), namespace]);
    story.apply(&with(&["-n", "apply-home-new", "--dry-run=server"]), 0);
    story.apply(&with(&["-n", "apply-home-new"]), 0);
    story.apply(&with(&["-n", "apply-home-new"]), 0);
    story.end();
}

/// No node is made for a Workspace that has no place to be.
#[test]
fn a_namespace_that_is_not_there() {
    let mut story = Story::new("nowhere", &[&workspace("lost"), &config_map("a")]);
    story.apply(&["-n", "apply-nowhere-else", "--dry-run=client"], 1);
    story.apply(&["-n", "apply-nowhere-else"], 1);
    story.apply(&with(&["-n", "apply-nowhere-else"]), 1);
    let claims = story.get("/apis/karpenter.sh/v1/nodeclaims").unwrap();
    let is_lost = |claim: &serde_json::Value| claim["metadata"]["labels"]["kaito.sh/workspace"] == "lost";
    assert!(!claims["items"].as_array().unwrap().iter().any(is_lost), "{claims}");
    story.end();
}

/// Names without namespaces can be the same for two Workspaces.
#[test]
fn a_pool_of_another_workspace() {
    let of = |namespace: &str, name: &str| workspace(name).replacen("{name: ", &format!("{{namespace: {namespace}, name: "), 1);
    let mut story = Story::new("pools", &[&of("apply-pool-a", "b-c")]);
    for name in ["apply-pool-a", "apply-pool-a-b"] {
        playground().namespace(name);
    }
    let args = ["--namespaces", "apply-pool-a,apply-pool-a-b", "--node-provisioner", "karpenter"];
    story.apply(&args, 0);
    story.scene.write("0.yaml", &of("apply-pool-a-b", "c"));
    story.apply(&args, 1);
    story.end();
}

/// What a NodePool has made for itself is no node to be taken over.
#[test]
fn a_node_of_a_pool() {
    let mut story = Story::new("node-of-pool", &[&workspace("phi")]);
    story.apply(&["--dry-run=client"], 0);
    let mut claim = story.scene.rendered().into_iter().find(|object| object.kind() == "NodeClaim").unwrap().value;
    claim["metadata"]["name"] = json!("apply-node-of-pool-x7");
    claim["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "name": "gpus", "uid": "1", "blockOwnerDeletion": true}]);
    playground().client.make(&claim.into(), "karpenter").unwrap();
    story.apply(&[], 0);
    story.end();
}

/// What a server says of a Secret may quote it.
#[test]
fn words_about_secrets() {
    let secret =
        |value: &str| format!("{{apiVersion: v1, kind: Secret, metadata: {{name: key}}, immutable: true, stringData: {{a: {value}}}}}");
    let mut story = Story::new("secret", &[&secret("hunter1")]);
    story.apply(&[], 0);
    story.scene.write("0.yaml", &secret("hunter2"));
    story.apply(&[], 1);
    story.scene.write("0.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: key}, data: {a: hunter2}}");
    story.apply(&[], 1);
    story
        .scene
        .write("0.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: other}, type: kubernetes.io/tls, stringData: {a: hunter2}}");
    story.apply(&[], 1);
    story.hides("hunter");
    story.end();
}
