//! What the reader of an imported repository should know: what isn't in it, what will be otherwise, what must not be committed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{DECLARED, Seen, Sets, declared, is_of, title};
use crate::apply::{self, Holder};
use crate::diagnostic::Diagnostic;
use crate::secrets;

/// Everything that is said of what was read.
pub(super) fn all(seen: &Seen<'_>, declared: &[&Value], sets: Sets) -> Vec<Diagnostic> {
    let written = || declared.iter().copied().chain(seen.of("ConfigMap"));
    let mut findings = Vec::new();
    findings.extend(unread(seen));
    findings.extend(named_secrets(declared));
    findings.extend(missing_config_maps(seen, declared));
    findings.extend(written().filter(|object| has_secret(object)).map(|object| {
        let finding = Diagnostic::warning(format!("{} holds what looks like a secret", title(object)));
        finding.help("keep it in a Secret, and take it out of the file before that is committed")
    }));
    findings.extend(written().filter_map(of_another_tool));
    let leaving = seen.objects.iter().filter(|object| super::is_declared(object) && !object["metadata"]["deletionTimestamp"].is_null());
    findings.extend(leaving.map(|object| Diagnostic::note(format!("{} is being deleted, and was left out", title(object)))));
    let makers = seen.objects.iter().filter(|object| declared::MAKERS.iter().any(|kind| is_of(object, kind)) && !declared::is_made(object));
    findings.extend(makers.filter_map(|set| of_set(seen, set, sets)));
    findings
}

/// The kinds that were not read, but for those of which more is said elsewhere.
fn unread(seen: &Seen<'_>) -> impl Iterator<Item = Diagnostic> {
    let others = seen.unread.iter().filter(|(kind, _)| !["Deployment", "StorageClass"].contains(&kind.kind.as_str()));
    others.map(|(kind, why)| {
        let finding = Diagnostic::warning(format!("{kind} can't be read: {why}"));
        let help = if DECLARED.contains(&kind.kind.as_str()) {
            "those of the cluster are not in the repository"
        } else {
            "what they tell is not in kaito.yaml"
        };
        finding.help(help)
    })
}

/// Secrets are named, and never read.
fn named_secrets(declared: &[&Value]) -> Option<Diagnostic> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for object in declared {
        let namespace = object["metadata"]["namespace"].as_str().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        for name in declared::secrets(object) {
            named.entry(format!("{namespace}{name}")).or_default().insert(title(object));
        }
    }
    let named: Vec<String> =
        named.iter().map(|(name, of)| format!("{name} ({})", of.iter().map(String::as_str).collect::<Vec<_>>().join(", "))).collect();
    (!named.is_empty()).then(|| {
        let finding = Diagnostic::note(format!("Secrets were neither read nor written; named are {}", named.join("; ")));
        finding.help("they stay in the cluster; to have them in the repository, add what makes them, such as an ExternalSecret")
    })
}

fn missing_config_maps(seen: &Seen<'_>, declared: &[&Value]) -> Vec<Diagnostic> {
    let is_there = |namespace: &Value, name: &str| {
        seen.of("ConfigMap").any(|object| object["metadata"]["namespace"] == *namespace && object["metadata"]["name"] == name)
    };
    let missing = |object: &&Value| {
        let names = declared::config_maps_of(object).into_iter().filter(|name| !is_there(&object["metadata"]["namespace"], name));
        let title = title(object);
        names.map(move |name| Diagnostic::warning(format!("{title} names the ConfigMap {name}, which isn't there"))).collect::<Vec<_>>()
    };
    declared.iter().flat_map(missing).collect()
}

/// Whether a text within a value, or a variable of a container, looks like a secret.
fn has_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => !secrets::in_text(text).is_empty(),
        Value::Array(items) => items.iter().any(has_secret),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let is_pair = text("name").zip(text("value")).is_some_and(|(name, value)| secrets::is_name(name) && !value.is_empty());
            // Who holds an object, and what kubectl has kept of it, isn't written.
            let written = fields.iter().filter(|(name, _)| !["managedFields", "annotations", "status"].contains(&name.as_str()));
            is_pair || written.into_iter().any(|(_, value)| has_secret(value))
        }
        _ => false,
    }
}

/// What is applied by another tool has a repository already, and would be applied from two.
fn of_another_tool(object: &Value) -> Option<Diagnostic> {
    let Holder::Tool(tool, name) = apply::holder(object, "kaito", None) else { return None };
    let finding = Diagnostic::warning(format!("{} is applied by {tool} ({name})", title(object)));
    Some(finding.help("it comes from files already: take it out there when you go on with these, so that nobody prunes or fights over it"))
}

/// What becomes of a set of Workspaces, which Kaito names by chance, and kaito by their number.
fn of_set(seen: &Seen<'_>, set: &Value, sets: Sets) -> Option<Diagnostic> {
    let mut names: Vec<&str> = workspaces_of(seen, set).filter_map(|workspace| workspace["metadata"]["name"].as_str()).collect();
    names.sort_unstable();
    let is_numbered = |name: &&str| {
        name.rsplit_once('-').is_some_and(|(_, number)| {
            number.parse::<u32>().is_ok_and(|number| number.to_string() == name.rsplit('-').next().unwrap_or_default())
        })
    };
    match sets {
        Sets::Expanded => {
            let finding = Diagnostic::note(format!("{} is written as its Workspaces: {}", title(set), names.join(", ")));
            Some(finding.help("a router in front of it stays as it is: kaito renders one for a set only"))
        }
        Sets::Whole if names.iter().all(is_numbered) => None,
        Sets::Whole => {
            let message = format!(
                "the Workspaces of {} are called {}, and kaito numbers them: it makes others, with nodes of their own",
                title(set),
                names.join(", ")
            );
            Some(
                Diagnostic::warning(message)
                    .help("--expand-sets writes these Workspaces in the place of their sets, so that their nodes stay"),
            )
        }
    }
}

/// The Workspaces of a set, also those of the sets that it consists of.
fn workspaces_of<'s>(seen: &Seen<'s>, set: &'s Value) -> impl Iterator<Item = &'s Value> + use<'s> {
    let inner: Vec<&Value> = seen.of("InferenceSet").filter(|inner| is_owned_by(inner, set)).collect();
    seen.of("Workspace").filter(move |workspace| is_owned_by(workspace, set) || inner.iter().any(|inner| is_owned_by(workspace, inner)))
}

fn is_owned_by(object: &Value, owner: &Value) -> bool {
    let mut owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let metadata = &owner["metadata"];
    let is_near = object["metadata"]["namespace"] == metadata["namespace"];
    is_near && owners.any(|reference| reference["kind"] == owner["kind"] && reference["name"] == metadata["name"])
}

/// What is said of nodes of one's own: those that were written, and that some can't be.
pub(super) fn of_nodes(seen: &Seen<'_>, written: &[Value]) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if written.is_empty() && seen.why_unread("Node").is_none() {
        let finding = Diagnostic::warning("no node has the labels that a Workspace selects by");
        findings.push(finding.help("without one, presets can't be rendered: declare them as `nodes` in kaito.yaml"));
    }
    let name = |node: &Value| node["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let unready: Vec<String> = written.iter().filter(|node| node["status"]["conditions"][0]["status"] != "True").map(name).collect();
    if !unready.is_empty() {
        let finding = Diagnostic::warning(format!("not ready, and written so, are the nodes {}", unready.join(", ")));
        findings.push(finding.help("a Workspace is rendered for nodes that are ready: import again when they are, or change nodes.yaml"));
    }
    findings
}
