//! What a controller reports of what is declared.
//!
//! Source: the API of Kaito 0.12.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `metav1.Condition`: one thing that holds, doesn't hold, or isn't known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// What this is about, such as `ResourceReady`.
    #[serde(rename = "type")]
    #[schemars(length(max = 316))]
    #[schemars(regex(
        pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
    ))]
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word for programs.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Why, in words for people.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// When the status last changed.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// The `metadata.generation` that this was said of.
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It doesn't hold.
    False,
    /// It isn't known.
    Unknown,
}

/// What is reported of a Workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceStatus {
    /// The nodes that it runs on, sorted.
    pub worker_nodes: Option<Vec<String>>,
    /// `Pending`, `Ready` or `NotReady`; of a tuning `Pending`, `Running`, `Succeeded` or `Failed`.
    pub state: Option<String>,
    /// The conditions, the summary being `WorkspaceSucceeded`.
    pub conditions: Option<Vec<Condition>>,
    /// How many nodes a replica needs; it is written once.
    pub target_node_count: Option<i32>,
    /// What was measured before the first request.
    pub performance: Option<Performance>,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Performance {
    /// The figures by name.
    pub metrics: Option<BTreeMap<String, Metric>>,
}

/// A figure that was measured.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metric {
    /// What was measured.
    pub description: String,
    /// The figure.
    pub value: String,
    /// Its unit.
    pub unit: Option<String>,
    /// The settings under which it was measured.
    pub config: Option<BTreeMap<String, String>>,
}

/// What is reported of an InferenceSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InferenceSetStatus {
    /// How many Workspaces there are.
    pub replicas: Option<i64>,
    /// How many of them are ready.
    pub ready_replicas: Option<i64>,
    /// The labels of their pods, for autoscalers.
    pub selector: Option<String>,
    /// The conditions, the summary being `InferenceSetReady`.
    pub conditions: Option<Vec<Condition>>,
    /// What was measured of all Workspaces together.
    pub performance: Option<Performance>,
    /// How far upgrades of the base image are.
    pub auto_upgrade: Option<AutoUpgradeStatus>,
}

/// How far upgrades of the base image are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AutoUpgradeStatus {
    /// How many Workspaces have another image than the current one.
    pub num_drifted_workspaces: Option<i64>,
    /// When the last upgrade was done.
    #[schemars(extend("format" = "date-time"))]
    pub last_successful_upgrade_time: Option<String>,
}

/// What is reported of a RAGEngine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RagEngineStatus {
    /// The nodes that it runs on, sorted.
    pub worker_nodes: Option<Vec<String>>,
    /// The conditions, the summary being `ServiceReady`.
    pub conditions: Option<Vec<Condition>>,
}

/// What is reported of a MultiRoleInference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MultiRoleInferenceStatus {
    /// The conditions, the summary being `Ready`.
    pub conditions: Option<Vec<Condition>>,
    /// The `metadata.generation` that was last looked at.
    pub observed_generation: Option<i64>,
}

/// What is reported of a ModelMirror.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelMirrorStatus {
    /// Whether the weights are there.
    pub phase: Option<ModelMirrorPhase>,
    /// Where the weights are.
    pub model_path: Option<String>,
    /// Why there are none, in words for people.
    pub failure_message: Option<String>,
    /// When the last download was done.
    #[schemars(extend("format" = "date-time"))]
    pub last_download_time: Option<String>,
    /// How far the download is.
    pub download: Option<DownloadProgress>,
    /// The conditions, the summary being `Ready`.
    pub conditions: Option<Vec<Condition>>,
}

/// Whether the weights of a mirror are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ModelMirrorPhase {
    /// Not yet.
    Pending,
    /// They are.
    Ready,
}

/// How far a download is; -1 is what isn't known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DownloadProgress {
    /// Bytes a second.
    pub speed_bytes_per_second: i64,
    /// Seconds that are left.
    pub remaining_seconds: i64,
}
