//! A cluster that Kaito's operator runs, as a repository: what people have declared in it, and the `kaito.yaml` under which the same is
//! rendered as is there.
//!
//! Everything here is a function of what was read; [`searches`] and [`config_maps`] say what that is.

mod declared;
mod defaults;
mod facts;
mod node_names;
mod nodes;
mod operator;
mod settings;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config;
use crate::diagnostic::{self, Diagnostic};
use crate::inventory::GroupKind;
use crate::manifest::ObjectRef;
use crate::options::NodeProvisioner;
use crate::status::Search;
use crate::yaml;

pub use declared::{clean, config_maps_of, is_made};

/// The group of what people declare.
pub const GROUP: &str = "kaito.sh";

/// What people declare: the kinds in namespaces, and one that is in none.
const DECLARED: [&str; 5] = ["Workspace", "InferenceSet", "MultiRoleInference", "RAGEngine", "ModelMirror"];

/// The file of nodes of one's own.
const NODES_FILE: &str = "nodes.yaml";

/// How sets of Workspaces are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sets {
    /// As sets.
    #[default]
    Whole,
    /// As the Workspaces that Kaito's operator has made for them, which keep their names, and so their nodes.
    Expanded,
}

/// What is chosen of what a repository may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// How sets of Workspaces are written.
    pub sets: Sets,
    /// Whether nodes are rendered by the names that they have, also without asking the cluster.
    pub keeps_node_names: bool,
}

/// What was read of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s> {
    /// The objects, with all that the server says of them.
    pub objects: &'s [Value],
    /// The kinds that the server doesn't let be read, and its words.
    pub unread: &'s BTreeMap<GroupKind, String>,
}

/// A repository for what is in a cluster.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// The texts of its files, by path.
    pub files: BTreeMap<String, String>,
    /// What is in them: `kaito.yaml, 2 Workspaces, 1 ConfigMap`.
    pub contents: String,
    /// What the reader should know: what wasn't found out, what isn't in it, what will be otherwise.
    pub findings: Vec<Diagnostic>,
}

impl<'s> Seen<'s> {
    /// The objects of a kind.
    fn of(&self, kind: &'static str) -> impl Iterator<Item = &'s Value> + use<'s> {
        self.objects.iter().filter(move |object| is_of(object, kind))
    }

    /// Why a kind was not read, if it wasn't.
    fn why_unread(&self, kind: &str) -> Option<&'s str> {
        self.unread.iter().find(|(unread, _)| unread.kind == kind).map(|(_, why)| why.as_str())
    }

    /// What people declare.
    fn declared(&self, sets: Sets) -> Vec<&'s Value> {
        let is_wanted = |object: &&Value| {
            let is_maker = declared::MAKERS.iter().any(|kind| is_of(object, kind));
            let is_chosen = if sets == Sets::Expanded { !is_maker } else { !is_made(object) };
            is_declared(object) && is_chosen && object["metadata"]["deletionTimestamp"].is_null()
        };
        self.objects.iter().filter(is_wanted).collect()
    }
}

/// The lists that have all of it, for a namespace or for all.
pub fn searches(namespace: Option<&str>) -> Vec<Search> {
    let search = |group: &str, kind: &str, selector: Option<&str>, namespace: Option<&str>| Search {
        kind: GroupKind::new(group, kind),
        selector: selector.map(ToOwned::to_owned),
        namespace: namespace.map(ToOwned::to_owned),
        or_in: None,
    };
    let declared = DECLARED.iter().map(|kind| search(GROUP, kind, None, namespace));
    // Nodes are in no namespace, but know that of their Workspace.
    let of = |name: &str, of_namespace: &str| match namespace {
        Some(namespace) => Some(format!("{name},{of_namespace}={namespace}")),
        None => Some(name.to_owned()),
    };
    let claims = of("kaito.sh/workspace", "kaito.sh/workspacenamespace");
    let engines = of("kaito.sh/ragengine", "kaito.sh/ragenginenamespace");
    let pools = of("karpenter.kaito.sh/workspace-name", "karpenter.kaito.sh/workspace-namespace");
    let around = [
        ("karpenter.sh", "NodeClaim", claims.as_deref()),
        ("karpenter.sh", "NodeClaim", engines.as_deref()),
        ("karpenter.sh", "Machine", claims.as_deref()),
        ("karpenter.sh", "NodePool", pools.as_deref()),
        ("apps", "Deployment", None),
        ("", "Node", None),
        ("storage.k8s.io", "StorageClass", None),
    ];
    let around = around.into_iter().map(|(group, kind, selector)| search(group, kind, selector, None));
    declared.chain([search("apps", "StatefulSet", None, namespace)]).chain(around).collect()
}

