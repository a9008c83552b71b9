//! From a Workspace, its model and its nodes to every figure of what will run, with the reason for each.

mod command;
mod count;
mod estimate;
mod inference;
mod inference_pool;
mod mirror;
mod node_reasons;
mod nodes;
mod rag_engine;
mod reason;
mod shape;
mod storage;
mod streaming;
mod tuning;
pub mod v0_3;
mod workload;

use std::borrow::Cow;

use serde_json::Value;

pub use command::leader;
pub(crate) use count::within_limit_of_all;
pub use estimate::{Estimate, TooSmall, estimate};
pub use inference_pool::{InferencePool, inference_pool};
pub use mirror::{Mirror, Mirrors, mirror_name};
pub use nodes::Nodes;
pub use rag_engine::{RagPlan, rag_engine};
pub use reason::{Reason, Reasons};
pub use storage::{BLOB_DRIVER, Container, Storage};
pub use streaming::{StreamSource, Streaming, is_static, model_id, service_account, storage_class, streams};
pub use workload::{Adapter, AdapterSource, PresetInference, Training, Tuning, TuningInput, TuningOutput, Weights, Workload};

use crate::diagnostic::Diagnostic;
use crate::image;
use crate::options::Options;
use crate::preset::{Catalog, Images, NodeClasses};
use crate::spec::{Configs, InferenceConfigs, Input, Located, Workspace, names};
use crate::yaml::Document;

/// What a plan is made from, besides the Workspace.
pub struct Context<'a> {
    /// The models, sizes and rules.
    pub catalog: &'a Catalog,
    /// The user's choices.
    pub options: &'a Options,
    /// The ConfigMaps and nodes to look things up in.
    pub input: &'a Input,
    /// The mirrors of models, with the gate `ModelMirror`.
    pub mirrors: Mirrors<'a>,
    /// The images as they are pulled: in full, and by the names and mirrors that the user wants.
    pub images: Images,
    /// The configurations that were read.
    pub inference_configs: InferenceConfigs,
}

impl<'a> Context<'a> {
    /// What plans of this input are made from.
    pub fn new(catalog: &'a Catalog, options: &'a Options, input: &'a Input) -> Self {
        let images = catalog.images.resolved(options.registry.as_deref(), |image| options.images.rewrite(image));
        Self {
            catalog,
            options,
            input,
            mirrors: Mirrors::new(input, catalog, options),
            images,
            inference_configs: InferenceConfigs::default(),
        }
    }

    /// The blob container behind a mirror, if that is known.
    ///
    /// # Errors
    /// A volume that is none of a blob container.
    pub fn container(&self, mirror: &Mirror<'a>) -> Result<Option<Container<'a>>, Diagnostic> {
        let claim = (mirror.namespace, mirror.name.as_ref());
        self.mirrors.storage.container(claim, mirror.storage_class, &mirror.model_id, self.options, self.catalog)
    }

    /// The ConfigMap of that name.
    pub fn config_map(&self, namespace: &str, name: &str) -> Option<&'a Document> {
        self.input.config_maps.get(&(namespace.to_owned(), name.to_owned())).map(AsRef::as_ref)
    }

    /// The NodeClasses that NodePools may refer to.
    pub fn node_classes(&self) -> Option<&'a NodeClasses> {
        self.options.node_classes.as_ref().or_else(|| self.catalog.node_classes(self.options.cloud))
    }

    /// An image below Kaito's registry, as it is pulled.
    pub fn own_image(&self, image: &str) -> String {
        self.options.images.rewrite(&format!("{}/{image}", self.images.registry))
    }

    /// An image of the user's as it is pulled: a full reference.
    pub fn users_image(&self, image: &str) -> String {
        image::normalise(&self.options.images.rewrite(image))
    }

    /// Where the name of the image comes from that serves and trains models, for people.
    fn base_image_origin(&self) -> String {
        let is_changed = self.catalog.images.resolved(Some(&self.images.registry), ToOwned::to_owned).base != self.images.base;
        match (is_changed, self.options.registry.is_some()) {
            (true, _) => "images and registryMirrors of kaito.yaml".to_owned(),
            (false, true) => "presetRegistry of kaito.yaml".to_owned(),
            (false, false) => self.catalog.file_name("images"),
        }
    }
}

