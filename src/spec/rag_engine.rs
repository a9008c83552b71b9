//! The RAGEngine: a service that finds documents for a model's answers.
//!
//! Source: the API of Kaito 0.12. Version v1alpha1 has `storage.persistentVolumeClaim` and `storage.mountPath` where v1beta1 has
//! `storage.persistentVolume`, and neither `storage.vectorDB` nor `guardrails`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::workspace::ResourceSpec;

/// Retrieval-augmented generation: documents as vectors, found for what a model is asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RagEngine {
    /// `kaito.sh/v1beta1` or `kaito.sh/v1alpha1`.
    pub api_version: String,
    /// `RAGEngine`.
    pub kind: String,
    /// Name, namespace, labels, annotations.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: RagEngineSpec,
    /// What a controller reports; read over.
    pub status: Option<Map<String, Value>>,
}

/// What is wanted of a RAGEngine.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RagEngineSpec {
    /// The node for an embedding model that runs locally; any node without it.
    pub compute: Option<ResourceSpec>,
    /// Where vectors are kept; in memory without it.
    pub storage: Option<RagStorage>,
    /// How documents become vectors.
    pub embedding: EmbeddingSpec,
    /// The model that answers; without it documents are only found.
    pub inference_service: Option<InferenceServiceSpec>,
    /// What answers must not hold.
    pub guardrails: Option<GuardrailsSpec>,
    /// Without effect; only in v1alpha1.
    pub query_service_name: Option<String>,
    /// Without effect; only in v1alpha1.
    pub index_service_name: Option<String>,
}

/// Where vectors are kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RagStorage {
    /// A claim for the default in-process store; only in v1beta1.
    pub persistent_volume: Option<PersistentVolumeConfig>,
    /// A vector database of its own; only in v1beta1.
    #[serde(rename = "vectorDB")]
    pub vector_db: Option<VectorDbConfig>,
    /// The PersistentVolumeClaim; only in v1alpha1.
    pub persistent_volume_claim: Option<String>,
    /// Where it is mounted, `/mnt/data` if absent; only in v1alpha1.
    pub mount_path: Option<String>,
}

/// A claim that vectors are kept in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersistentVolumeConfig {
    /// The PersistentVolumeClaim.
    pub persistent_volume_claim: String,
    /// Where it is mounted, `/mnt/data` if absent.
    pub mount_path: Option<String>,
}

/// A vector database.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VectorDbConfig {
    /// Its kind: `qdrant`.
    pub engine: String,
    /// Its address, such as `http://qdrant:6333`.
    pub url: String,
    /// The Secret with the key `VECTOR_DB_ACCESS_SECRET`.
    pub access_secret: Option<String>,
}

/// How documents become vectors: by a model in the pod, or by a service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmbeddingSpec {
    /// A service.
    pub remote: Option<RemoteEmbeddingSpec>,
    /// A model in the pod.
    pub local: Option<LocalEmbeddingSpec>,
}

/// A service that makes vectors.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteEmbeddingSpec {
    /// Its address.
    pub url: String,
    /// The Secret with its token.
    pub access_secret: Option<String>,
}

/// A model in the pod that makes vectors: a Hugging Face id or an image.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalEmbeddingSpec {
    /// An image with the model.
    pub image: Option<String>,
    /// The Secret to pull it with.
    pub image_pull_secret: Option<String>,
    /// The Hugging Face id, such as `BAAI/bge-small-en-v1.5`.
    #[serde(rename = "modelID")]
    pub model_id: Option<String>,
    /// The Secret with the token for the hub.
    pub model_access_secret: Option<String>,
}

/// The model that answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InferenceServiceSpec {
    /// Its address; documents are only found without it.
    pub url: Option<String>,
    /// The Secret with the key `LLM_ACCESS_SECRET`.
    pub access_secret: Option<String>,
    /// The tokens of a question and its answer together.
    pub context_window_size: i64,
}

/// What answers must not hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuardrailsSpec {
    /// Whether answers are looked through.
    #[serde(default)]
    pub enabled: bool,
    /// The ConfigMap with the rules, under the key `guardrails.yaml`; Kaito's default rules without it.
    pub config_map_ref: Option<ConfigMapReference>,
}

/// A ConfigMap of the same namespace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapReference {
    /// Its name.
    pub name: String,
}

impl RagEngine {
    /// Whether it is of the older version.
    pub fn is_v1alpha1(&self) -> bool {
        self.api_version == "kaito.sh/v1alpha1"
    }

    /// The size of its node; empty is the same as absent.
    pub fn instance_type(&self) -> Option<&str> {
        self.spec.compute.as_ref()?.instance_type.as_deref().filter(|name| !name.is_empty())
    }

    /// The claim that vectors are kept in and where it is mounted, in either version's form; `None` without `storage`.
    pub fn volume(&self) -> Option<RagVolume<'_>> {
        const MOUNT_PATH: &str = "/mnt/data";
        let storage = self.spec.storage.as_ref()?;
        let (claim, path) = match &storage.persistent_volume {
            Some(volume) => (Some(volume.persistent_volume_claim.as_str()), volume.mount_path.as_deref()),
            None => (storage.persistent_volume_claim.as_deref(), storage.mount_path.as_deref()),
        };
        let (claim, path) = (claim.filter(|name| !name.is_empty()), path.filter(|path| !path.is_empty()));
        let is_persistent = storage.persistent_volume.is_some() || claim.is_some() || path.is_some();
        Some(RagVolume { claim, mount_path: path.unwrap_or(MOUNT_PATH), is_persistent })
    }
}

/// The volume for vectors.
#[derive(Clone, Copy, Debug)]
pub struct RagVolume<'a> {
    /// The claim; an `emptyDir` without one.
    pub claim: Option<&'a str>,
    /// Where it is mounted.
    pub mount_path: &'a str,
    /// Whether the store is told to keep vectors there.
    pub is_persistent: bool,
}
