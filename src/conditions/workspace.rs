//! The status of a Workspace.
//!
//! Source: Kaito 0.12: nodes before the model's mirror, and that before what runs.

use serde_json::{Value, json};

use super::calm::calm;
use super::inference::inference;
use super::nodes::{claims, nodes, outlook, workers};
use super::part::{Outlook, Part, conditions, reason};
use super::summary::{KINDS, summary};
use super::tuning::tuning;
use super::{Facts, Trouble};
use crate::health::{Condition, health, line};

/// The conditions that are written here, besides those that everybody knows; those of others stay as they are.
const OWN: [&str; 7] =
    ["NodeClaimReady", "NodesReady", "ModelMirrorReady", "ResourceReady", "InferenceReady", "JobStarted", "WorkspaceSucceeded"];

/// The status of a Workspace, whole: what others have written in it stays.
pub fn workspace_status(facts: &Facts<'_>) -> Value {
    let old = &facts.declared["status"];
    let wanted = facts.target_nodes.or_else(|| old["targetNodeCount"].as_u64()).unwrap_or(1);

    let mut parts = resource(facts, wanted);
    let run = run(facts, parts.last().is_some_and(Part::is_there));
    let verdict = verdict(facts, parts.last(), &run.verdict);
    parts.push(run.part);
    parts.push(succeeded(&verdict, facts.trouble.as_ref()));
    parts.extend(summary(&verdict, facts.is_suspended, facts.unverified));

    let ours: Vec<&str> = OWN.into_iter().chain(KINDS).collect();
    let mut status = old.as_object().cloned().unwrap_or_default();
    status.insert("conditions".to_owned(), conditions(old, &ours, &parts, facts.observed_generation, facts.now));
    status.insert("state".to_owned(), run.state.into());
    status.insert("workerNodes".to_owned(), workers(facts.objects, facts.needs_gpus).into());
    if let Some(target) = facts.target_nodes {
        status.insert("targetNodeCount".to_owned(), json!(target));
    }
    status.into()
}

/// The nodes and the mirror, and as the last what they come to.
pub(super) fn resource(facts: &Facts<'_>, wanted: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    if !facts.uses_own_nodes {
        parts.push(claims(facts.objects, wanted));
    }
    parts.push(nodes(facts.objects, wanted, facts.needs_gpus, facts.uses_own_nodes));
    parts.extend(mirror(facts.objects));
    let resource = match parts.iter().find(|part| !part.is_there()) {
        Some(part) if part.kind == "ModelMirrorReady" => Part { reason: "ModelMirrorNotReady".to_owned(), ..part.called("ResourceReady") },
        Some(part) => part.called("ResourceReady"),
        None => Part::new("ResourceReady", Outlook::There, "workspaceResourceStatusSuccess", "the nodes are ready"),
    };
    parts.push(resource);
    parts
}

/// Whether the weights are where they are streamed from, if they are.
fn mirror(objects: &[&Value]) -> Option<Part> {
    let mirror = objects.iter().find(|object| object["kind"] == "ModelMirror")?;
    let health = health(mirror);
    let ready = Condition::find(mirror, "Ready").and_then(|ready| reason(ready.reason)).unwrap_or("ModelMirrorPending");
    Some(match outlook(&health) {
        Outlook::There => Part::new("ModelMirrorReady", Outlook::There, "ModelMirrorReady", "the weights are there"),
        // How far a download is changes all the time.
        Outlook::Coming => Part::new("ModelMirrorReady", Outlook::Coming, ready, "the weights are not there yet"),
        outlook => Part::new("ModelMirrorReady", outlook, ready, calm(&health.message)),
    })
}

/// What runs.
struct Run {
    /// The condition of its own.
    part: Part,
    /// Whether it has come to its end.
    verdict: Part,
    /// In a word of Kaito's.
    state: &'static str,
}

fn run(facts: &Facts<'_>, has_resource: bool) -> Run {
    if facts.declared["tuning"].is_object() {
        let tuning = tuning(facts.objects);
        return Run { part: tuning.job_started, verdict: tuning.done, state: tuning.state };
    }
    let mut part = inference(facts.objects);
    // As long as nodes are on their way that is no news.
    if !has_resource && part.reason == "Unschedulable" {
        part = Part::new(part.kind, Outlook::Coming, "WorkspaceInferenceStatusPending", "its pods wait for nodes");
    }
    let was_ready = ["Ready", "NotReady"].iter().any(|state| facts.declared["status"]["state"] == *state);
    let state = match (has_resource && part.is_there(), was_ready) {
        (true, _) => "Ready",
        (false, true) => "NotReady",
        (false, false) => "Pending",
    };
    Run { verdict: part.clone(), part, state }
}

/// How it looks with everything: what comes first is what the rest waits for.
pub(super) fn verdict(facts: &Facts<'_>, resource: Option<&Part>, run: &Part) -> Part {
    let is_tuned = run.kind == "JobStarted" && run.is_there();
    let missing = resource.filter(|resource| !resource.is_there() && !is_tuned);
    if let Some(hindrance) = hindrance(facts.declared, facts.observed_generation, facts.trouble.as_ref()) {
        return hindrance;
    }
    if let Some(part) = missing.or(Some(run).filter(|run| !run.is_there())) {
        return part.called("Ready");
    }
    let applied = facts.revision.map_or_else(|| run.message.clone(), |revision| format!("Applied revision: {revision}"));
    Part::new("Ready", Outlook::There, "ReconciliationSucceeded", applied)
}

/// What is known to be missing before anything is looked at.
pub(super) fn hindrance(declared: &Value, observed_generation: i64, trouble: Option<&Trouble>) -> Option<Part> {
    if let Some(trouble) = trouble {
        let outlook = if trouble.helps_to_retry { Outlook::Stuck } else { Outlook::Failed };
        return Some(Part::new("Ready", outlook, trouble.cause.reason(), line(&trouble.message)));
    }
    let is_behind = declared["metadata"]["generation"].as_i64().is_some_and(|generation| generation != observed_generation);
    is_behind.then(|| Part::new("Ready", Outlook::Coming, "Progressing", "the last change is not applied yet"))
}

/// Kaito's own summary. As there, it keeps to what is live and adds what went wrong.
fn succeeded(verdict: &Part, trouble: Option<&Trouble>) -> Part {
    let (reason, message) = match verdict.outlook {
        Outlook::There => ("workspaceSucceeded", "everything is as it was declared".to_owned()),
        Outlook::Failed => ("workspaceFailed", verdict.message.clone()),
        Outlook::Coming | Outlook::Stuck => ("workspacePending", verdict.message.clone()),
    };
    let message = if trouble.is_some() { format!("what is declared is not applied (last reconcile error: {message})") } else { message };
    Part::new("WorkspaceSucceeded", verdict.outlook, reason, message)
}
