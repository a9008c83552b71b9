//! The declared input: Workspaces and the documents they refer to.

mod inference_config;
mod input;
mod meta;
pub mod names;
mod workspace;

pub use inference_config::{InferenceConfig, max_model_len};
pub use input::{Input, Key, Located, Passed};
pub use meta::{LabelSelector, LabelSelectorRequirement, ObjectMeta};
pub use workspace::{
    AccessMode, AdapterSpec, DataDestination, DataSource, InferenceSpec, PartitionMode, PartitionSpec, PresetOptions, PresetSpec,
    ResourceSpec, TuningSpec, Workspace,
};
