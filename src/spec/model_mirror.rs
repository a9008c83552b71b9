//! The ModelMirror: a copy of a model's weights in a claim, for all Workspaces that serve the model.
//!
//! Source: the API of Kaito 0.12. The kind belongs to no namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ObjectMeta;
use crate::quantity::Quantity;

/// A copy of a model's weights.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelMirror {
    /// `kaito.sh/v1alpha1`.
    pub api_version: String,
    /// `ModelMirror`.
    pub kind: String,
    /// Name, labels, annotations.
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: ModelMirrorSpec,
    /// What a controller reports; read over.
    pub status: Option<Map<String, Value>>,
}

/// What is wanted of a ModelMirror. Nothing of it can be changed later.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelMirrorSpec {
    /// Whether the weights are downloaded or are there; `Managed` if absent.
    #[schemars(extend("default" = "Managed"))]
    pub mode: Option<ModelMirrorMode>,
    /// Where the weights come from; only for a managed mirror, which needs it.
    pub source: Option<ModelMirrorSource>,
    /// Where they go; only for a managed mirror, which needs it.
    pub storage: Option<ModelMirrorStorage>,
    /// The namespace of the claim and of the Job that fills it.
    pub job_namespace: Option<String>,
    /// The ServiceAccount of the Job, with the workload identity that may write; the namespace's default if absent.
    pub service_account_name: Option<String>,
}

/// How the weights of a mirror come to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ModelMirrorMode {
    /// A Job downloads them into a claim.
    #[default]
    Managed,
    /// They are there, in storage of the user's own.
    Static,
}

/// Where weights come from.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelMirrorSource {
    /// The hub.
    pub registry: Registry,
    /// The model there: `organisation/model`.
    #[serde(rename = "modelID")]
    pub model_id: String,
    /// The Secret with the key `HF_TOKEN` for models behind a login, in the Job's namespace.
    pub access_secret: Option<ObjectReference>,
}

/// The hubs that models are downloaded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// Hugging Face.
    HuggingFace,
}

/// Where weights go.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelMirrorStorage {
    /// The size of the claim.
    pub size: Quantity,
    /// Its StorageClass; the API lets it be absent, and Kaito refuses that.
    pub storage_class_name: Option<String>,
}

/// `corev1.ObjectReference`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[expect(missing_docs, reason = "the fields of corev1.ObjectReference")]
pub struct ObjectReference {
    pub api_version: Option<String>,
    pub field_path: Option<String>,
    pub kind: Option<String>,
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub resource_version: Option<String>,
    pub uid: Option<String>,
}

impl ModelMirror {
    /// Whether the weights are there, so that nothing is made.
    pub fn is_static(&self) -> bool {
        self.spec.mode == Some(ModelMirrorMode::Static)
    }
}
