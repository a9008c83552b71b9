//! The declared input: Workspaces and the documents they refer to.

mod config_map;
mod inference_config;
mod inference_set;
mod input;
mod meta;
mod multi_role_inference;
pub mod names;
mod rag_engine;
mod training_config;
mod workspace;

pub use inference_config::{InferenceConfig, max_model_len};
pub use inference_set::InferenceSet;
pub use input::{Declarer, Input, Key, Located, Passed};
pub use meta::{LabelSelector, LabelSelectorRequirement, ObjectMeta};
pub use multi_role_inference::{MultiRoleInference, Role};
pub use rag_engine::{LocalEmbeddingSpec, RagEngine, RagVolume};
pub use training_config::TrainingConfig;
pub use workspace::{
    AccessMode, AdapterSpec, DataDestination, DataSource, InferenceSpec, PartitionMode, PartitionSpec, PresetOptions, PresetSpec,
    ResourceSpec, TuningMethod, TuningSpec, Workspace,
};