/// What serves a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// vLLM.
    Vllm,
    /// Hugging Face Transformers.
    Transformers,
}

impl Runtime {
    /// The name as the annotation spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Transformers => "transformers",
        }
    }
}

/// The runtime of a Workspace: vLLM unless the annotation `kaito.sh/runtime` or the gate `vLLM` say otherwise.
pub fn runtime(workspace: &Workspace, options: &Options) -> Runtime {
    let asked = workspace.annotation(names::RUNTIME) == Some("transformers");
    if asked || !options.feature_gates.is_on("vLLM") { Runtime::Transformers } else { Runtime::Vllm }
}

/// Everything that a Workspace becomes, before it is written into templates.
pub struct Plan<'a> {
    /// The Workspace.
    pub workspace: &'a Workspace,
    /// Its namespace.
    pub namespace: &'a str,
    /// The document that asks for it.
    pub document: &'a Document,
    /// The nodes.
    pub nodes: Nodes<'a>,
    /// What runs on them.
    pub workload: Workload<'a>,
    /// Why each figure is what it is, if that was asked for.
    pub reasons: Reasons,
}

/// Plans an admitted Workspace; `None` if it can't run (a GPU too small, nodes missing), with the reason among the findings.
pub fn plan<'a>(
    located: &'a Located<Workspace>,
    configs: &Configs,
    context: &Context<'a>,
    explain: bool,
    findings: &mut Vec<Diagnostic>,
) -> Option<Plan<'a>> {
    if context.catalog.is_v0_3() {
        return v0_3::plan(located, configs, context, explain, findings);
    }
    let mut reasons = Reasons::new(explain);
    let workspace = &located.value;
    let unknown_disk = Cow::Borrowed(context.catalog.sizing.unknown_disk.as_str());
    let template = workspace.inference.as_ref().and_then(|inference| inference.template.as_ref());
    let (workload, count, disk) = if workspace.tuning.is_some() {
        let tuning = tuning::plan(located, configs, context, &mut reasons, findings)?;
        (Workload::Tuning(Box::new(tuning)), 1, unknown_disk)
    } else if let Some(template) = template {
        let count = count::of_template(located, context, &mut reasons, findings)?;
        (Workload::Template(template), count, unknown_disk)
    } else {
        let preset = inference::plan(located, configs, context, &mut reasons, findings)?;
        let (count, disk) = (preset.nodes, preset.disk.clone());
        (Workload::Preset(Box::new(preset)), count, Cow::Owned(disk))
    };
    if !matches!(workload, Workload::Preset(_)) && context.options.node_provisioner.makes_nodes() {
        reasons
            .add("disk", || (disk.clone().into_owned(), "what is put on it isn't known".to_owned(), context.catalog.file_name("sizing")));
    }
    let nodes = nodes::plan(located, context, count, disk, &mut reasons);
    nodes::has_disk(&nodes, located, context, findings).then_some(Plan {
        workspace,
        namespace: &located.namespace,
        document: &located.document,
        nodes,
        workload,
        reasons,
    })
}

impl Plan<'_> {
    /// The Workspace as it was declared, or as a set makes it, with its namespace.
    pub fn declared(&self) -> Value {
        let is_made = !self.document.moves.is_empty();
        let mut value =
            if is_made { without_nulls(serde_json::to_value(self.workspace).unwrap_or_default()) } else { self.document.root.to_value() };
        drop_what_servers_write(&mut value);
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".to_owned(), Value::from(self.namespace));
        }
        value
    }

    /// The Workspace's namespace and name.
    pub fn key(&self) -> (&str, &str) {
        (self.namespace, &self.workspace.metadata.name)
    }

    /// The runtime, which a template is taken to have too.
    pub fn runtime(&self, options: &Options) -> Runtime {
        runtime(self.workspace, options)
    }
}

/// Drops what only an API server writes, and refuses from others.
pub fn drop_what_servers_write(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"] {
            metadata.remove(field);
        }
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, without_nulls(value))).collect(),
        ),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
