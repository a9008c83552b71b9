//! What `presets/` says: models, the rules that turn them into commands, figures for sizing, images.

mod catalog;
mod check;
mod embedded;
pub mod file;
mod hub;
mod layer;
mod merge;
mod rules;
mod v0_3;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use catalog::{Catalog, Found, Unknown};
pub use check::{Checked, check};
pub use embedded::{File, embedded_versions};
pub use hub::{HubRules, Repository, WeightsRule, is_id};
pub use layer::Layer;
pub use rules::{DefaultTraining, GuardrailsPolicy, RagRules, Sizing, Startup, TransformersRules, TuningRules, VllmRules};
pub use v0_3::{ImagePreset, ImageTuning, Launcher};

use crate::diagnostic::Diagnostic;
use crate::quantity::Quantity;
use crate::spec::names;
use crate::yaml::Step;

/// A model as a file in `presets/*/models/` describes it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Model {
    /// The Hugging Face id, `organisation/model`.
    pub id: String,
    /// Short names that mean this model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The architectures of the model's `config.json`.
    pub architectures: Vec<String>,
    /// The size of the weights, such as `27.31Gi`.
    pub weights: Quantity,
    /// The longest context in tokens.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub context_limit: u64,
    /// The shape of the model, from its `config.json`.
    pub config: ModelConfig,
    /// How the weights are quantized, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
    /// How the weights are stored.
    #[serde(default)]
    pub format: WeightsFormat,
    /// The commit to run; the hub's main branch if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The task on the hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What the model was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base_models: Vec<String>,
    /// Arguments for the transformers runtime; a model without them can't run on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transformers: Option<BTreeMap<String, String>>,
    /// Arguments for vLLM that win over the rules.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
    /// What tuning needs; a model without it can't be tuned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
}

/// The shape of a model, as its `config.json` gives it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of config.json")]
pub struct ModelConfig {
    #[schemars(range(min = 1, max = 1_000_000))]
    pub hidden_size: u64,
    #[schemars(range(min = 1, max = 1_000_000))]
    pub num_hidden_layers: u64,
    #[schemars(range(min = 1, max = 1_000_000))]
    pub num_attention_heads: u64,
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_key_value_heads: Option<u64>,
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<u64>,
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_lora_rank: Option<u64>,
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qk_rope_head_dim: Option<u64>,
}

/// How weights are quantized.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quantization {
    /// `fp8`, `awq`, `mxfp4`, ...
    pub method: String,
    /// Bits of a weight, where the method leaves it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u64>,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WeightsFormat {
    /// Hugging Face safetensors.
    #[default]
    Auto,
    /// Mistral's `consolidated*.safetensors`.
    Mistral,
}

impl WeightsFormat {
    /// The name as preset files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Mistral => "mistral",
        }
    }
}

/// What tuning a model needs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tuning {
    /// Disk of the node.
    pub disk: Quantity,
    /// GPU memory below which tuning fails.
    pub min_gpu_memory: Quantity,
    /// The image with the weights, below the preset registry.
    pub weights_image: String,
}

/// How the attention layers share keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Multi-head latent attention.
    Mla,
    /// As many key-value heads as heads.
    Mha,
    /// One key-value head.
    Mqa,
    /// Heads in groups.
    Gqa,
}

impl Attention {
    /// The usual abbreviation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mla => "MLA",
            Self::Mha => "MHA",
            Self::Mqa => "MQA",
            Self::Gqa => "GQA",
        }
    }
}

impl Model {
    /// The id in lower case, which is what `--model` gets.
    pub fn repository(&self) -> String {
        self.id.to_lowercase()
    }

    /// The preset name: the last segment of the id in lower case.
    pub fn name(&self) -> String {
        self.id.rsplit('/').next().unwrap_or(&self.id).to_lowercase()
    }

    /// The weights in bytes, rounded up.
    pub fn weights_bytes(&self) -> u64 {
        self.weights.bytes()
    }

    /// Elements of one token's keys and values in one layer.
    pub fn kv_elements(&self) -> u64 {
        let config = &self.config;
        match config.kv_lora_rank {
            Some(rank) => rank + config.qk_rope_head_dim.unwrap_or(0),
            None => 2 * self.kv_heads() * self.head_dim(),
        }
    }

    /// Bytes of KV cache for one token: elements x layers x 2 bytes.
    pub fn kv_bytes_per_token(&self) -> u64 {
        self.kv_elements() * self.config.num_hidden_layers * 2
    }

    /// Key-value heads, as many as heads if not given.
    pub fn kv_heads(&self) -> u64 {
        self.config.num_key_value_heads.unwrap_or(self.config.num_attention_heads)
    }

    /// The size of a head, hidden size / heads if not given.
    pub fn head_dim(&self) -> u64 {
        self.config.head_dim.unwrap_or_else(|| self.config.hidden_size / self.config.num_attention_heads.max(1))
    }

    /// How the attention layers share keys and values.
    pub fn attention(&self) -> Attention {
        match (self.config.kv_lora_rank, self.kv_heads()) {
            (Some(_), _) => Attention::Mla,
            (None, kv) if kv == self.config.num_attention_heads => Attention::Mha,
            (None, 1) => Attention::Mqa,
            _ => Attention::Gqa,
        }
    }

