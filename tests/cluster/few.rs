//! A few objects are looked up by their names, with the same answers as if all were listed, and no more questions than objects.

use std::collections::BTreeMap;

use kaito::cluster::{Cluster, Kinds, User};
use kaito::diff::live::{AllWanted, Live, Wanted};
use kaito::manifest::ObjectRef;
use serde_json::json;

use super::playground;
use super::scene::Scene;

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: NAME, namespace: NAMESPACE}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: NAME}}}
inference: {preset: {name: phi-4}}
";

const SETTINGS: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: \"1\"}}";

/// What is rendered, as something that is in no cluster yet.
fn wanted(scene: &Scene) -> AllWanted {
    let new = |desired: serde_json::Value| (ObjectRef::of(&desired).unwrap(), Wanted { desired, live: Live::Absent, answer: None });
    let objects: BTreeMap<ObjectRef, Wanted> = scene.rendered().into_iter().map(|manifest| new(manifest.value)).collect();
    [(None, objects)].into()
}

/// Looks twice in both ways, and gives back what was asked for by name the second time.
fn check(scene: &Scene, cluster: &Cluster, kinds: &mut Kinds) -> Vec<String> {
    let (mut listed, mut named) = (wanted(scene), wanted(scene));
    cluster.find(&mut listed, false).unwrap();
    cluster.find_with(kinds, &mut named, false).unwrap();
    assert_eq!(format!("{named:#?}"), format!("{listed:#?}"));
    let mut named = wanted(scene);
    scene.proxy.asked();
    cluster.find_with(kinds, &mut named, false).unwrap();
    assert_eq!(format!("{named:#?}"), format!("{listed:#?}"));
    scene.proxy.asked()
}

#[test]
fn the_same_with_few_questions() {
    let scene = Scene::new("few", &[&WORKSPACE.replace("NAME,", "phi,").replace("NAME}", "phi}"), SETTINGS]);
    let cluster = Cluster::connect(Some(&scene.proxy.kubeconfig), None, User::default()).unwrap();
    let mut kinds = Kinds::default();
    let objects = scene.rendered();
    let claim = objects.iter().find(|object| object.kind() == "NodeClaim").unwrap();
    // One question an object, and one for nodes of the Workspace that are called otherwise.
    let few =
        |asked: Vec<String>| assert!(asked.len() <= objects.len() + 1 && asked.iter().all(|ask| ask.starts_with("GET ")), "{asked:#?}");
    few(check(&scene, &cluster, &mut kinds));
    scene.apply();
    few(check(&scene, &cluster, &mut kinds));
    playground().client.delete(&format!("/api/v1/namespaces/{}/configmaps/settings", scene.namespace)).unwrap();
    few(check(&scene, &cluster, &mut kinds));
    // A node that is called otherwise is the one that is wanted.
    playground().client.remove(claim);
    let mut other = claim.value.clone();
    other["metadata"]["name"] = json!("few-other");
    playground().client.apply(&other.into(), "").unwrap();
    few(check(&scene, &cluster, &mut kinds));
    let mut named = wanted(&scene);
    cluster.find_with(&mut kinds, &mut named, false).unwrap();
    assert!(named[&None].keys().any(|reference| reference.name == "few-other"), "{named:#?}");
}

/// A kind whose definition comes and goes is known when it is there.
#[test]
fn definitions_come_and_go() {
    let thing = "{apiVersion: few.example.com/v1, kind: Thing, metadata: {name: one, namespace: NAMESPACE}}";
    let scene = Scene::new("few-kinds", &[thing]);
    let cluster = Cluster::connect(Some(&scene.proxy.kubeconfig), None, User::default()).unwrap();
    let mut kinds = Kinds::default();
    let mut live = || {
        let mut wanted = wanted(&scene);
        cluster.find_with(&mut kinds, &mut wanted, false).unwrap();
        wanted.remove(&None).unwrap().into_values().next().unwrap().live
    };
    assert_eq!(live(), Live::UnknownKind);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.few.example.com"},
        "spec": {
            "group": "few.example.com", "names": {"kind": "Thing", "plural": "things"}, "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    playground().client.apply(&definition.into(), "").unwrap();
    playground().wait("the kind is known", || (live() == Live::Absent).then_some(()));
    playground().client.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.few.example.com").unwrap();
    playground().wait("the kind isn't known any more", || (live() == Live::UnknownKind).then_some(()));
}
