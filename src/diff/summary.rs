//! What a Workspace comes to, in a line of words, and what of it has changed.

use serde::Serialize;

use super::Disruption;
use super::report::Change;
use crate::diagnostic::plural;
use crate::plan::{Context, Plan, RagPlan, Workload};
use crate::quantity::gib_text;
use crate::spec::InferenceConfig;

/// What a Workspace or RAGEngine comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// What it does: `serves phi-4 with vllm`.
    pub does: String,
    /// The model, if it is one of the catalog.
    pub model: Option<String>,
    /// The bytes of its weights, which are downloaded anew by each new pod.
    pub weights: u64,
    /// The size of its nodes; none for nodes of one's own.
    pub instance_type: Option<String>,
    /// How many nodes.
    pub nodes: u64,
    /// GPUs of all its nodes.
    pub gpus: u64,
    /// The longest context, if that is configured.
    pub max_model_len: Option<String>,
    /// The names of its adapters.
    pub adapters: Vec<String>,
}

impl Summary {
    /// What a plan comes to.
    pub fn of_plan(plan: &Plan<'_>, context: &Context<'_>) -> Self {
        let (does, model, weights) = match &plan.workload {
            Workload::Preset(preset) => {
                let name = preset.model.name();
                (format!("serves {name} with {}", preset.runtime.name()), Some(name), preset.model.weights_bytes())
            }
            Workload::Tuning(tuning) => {
                let name = tuning.model.name();
                (format!("tunes {name}"), Some(name), tuning.model.weights_bytes())
            }
            Workload::Template(_) | Workload::TemplateV0_3(_) => ("runs a pod template".to_owned(), None, 0),
            Workload::InferenceV0_3(inference) => (format!("serves {}", inference.preset.name), Some(inference.preset.name.clone()), 0),
            Workload::TuningV0_3(tuning) => (format!("tunes {}", tuning.preset.name), Some(tuning.preset.name.clone()), 0),
        };
        let adapters = plan.workspace.adapters().iter().filter_map(|adapter| adapter.source.as_ref()?.name.clone());
        Self {
            does,
            model,
            weights,
            instance_type: plan.nodes.instance_type.map(ToOwned::to_owned),
            nodes: plan.nodes.count,
            gpus: plan.nodes.count * gpus_per_node(plan, context),
            max_model_len: max_model_len(plan, context),
            adapters: adapters.collect(),
        }
    }

    /// What a RAGEngine comes to.
    pub fn of_rag_engine(planned: &RagPlan<'_>, context: &Context<'_>) -> Self {
        let sku = planned.instance_type.and_then(|name| context.catalog.sku(context.options.cloud, name));
        let nodes = u64::from(planned.instance_type.is_some());
        Self {
            does: "finds documents".to_owned(),
            model: planned.engine.spec.embedding.local.as_ref().and_then(|local| local.model_id.clone()),
            weights: 0,
            instance_type: planned.instance_type.map(ToOwned::to_owned),
            nodes,
            gpus: sku.map_or(0, |found| found.value.gpus),
            max_model_len: None,
            adapters: Vec::new(),
        }
    }

    fn place(&self) -> String {
        match &self.instance_type {
            Some(size) => format!("{} x {size}", self.nodes),
            None => format!("{} of your own", plural(self.nodes, "node")),
        }
    }
}

/// GPUs of a node by the table of sizes, or what the pods ask for on nodes of one's own.
fn gpus_per_node(plan: &Plan<'_>, context: &Context<'_>) -> u64 {
    let sku = plan.nodes.instance_type.and_then(|name| context.catalog.sku(context.options.cloud, name));
    sku.map_or_else(
        || match &plan.workload {
            Workload::Preset(preset) => preset.gpus,
            Workload::Tuning(tuning) => tuning.gpus,
            _ => 0,
        },
        |found| found.value.gpus,
    )
}

