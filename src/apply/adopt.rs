//! Whose an object is that is there already, and which may be taken over.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::diff::Owner;
use crate::diff::live::{AllWanted, Live, Wanted};
use crate::inventory;
use crate::manifest::ObjectRef;

/// Which objects that are there already may be taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// Those that belong to nobody, and those of an operator of Kaito that no longer runs.
    #[default]
    IfNoOwner,
    /// All, by force.
    All,
    /// None.
    Never,
}

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody's: neither a tool nor a controller has left its mark on it.
    Nobody,
    /// Ours: of our set, or applied by our field manager.
    Us,
    /// Another `ApplySet`'s, by its id.
    Set(String),
    /// Kaito's operator's, for this object: `Workspace phi-4`.
    Operator(String),
    /// Another controller's, for this object.
    Controller(String),
    /// Another Workspace's or RAGEngine's.
    Other(Owner),
    /// A tool's: its name, and what it calls its set of objects.
    Tool(&'static str, String),
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => out.write_str("nobody"),
            Self::Us => out.write_str("this set"),
            Self::Set(id) => write!(out, "another ApplySet ({id})"),
            Self::Operator(object) | Self::Controller(object) => write!(out, "the {object}"),
            Self::Other(owner) => write!(out, "{owner}"),
            Self::Tool(tool, name) => write!(out, "{tool} ({name})"),
        }
    }
}

/// Where tools write which of their sets an object belongs to: the tool, and the name of a label or annotation.
const TOOLS: [(&str, &str); 9] = [
    ("Flux", "kustomize.toolkit.fluxcd.io/name"),
    ("Flux", "helm.toolkit.fluxcd.io/name"),
    ("Argo CD", "argocd.argoproj.io/tracking-id"),
    ("Argo CD", "argocd.argoproj.io/instance"),
    ("Helm", "meta.helm.sh/release-name"),
    ("cli-utils", "config.k8s.io/owning-inventory"),
    ("kluctl", "kluctl.io/discriminator"),
    ("kapp", "kapp.k14s.io/app"),
    ("Config Sync", "configsync.gke.io/manager"),
];

/// Whether a label or annotation is one by which a tool knows what is its own.
pub fn is_mark_of_tool(name: &str) -> bool {
    TOOLS.iter().any(|(_, mark)| *mark == name)
}

/// Whose a live object is, where this field manager and this set are ours.
pub fn holder(live: &Value, manager: &str, set: Option<&str>) -> Holder {
    match inventory::part_of(live) {
        Some(id) if Some(id) == set => return Holder::Us,
        Some(id) => return Holder::Set(id.to_owned()),
        None => {}
    }
    let metadata = &live["metadata"];
    let owners = || metadata["ownerReferences"].as_array().into_iter().flatten();
    let object = |owner: &Value| {
        let text = |name: &str| owner[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("kind"), text("name"))
    };
    // With any owner of Kaito's it goes when that goes, be it the controller or not.
    if let Some(owner) = owners().find(|owner| is_kaitos(owner)) {
        return Holder::Operator(object(owner));
    }
    if let Some(controller) = owners().find(|owner| owner["controller"] == true) {
        return Holder::Controller(object(controller));
    }
    let has_applied = |entry: &Value| entry["manager"] == manager && entry["operation"] == "Apply";
    if metadata["managedFields"].as_array().into_iter().flatten().any(has_applied) {
        return Holder::Us;
    }
    for (tool, mark) in TOOLS {
        if let Some(name) = ["labels", "annotations"].into_iter().find_map(|place| metadata[place][mark].as_str()) {
            return Holder::Tool(tool, name.to_owned());
        }
    }
    // Kaito's nodes have no owner that the API server knows of, only labels.
    match metadata["labels"]["kaito.sh/workspace"].as_str().filter(|_| is_claim(live)) {
        Some(workspace) => Holder::Operator(format!("Workspace {workspace}")),
        None => Holder::Nobody,
    }
}

/// The `ownerReferences` that stay when Kaito's are taken away; `None` if it has none of Kaito's.
pub(super) fn other_owners(live: &Value) -> Option<Vec<Value>> {
    let owners = live["metadata"]["ownerReferences"].as_array()?;
    let others: Vec<Value> = owners.iter().filter(|owner| !is_kaitos(owner)).cloned().collect();
    (others.len() < owners.len()).then_some(others)
}

fn is_kaitos(owner: &Value) -> bool {
    owner["apiVersion"].as_str().is_some_and(|version| version.starts_with("kaito.sh/"))
}

