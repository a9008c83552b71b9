//! The status of a RAGEngine.
//!
//! Source: Kaito 0.12.

use serde_json::Value;

use super::Facts;
use super::inference::inference;
use super::nodes::workers;
use super::part::{Outlook, Part, conditions};
use super::summary::{KINDS, summary};
use super::workspace::{resource, verdict};

/// The conditions that are written here, besides those that everybody knows.
const OWN: [&str; 5] = ["NodeClaimReady", "NodesReady", "ResourceReady", "ServiceReady", "RAGEngineSucceeded"];

/// The status of a RAGEngine, whole: what others have written in it stays.
pub fn rag_engine_status(facts: &Facts<'_>) -> Value {
    let old = &facts.declared["status"];
    let mut parts = resource(facts, facts.target_nodes.unwrap_or(1));
    // These parts are called otherwise than those of a Workspace.
    for part in parts.iter_mut().filter(|part| part.reason == "workspaceResourceStatusSuccess") {
        "ragengineResourceStatusSuccess".clone_into(&mut part.reason);
    }
    let service = service(facts.objects);
    let verdict = verdict(facts, parts.last(), &service);
    let succeeded = match verdict.outlook {
        Outlook::There => "ragengineSucceeded",
        Outlook::Failed => "ragengineFailed",
        Outlook::Coming | Outlook::Stuck => "ragenginePending",
    };
    parts.push(service);
    parts.push(Part { reason: succeeded.to_owned(), ..verdict.called("RAGEngineSucceeded") });
    parts.extend(summary(&verdict, facts.is_suspended, facts.unverified));

    let ours: Vec<&str> = OWN.into_iter().chain(KINDS).collect();
    let mut status = old.as_object().cloned().unwrap_or_default();
    status.insert("conditions".to_owned(), conditions(old, &ours, &parts, facts.observed_generation, facts.now));
    status.insert("workerNodes".to_owned(), workers(facts.objects, facts.needs_gpus).into());
    status.into()
}

/// Whether it answers.
fn service(objects: &[&Value]) -> Part {
    let part = inference(objects).called("ServiceReady");
    match part.reason.as_str() {
        "WorkspaceInferenceStatusSuccess" => {
            Part { reason: "RAGEngineServiceSuccess".to_owned(), message: "its pods are ready".to_owned(), ..part }
        }
        "WorkspaceInferenceStatusPending" => Part { reason: "RAGEngineServiceStatusPending".to_owned(), ..part },
        _ => part,
    }
}
