//! The CRDs of the kinds that kaito reads, made from the very types that they are read into.
//!
//! Names, columns and versions are Kaito's own (see [`KINDS`]), so that either may be installed in the place of the other.

mod kinds;
mod structural;

use serde_json::{Value, json};

pub use kinds::KINDS;
use structural::structural;

const GROUP: &str = "kaito.sh";

/// A kind of `kaito.sh`.
#[derive(Debug)]
pub struct Kind {
    /// Its name, such as `Workspace`.
    pub name: &'static str,
    /// What it is called in paths and by kubectl, such as `workspaces`.
    pub plural: &'static str,
    /// Shorter names for kubectl.
    pub short_names: &'static [&'static str],
    category: Option<&'static str>,
    is_namespaced: bool,
    /// Whether `kubectl scale` and autoscalers may set `spec.replicas`.
    scales: bool,
    schema: fn() -> Value,
    status: fn() -> Value,
    /// From the oldest to the newest; objects are stored as the last says.
    versions: &'static [Version],
}

/// A version of a kind.
#[derive(Debug)]
struct Version {
    name: &'static str,
    /// Whether it can be used. One that can't be is still named for the sake of objects that were once stored so.
    is_served: bool,
    columns: &'static [Column],
    /// The fields that it doesn't have; `*` stands for every key of a map.
    lacks: &'static [&'static [&'static str]],
    /// The values that only in this version fields have by themselves.
    defaults: &'static [(&'static [&'static str], &'static str)],
}

/// A column of `kubectl get`. Each kind also has its age.
#[derive(Debug)]
enum Column {
    /// Name, type and path of a field.
    Field(&'static str, &'static str, &'static str),
    /// The status of the condition of that name.
    Condition(&'static str),
}

impl Kind {
    /// The kind that kubectl would know by this name: `Workspace`, `workspaces`, `wk` or `workspaces.kaito.sh`, in any case.
    pub fn find(name: &str) -> Option<&'static Self> {
        let name = name.to_lowercase();
        let name = name.strip_suffix(".kaito.sh").unwrap_or(&name);
        KINDS.iter().find(|kind| kind.plural == name || kind.singular() == name || kind.short_names.contains(&name))
    }

    /// The name in small letters, such as `workspace`.
    pub fn singular(&self) -> String {
        self.name.to_lowercase()
    }

    /// The CRD.
    pub fn definition(&self) -> Value {
        let mut names = json!({
            "kind": self.name,
            "listKind": format!("{}List", self.name),
            "plural": self.plural,
            "singular": self.singular(),
        });
        if !self.short_names.is_empty() {
            names["shortNames"] = json!(self.short_names);
        }
        if let Some(category) = self.category {
            names["categories"] = json!([category]);
        }
        let last = self.versions.len() - 1;
        let versions: Vec<Value> = self.versions.iter().enumerate().map(|(index, version)| self.version(version, index == last)).collect();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{GROUP}", self.plural)},
            "spec": {
                "group": GROUP,
                "names": names,
                "scope": if self.is_namespaced { "Namespaced" } else { "Cluster" },
                "versions": versions,
            },
        })
    }

    fn version(&self, version: &Version, is_stored: bool) -> Value {
        let mut schema = self.root();
        for path in version.lacks {
            if let [path @ .., name] = path
                && let Some(parent) = field(&mut schema, path)
            {
                _ = parent["properties"].as_object_mut().and_then(|fields| fields.remove(*name));
            }
        }
        for (path, value) in version.defaults {
            if let Some(field) = field(&mut schema, path) {
                field["default"] = json!(value);
            }
        }
        let mut subresources = json!({"status": {}});
        if self.scales {
            subresources["scale"] = json!({
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            });
        }
        let age = Column::Field("Age", "date", ".metadata.creationTimestamp");
        json!({
            "name": version.name,
            "served": version.is_served,
            "storage": is_stored,
            "schema": {"openAPIV3Schema": schema},
            "subresources": subresources,
            "additionalPrinterColumns": version.columns.iter().chain([&age]).map(Column::definition).collect::<Vec<_>>(),
        })
    }

    /// The schema of an object. Of its metadata the server knows more than any schema may say.
    fn root(&self) -> Value {
        let mut schema = structural((self.schema)());
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.retain(|name| !["apiVersion", "kind", "metadata"].iter().any(|known| name == known));
            if required.is_empty() {
                _ = schema.as_object_mut().and_then(|schema| schema.remove("required"));
            }
        }
        schema["properties"]["metadata"] = json!({"type": "object"});
        schema["properties"]["status"] = structural((self.status)());
        schema
    }
}

/// The schema of a field.
fn field<'a>(schema: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(schema, |schema, name| match *name {
        "*" => schema.get_mut("additionalProperties"),
        name => schema.get_mut("properties")?.get_mut(name),
    })
}

impl Column {
    fn definition(&self) -> Value {
        let (name, kind, path) = match self {
            Self::Field(name, kind, path) => (name, *kind, (*path).to_owned()),
            Self::Condition(name) => (name, "string", format!(r#".status.conditions[?(@.type=="{name}")].status"#)),
        };
        json!({"name": name, "type": kind, "jsonPath": path})
    }
}