    /// Whether a listed architecture is one of the model's.
    pub fn has_architecture(&self, listed: &[String]) -> bool {
        self.architectures.iter().any(|architecture| listed.contains(architecture))
    }
}

/// Every image that a version of Kaito puts into a pod. Each field but `registry` is one: a new field is listed and mirrored
/// like the others; an empty one isn't used by the version.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Images {
    /// The registry and path of Kaito's own images, `base` and `ragService`, and of those with weights.
    pub registry: String,
    /// The image that serves models.
    pub base: String,
    /// The image that pulls adapters.
    pub adapter_puller: String,
    /// The image that pulls the weights that tuning starts from.
    pub weights_puller: String,
    /// The image that downloads training data.
    pub data_downloader: String,
    /// The image that pushes a tuned adapter.
    pub adapter_pusher: String,
    /// The container that keeps a tuning pod's processes together.
    pub pause: String,
    /// The image of a RAGEngine, below the registry.
    pub rag_service: String,
    /// The image that downloads models into mirrors.
    pub model_downloader: String,
    /// The image that fetches tokens for streaming.
    pub sas_fetcher: String,
    /// The sidecar in front of decode pods.
    pub routing_sidecar: String,
    /// The chart of the router in front of sets.
    pub router_chart: String,
    /// The image of the router's endpoint picker.
    pub endpoint_picker: String,
}

impl Images {
    /// The fields whose images are below `registry`, unless they have a path of their own.
    const OWN: [&str; 2] = ["base", "ragService"];

    /// The images in full, below another registry if one is given, and each as `change` has it.
    #[must_use]
    pub fn resolved(&self, registry: Option<&str>, change: impl Fn(&str) -> String) -> Self {
        let registry = registry.unwrap_or(&self.registry);
        let mut fields = self.fields();
        for (name, value) in &mut fields {
            if let Some(image) = value.as_str().filter(|image| name != "registry" && !image.is_empty()) {
                let is_below = Self::OWN.contains(&name.as_str()) && !image.contains('/');
                *value = if is_below { change(&format!("{registry}/{image}")) } else { change(image) }.into();
            }
        }
        fields.insert("registry".to_owned(), registry.into());
        serde_json::from_value(fields.into()).unwrap_or_else(|_| self.clone())
    }

    /// Every image.
    pub fn all(&self) -> Vec<String> {
        let fields = self.fields().into_iter().filter(|(name, _)| name != "registry");
        fields.filter_map(|(_, image)| image.as_str().filter(|image| !image.is_empty()).map(ToOwned::to_owned)).collect()
    }

    fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::to_value(self).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default()
    }
}

/// The NodeClasses that a NodePool may refer to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeClasses {
    /// The API group, such as `karpenter.azure.com`.
    pub group: String,
    /// The kind, such as `AKSNodeClass`.
    pub kind: String,
    /// The API version, such as `v1beta1`.
    pub version: String,
    /// The classes, one of them the default.
    pub classes: Vec<NodeClass>,
}

impl NodeClasses {
    /// What is wrong, each with the field below `karpenter`.
    ///
    /// Source: Kaito's checks of `--karpenter-node-classes`.
    pub fn faults(&self) -> Vec<(Vec<Step<'static>>, Diagnostic)> {
        let mut faults = Vec::new();
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let parts = [
            ("group", &self.group, names::is_dns_subdomain(&self.group), "karpenter.azure.com"),
            ("kind", &self.kind, is_word(&self.kind), "AKSNodeClass"),
            ("version", &self.version, is_word(&self.version), "v1beta1"),
        ];
        for (field, found, _, example) in parts.into_iter().filter(|(_, _, is_right, _)| !is_right) {
            let finding = Diagnostic::error(format!("{found:?} is no {field} of an API"));
            faults.push((vec![Step::Field(field)], finding.help(format!("write it as {example}"))));
        }
        let defaults = self.classes.iter().filter(|class| class.default).count();
        if defaults != 1 {
            let finding = Diagnostic::error(format!("{defaults} NodeClasses are the default; exactly one must be"));
            faults.push((vec![Step::Field("classes")], finding));
        }
        for (index, class) in self.classes.iter().enumerate() {
            let at = || vec![Step::Field("classes"), Step::from(index), Step::Field("name")];
            if !names::is_dns_subdomain(&class.name) {
                let finding = Diagnostic::error(format!("{:?} is no name for a NodeClass", class.name));
                faults.push((at(), finding.help("use lower-case letters, digits, dashes and dots")));
            }
            if self.classes.iter().take(index).any(|other| other.name == class.name) {
                faults.push((at(), Diagnostic::error(format!("the NodeClass {} is there twice", class.name))));
            }
        }
        faults
    }
}

/// One NodeClass.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeClass {
    /// Its name.
    pub name: String,
    /// Whether a Workspace that names no class gets this one.
    #[serde(default)]
    pub default: bool,
    /// Its `spec`. A class without one, and those of Kaito's chart, are taken to be in the cluster.
    #[serde(default)]
    pub spec: serde_json::Map<String, serde_json::Value>,
}