/// Whether a Deployment is one of Kaito's operators, and is meant to run: one that is being restarted looks after its objects in a
/// moment.
pub fn is_operator(deployment: &Value) -> bool {
    operator_name(deployment).is_some() && deployment["spec"]["replicas"].as_u64() != Some(0)
}

/// Which of Kaito's operators a Deployment is, `workspace` or `ragengine`, which are the names of their images wherever these are
/// hosted; none for others.
///
/// Source: Kaito's charts, `charts/kaito/workspace` and `charts/kaito/ragengine`.
pub fn operator_name(deployment: &Value) -> Option<&'static str> {
    let images = || {
        let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        containers.into_iter().flatten().filter_map(|container| container["image"].as_str())
    };
    let is_called = |image: &str, operator: &str| {
        let name = image.split('@').next().unwrap_or_default();
        let (path, last) = name.rsplit_once('/').unwrap_or(("", name));
        path.ends_with("kaito") && last.split(':').next() == Some(operator)
    };
    let chart = deployment["metadata"]["labels"]["helm.sh/chart"].as_str().unwrap_or_default();
    let is_of_chart = |operator: &str| chart.strip_prefix(operator).is_some_and(|rest| rest.starts_with('-'));
    OPERATORS.into_iter().find(|operator| is_of_chart(operator) || images().any(|image| is_called(image, operator)))
}

const OPERATORS: [&str; 2] = ["workspace", "ragengine"];

/// Gives the nodes that are wanted the names of nodes that are there for the same Workspace, and that are of the same size: an
/// operator names its nodes as it likes, and a node that runs is never made again for its name.
pub fn adopt_nodes(wanted: &mut AllWanted, mut others: Vec<Value>) {
    others.retain(|live| is_claim(live) && is_free(live));
    let age = |live: &Value| {
        let text = |name: &str| live["metadata"][name].as_str().unwrap_or_default().to_owned();
        (text("creationTimestamp"), text("name"))
    };
    others.sort_by_key(age);
    for objects in wanted.values_mut() {
        let new: Vec<ObjectRef> =
            objects.iter().filter(|(_, wanted)| is_new_claim(wanted)).map(|(reference, _)| reference.clone()).collect();
        for reference in new {
            let Some(at) = objects.get(&reference).and_then(|wanted| others.iter().position(|live| fits(live, &wanted.desired))) else {
                continue;
            };
            let live = others.remove(at);
            rename(objects, &reference, live);
        }
    }
}

fn is_new_claim(wanted: &Wanted) -> bool {
    wanted.live == Live::Absent && is_claim(&wanted.desired)
}

fn is_claim(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().is_some_and(|version| version.starts_with("karpenter.sh/"));
    group && ["NodeClaim", "Machine"].iter().any(|kind| object["kind"] == *kind)
}

/// Whether a live node is nobody's but its Workspace's: those of a NodePool are looked after by that.
fn is_free(live: &Value) -> bool {
    let metadata = &live["metadata"];
    let of_pool = metadata["ownerReferences"].as_array().into_iter().flatten().any(|owner| owner["kind"] == "NodePool");
    metadata["deletionTimestamp"].is_null() && !of_pool
}

/// Whether a live node is of the Workspace, and of the size, that is wanted.
fn fits(live: &Value, desired: &Value) -> bool {
    const OWNERS: [&str; 5] =
        ["karpenter.sh/nodepool", "kaito.sh/workspace", "kaito.sh/workspacenamespace", "kaito.sh/ragengine", "kaito.sh/ragenginenamespace"];
    let label = |object: &Value, name: &str| object["metadata"]["labels"][name].clone();
    let is_same_owner = OWNERS.iter().all(|name| label(live, name) == label(desired, name));
    is_same_owner && live["kind"] == desired["kind"] && size(live).is_some() && size(live) == size(desired)
}

fn size(claim: &Value) -> Option<&Value> {
    let requirements = claim.pointer("/spec/requirements")?.as_array()?;
    requirements.iter().find(|one| one["key"] == "node.kubernetes.io/instance-type").map(|one| &one["values"])
}

fn rename(objects: &mut BTreeMap<ObjectRef, Wanted>, reference: &ObjectRef, live: Value) {
    let Some(mut wanted) = objects.remove(reference) else { return };
    let name = live["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    wanted.desired["metadata"]["name"] = name.clone().into();
    wanted.live = Live::Object(live);
    objects.insert(ObjectRef { name: name.into(), ..reference.clone() }, wanted);
}
