//! From a Workspace, its model and its nodes to every figure of what will run, with the reason for each.

mod command;
mod estimate;
mod inference;
mod nodes;
mod reason;
mod shape;

use std::borrow::Cow;

pub use command::leader;
pub use estimate::{Estimate, TooSmall, estimate};
pub use inference::{Adapter, AdapterSource, PresetInference, Role, Weights};
pub use nodes::Nodes;
pub use reason::{Reason, Reasons};

use crate::diagnostic::Diagnostic;
use crate::options::Options;
use crate::preset::{Catalog, NodeClasses};
use crate::spec::{Input, Located, Workspace, names};
use crate::yaml::Document;

/// What a plan is made from, besides the Workspace.
pub struct Context<'a> {
    /// The models, sizes and rules.
    pub catalog: &'a Catalog,
    /// The user's choices.
    pub options: &'a Options,
    /// The ConfigMaps and nodes to look things up in.
    pub input: &'a Input,
}

impl<'a> Context<'a> {
    /// The ConfigMap of that name.
    pub fn config_map(&self, namespace: &str, name: &str) -> Option<&'a Document> {
        self.input.config_maps.get(&(namespace.to_owned(), name.to_owned())).map(AsRef::as_ref)
    }

    /// The NodeClasses that NodePools may refer to.
    pub fn node_classes(&self) -> Option<&'a NodeClasses> {
        self.options.node_classes.as_ref().or_else(|| self.catalog.node_classes(self.options.cloud))
    }

    /// The registry of Kaito's own images.
    pub fn registry(&self) -> &'a str {
        self.options.registry.as_deref().unwrap_or(&self.catalog.images.registry)
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
    /// The nodes.
    pub nodes: Nodes<'a>,
    /// What runs on them.
    pub workload: Workload<'a>,
    /// Why each figure is what it is, if that was asked for.
    pub reasons: Reasons,
}

/// What runs on the nodes.
pub enum Workload<'a> {
    /// A model of the catalog.
    Preset(Box<PresetInference<'a>>),
    /// A pod template of the user's.
    Template(&'a serde_json::Map<String, serde_json::Value>),
}

/// Plans an admitted Workspace.
///
/// # Errors
/// A finding for each reason why it can't run: a GPU too small, nodes missing.
pub fn plan<'a>(located: &'a Located<Workspace>, context: &Context<'a>, explain: bool, findings: &mut Vec<Diagnostic>) -> Option<Plan<'a>> {
    let mut reasons = Reasons::new(explain);
    let workspace = &located.value;
    let inference = workspace.inference.as_ref()?;
    let (workload, count, disk) = if let Some(template) = &inference.template {
        let count = nodes::of_template(located, context, &mut reasons, findings)?;
        (Workload::Template(template), count, Cow::Borrowed(context.catalog.sizing.unknown_disk.as_str()))
    } else {
        let preset = inference::plan(located, context, &mut reasons, findings)?;
        let (count, disk) = (preset.nodes, preset.disk.clone());
        (Workload::Preset(Box::new(preset)), count, Cow::Owned(disk))
    };
    let nodes = nodes::plan(located, context, count, disk, &mut reasons);
    Some(Plan { workspace, namespace: &located.namespace, nodes, workload, reasons })
}

impl Plan<'_> {
    /// The runtime, which a template is taken to have too.
    pub fn runtime(&self, options: &Options) -> Runtime {
        runtime(self.workspace, options)
    }
}