/// The ConfigMaps that what is declared names, by namespace and name.
pub fn config_maps(objects: &[Value], sets: Sets) -> BTreeSet<(String, String)> {
    let seen = Seen { objects, unread: &BTreeMap::new() };
    let named = |object: &Value| {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        config_maps_of(object).into_iter().map(move |name| (namespace.clone(), name))
    };
    seen.declared(sets).into_iter().flat_map(named).collect()
}

/// Whether an object is of a kind that people declare.
pub fn is_declared(object: &Value) -> bool {
    let is_kaitos = object["apiVersion"].as_str().is_some_and(|version| version.split('/').next() == Some(GROUP));
    is_kaitos && DECLARED.iter().any(|kind| is_of(object, kind))
}

/// The repository for what was read; without files if nothing is declared.
pub fn repository(seen: Seen<'_>, choices: Choices) -> Repository {
    let declared = seen.declared(choices.sets);
    if declared.is_empty() {
        return Repository::default();
    }
    let settings = settings::find(&seen, &declared, choices.keeps_node_names);
    let mut repository = Repository { findings: settings.findings, ..Repository::default() };
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for object in declared.iter().copied().chain(seen.of("ConfigMap")) {
        let Ok(reference) = ObjectRef::of(object) else { continue };
        *counts.entry(object["kind"].as_str().unwrap_or_default()).or_default() += 1;
        repository.files.insert(reference.file_path(None, false), text(object, &settings.version));
    }
    if settings.provisioner == NodeProvisioner::Byo {
        let nodes: Vec<&Value> = seen.of("Node").collect();
        let nodes = nodes::selected(&nodes, &declared);
        repository.findings.extend(warnings::of_nodes(&seen, &nodes));
        if !nodes.is_empty() {
            counts.insert("Node", nodes.len().try_into().unwrap_or(u64::MAX));
            repository.files.insert(NODES_FILE.to_owned(), documents(&nodes));
        }
    }
    repository.files.insert(config::FILE_NAME.to_owned(), settings.text);
    repository.findings.extend(warnings::all(&seen, &declared, choices.sets));
    let counts = counts.into_iter().map(|(kind, count)| diagnostic::plural(count, kind));
    repository.contents = [config::FILE_NAME.to_owned()].into_iter().chain(counts).collect::<Vec<_>>().join(", ");
    repository
}

/// An object as a file: what people have said, and nothing else.
fn text(object: &Value, version: &str) -> String {
    let mut object = object.clone();
    clean(&mut object);
    declared::drop_notes(&mut object);
    if is_declared(&object) {
        defaults::leave_out(&mut object);
        // Kaito 0.3 knows no newer one.
        if version == "0.3" {
            object["apiVersion"] = "kaito.sh/v1alpha1".into();
        }
    }
    documents(&[object])
}

fn documents(objects: &[Value]) -> String {
    let mut text = String::new();
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        yaml::to_yaml(object, &mut text);
    }
    text
}

fn is_of(object: &Value, kind: &str) -> bool {
    object["kind"] == kind
}

/// Whether an object is a part of a Workspace.
fn is_of_workspace(object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let is_owned = owners
        .into_iter()
        .any(|owner| is_of(owner, "Workspace") && owner["apiVersion"].as_str().is_some_and(|version| version.starts_with("kaito.sh/")));
    is_owned || object["metadata"]["labels"]["kaito.sh/workspace"].is_string()
}

/// What people call an object: `Workspace models/phi-4`.
fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    format!("{} {namespace}{}", text(&object["kind"]), text(&metadata["name"]))
}
