//! The Workspace as people write it: group `kaito.sh`, versions v1alpha1 and v1beta1.
//!
//! Source: the API of Kaito 0.12. Both versions have the same storage form; v1alpha1 lacks `resource.partition` and
//! `presetOptions.modelAccessSecret`, and has a default for `resource.instanceType`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::{LabelSelector, ObjectMeta};

/// The instance type of a v1alpha1 Workspace that names none.
pub(crate) const V1ALPHA1_INSTANCE_TYPE: &str = "Standard_NC24ads_A100_v4";

/// A model to serve, or to tune, and the nodes for it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workspace {
    /// `kaito.sh/v1beta1` or `kaito.sh/v1alpha1`.
    pub api_version: String,
    /// `Workspace`.
    pub kind: String,
    /// Name, namespace, labels, annotations.
    pub metadata: ObjectMeta,
    /// The nodes.
    pub resource: Option<ResourceSpec>,
    /// What to serve.
    pub inference: Option<InferenceSpec>,
    /// What to tune.
    pub tuning: Option<Box<TuningSpec>>,
    /// What a controller reports; read over.
    pub status: Option<Map<String, Value>>,
}

/// The nodes of a Workspace.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceSpec {
    /// How many nodes; counts only for the transformers runtime and for pod templates.
    #[schemars(extend("default" = 1))]
    pub count: Option<i64>,
    /// The cloud's name for the size of a node; none with nodes of one's own.
    pub instance_type: Option<String>,
    /// Which nodes belong to the Workspace.
    pub label_selector: LabelSelector,
    /// Deprecated and without effect.
    pub preferred_nodes: Option<Vec<String>>,
    /// A part of a GPU or of a node's GPUs.
    pub partition: Option<PartitionSpec>,
}

/// A part of a GPU (`mig`) or some of a node's GPUs (`accelerator`).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionSpec {
    /// `mig` or `accelerator`.
    pub mode: PartitionMode,
    /// The MIG profile, such as `1g.10gb`.
    pub profile: Option<String>,
    /// How many GPUs.
    #[schemars(range(min = 1))]
    pub count: Option<i64>,
}

/// How GPUs are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartitionMode {
    /// One slice of a GPU.
    Mig,
    /// Whole GPUs, fewer than the node has.
    Accelerator,
}

/// What to serve: a preset or a pod template.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InferenceSpec {
    /// A model from the catalog.
    pub preset: Option<PresetSpec>,
    /// A pod template of one's own.
    pub template: Option<Map<String, Value>>,
    /// The ConfigMap with `inference_config.yaml`.
    pub config: Option<String>,
    /// LoRA adapters.
    pub adapters: Option<Vec<AdapterSpec>>,
}

/// A model from the catalog.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresetSpec {
    /// An alias (`phi-4`) or a Hugging Face id (`microsoft/phi-4`), in any case.
    pub name: String,
    /// Deprecated and without effect.
    #[schemars(extend("default" = "public"))]
    pub access_mode: Option<AccessMode>,
    /// Options of the preset.
    pub preset_options: Option<PresetOptions>,
}

/// Deprecated and without effect.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessMode {
    /// The default.
    Public,
    /// An image of one's own, in Kaito 0.3.
    Private,
}

/// Options of a preset.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresetOptions {
    /// Deprecated and without effect.
    pub image: Option<String>,
    /// Deprecated and without effect.
    pub image_pull_secrets: Option<Vec<String>>,
    /// The Secret with the key `HF_TOKEN` for models behind a login.
    pub model_access_secret: Option<String>,
}

/// A LoRA adapter.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdapterSpec {
    /// Where it comes from.
    pub source: Option<DataSource>,
    /// Its weight from 0 to 1, as a string; only for the transformers runtime.
    pub strength: Option<String>,
}

/// Where data comes from: one of URLs, a volume, an image.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSource {
    /// The name of the data.
    pub name: Option<String>,
    /// Files to download.
    pub urls: Option<Vec<String>>,
    /// A volume source as in a pod.
    pub volume_source: Option<Map<String, Value>>,
    /// An image with the data below `/data`.
    pub image: Option<String>,
    /// Secrets to pull the image with.
    pub image_pull_secrets: Option<Vec<String>>,
}

