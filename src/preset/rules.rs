//! The rules that turn a model into a command, and the figures for sizing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Model;
use crate::quantity::{GIB, Quantity};
use crate::yaml;

/// The vLLM command: what every model gets and what follows from its name or architecture.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VllmRules {
    /// The program.
    pub command: String,
    /// Arguments of every model.
    pub common: BTreeMap<String, String>,
    /// Arguments by the format of the weights.
    pub formats: BTreeMap<String, BTreeMap<String, String>>,
    /// `--dtype`.
    pub dtype: Dtype,
    /// `--gpu-memory-utilization`.
    pub gpu_memory_utilization: Utilization,
    /// Arguments by name and architecture.
    pub rules: Vec<ArgumentRule>,
    /// Models whose KV cache stays on the GPU.
    pub no_kv_cache_offload: Models,
    /// Models that need DeepGEMM, and so the CUDA toolkit.
    pub deep_gemm: Models,
    /// Models that need the CUDA toolkit for another reason.
    pub cuda_toolkit: Models,
}

/// `--dtype` for quantized and other models.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dtype {
    /// For quantized models.
    pub quantized: String,
    /// For the others.
    pub otherwise: String,
}

/// The share of a GPU's memory that vLLM takes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Utilization {
    /// For every GPU not listed.
    pub default: String,
    /// By the exact name of the GPU model.
    pub by_gpu_model: BTreeMap<String, String>,
}

/// One argument by name and architecture.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArgumentRule {
    /// The argument.
    pub flag: String,
    /// Further arguments that go with it.
    #[serde(default)]
    pub with: BTreeMap<String, String>,
    /// Names for which the rule is off.
    #[serde(default)]
    pub except_names: Vec<String>,
    /// Values by prefix of the name; the longest that fits wins.
    #[serde(default)]
    pub by_name_prefix: BTreeMap<String, String>,
    /// Values by architecture.
    #[serde(default)]
    pub by_architecture: BTreeMap<String, String>,
}

/// A set of models.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Models {
    /// By architecture.
    #[serde(default)]
    pub architectures: Vec<String>,
    /// By full name.
    #[serde(default)]
    pub names: Vec<String>,
}

impl Models {
    /// Whether the model is one of them.
    pub fn contains(&self, model: &Model) -> bool {
        model.has_architecture(&self.architectures) || self.names.contains(&model.name())
    }
}

impl ArgumentRule {
    /// The value for a model of this [name](Model::name), with the key of the table that gave it.
    pub fn value(&self, model: &Model, name: &str) -> Option<(&str, &str)> {
        if self.except_names.iter().any(|except| except == name) {
            return None;
        }
        let by_name = by_longest_prefix(&self.by_name_prefix, name);
        let by_architecture = || model.architectures.iter().find_map(|architecture| self.by_architecture.get_key_value(architecture));
        by_name.or_else(by_architecture).map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// The entry whose key is the longest that a name begins with.
fn by_longest_prefix<'t>(table: &'t BTreeMap<String, String>, name: &str) -> Option<(&'t String, &'t String)> {
    table.iter().filter(|(prefix, _)| name.starts_with(prefix.as_str())).max_by_key(|(prefix, _)| prefix.len())
}

/// The transformers command.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransformersRules {
    /// The program that starts the script.
    pub launcher: String,
    /// Its arguments.
    pub launcher_arguments: BTreeMap<String, String>,
    /// The script.
    pub script: String,
    /// Arguments of every model.
    pub common: BTreeMap<String, String>,
}

/// The tuning command, and what a Workspace gets that says little.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TuningRules {
    /// The program that starts the script.
    pub launcher: String,
    /// The script.
    pub script: String,
    /// `DEFAULT_TARGET_MODULES` by prefix of the model's name.
    pub target_modules: BTreeMap<String, String>,
    /// The default configurations, by method.
    pub defaults: BTreeMap<String, DefaultTraining>,
}

/// The configuration of a method.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefaultTraining {
    /// The name of its ConfigMap.
    pub name: String,
    /// The sections below `training_config`.
    pub config: serde_json::Map<String, serde_json::Value>,
}

impl DefaultTraining {
    /// `training_config.yaml`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        yaml::to_yaml(&json!({"training_config": self.config}), &mut text);
        text
    }
}

impl TuningRules {
    /// The target modules of a model, where they aren't the trainer's own.
    pub fn target_modules(&self, name: &str) -> Option<&str> {
        by_longest_prefix(&self.target_modules, name).map(|(_, modules)| modules.as_str())
    }
}

/// What a RAGEngine gets.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RagRules {
    /// The disk of its node.
    pub disk: Quantity,
    /// The rules for answers where a RAGEngine names none.
    pub guardrails: GuardrailsPolicy,
}

/// The rules for answers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuardrailsPolicy {
    /// The name of their ConfigMap.
    pub name: String,
    /// `guardrails.yaml`.
    pub policy: serde_json::Map<String, serde_json::Value>,
}

impl GuardrailsPolicy {
    /// `guardrails.yaml`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        yaml::to_yaml(&json!(self.policy), &mut text);
        text
    }
}

/// The figures behind node counts, disks and probe budgets; zero where a version estimates nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sizing {
    /// How many nodes a model needs.
    pub node_estimate: NodeEstimate,
    /// What a disk holds besides the weights.
    pub disk_reserve: Quantity,
    /// The disk where the size of the weights isn't known.
    pub unknown_disk: Quantity,
    /// How long a model may take to start.
    pub startup: Startup,
    /// What the download of a mirror gets.
    pub download: Download,
}

impl Sizing {
    /// The disk for a model in whole GiB: floor(weights + reserve).
    pub fn disk_gib(&self, model: &Model) -> u64 {
        (model.weights_bytes() + self.disk_reserve.bytes()) / GIB
    }
}

/// The figures of the node estimate.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeEstimate {
    /// How much larger weights are in memory than on disk.
    pub weights_factor: f64,
    /// The share of a GPU's memory that can be used.
    pub utilization: f64,
    /// What the runtime takes of each GPU.
    pub reserve: Quantity,
    /// How much of what is left goes to activations.
    pub packing: f64,
    /// The context in tokens unless the user's configuration says more.
    pub context_length: u64,
}

/// What the container gets that downloads a model into its mirror, as request and as limit.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Download {
    /// CPUs, such as `3` or `500m`.
    pub cpu: String,
    /// Memory.
    pub memory: Quantity,
}

/// How long a model may take to start, in seconds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "explained in sizing.yaml")]
pub struct Startup {
    #[schemars(range(min = 1, max = 1_000_000))]
    pub base: u64,
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_gi: u64,
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min: u64,
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max: u64,
    #[schemars(range(min = 1, max = 1_000_000))]
    pub period: u64,
}
