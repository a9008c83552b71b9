//! A namespace of a cluster to itself, and a directory with what is wanted in it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::manifest::Manifest;
use super::playground;
use super::proxy::Proxy;
use crate::support;

/// A namespace of the cluster, and a directory with what is wanted in it.
pub(super) struct Scene {
    pub namespace: String,
    pub directory: TempDir,
    pub proxy: Proxy,
}

impl Scene {
    /// A scene of its own, with these files.
    pub(super) fn new(name: &str, files: &[&str]) -> Self {
        let namespace = name.to_owned();
        let scene = Self { proxy: Proxy::new(&namespace), directory: tempfile::tempdir().unwrap(), namespace };
        playground()
            .client
            .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scene.namespace}}).into(), "")
            .unwrap();
        files.iter().enumerate().for_each(|(index, text)| scene.write(&format!("{index}.yaml"), text));
        scene
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text.replace("NAMESPACE", &self.namespace)).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.directory.path().join(name)).unwrap();
    }

    pub(super) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.directory.path().join(name)).unwrap();
        assert!(text.contains(from), "{from} is not in {name}");
        self.write(name, &text.replace(from, to));
    }

    /// Everything that is rendered, with its namespace.
    pub(super) fn rendered(&self) -> Vec<Manifest> {
        rendered(self.directory.path(), &self.namespace)
    }

    pub(super) fn apply(&self) {
        for object in self.rendered() {
            playground().client.apply(&object, "").unwrap();
        }
    }

    pub(super) fn object(&self, api_version: &str, kind: &str, name: &str, fields: Value) -> Manifest {
        let mut object = fields;
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(kind);
        object["metadata"]["name"] = json!(name);
        object["metadata"]["namespace"] = json!(self.namespace);
        object.into()
    }

    /// Changes a ConfigMap as `kubectl edit` does.
    pub(super) fn drift(&self, change: &Value) {
        let path = format!("/api/v1/namespaces/{}/configmaps/settings?fieldManager=kubectl-edit", self.namespace);
        let (status, text) =
            playground().client.pass("PATCH", &path, "application/merge-patch+json", change.to_string().into_bytes()).unwrap();
        assert_eq!(status, 200, "{text}");
    }
}

/// The objects of an input, each in a namespace if its kind has them.
pub(super) fn rendered(input: &Path, namespace: &str) -> Vec<Manifest> {
    let input = input.to_string_lossy();
    let run = support::run(&["render", "-R", "-f", &input, "-o", "json", "-n", namespace]);
    let run = if run.code == 0 { run } else { support::run(&["render", "-R", "-f", &input, "-o", "json"]) };
    assert_eq!(run.code, 0, "{}", run.stderr);
    let list: Value = serde_json::from_str(&run.stdout).unwrap();
    let objects = list["items"].as_array().unwrap().iter().cloned();
    let placed = objects.map(|mut object| {
        if object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!(namespace);
        }
        object.into()
    });
    placed.collect()
}
