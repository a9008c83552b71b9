//! The presets of Kaito 0.3: images with the weights inside, and all figures given instead of derived.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;

/// A preset as a file in `presets/0.3/presets/` describes it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePreset {
    /// The name, in the case that Workspaces must use.
    pub name: String,
    /// The weights in the image, `organisation/model@commit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The tag of the image `kaito-<name>` in the preset registry; without one the image is the user's own (`accessMode: private`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What starts the model: an entry of `launchers.yaml`.
    pub launcher: String,
    /// Arguments of the script; an empty value is a bare flag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
    /// Whether several nodes can share the model, which makes it a `StatefulSet` and not a Deployment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub distributed: bool,
    /// GPUs that each pod asks for, whatever the node has.
    #[schemars(range(min = 1, max = 4096))]
    pub gpus: u64,
    /// The least GPU memory of all nodes together.
    pub gpu_memory: Quantity,
    /// The least memory of one GPU.
    pub gpu_memory_per_gpu: Quantity,
    /// The disk of a node.
    pub disk: Quantity,
    /// How long the model may take to start.
    #[schemars(range(min = 1, max = 10_000))]
    pub ready_timeout_minutes: u64,
    /// What tuning needs; a preset without it can't be tuned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<ImageTuning>,
}

impl ImagePreset {
    /// The image below a registry, if it is there and not the user's own.
    pub fn image(&self, registry: &str) -> Option<String> {
        Some(format!("{registry}/kaito-{}:{}", self.name, self.tag.as_deref()?))
    }
}

/// What tuning a preset of Kaito 0.3 needs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageTuning {
    /// GPUs that the pod asks for.
    #[schemars(range(min = 1, max = 4096))]
    pub gpus: u64,
    /// The least GPU memory of the node.
    pub gpu_memory: Quantity,
    /// The least memory of one GPU.
    pub gpu_memory_per_gpu: Quantity,
    /// Arguments of the launcher besides the number of processes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub launcher_arguments: BTreeMap<String, String>,
}

/// A program that starts a model.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Launcher {
    /// The shell command.
    pub command: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Its arguments by which several nodes find each other.
    #[serde(default)]
    pub rendezvous: BTreeMap<String, String>,
    /// The script that it starts.
    pub script: String,
}

/// `launchers.yaml`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Launchers {
    pub(super) launchers: BTreeMap<String, Launcher>,
}