/// `max-model-len` as it is configured; what vLLM works out by itself is no figure.
fn max_model_len(plan: &Plan<'_>, context: &Context<'_>) -> Option<String> {
    let name = plan.workspace.config()?;
    InferenceConfig::read(context.config_map(plan.namespace, name)?, name, &mut Vec::new())?.max_model_len
}

/// What has changed between two summaries, in words, and what that does.
pub fn words(before: Option<&Summary>, after: Option<&Summary>, disruption: Disruption) -> Vec<String> {
    let mut words = Vec::new();
    match (before, after) {
        // A claim that is lost restarts nothing by itself.
        (None, None) => {
            let disruption = if disruption > Disruption::Replace { Disruption::None } else { disruption };
            words.push(format!("restart: {}", restart(disruption)));
        }
        (None, Some(new)) => {
            words.push(format!("new: {} on {}", new.does, new.place()));
            words.extend(new.max_model_len.as_ref().map(|length| format!("max length {length}")));
            words.push(gpus(0, new.gpus));
            words.extend(download(new));
        }
        (Some(old), None) => {
            words.push(format!("removed: {} on {}", old.does, old.place()));
            words.push(gpus(old.gpus, 0));
        }
        (Some(old), Some(new)) => {
            if old.does == new.does {
                words.push(new.does.clone());
            } else {
                words.push(format!("{} -> {}", old.does, new.does));
            }
            changed(&mut words, "max length", old.max_model_len.as_deref(), new.max_model_len.as_deref());
            if (old.nodes, &old.instance_type) == (new.nodes, &new.instance_type) {
                words.push(new.place());
            } else if old.instance_type == new.instance_type {
                let size = new.instance_type.as_ref().map(|size| format!(" x {size}")).unwrap_or_default();
                words.push(format!("nodes {} -> {}{size}", old.nodes, new.nodes));
            } else {
                let place = |summary: &Summary| summary.place().replace(" nodes of", " of").replace(" node of", " of");
                words.push(format!("nodes {} -> {}", place(old), place(new)));
            }
            if old.gpus != new.gpus {
                words.push(gpus(old.gpus, new.gpus));
            }
            let lists = (old.adapters.join(", "), new.adapters.join(", "));
            changed(
                &mut words,
                "adapters",
                Some(&lists.0).filter(|list| !list.is_empty()).map(String::as_str),
                Some(&lists.1).filter(|list| !list.is_empty()).map(String::as_str),
            );
            if disruption >= Disruption::Rolling {
                words.extend(download(new));
            } else if old.max_model_len != new.max_model_len {
                words.push("pods read that only when they start".to_owned());
            }
            words.push(format!("restart: {}", restart(disruption)));
        }
    }
    words
}

/// What has happened to the router of a set, of which these objects are.
pub(super) fn words_of_router(changes: &[Change], disruption: Disruption) -> Vec<String> {
    let is_all = |change| changes.iter().all(|other| *other == change);
    match () {
        () if is_all(Change::Added) => vec!["new router".to_owned()],
        () if is_all(Change::Removed) => vec!["router removed".to_owned()],
        () => vec!["router changed".to_owned(), format!("restart: {}", restart(disruption))],
    }
}

fn changed(words: &mut Vec<String>, what: &str, before: Option<&str>, after: Option<&str>) {
    if before != after {
        words.push(format!("{what} {} -> {}", before.unwrap_or("none"), after.unwrap_or("none")));
    }
}

fn gpus(before: u64, after: u64) -> String {
    if after >= before { format!("GPUs +{}", after - before) } else { format!("GPUs -{}", before - after) }
}

/// Weights come with each pod.
fn download(summary: &Summary) -> Option<String> {
    (summary.weights > 0).then(|| format!("{} of weights to download", gib_text(summary.weights)))
}

fn restart(disruption: Disruption) -> &'static str {
    match disruption {
        Disruption::None | Disruption::InPlace => "none",
        Disruption::Rolling => "rolling",
        Disruption::Replace | Disruption::Node | Disruption::Data => "replace",
    }
}
