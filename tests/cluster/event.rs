//! Events on a real API server: what happens again is one event that counts, and none that is refused keeps others back.

use kaito::cluster::{Connection, Event, EventType, Events};
use serde_json::{Value, json};

use super::playground;
use super::scene::Scene;

fn event(note: &str) -> Event {
    Event { kind: EventType::Warning, reason: "DriftRepaired", action: "Apply", note: note.to_owned() }
}

/// The events of an object, as soon as they are as they should be.
fn wait(namespace: &str, name: &str, are: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
    playground().wait(&format!("there are the right events of {name}"), || {
        let all = playground().client.get(&path).ok()?["items"].as_array()?.clone();
        let of_it: Vec<Value> = all.into_iter().filter(|event| event["regarding"]["name"] == name).collect();
        are(&of_it).then_some(of_it)
    })
}

#[test]
fn events() {
    let scene = Scene::new("event", &[]);
    let make = |name: &str| playground().client.apply(&scene.object("v1", "ConfigMap", name, json!({})), "").unwrap();
    let (one, long) = (make("one"), make("long"));
    let connection = Connection::read(Some(&playground().server.kubeconfig_file()), None).unwrap();
    let events = Events::start(&connection, "kaito.sh/watch", "kaito-0").unwrap();
    let nowhere = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "event-nowhere"}});
    for (about, note) in [(&nowhere, "refused"), (&one, "replicas"), (&one, "replicas"), (&one, "image"), (&one, "replicas")] {
        events.publish(about, event(note));
    }
    let found = wait(&scene.namespace, "one", |found| found.len() == 2 && found.iter().any(|event| event["series"]["count"] == 3));
    let series = found.iter().find(|event| event["note"] == "replicas").unwrap();
    assert_eq!((&series["type"], &series["reason"], &series["action"]), (&"Warning".into(), &"DriftRepaired".into(), &"Apply".into()));
    assert_eq!((&series["reportingController"], &series["reportingInstance"]), (&"kaito.sh/watch".into(), &"kaito-0".into()));
    assert_eq!(series["regarding"]["uid"], one["metadata"]["uid"]);

    // One that is gone before it happens again is made anew.
    let name = series["metadata"]["name"].as_str().unwrap();
    playground().client.delete(&format!("/apis/events.k8s.io/v1/namespaces/{}/events/{name}", scene.namespace)).unwrap();
    events.publish(&one, event("replicas"));
    let found = wait(&scene.namespace, "one", |found| found.len() == 2);
    assert!(found.iter().all(|event| event["series"].is_null()), "{found:#?}");

    events.publish(&long, event(&"ü".repeat(2000)));
    let found = wait(&scene.namespace, "long", |found| found.len() == 1);
    assert_eq!(found[0]["note"], format!("{}...", "ü".repeat(510)));

    // What is in no namespace has its events in the usual one.
    let namespace = playground().client.get(&format!("/api/v1/namespaces/{}", scene.namespace)).unwrap();
    events.publish(&namespace, Event { kind: EventType::Normal, ..event("seen") });
    let found = wait("default", &scene.namespace, |found| found.len() == 1);
    assert_eq!(found[0]["type"], "Normal");
}
