//! What is rendered, in a cluster where things become ready: nodes come, pods run on them and on no others, Jobs end.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::kubectl::kubectl;
use super::manifest::Manifest;
use super::{cluster, living};
use crate::support::{finish, run};

fn render(namespace: &str, args: &[&str]) -> Vec<Manifest> {
    let run = run(&[&["render", "-o", "json", "-n", namespace], args].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    Manifest::all("kaito render", &run.stdout)
}

/// Renders with these arguments, and applies it all.
fn apply(namespace: &str, args: &[&str]) -> Vec<Manifest> {
    living().namespace(namespace);
    let objects = render(namespace, args);
    objects.iter().for_each(|object| drop(living().client.apply(object, "").unwrap()));
    objects
}

/// The paths of the objects of a kind.
fn paths(objects: &[Manifest], kind: &str) -> Vec<String> {
    let paths: Vec<String> =
        objects.iter().filter(|object| object.kind() == kind).map(|object| living().client.path(object).unwrap()).collect();
    assert!(!paths.is_empty(), "there is no {kind}");
    paths
}

fn items(path: &str) -> Vec<Value> {
    living().client.get(path).unwrap()["items"].as_array().unwrap().clone()
}

/// What stands in a field of each, once.
fn all(objects: &[Value], field: &str) -> BTreeSet<String> {
    objects.iter().map(|object| object.pointer(field).and_then(Value::as_str).unwrap_or_default().to_owned()).collect()
}

/// The names of nodes that have this many GPUs each.
fn nodes_with_gpus(nodes: &[Value], gpus: &str) -> BTreeSet<String> {
    for node in nodes {
        let of = |what: &str| &node["status"][what]["nvidia.com/gpu"];
        assert!(of("capacity") == gpus && of("allocatable") == gpus, "{node}");
    }
    all(nodes, "/metadata/name")
}

#[test]
fn the_gpu_provisioner_makes_nodes() {
    let objects = apply("living-gpu-provisioner", &["-f", "examples/inference-config"]);
    let claims: Vec<Value> = paths(&objects, "NodeClaim").iter().map(|path| living().wait_for(path, "Ready")).collect();
    let nodes = all(&claims, "/status/nodeName")
        .iter()
        .map(|name| living().client.get(&format!("/api/v1/nodes/{name}")).unwrap())
        .collect::<Vec<_>>();
    living().wait_for_replicas(&paths(&objects, "StatefulSet")[0]);
    let pods = items("/api/v1/namespaces/living-gpu-provisioner/pods");
    assert_eq!(all(&pods, "/spec/nodeName"), nodes_with_gpus(&nodes, "1"));
    // The weights are on a local disk, which an ephemeral volume asks for.
    assert_eq!(
        all(&items("/api/v1/namespaces/living-gpu-provisioner/persistentvolumeclaims"), "/status/phase"),
        ["Bound".to_owned()].into()
    );

    objects.iter().for_each(|object| living().client.remove(object));
    paths(&objects, "NodeClaim").iter().for_each(|path| living().wait_until_gone(path));
    all(&nodes, "/metadata/name").iter().for_each(|name| living().wait_until_gone(&format!("/api/v1/nodes/{name}")));
}

#[test]
fn a_size_that_is_not_to_be_had() {
    let rendered = render("living-no-size", &["-f", "examples/inference-config"]);
    let mut claim = rendered.into_iter().find(|object| object.kind() == "NodeClaim").unwrap().value;
    claim["metadata"]["name"] = json!("ws-nobody");
    claim["spec"]["requirements"] = json!([{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["Standard_Nobody"]}]);
    let claim = Manifest::from(claim);
    living().client.apply(&claim, "").unwrap();
    let path = living().client.path(&claim).unwrap();
    let launched = living().wait("it is tried", || {
        let claim = living().client.get(&path).unwrap();
        claim["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Launched").cloned()
    });
    assert_eq!((&launched["status"], &launched["reason"]), (&json!("False"), &json!("LaunchFailed")));
    living().client.remove(&claim);
    living().wait_until_gone(&path);
}

#[test]
fn karpenter_makes_nodes() {
    let objects = apply("living-karpenter", &["-f", "examples/karpenter/workspace.yaml", "--config", "tests/cluster/kwok.yaml"]);
    let pool = living().wait_for(&paths(&objects, "NodePool")[0], "Ready");
    let set = living().wait_for_replicas(&paths(&objects, "StatefulSet")[0]);
    assert_eq!((&set["spec"]["replicas"], &pool["spec"]["replicas"]), (&json!(2), &json!(2)));
    let of_pool = format!("?labelSelector=karpenter.sh/nodepool={}", pool["metadata"]["name"].as_str().unwrap());
    let claims = format!("/apis/karpenter.sh/v1/nodeclaims{of_pool}");
    let names = items(&claims).iter().map(|claim| claim["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names.len(), 2);
    names.iter().for_each(|name| drop(living().wait_for(&format!("/apis/karpenter.sh/v1/nodeclaims/{name}"), "Ready")));
    let nodes = items(&format!("/api/v1/nodes{of_pool}"));
    assert_eq!(all(&items("/api/v1/namespaces/living-karpenter/pods"), "/spec/nodeName"), nodes_with_gpus(&nodes, "1"));

    objects.iter().filter(|object| object.kind() != "KWOKNodeClass").for_each(|object| living().client.remove(object));
    living().wait(&format!("{claims} are gone"), || items(&claims).is_empty().then_some(()));
    living().wait("the nodes are gone", || items(&format!("/api/v1/nodes{of_pool}")).is_empty().then_some(()));
}

#[test]
fn nodes_of_ones_own_are_used() {
    for node in Manifest::read(Path::new("examples/byo-nodes/nodes.yaml")) {
        living().add_node(node.name(), &node.value["metadata"]["labels"], "Standard_NV36ads_A10_v5");
    }
    let objects = apply("living-byo", &["-f", "examples/byo-nodes"]);
    living().wait_for_replicas(&paths(&objects, "StatefulSet")[0]);
    let pods = items("/api/v1/namespaces/living-byo/pods");
    assert_eq!(all(&pods, "/spec/nodeName"), ["gpu-0".to_owned(), "gpu-1".to_owned()].into());
}

#[test]
fn tuning_ends() {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    living().namespace("models");
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "adapters", "namespace": "models"}, "spec": claim});
    living().client.apply(&claim.into(), "").unwrap();
    let objects = apply("models", &["-f", "examples/tuning-lora"]);
    let nodes: Vec<Value> = paths(&objects, "NodeClaim").iter().map(|path| living().wait_for(path, "Ready")).collect();
    let job = living().wait_for(&paths(&objects, "Job")[0], "Complete");
    assert_eq!(job["status"]["succeeded"], 1);
    assert_eq!(all(&items("/api/v1/namespaces/models/pods"), "/spec/nodeName"), all(&nodes, "/status/nodeName"));
}

