//! The declared input: Workspaces and the documents they refer to.

mod config_map;
mod inference_config;
mod inference_set;
mod input;
mod located;
mod measure;
mod meta;
mod model_mirror;
mod multi_role_inference;
pub mod names;
mod rag_engine;
pub mod status;
mod training_config;
mod workspace;

use std::sync::Arc;

pub(crate) use config_map::unread_config_map;
pub use inference_config::{InferenceConfig, InferenceConfigs, max_model_len};
pub use inference_set::{AutoUpgrade, InferenceSet, MaintenanceWindow, UpgradeStrategy};
pub use input::{Declarer, Input, Key, Passed};
pub use located::Located;
pub use meta::{LabelSelector, LabelSelectorRequirement, ObjectMeta};
pub use model_mirror::{ModelMirror, ModelMirrorMode, ModelMirrorSource, ModelMirrorSpec, ModelMirrorStorage, ObjectReference, Registry};
pub use multi_role_inference::{MultiRoleInference, Role};
pub use rag_engine::{LocalEmbeddingSpec, RagEngine, RagVolume};
pub use training_config::TrainingConfig;
pub(crate) use workspace::V1ALPHA1_INSTANCE_TYPE;
pub use workspace::{
    AccessMode, AdapterSpec, DataDestination, DataSource, InferenceSpec, PartitionMode, PartitionSpec, PresetOptions, PresetSpec,
    ResourceSpec, TuningMethod, TuningSpec, Workspace,
};

/// The configurations in the ConfigMaps that a Workspace names, as admission has read them.
#[derive(Debug, Default)]
pub struct Configs {
    /// What vLLM is told at run time.
    pub inference: Option<Arc<InferenceConfig>>,
    /// What training goes by: the Workspace's own, or the default of its method.
    pub training: Option<TrainingConfig>,
}
