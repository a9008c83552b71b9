//! What isn't a Workspace's own: the router of a set, and manifests that say by a label whose they are. A pass about others leaves them alone.

use serde_json::json;

use super::Watching;
use super::stage::{SETTINGS, Stage};

const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1
kind: RenderConfig
featureGates: {gatewayAPIInferenceExtension: true}
";

const SET: &str = "apiVersion: kaito.sh/v1beta1
kind: InferenceSet
metadata: {name: chat}
spec:
  replicas: 1
  labelSelector: {matchLabels: {apps: chat}}
  template:
    resource: {instanceType: Standard_NC24ads_A100_v4}
    inference: {preset: {name: phi-4-mini-instruct}}
";

const LABELLED: &str =
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: prompts, labels: {kaito.sh/workspace: chat-0}}, data: {a: \"1\"}}";

#[test]
fn a_change_of_something_else_takes_nothing_away() {
    let stage = Stage::new("whose", &[SET, SETTINGS, LABELLED]);
    stage.write("kaito.yaml", CONFIG);
    let router = stage.path("/apis/helm.toolkit.fluxcd.io/v2/namespaces/NAMESPACE/helmreleases/chat-inferencepool");
    let prompts = stage.path("/api/v1/namespaces/NAMESPACE/configmaps/prompts");
    let workload = stage.path("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/chat-0");
    let mut watching = Watching::start(&stage, &["--prune"]);
    watching.until(&["reconciled"]);
    let uids = || [&router, &prompts, &workload].map(|path| stage.get(path).unwrap()["metadata"]["uid"].clone());
    let before = uids();
    // Of what is nobody's, of a Workspace, and of the set.
    stage.write("1.yaml", &SETTINGS.replace("\"1\"", "\"2\""));
    watching.until(&["reconciled"]);
    stage.merge(&workload, "kubectl-edit", &json!({"spec": {"replicas": 3}}));
    watching.until(&["drift is put right"]);
    stage.write("0.yaml", &SET.replace("replicas: 1", "replicas: 2"));
    watching.until(&["reconciled"]);
    assert_eq!(watching.said(&["INFO pruned "]), Vec::<String>::new());
    assert_eq!(uids(), before);
    // What is deleted comes back, whoever's it is.
    for path in [&router, &prompts] {
        crate::cluster::playground().client.delete(path).unwrap();
        stage.until(path, |object| object["metadata"]["uid"].is_string());
    }
    assert_eq!(watching.stop().code(), Some(0));
}
