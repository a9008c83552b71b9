//! How many nodes a workload gets: by Kaito's estimate for vLLM, by `resource.count` otherwise.

use super::estimate::{self, estimate};
use super::{Context, Plan, Reasons, Runtime, runtime, shape};
use crate::diagnostic::{Diagnostic, plural};
use crate::preset::Model;
use crate::quantity::gib_text;
use crate::rule;
use crate::sku::NodeShape;
use crate::spec::{InferenceConfig, Located, Workspace, max_model_len, names};
use crate::yaml::Step;

/// The most nodes of one Workspace: a slip of the pen must not ask for a data centre.
const MOST_NODES: u64 = 1000;

/// The most nodes of all Workspaces together: twenty times what Kubernetes has in a cluster.
const MOST_OF_ALL: u64 = 100_000;

/// What the nodes of a preset are counted by.
#[derive(Clone, Copy)]
pub(super) struct Counting<'c> {
    /// The Workspace.
    pub located: &'c Located<Workspace>,
    /// The rules and the input.
    pub context: &'c Context<'c>,
    /// The model.
    pub model: &'c Model,
    /// What one node is like.
    pub shape: &'c NodeShape,
}

impl Counting<'_> {
    /// The nodes for vLLM, whatever `resource.count` says.
    pub(super) fn estimated(self, config: Option<&InferenceConfig>, reasons: &mut Reasons, findings: &mut Vec<Diagnostic>) -> Option<u64> {
        let Self { located, context, model, shape } = self;
        let sizing = &context.catalog.sizing;
        let configured = config.and_then(|config| max_model_len(&config.text));
        let tokens = configured.unwrap_or(sizing.node_estimate.context_length);
        reasons.add("context for the estimate", || match configured {
            Some(_) => (
                format!("{tokens} tokens"),
                "max-model-len of inference_config.yaml".to_owned(),
                format!("ConfigMap {}", located.value.config().unwrap_or_default()),
            ),
            None => (format!("{tokens} tokens"), "no max-model-len is configured".to_owned(), context.catalog.file_name("sizing")),
        });
        reasons.add("KV cache per token", || {
            let because = format!(
                "{} elements x {} layers x 2 bytes ({})",
                model.kv_elements(),
                model.config.num_hidden_layers,
                model.attention().name()
            );
            (format!("{} bytes", model.kv_bytes_per_token()), because, model.id.clone())
        });
        match estimate(model, shape, tokens, sizing) {
            Ok(estimate) if estimate.nodes > 1 && shape.mig => {
                let message = format!(
                    "{} needs {} of {} each, and slices of MIG can't be joined over nodes",
                    model.name(),
                    plural(estimate.nodes, "node"),
                    gib_text(shape.memory)
                );
                let finding = rule::GPU_MEMORY.says(message).help("choose a larger profile or a smaller model");
                let at = [Step::Field("resource"), Step::Field("partition"), Step::Field("profile")];
                findings.push(located.document.finding(finding, &at));
                None
            }
            Ok(estimate) => {
                reasons.add("nodes", || {
                    (estimate.nodes.to_string(), estimate.formula(model, shape, tokens, sizing), context.catalog.file_name("sizing"))
                });
                let asked = located.value.resource.as_ref().and_then(|resource| resource.count);
                if let Some(asked) = asked.filter(|asked| u64::try_from(*asked) != Ok(estimate.nodes)) {
                    let finding = rule::COUNT_IGNORED
                        .says(format!("vLLM gets {} by Kaito's estimate, not {asked}", plural(estimate.nodes, "node")))
                        .help("the field counts only for the transformers runtime and for templates");
                    findings.push(located.document.finding(finding, &[Step::Field("resource"), Step::Field("count")]));
                }
                within_limit(located, estimate.nodes, findings)
            }
            Err(small) => {
                let message = format!(
                    "a GPU of {} is too small: the runtime and the KV cache of {tokens} tokens take {} of its usable {}",
                    gib_text(shape.memory_per_gpu()),
                    estimate::gib(small.reserved),
                    estimate::gib(small.usable)
                );
                let finding = rule::GPU_MEMORY.says(message).help("choose a size with larger GPUs, or a smaller max-model-len");
                let field = if context.options.node_provisioner.makes_nodes() { "instanceType" } else { "labelSelector" };
                findings.push(located.document.finding(finding, &[Step::Field("resource"), Step::Field(field)]));
                None
            }
        }
    }

    /// The nodes for transformers: `resource.count`, whose memory must be enough.
    pub(super) fn counted(self, reasons: &mut Reasons, findings: &mut Vec<Diagnostic>) -> Option<u64> {
        let Self { located, context, model, shape } = self;
        let workspace = &located.value;
        let count = u64::try_from(workspace.count()).unwrap_or(0);
        let machines = if context.options.node_provisioner.makes_nodes() { count } else { shape::own_nodes(located, context).len() as u64 };
        reasons.add("nodes", || (count.to_string(), "resource.count, 1 if absent".to_owned(), "Workspace".to_owned()));
        let at = [Step::Field("resource"), Step::Field("instanceType")];
        let weights = model.weights_bytes();
        let mut fits = true;
        if machines.saturating_mul(shape.memory) < weights {
            let message = if machines == 0 {
                format!("no node, and so no GPU memory for {}: resource.count is 0", model.name())
            } else {
                format!(
                    "{} of {} have {} of GPU memory; the weights of {} alone are {}",
                    plural(machines, "node"),
                    shape.model,
                    gib_text(machines.saturating_mul(shape.memory)),
                    model.name(),
                    gib_text(weights)
                )
            };
            if workspace.annotation(names::BYPASS_RESOURCE_CHECKS).is_some() {
                findings.push(located.document.finding(rule::LITTLE_GPU_MEMORY.says(message), &at));
            } else {
                let finding = rule::GPU_MEMORY
                    .says(message)
                    .help("choose a larger size, or skip this check with the annotation kaito.sh/bypass-resource-checks");
                findings.push(located.document.finding(finding, &at));
                fits = false;
            }
        }
        if weights > shape.memory {
            let message = format!(
                "the weights of {} ({}) don't fit into one node ({}), and transformers can't use several",
                model.name(),
                gib_text(weights),
                gib_text(shape.memory)
            );
            findings.push(located.document.finding(rule::GPU_MEMORY.says(message).help("choose a larger size, or the vllm runtime"), &at));
            fits = false;
        }
        fits.then_some(count).and_then(|count| within_limit(located, count, findings))
    }
}

