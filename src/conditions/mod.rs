//! The `.status` of what is declared, as the loop writes it: from what is live, and from what the loop itself could not do.
//!
//! Two readers are served. Those who know Kaito find its conditions, reasons and fields. Those who know no more than conventions
//! (kstatus, and with it Flux; Argo CD; `kubectl wait`) find `Ready`, and `Reconciling` or `Stalled` as long as these hold. Nothing in it is
//! another at each look: the same facts are the same status, which [`is_same`] tells, so that it is written once.
//!
//! Kaito's definition of a Workspace has no `status.observedGeneration`, so that every condition says which generation it is about.
//!
//! Sources: the API of Kaito 0.12; kstatus of sigs.k8s.io/cli-utils; the reasons of github.com/fluxcd/pkg/apis/meta.

mod calm;
mod inference;
mod nodes;
mod part;
mod rag_engine;
mod sets;
mod summary;
mod tuning;
mod workspace;

use serde_json::{Map, Value};

pub use nodes::is_node_of;
pub use rag_engine::rag_engine_status;
pub use sets::{inference_set_status, multi_role_inference_status};
pub use workspace::workspace_status;

/// What is known of a Workspace or a RAGEngine.
#[derive(Clone, Debug)]
pub struct Facts<'f> {
    /// The Workspace or RAGEngine as it is live, with its generation and its status. It is read and written as v1beta1: v1alpha1 lacks fields
    /// of the status.
    pub declared: &'f Value,
    /// The live objects that belong to it: what runs, its pods, what stands for nodes, its mirror, and its Nodes ([`is_node_of`]).
    pub objects: &'f [&'f Value],
    /// Whether nobody makes nodes for it.
    pub uses_own_nodes: bool,
    /// Whether a node counts only once it shows its GPUs: wherever GPUs are asked for. Of a size that no table knows it isn't known.
    pub needs_gpus: bool,
    /// How many nodes it needs; `None` if that can't be told, since it can't be planned.
    pub target_nodes: Option<u64>,
    /// The `metadata.generation` that was last looked at, whatever came of it.
    pub observed_generation: i64,
    /// The revision of git that changed it last. Not the last one that was applied, or each commit would change every status.
    pub revision: Option<&'f str>,
    /// What the loop could not do.
    pub trouble: Option<Trouble>,
    /// Why there is a commit that isn't followed, if nobody has signed it who may. What is applied goes on.
    pub unverified: Option<&'f str>,
    /// Whether the loop leaves it alone, since it was told to.
    pub is_suspended: bool,
    /// This moment, as RFC 3339 has it.
    pub now: &'f str,
}

/// What is known of an `InferenceSet` or a `MultiRoleInference`.
#[derive(Clone, Debug)]
pub struct SetFacts<'f> {
    /// The set as it is live, with its generation and its status.
    pub declared: &'f Value,
    /// Its live Workspaces, with the status that they have.
    pub workspaces: &'f [&'f Value],
    /// The live objects of its router; of a `MultiRoleInference` alone they count.
    pub objects: &'f [&'f Value],
    /// The `metadata.generation` that was last looked at, whatever came of it.
    pub observed_generation: i64,
    /// What the loop could not do.
    pub trouble: Option<Trouble>,
    /// Why there is a commit that isn't followed, if nobody has signed it who may. What is applied goes on.
    pub unverified: Option<&'f str>,
    /// Whether the loop leaves it alone, since it was told to.
    pub is_suspended: bool,
    /// This moment, as RFC 3339 has it.
    pub now: &'f str,
}

/// What the loop could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of thing.
    pub cause: Cause,
    /// Why, for people; without secrets.
    pub message: String,
    /// Whether it may go better the next time, with nothing else changed.
    pub helps_to_retry: bool,
}

/// What kind of thing the loop could not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What is declared can't be had: a repository or directory can't be read.
    Source,
    /// What is declared can't be rendered.
    Invalid,
    /// The commit isn't signed by anybody who may; of what runs that is no trouble.
    Unverified,
    /// What it needs is not there.
    Dependency,
    /// It isn't applied, or the server refuses it: a field can't be changed, an object is somebody else's.
    Refused,
    /// Fields belong to another manager, who wants them otherwise.
    Conflict,
    /// Another controller takes fields back again and again.
    Fight,
    /// An apply went wrong.
    Failed,
}

impl Cause {
    /// The reason of a condition; Flux's where it has one.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Source => "ArtifactFailed",
            Self::Invalid => "BuildFailed",
            Self::Unverified => "VerificationFailed",
            Self::Dependency => "DependencyNotReady",
            Self::Refused | Self::Failed => "ReconciliationFailed",
            Self::Conflict => "FieldsInConflict",
            Self::Fight => "FieldsFoughtOver",
        }
    }
}

/// Whether two statuses say the same, so that the second need not be written. What is empty may as well be absent.
pub fn is_same(one: &Value, other: &Value) -> bool {
    let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let told = |status: &Value| -> Map<String, Value> {
        let fields = status.as_object().into_iter().flatten();
        fields.filter(|(_, value)| !is_empty(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    told(one) == told(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_the_same() {
        let table = [
            (json!(null), json!({}), true),
            (json!({"workerNodes": []}), json!({}), true),
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), true),
            (json!({"workerNodes": ["a"]}), json!({}), false),
            (json!({"state": "Ready"}), json!({"state": "NotReady"}), false),
            (json!({"conditions": [{"message": "a"}]}), json!({"conditions": [{"message": "b"}]}), false),
        ];
        for (one, other, want) in table {
            assert_eq!(is_same(&one, &other), want, "{one} and {other}");
            assert_eq!(is_same(&other, &one), want, "{other} and {one}");
        }
    }
}
