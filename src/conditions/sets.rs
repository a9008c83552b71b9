//! The status of what stands for several Workspaces: an `InferenceSet`, a `MultiRoleInference`.
//!
//! Source: Kaito 0.12.

use serde_json::{Value, json};

use super::nodes::outlook;
use super::part::{Outlook, Part, conditions};
use super::summary::{KINDS, summary};
use super::workspace::hindrance;
use super::{SetFacts, calm::calm};
use crate::health::{Status, health};
use crate::spec::names;

/// The status of an `InferenceSet`, whole: what others have written in it stays.
pub fn inference_set_status(facts: &SetFacts<'_>) -> Value {
    let (old, name) = (&facts.declared["status"], facts.declared["metadata"]["name"].as_str().unwrap_or_default());
    let wanted = facts.declared["spec"]["replicas"].as_u64().unwrap_or(1);
    let found = replicas("Ready", facts.workspaces, wanted, ["inferencesetReady", "inferencesetNotReady"]);
    let verdict = hindrance(facts.declared, facts.observed_generation, facts.trouble.as_ref()).unwrap_or(found);
    let ready = match verdict.outlook {
        Outlook::There => "inferencesetReady",
        _ if facts.trouble.is_some() => "inferencesetFailed",
        _ => "inferencesetNotReady",
    };
    let mut parts = vec![Part { reason: ready.to_owned(), ..verdict.called("InferenceSetReady") }];
    parts.extend(summary(&verdict, facts.is_suspended, facts.unverified));

    let ours: Vec<&str> = ["InferenceSetReady"].into_iter().chain(KINDS).collect();
    let mut status = old.as_object().cloned().unwrap_or_default();
    status.insert("conditions".to_owned(), conditions(old, &ours, &parts, facts.observed_generation, facts.now));
    status.insert("replicas".to_owned(), json!(facts.workspaces.len()));
    status.insert("readyReplicas".to_owned(), json!(ready_ones(facts.workspaces)));
    status.insert("selector".to_owned(), json!(format!("{}={name}", names::INFERENCE_SET_CREATED_BY)));
    status.into()
}

/// A role of a `MultiRoleInference`: its name, the type of its condition, and the reasons of that.
const ROLES: [(&str, &str, [&str; 2]); 2] =
    [("prefill", "PrefillReady", ["PrefillReady", "PrefillNotReady"]), ("decode", "DecodeReady", ["DecodeReady", "DecodeNotReady"])];

/// The status of a `MultiRoleInference`, whole: what others have written in it stays.
pub fn multi_role_inference_status(facts: &SetFacts<'_>) -> Value {
    let old = &facts.declared["status"];
    let mut parts: Vec<Part> = ROLES.iter().map(|(role, kind, reasons)| of_role(facts, role, kind, *reasons)).collect();
    parts.push(pool(facts.objects));
    let verdict = hindrance(facts.declared, facts.observed_generation, facts.trouble.as_ref());
    let verdict = verdict.unwrap_or_else(|| match parts.iter().find(|part| !part.is_there()) {
        Some(part) => part.called("Ready"),
        None => Part::new("Ready", Outlook::There, "Ready", "both roles and the pool are ready"),
    });
    let ours: Vec<&str> = ROLES.iter().map(|(_, kind, _)| *kind).chain(["InferencePoolReady"]).chain(KINDS).collect();
    parts.extend(summary(&verdict, facts.is_suspended, facts.unverified));

    let mut status = old.as_object().cloned().unwrap_or_default();
    status.insert("conditions".to_owned(), conditions(old, &ours, &parts, facts.observed_generation, facts.now));
    status.insert("observedGeneration".to_owned(), json!(facts.observed_generation));
    status.into()
}

fn of_role(facts: &SetFacts<'_>, role: &str, kind: &'static str, reasons: [&str; 2]) -> Part {
    let is_of = |workspace: &&&Value| workspace["metadata"]["labels"][names::INFERENCE_ROLE] == role;
    let workspaces: Vec<&Value> = facts.workspaces.iter().filter(is_of).copied().collect();
    let mut roles = facts.declared["spec"]["roles"].as_array().into_iter().flatten();
    let wanted = roles.find(|one| one["type"] == role).and_then(|one| one["replicas"].as_u64()).unwrap_or(1);
    replicas(kind, &workspaces, wanted, reasons)
}

/// Whether as many Workspaces as are wanted are ready.
fn replicas(kind: &'static str, workspaces: &[&Value], wanted: u64, [ready, not_ready]: [&str; 2]) -> Part {
    let have = ready_ones(workspaces);
    let count = format!("{have} of {wanted} Workspaces are ready");
    if have >= wanted {
        return Part::new(kind, Outlook::There, ready, count);
    }
    let unready = workspaces.iter().map(|workspace| health(workspace)).filter(|health| health.status != Status::Current);
    match unready.max_by_key(outlook) {
        Some(worst) => Part::new(kind, outlook(&worst).max(Outlook::Coming), not_ready, calm(&format!("{count}: {}", worst.message))),
        None => Part::new(kind, Outlook::Coming, not_ready, count),
    }
}

fn ready_ones(workspaces: &[&Value]) -> u64 {
    workspaces.iter().map(|workspace| u64::from(health(workspace).status == Status::Current)).sum()
}

/// Whether what sends requests to the roles is ready.
fn pool(objects: &[&Value]) -> Part {
    match objects.iter().map(|object| health(object)).max_by_key(outlook) {
        Some(worst) if worst.status == Status::Current => {
            Part::new("InferencePoolReady", Outlook::There, "InferencePoolReady", "the pool is ready")
        }
        Some(worst) => {
            let outlook = outlook(&worst);
            Part::new("InferencePoolReady", outlook, "InferencePoolNotReady", calm(&worst.message))
        }
        None => Part::new("InferencePoolReady", Outlook::Coming, "InferencePoolNotReady", "there is no pool yet"),
    }
}
