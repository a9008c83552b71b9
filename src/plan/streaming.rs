//! Weights that are streamed from blob storage while a model starts, in the place of being downloaded before.
//!
//! Source: Kaito 0.12, with the gate `ModelStreaming`.

use std::borrow::Cow;

use super::mirror::mirror_name;
use super::storage::Container;
use super::{Context, Reasons, Runtime, runtime};
use crate::options::Options;
use crate::preset::Model;
use crate::spec::{Located, Workspace, names};

/// Where weights are streamed from, and as whom.
pub struct Streaming<'a> {
    /// The model, as the benchmark calls it.
    pub model_id: Cow<'a, str>,
    /// The ServiceAccount with the workload identity that may read.
    pub service_account: &'a str,
    /// Where the weights are.
    pub source: StreamSource<'a>,
}

/// Where streamed weights are.
pub enum StreamSource<'a> {
    /// In the blob container of the model's mirror.
    Mirror(Container<'a>),
    /// In storage that gives out tokens (SAS) to read with; which one is found out as the pod starts.
    Sas {
        /// Where the model is described, and the tokens are.
        datarefs_url: &'a str,
        /// The client id of the workload identity.
        client_id: &'a str,
        /// `public` or `byo`.
        source_type: &'a str,
    },
}

impl Streaming<'_> {
    /// Whether the pod fetches a token before it starts.
    pub fn fetches_token(&self) -> bool {
        matches!(self.source, StreamSource::Sas { .. })
    }

    /// Where vLLM reads the weights, if that is known before the pod starts.
    pub fn uri(&self) -> Option<String> {
        match &self.source {
            StreamSource::Mirror(container) => Some(format!("az://{}/{}", container.name, self.model_id)),
            StreamSource::Sas { .. } => None,
        }
    }
}

/// Whether the weights of a Workspace's preset are streamed.
pub fn streams(workspace: &Workspace, options: &Options) -> bool {
    options.feature_gates.is_on("ModelStreaming")
        && workspace.preset().is_some()
        && workspace.annotation(names::MODEL_STREAMING) != Some("disabled")
        && runtime(workspace, options) == Runtime::Vllm
}

/// Whether the weights are in storage of the user's own, so that nothing is mirrored.
pub fn is_static(workspace: &Workspace) -> bool {
    workspace.annotation(names::STATIC_MODEL_MIRROR) == Some("true")
}

/// The StorageClass for the mirror of a Workspace's model.
pub fn storage_class<'a>(workspace: &'a Workspace, options: &'a Options) -> Option<&'a str> {
    let given = workspace.annotation(names::MODEL_MIRROR_STORAGE_CLASS).filter(|name| !name.is_empty());
    given.or(options.model_streaming.storage_class.as_deref()).filter(|name| !name.is_empty())
}

/// The ServiceAccount with which weights are downloaded and streamed.
pub fn service_account<'a>(workspace: &'a Workspace, options: &'a Options) -> Option<&'a str> {
    let given = workspace.annotation(names::STREAMING_SERVICE_ACCOUNT).filter(|name| !name.is_empty());
    given.or(options.model_streaming.service_account.as_deref()).filter(|name| !name.is_empty())
}

/// The model by which a mirror is named. An id stays in the case in which it was typed, so that two spellings have two mirrors.
pub fn model_id<'a>(asked: &'a str, model: &Model) -> Cow<'a, str> {
    if asked.eq_ignore_ascii_case(&model.id) { asked.into() } else { model.repository().into() }
}

/// Plans the streaming of an admitted Workspace whose weights are streamed.
pub(super) fn plan<'a>(
    located: &'a Located<Workspace>,
    model: &Model,
    context: &Context<'a>,
    reasons: &mut Reasons,
) -> Option<Streaming<'a>> {
    let workspace = &located.value;
    let preset = workspace.preset()?;
    let model_id = model_id(&preset.name, model);
    let source = if is_static(workspace) {
        let given = |key| workspace.annotation(key);
        StreamSource::Sas {
            datarefs_url: given(names::STREAM_DATAREFS_URL)?,
            client_id: given(names::STREAM_IDENTITY_CLIENT_ID)?,
            source_type: given(names::STREAM_SOURCE_TYPE)?,
        }
    } else {
        StreamSource::Mirror(context.container(context.mirrors.get(&mirror_name(&model_id))?).ok()??)
    };
    let streaming = Streaming { model_id, service_account: service_account(workspace, context.options)?, source };
    reasons.add("weights", || match &streaming.source {
        StreamSource::Mirror(container) => (
            format!("streamed from {} in the storage account {}", streaming.uri().unwrap_or_default(), container.account),
            format!(
                "the container of the mirror {}, which is named by the SHA-256 of {}",
                mirror_name(&streaming.model_id),
                streaming.model_id
            ),
            container.origin.clone(),
        ),
        StreamSource::Sas { datarefs_url, .. } => {
            let because = format!("which container, {datarefs_url} says as the pod starts");
            ("streamed from storage of one's own".to_owned(), because, format!("annotation {}", names::STATIC_MODEL_MIRROR))
        }
    });
    reasons.add("service account", || {
        let because = format!("annotation {}, else the default", names::STREAMING_SERVICE_ACCOUNT);
        let origin = "modelStreaming.serviceAccount or --default-streaming-service-account";
        (streaming.service_account.to_owned(), because, origin.to_owned())
    });
    Some(streaming)
}
