//! Watches of a real API server: what changes is told in order, nothing that was missed stays unknown, and no kind hinders another.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use kaito::cluster::{Change, Connection, Subject, Watch};
use kaito::inventory::GroupKind;
use serde_json::{Value, json};

use super::playground;
use super::scene::Scene;

/// Long enough for a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a watch tells, in short: `ConfigMap applied a 1`.
struct Heard {
    lines: Receiver<String>,
    _watch: Watch,
}

impl Heard {
    fn new(kubeconfig: &Path, subjects: Vec<Subject>) -> Self {
        let (sender, lines) = channel();
        let connection = Connection::read(Some(kubeconfig), None).unwrap();
        let watch = Watch::start(&connection, subjects, move |subject, change| tell(&sender, subject, &change)).unwrap();
        Self { lines, _watch: watch }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// That just these come next.
    fn expect(&self, lines: &[&str]) {
        lines.iter().for_each(|line| assert_eq!(self.next(), *line));
    }

    /// What comes until this does.
    fn until(&self, end: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|line| line != end) {
            heard.push(self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{end} doesn't come after {heard:#?}")));
        }
        heard
    }
}

fn tell(sender: &Sender<String>, subject: &Subject, change: &Change) {
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let line = match change {
        Change::Listing => "listing".to_owned(),
        Change::Applied(object) => {
            assert_eq!(object["kind"], subject.kind.kind.as_str(), "{object}");
            assert!(object["apiVersion"].as_str().is_some_and(|version| version.starts_with(&subject.kind.group)), "{object}");
            format!("applied {} {}", name(object), object["data"]["a"].as_str().unwrap_or("-"))
        }
        Change::Deleted(object) => format!("deleted {}", name(object)),
        Change::Listed(all) => format!("listed {}", all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(" ")),
        Change::Unreadable(why) if why.contains("is forbidden") => "unreadable: is forbidden".to_owned(),
        Change::UnknownKind => "unknown".to_owned(),
        Change::Unreadable(why) => format!("unreadable: {why}"),
        Change::Silent(why) => {
            assert!(!why.is_empty());
            "silent".to_owned()
        }
    };
    // The other side may be gone.
    sender.send(format!("{} {}", subject.kind.kind, line.trim())).ok();
}

fn subject(kind: GroupKind, scene: &Scene) -> Subject {
    Subject { kind, namespace: Some(scene.namespace.clone()), selector: None, name: None, metadata_only: false }
}

fn config_maps(scene: &Scene) -> Subject {
    subject(GroupKind::new("", "ConfigMap"), scene)
}

fn put(scene: &Scene, name: &str, a: &str) {
    playground().client.apply(&scene.object("v1", "ConfigMap", name, json!({"data": {"a": a}})), "").unwrap();
}

fn delete(scene: &Scene, name: &str) {
    playground().client.delete(&format!("/api/v1/namespaces/{}/configmaps/{name}", scene.namespace)).unwrap();
}

#[test]
fn what_changes_is_told_in_order() {
    let scene = Scene::new("watch-order", &[]);
    put(&scene, "old", "1");
    let labelled = Subject { selector: Some("team=a".to_owned()), ..config_maps(&scene) };
    for (subject, told) in [
        (config_maps(&scene), &["applied old 1", "listed old", "applied new 1", "applied new 2", "deleted new"][..]),
        (
            Subject { metadata_only: true, ..config_maps(&scene) },
            &["applied old -", "listed old", "applied new -", "applied new -", "deleted new"],
        ),
        // The others are not even listed.
        (Subject { name: Some("new".to_owned()), ..config_maps(&scene) }, &["listed", "applied new 1", "applied new 2", "deleted new"]),
        // What has the label no more is gone for those who look by it.
        (labelled, &["listed", "applied new 1", "deleted new"]),
    ] {
        let heard = Heard::new(&scene.proxy.kubeconfig, vec![subject]);
        heard.expect(&["ConfigMap listing"]);
        heard.until(&format!("ConfigMap {}", told.iter().find(|line| line.starts_with("listed")).unwrap()));
        let new = |a: &str, labels: Value| {
            let object = scene.object("v1", "ConfigMap", "new", json!({"metadata": {"labels": labels}, "data": {"a": a}}));
            playground().client.apply(&object, "").unwrap();
        };
        new("1", json!({"team": "a"}));
        new("2", json!({"team": "b"}));
        delete(&scene, "new");
        let rest = told.iter().skip_while(|line| !line.starts_with("listed")).skip(1);
        rest.for_each(|line| assert_eq!(heard.next(), format!("ConfigMap {line}")));
    }
}

#[test]
fn what_was_missed_is_found() {
    let scene = Scene::new("watch-missed", &[]);
    ["a", "b"].iter().for_each(|name| put(&scene, name, "1"));
    let heard = Heard::new(&scene.proxy.kubeconfig, vec![config_maps(&scene)]);
    heard.until("ConfigMap listed a b");
    scene.proxy.cut();
    heard.expect(&["ConfigMap silent"]);
    delete(&scene, "a");
    put(&scene, "b", "2");
    // The server still knows what happened since.
    scene.proxy.mend(false);
    heard.expect(&["ConfigMap deleted a", "ConfigMap applied b 2"]);
    scene.proxy.cut();
    heard.expect(&["ConfigMap silent"]);
    delete(&scene, "b");
    put(&scene, "c", "3");
    scene.proxy.mend(true);
    heard.expect(&["ConfigMap listing", "ConfigMap applied c 3", "ConfigMap listed c"]);
}

#[test]
fn many_are_listed_by_the_page() {
    let scene = Scene::new("watch-many", &[]);
    (0..250).for_each(|index| put(&scene, &format!("cm-{index}"), "1"));
    let heard = Heard::new(&scene.proxy.kubeconfig, vec![config_maps(&scene)]);
    heard.expect(&["ConfigMap listing"]);
    let applied = (0..250).map(|_| heard.next()).filter(|line| line.starts_with("ConfigMap applied cm-")).count();
    assert_eq!((applied, heard.next().split(' ').count()), (250, 252));
    let lists = scene.proxy.asked().iter().filter(|line| line.contains("limit=100") && !line.contains("watch=true")).count();
    assert_eq!(lists, 3);
}

#[test]
fn a_kind_may_come_and_go() {
    let scene = Scene::new("watch-kind", &[]);
    let things = subject(GroupKind::new("watch.example.com", "Thing"), &scene);
    let heard = Heard::new(&scene.proxy.kubeconfig, vec![things, config_maps(&scene)]);
    let mut first: Vec<String> = (0..3).map(|_| heard.next()).collect();
    first.sort();
    assert_eq!(first, ["ConfigMap listed", "ConfigMap listing", "Thing unknown"]);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.watch.example.com"},
        "spec": {
            "group": "watch.example.com", "names": {"kind": "Thing", "plural": "things"}, "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    playground().client.apply(&definition.into(), "").unwrap();
    heard.expect(&["Thing listing", "Thing listed"]);
    let thing = scene.object("watch.example.com/v1", "Thing", "one", json!({"data": {"a": "1"}}));
    playground().client.apply(&thing, "").unwrap();
    heard.expect(&["Thing applied one 1"]);
    playground().client.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.watch.example.com").unwrap();
    heard.expect(&["Thing deleted one"]);
    put(&scene, "still", "1");
    heard.expect(&["ConfigMap applied still 1"]);
}

#[test]
fn what_may_not_be_read_may_be_allowed() {
    let scene = Scene::new("watch-allowed", &[]);
    let may = |resources: &[&str]| {
        let rules = json!([{"apiGroups": [""], "resources": resources, "verbs": ["list", "watch"]}]);
        playground().account(&scene.namespace, "watcher", &rules, &json!([]))
    };
    let account = may(&["configmaps"]);
    let services = subject(GroupKind::new("", "Service"), &scene);
    let heard = Heard::new(&account.kubeconfig, vec![services, config_maps(&scene)]);
    let mut first: Vec<String> = (0..3).map(|_| heard.next()).collect();
    first.sort();
    assert_eq!(first, ["ConfigMap listed", "ConfigMap listing", "Service unreadable: is forbidden"]);
    may(&["services", "configmaps"]);
    heard.expect(&["Service listing", "Service listed"]);
}

/// The thread ends, and with it what it was given.
#[test]
fn dropped() {
    let scene = Scene::new("watch-dropped", &[]);
    let Heard { lines, _watch: watch } = Heard::new(&scene.proxy.kubeconfig, vec![config_maps(&scene)]);
    while lines.recv_timeout(PATIENCE).unwrap() != "ConfigMap listed" {}
    drop(watch);
    assert!(lines.recv_timeout(PATIENCE).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected));
}
