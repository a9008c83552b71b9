//! The sizes of nodes that clouds offer, and what a node of one's own has.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::{GIB, Quantity};

/// One size of node, as a file in `presets/skus/` describes it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sku {
    /// The cloud's name.
    pub name: String,
    /// GPUs of one node.
    #[schemars(range(min = 1, max = 4096))]
    pub gpus: u64,
    /// The memory of all GPUs of one node.
    pub memory: Quantity,
    /// The model of the GPUs.
    pub model: String,
    /// The CUDA compute capability; absent for GPUs that have no CUDA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute_capability: Option<String>,
    /// Whether there is a local NVMe disk.
    #[serde(default)]
    pub nvme: bool,
    /// The Kaito versions whose own table has the size.
    pub kaito: Vec<String>,
}

/// What the planner needs to know of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeShape {
    /// GPUs of one node.
    pub gpus: u64,
    /// Bytes of memory of all its GPUs.
    pub memory: u64,
    /// The model of the GPUs.
    pub model: String,
    /// CUDA compute capability, as `8.6`.
    pub compute_capability: Option<f64>,
    /// Whether there is a local NVMe disk.
    pub nvme: bool,
    /// Whether its GPUs are divided by MIG.
    pub mig: bool,
    /// Where this is known from.
    pub origin: String,
}

impl Sku {
    /// The node's shape.
    pub fn shape(&self, origin: String) -> NodeShape {
        NodeShape {
            gpus: self.gpus,
            memory: self.memory.bytes(),
            model: self.model.clone(),
            compute_capability: self.compute_capability.as_ref().and_then(|text| text.parse().ok()),
            nvme: self.nvme,
            mig: false,
            origin,
        }
    }

    /// Whether its GPUs are NVIDIA's, which is what Kaito's images need.
    pub fn is_nvidia(&self) -> bool {
        self.model.starts_with("NVIDIA")
    }
}

/// The memory of a MIG slice by the name of its profile: `2g.24gb` has 24 GiB, a fraction dropped.
pub fn mig_memory(profile: &str) -> u64 {
    let digits = profile.split_once('.').map_or("", |(_, memory)| memory.trim_end_matches("gb"));
    digits.split('.').next().and_then(|whole| whole.parse::<u64>().ok()).unwrap_or(0) * GIB
}

impl NodeShape {
    /// One MIG slice.
    pub fn of_mig(profile: &str) -> Self {
        let origin = format!("MIG profile {profile}");
        Self { gpus: 1, memory: mig_memory(profile), model: origin.clone(), compute_capability: None, nvme: false, mig: true, origin }
    }

    /// Some of the node's GPUs.
    #[must_use]
    pub fn with_gpus(self, gpus: u64) -> Self {
        Self { memory: self.memory_per_gpu() * gpus, gpus, ..self }
    }

    /// The shape of a node by the labels that NVIDIA's GPU feature discovery puts on it, or which labels are missing or wrong.
    ///
    /// # Errors
    /// Says which label is missing or no integer.
    pub fn from_labels(node: &str, labels: &BTreeMap<String, String>) -> Result<Self, String> {
        let text = |key: &str| labels.get(key).map(String::as_str).ok_or_else(|| format!("node {node} lacks the label {key}"));
        let number = |key: &str| {
            let value = text(key)?;
            value.parse::<u64>().map_err(|_| format!("node {node}: the label {key} is {value:?}, not a number"))
        };
        let model = text("nvidia.com/gpu.product")?.to_owned();
        let gpus = number("nvidia.com/gpu.count")?;
        // gpu.memory is MiB of one GPU, which is rounded to GiB.
        let gib_per_gpu = number("nvidia.com/gpu.memory")?.saturating_add(512) / 1024;
        if gpus == 0 || gpus > 4096 || gib_per_gpu > 1 << 20 {
            return Err(format!("node {node}: {gpus} GPUs of {gib_per_gpu} GiB can't be right"));
        }
        let part = |name: &str| labels.get(&format!("nvidia.com/cuda.compute.{name}")).and_then(|value| value.parse::<u32>().ok());
        let mig_config = labels.get("nvidia.com/mig.config").map_or("", String::as_str);
        let mig_ready = labels.get("nvidia.com/mig.config.state").is_some_and(|state| state == "success");
        Ok(Self {
            gpus,
            memory: gib_per_gpu * gpus * GIB,
            model,
            compute_capability: part("major").map(|major| f64::from(major) + f64::from(part("minor").unwrap_or(0)) / 10.0),
            nvme: false,
            mig: mig_ready && !mig_config.is_empty() && mig_config != "all-disabled",
            origin: format!("labels of node {node}"),
        })
    }

    /// Bytes of memory of one GPU.
    pub fn memory_per_gpu(&self) -> u64 {
        self.memory / self.gpus.max(1)
    }
}