#[test]
fn what_needs_no_gpu_needs_no_node_of_its_own() {
    living().namespace("living-web");
    let pod = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}});
    let web = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "living-web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": pod},
    });
    let web = Manifest::from(web);
    living().client.apply(&web, "").unwrap();
    living().wait_for(&living().client.path(&web).unwrap(), "Available");
    assert_eq!(all(&items("/api/v1/namespaces/living-web/pods"), "/spec/nodeName"), ["system".to_owned()].into());
}

#[test]
fn an_account_may_do_what_it_is_given() {
    let namespace = "account";
    cluster().namespace(namespace);
    let in_namespace = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]);
    let everywhere = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]);
    let account = cluster().account(namespace, "reader", &in_namespace, &everywhere);
    let may = |path: &str| account.client.get(path).map(drop);
    may("/api/v1/namespaces/account/configmaps").unwrap();
    may("/api/v1/nodes").unwrap();
    for path in ["/api/v1/namespaces/account/secrets", "/api/v1/namespaces/default/configmaps", "/api/v1/namespaces"] {
        let fault = may(path).unwrap_err();
        assert!(fault.contains("system:serviceaccount:account:reader") && fault.contains("forbidden"), "{fault}");
    }
    // So it is for programs; the namespace is the account's.
    assert_eq!(finish(kubectl(&account.kubeconfig).args(["get", "configmaps"])).code, 0);
    assert_ne!(finish(kubectl(&account.kubeconfig).args(["get", "secrets"])).code, 0);
}

#[test]
fn kubectl_prunes_by_an_apply_set() {
    let namespace = "apply-set";
    cluster().namespace(namespace);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("maps.yaml");
    let map = |name: &str| format!("---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}\n");
    let apply = |names: &[&str]| {
        fs::write(&file, names.iter().map(|name| map(name)).collect::<String>()).unwrap();
        let mut kubectl = kubectl(&cluster().server.kubeconfig_file());
        let run = finish(kubectl.args(["apply", "-n", namespace, "--applyset=set", "--prune", "-f"]).arg(&file));
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    };
    let is_there = |name: &str| cluster().client.get(&format!("/api/v1/namespaces/{namespace}/configmaps/{name}")).is_ok();
    apply(&["one", "other"]);
    assert!(is_there("one") && is_there("other"));
    apply(&["one"]);
    assert!(is_there("one") && !is_there("other"));
}
