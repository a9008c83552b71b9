//! The status, labels and annotations of an object on a real API server: written once, and only to this very object.

use std::collections::BTreeMap;

use kaito::cluster::{Cluster, Kinds, User, Written};
use serde_json::{Value, json};

use super::manifest::Manifest;
use super::playground;
use super::scene::Scene;

fn workspace(scene: &Scene) -> Manifest {
    let fields = json!({
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "phi"}}},
        "inference": {"preset": {"name": "phi-4"}},
    });
    scene.object("kaito.sh/v1beta1", "Workspace", "phi", fields)
}

fn condition(kind: &str, status: &str) -> Value {
    json!({"type": kind, "status": status, "reason": "Tested", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn connect(scene: &Scene) -> Cluster {
    Cluster::connect(Some(&scene.proxy.kubeconfig), None, User::default()).unwrap()
}

#[test]
fn status() {
    let scene = Scene::new("written-status", &[]);
    let (cluster, mut kinds) = (connect(&scene), Kinds::default());
    let workspace = workspace(&scene);
    let made = playground().client.make(&workspace, "somebody").unwrap();
    let live = || playground().client.find(&workspace).unwrap();
    let full = json!({"workerNodes": ["a"], "conditions": [condition("ResourceReady", "True"), condition("InferenceReady", "False")]});
    let less = json!({"conditions": [condition("ResourceReady", "True")]});
    for status in [&full, &less, &full] {
        let Written::Written(object) = cluster.write_status(&mut kinds, &live(), status, "kaito").unwrap() else { panic!("{status}") };
        assert_eq!(&object["status"], status);
        assert_eq!(object["spec"], made["spec"]);
        let live = live();
        scene.proxy.asked();
        assert_eq!(cluster.write_status(&mut kinds, &live, status, "kaito").unwrap(), Written::Unchanged);
        assert_eq!(scene.proxy.asked(), Vec::<String>::new());
    }
    // Somebody else has changed it since.
    let path = format!("{}/status", playground().client.path(&workspace).unwrap());
    playground().client.merge(&path, &json!({"status": {"workerNodes": ["b"]}})).unwrap();
    scene.proxy.asked();
    let Written::Written(object) = cluster.write_status(&mut kinds, &live(), &full, "kaito").unwrap() else { panic!("it isn't written") };
    assert_eq!((&object["status"], scene.proxy.asked().len()), (&full, 1), "the kind is known by now");

    let wrong = cluster.write_status(&mut kinds, &live(), &json!({"workerNodes": "a"}), "kaito").unwrap();
    assert!(matches!(&wrong, Written::Refused(why) if why.contains("workerNodes")), "{wrong:?}");
    let old = live();
    playground().client.remove(&workspace);
    assert_eq!(cluster.write_status(&mut kinds, &old, &less, "kaito").unwrap(), Written::Absent);
    playground().client.make(&workspace, "somebody").unwrap();
    assert_eq!(cluster.write_status(&mut kinds, &old, &less, "kaito").unwrap(), Written::Changed);
    let mut unknown = old;
    unknown["kind"] = json!("Nothing");
    assert_eq!(cluster.write_status(&mut kinds, &unknown, &less, "kaito").unwrap(), Written::Absent);
}

#[test]
fn annotations_and_labels() {
    let scene = Scene::new("written-annotations", &[]);
    let (cluster, mut kinds) = (connect(&scene), Kinds::default());
    let object = scene.object("v1", "ConfigMap", "settings", json!({"metadata": {"annotations": {"mine": "1"}}, "data": {"a": "1"}}));
    playground().client.make(&object, "somebody").unwrap();
    let set = |name: &str, value: Option<&str>| BTreeMap::from([(name.to_owned(), value.map(ToOwned::to_owned))]);
    let none = BTreeMap::new();
    // What is set or taken away, and the annotations and labels that are there then.
    for (annotations, labels, want) in [
        (
            set("kaito.sh/reconcile", Some("disabled")),
            set("team", Some("a")),
            json!([{"kaito.sh/reconcile": "disabled", "mine": "1"}, {"team": "a"}]),
        ),
        (set("kaito.sh/reconcile", None), none.clone(), json!([{"mine": "1"}, {"team": "a"}])),
        (none.clone(), set("team", None), json!([{"mine": "1"}, null])),
    ] {
        let live = playground().client.find(&object).unwrap();
        let Written::Written(now) = cluster.annotate(&mut kinds, &live, &annotations, &labels, "kaito").unwrap() else { panic!("{want}") };
        assert_eq!(json!([now["metadata"]["annotations"], now["metadata"]["labels"]]), want);
        assert_eq!(cluster.annotate(&mut kinds, &now, &annotations, &labels, "kaito").unwrap(), Written::Unchanged);
    }
    let old = playground().client.find(&object).unwrap();
    playground().client.remove(&object);
    let change = set("kaito.sh/reconcile", Some("disabled"));
    assert_eq!(cluster.annotate(&mut kinds, &old, &change, &none, "kaito").unwrap(), Written::Absent);
    playground().client.make(&object, "somebody").unwrap();
    assert_eq!(cluster.annotate(&mut kinds, &old, &change, &none, "kaito").unwrap(), Written::Changed);
}