/// The nodes of a pod template. With the vLLM runtime, which it is taken to have, Kaito makes at least one.
pub(super) fn of_template(
    located: &Located<Workspace>,
    context: &Context<'_>,
    reasons: &mut Reasons,
    findings: &mut Vec<Diagnostic>,
) -> Option<u64> {
    let given = u64::try_from(located.value.count()).unwrap_or(0);
    let count = if runtime(&located.value, context.options) == Runtime::Vllm { given.max(1) } else { given };
    reasons.add("nodes", || (count.to_string(), "resource.count, at least 1".to_owned(), "Workspace".to_owned()));
    // Without any node in the input nothing is known of them, and a template needs no such facts.
    let enough = context.input.nodes.is_empty() || shape::enough(located, context, count, findings);
    enough.then_some(count).and_then(|count| within_limit(located, count, findings))
}

/// Leaves out Workspaces, from that on with which all together have too many nodes; each of them says so.
pub(crate) fn within_limit_of_all(plans: &mut Vec<Plan<'_>>, findings: &mut Vec<Diagnostic>) {
    let mut nodes: u64 = 0;
    plans.retain(|plan| {
        nodes += plan.nodes.count;
        if nodes > MOST_OF_ALL {
            let finding =
                rule::TOO_MANY_NODES.says(format!("with this Workspace, there are {nodes} nodes; all together have at most {MOST_OF_ALL}"));
            let finding = finding.help("divide them among several sets");
            findings.push(plan.document.finding(finding, &[Step::Field("resource"), Step::Field("count")]));
        }
        nodes <= MOST_OF_ALL
    });
}

pub(super) fn within_limit(located: &Located<Workspace>, count: u64, findings: &mut Vec<Diagnostic>) -> Option<u64> {
    if count <= MOST_NODES {
        return Some(count);
    }
    let finding = rule::TOO_MANY_NODES
        .says(format!("{count} nodes; a Workspace has at most {MOST_NODES}"))
        .help("choose a larger size of node or a smaller model");
    findings.push(located.document.finding(finding, &[Step::Field("resource"), Step::Field("count")]));
    None
}