/// Where a result goes: a volume or an image.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataDestination {
    /// A volume source as in a pod.
    pub volume_source: Option<Map<String, Value>>,
    /// The image to push.
    pub image: Option<String>,
    /// The Secret to push it with.
    pub image_push_secret: Option<String>,
}

/// What to tune.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TuningSpec {
    /// The model.
    pub preset: Option<PresetSpec>,
    /// `lora` or `qlora`.
    pub method: Option<String>,
    /// The ConfigMap with `training_config.yaml`.
    pub config: Option<String>,
    /// The training data.
    pub input: DataSource,
    /// Where the adapter goes.
    pub output: DataDestination,
}

/// How a model is tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TuningMethod {
    /// Low-rank adapters.
    Lora,
    /// Low-rank adapters of a quantized model.
    Qlora,
}

impl TuningMethod {
    /// The name as preset files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lora => "lora",
            Self::Qlora => "qlora",
        }
    }
}

impl ResourceSpec {
    /// The labels that select nodes, without those that Kaito reserves for itself and drops in silence.
    pub fn node_labels(&self) -> BTreeMap<&str, &str> {
        let labels = self.label_selector.match_labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
        labels.filter(|(key, _)| !super::names::RESERVED_SELECTOR_LABELS.contains(key)).collect()
    }
}

impl PresetSpec {
    /// Whether the image is the user's own, as Kaito 0.3 has it.
    pub fn is_private(&self) -> bool {
        matches!(self.access_mode, Some(AccessMode::Private))
    }
}

impl TuningSpec {
    /// The method, in any case.
    pub fn method(&self) -> Option<TuningMethod> {
        let asked = self.method.as_deref()?;
        [TuningMethod::Lora, TuningMethod::Qlora].into_iter().find(|method| method.name().eq_ignore_ascii_case(asked))
    }

    /// The name of the ConfigMap with `training_config.yaml`; empty is the same as absent.
    pub fn config(&self) -> Option<&str> {
        self.config.as_deref().filter(|name| !name.is_empty())
    }
}

impl DataSource {
    /// The URLs, none if the list is empty.
    pub fn urls(&self) -> Option<&[String]> {
        self.urls.as_deref().filter(|urls| !urls.is_empty())
    }

    /// The image; empty is the same as absent.
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref().filter(|image| !image.is_empty())
    }
}

impl DataDestination {
    /// The image; empty is the same as absent.
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref().filter(|image| !image.is_empty())
    }
}

impl Workspace {
    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotation(key)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels().get(key).map(String::as_str)
    }

    /// The labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.metadata.labels.as_ref().unwrap_or(&NONE)
    }

    /// Whether it is of the older version.
    pub fn is_v1alpha1(&self) -> bool {
        self.api_version == "kaito.sh/v1alpha1"
    }

    /// The instance type, with the default of v1alpha1; empty is the same as absent.
    pub fn instance_type(&self) -> Option<&str> {
        let given = self.resource.as_ref()?.instance_type.as_deref();
        given.or(self.is_v1alpha1().then_some(V1ALPHA1_INSTANCE_TYPE)).filter(|name| !name.is_empty())
    }

    /// `resource.count`, 1 if absent.
    pub fn count(&self) -> i64 {
        self.resource.as_ref().and_then(|resource| resource.count).unwrap_or(1)
    }

    /// The labels that select nodes, without those that Kaito reserves for itself and drops in silence.
    pub fn node_labels(&self) -> BTreeMap<&str, &str> {
        self.resource.as_ref().map(ResourceSpec::node_labels).unwrap_or_default()
    }

    /// The preset to serve.
    pub fn preset(&self) -> Option<&PresetSpec> {
        self.inference.as_ref().and_then(|inference| inference.preset.as_ref())
    }

    /// The Secret with the token for the hub; empty is the same as absent.
    pub fn token_secret(&self) -> Option<&str> {
        self.preset()?.preset_options.as_ref()?.model_access_secret.as_deref().filter(|name| !name.is_empty())
    }

    /// The LoRA adapters.
    pub fn adapters(&self) -> &[AdapterSpec] {
        self.inference.as_ref().and_then(|inference| inference.adapters.as_deref()).unwrap_or_default()
    }

    /// The name of the ConfigMap with `inference_config.yaml`; empty is the same as absent.
    pub fn config(&self) -> Option<&str> {
        self.inference.as_ref().and_then(|inference| inference.config.as_deref()).filter(|name| !name.is_empty())
    }
}
