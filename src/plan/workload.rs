//! What runs on the nodes: a model of the catalog, a pod template, a fine-tuning.

use serde_json::{Map, Value};

use super::{Runtime, Streaming, v0_3};
use crate::preset::{DefaultTraining, Model};
use crate::spec::Role;

/// What runs on the nodes.
pub enum Workload<'a> {
    /// A model of the catalog.
    Preset(Box<PresetInference<'a>>),
    /// A pod template of the user's.
    Template(&'a Map<String, Value>),
    /// A fine-tuning.
    Tuning(Box<Tuning<'a>>),
    /// A preset of Kaito 0.3.
    InferenceV0_3(Box<v0_3::Inference<'a>>),
    /// A pod template of the user's, as Kaito 0.3 runs it.
    TemplateV0_3(&'a Map<String, Value>),
    /// A fine-tuning by Kaito 0.3.
    TuningV0_3(Box<v0_3::Tuning<'a>>),
}

impl<'a> Workload<'a> {
    /// The objects it becomes in the Workspace's namespace: group, kind, and what its name has beyond the Workspace's.
    pub fn objects(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        const SERVICE: (&str, &str, &str) = ("", "Service", "");
        const HEADLESS: (&str, &str, &str) = ("", "Service", "-headless");
        const STATEFUL_SET: (&str, &str, &str) = ("apps", "StatefulSet", "");
        const DEPLOYMENT: (&str, &str, &str) = ("apps", "Deployment", "");
        const SCRIPT: (&str, &str, &str) = ("", "ConfigMap", "-fetch-sas-script");
        match self {
            Self::Preset(preset) if preset.streaming.as_ref().is_some_and(Streaming::fetches_token) => {
                &[SERVICE, HEADLESS, SCRIPT, STATEFUL_SET]
            }
            Self::Preset(_) | Self::Template(_) => &[SERVICE, HEADLESS, STATEFUL_SET],
            Self::Tuning(_) | Self::TuningV0_3(_) => &[("batch", "Job", "")],
            Self::InferenceV0_3(inference) if inference.preset.distributed => &[SERVICE, HEADLESS, STATEFUL_SET],
            Self::InferenceV0_3(_) => &[SERVICE, DEPLOYMENT],
            Self::TemplateV0_3(_) => &[DEPLOYMENT],
        }
    }

    /// Where its weights are streamed from, if they are.
    pub fn streaming(&self) -> Option<&Streaming<'a>> {
        match self {
            Self::Preset(preset) => preset.streaming.as_ref(),
            _ => None,
        }
    }

    /// The training configuration that is made for it, if it names none.
    pub fn default_training(&self) -> Option<&'a DefaultTraining> {
        match self {
            Self::Tuning(tuning) => tuning.training.default,
            Self::TuningV0_3(tuning) => tuning.training.default,
            _ => None,
        }
    }
}

/// Where the container reads the weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Downloaded at start into a claim on the local NVMe disk.
    Claim,
    /// Downloaded at start into an `emptyDir`.
    EmptyDir,
    /// In a directory of the node.
    Local(String),
    /// Nowhere in the pod: they are streamed.
    Streamed,
}

/// A LoRA adapter.
#[derive(Clone, Debug)]
pub struct Adapter<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its strength.
    pub strength: Option<&'a str>,
    /// Where it comes from.
    pub source: AdapterSource<'a>,
}

/// Where an adapter comes from.
#[derive(Clone, Debug)]
pub enum AdapterSource<'a> {
    /// An image, as a full reference, and the Secrets to pull it with.
    Image(String, &'a [String]),
    /// A volume.
    Volume(&'a Map<String, Value>),
}

/// A model of the catalog on its nodes.
pub struct PresetInference<'a> {
    /// The model.
    pub model: &'a Model,
    /// What serves it.
    pub runtime: Runtime,
    /// GPUs of one node.
    pub gpus: u64,
    /// The slice of a GPU that the pod asks for in the place of whole ones.
    pub mig_profile: Option<&'a str>,
    /// How many nodes work together.
    pub nodes: u64,
    /// The disk for the weights, such as `87Gi`.
    pub disk: String,
    /// The image.
    pub image: String,
    /// The shell command.
    pub command: String,
    /// Where the weights are.
    pub weights: Weights,
    /// Where they are streamed from, which wins over where they are.
    pub streaming: Option<Streaming<'a>>,
    /// How often the startup probe may fail.
    pub startup_failures: u64,
    /// Whether the startup probe is a benchmark.
    pub benchmark: bool,
    /// Whether vLLM uses DeepGEMM.
    pub deep_gemm: bool,
    /// Whether the CUDA toolkit is put on the node.
    pub cuda_toolkit: bool,
    /// The role in a MultiRoleInference.
    pub role: Option<Role>,
    /// Whether a routing sidecar stands before the server.
    pub sidecar: bool,
    /// The port of the server: 5000, or 5001 behind the routing sidecar.
    pub port: u16,
    /// The ConfigMap with the user's configuration.
    pub config: Option<&'a str>,
    /// The Secret with the token for the hub.
    pub token_secret: Option<&'a str>,
    /// The adapters.
    pub adapters: Vec<Adapter<'a>>,
}

impl PresetInference<'_> {
    /// Whether the nodes form one Ray cluster.
    pub fn is_distributed(&self) -> bool {
        self.runtime == Runtime::Vllm && self.nodes > 1
    }
}

/// A model that is fine-tuned.
pub struct Tuning<'a> {
    /// The model.
    pub model: &'a Model,
    /// The preset as the user calls it, which becomes a mark on the image.
    pub preset_name: &'a str,
    /// GPUs of the node.
    pub gpus: u64,
    /// The image that trains.
    pub image: String,
    /// The shell command.
    pub command: String,
    /// The image with the weights to start from.
    pub weights_image: String,
    /// `DEFAULT_TARGET_MODULES`.
    pub target_modules: Option<&'a str>,
    /// What it is configured by.
    pub training: Training<'a>,
    /// The training data.
    pub input: TuningInput<'a>,
    /// Where the adapter goes.
    pub output: TuningOutput<'a>,
}

/// What a fine-tuning is configured by.
pub struct Training<'a> {
    /// The ConfigMap with `training_config.yaml`.
    pub config: &'a str,
    /// Its content, if it is made for the Workspace.
    pub default: Option<&'a DefaultTraining>,
    /// Where the results are.
    pub output_dir: String,
}

/// Where training data comes from.
pub enum TuningInput<'a> {
    /// Files to download.
    Urls(&'a [String]),
    /// An image, as a full reference, the name of the data, and the Secrets to pull the image with.
    Image(String, &'a str, &'a [String]),
    /// A volume.
    Volume(&'a Map<String, Value>),
}

/// Where a tuned adapter goes.
pub enum TuningOutput<'a> {
    /// An image, as a full reference, and the Secret to push it with.
    Image(String, &'a str),
    /// A volume.
    Volume(&'a Map<String, Value>),
}
