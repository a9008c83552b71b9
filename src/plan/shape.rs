//! What one node is like: from the table of sizes, from the labels of one's own nodes, or a part of those.

use super::Context;
use crate::diagnostic::Diagnostic;
use crate::options::OwnNode;
use crate::quantity::gib_text;
use crate::rule;
use crate::sku::NodeShape;
use crate::spec::{Located, PartitionMode, PartitionSpec, Workspace, names};
use crate::yaml::Step;

/// Why one's own nodes won't do, and what would.
type Refusal = (String, &'static str);

/// What one node of a preset's Workspace is like.
pub(super) fn shape(located: &Located<Workspace>, context: &Context<'_>, findings: &mut Vec<Diagnostic>) -> Option<NodeShape> {
    if context.options.node_provisioner.makes_nodes() {
        let found = context.catalog.sku(context.options.cloud, located.value.instance_type()?)?;
        return Some(found.value.shape(format!("SKU {} in {}", found.value.name, found.origin)));
    }
    let refuse = |(message, help): Refusal| {
        let finding = rule::UNFIT_NODES.says(message).help(help);
        findings.push(located.document.finding(finding, &[Step::Field("resource"), Step::Field("labelSelector")]));
    };
    own_shape(located, context).map_err(refuse).ok()
}

fn own_shape(located: &Located<Workspace>, context: &Context<'_>) -> Result<NodeShape, Refusal> {
    let partition = located.value.resource.as_ref().and_then(|resource| resource.partition.as_ref());
    if let Some(PartitionSpec { mode: PartitionMode::Mig, profile, .. }) = partition {
        return Ok(NodeShape::of_mig(profile.as_deref().unwrap_or_default()));
    }
    let nodes = own_nodes(located, context);
    if nodes.is_empty() {
        let help = if located.value.label(names::MULTI_ROLE_CREATED_BY).is_some() && !context.input.nodes.is_empty() {
            "nodes for a MultiRoleInference have the labels multiroleinference.kaito.sh/created-by and kaito.sh/inference-role too"
        } else {
            "add the Node documents (kubectl get nodes -o yaml) to the input, or declare nodes in kaito.yaml"
        };
        return Err(("no node of the input matches the selector".to_owned(), help));
    }
    if partition.is_none() {
        alike(&nodes)?;
    }
    let Some(node) = nodes.iter().find(|node| node.ready) else {
        let message = format!("none of the {} nodes that match is ready", nodes.len());
        return Err((message, "Kaito waits for a node with the condition Ready before it makes a workload"));
    };
    let shape = known(node)?;
    match partition.and_then(|partition| partition.count).and_then(|count| u64::try_from(count).ok()) {
        None => Ok(shape.clone()),
        Some(count) if count <= shape.gpus => Ok(shape.clone().with_gpus(count)),
        Some(count) => {
            Err((format!("{count} GPUs are asked for, and node {} has {}", node.name, shape.gpus), "ask for as many as one node has"))
        }
    }
}

fn known(node: &OwnNode) -> Result<&NodeShape, Refusal> {
    let help = "NVIDIA's GPU feature discovery puts the labels nvidia.com/gpu.product, .count and .memory on nodes";
    node.shape.as_ref().map_err(|message| (message.clone(), help))
}

/// Kaito wants nodes of one kind, ready or not.
fn alike(nodes: &[&OwnNode]) -> Result<(), Refusal> {
    let first = known(nodes[0])?;
    for node in nodes {
        let shape = known(node)?;
        if (&shape.model, shape.gpus, shape.memory) != (&first.model, first.gpus, first.memory) {
            let of = |shape: &NodeShape| format!("{} x {} of {}", shape.gpus, shape.model, gib_text(shape.memory_per_gpu()));
            let message =
                format!("the nodes that match aren't alike: {} has {}, {} has {}", nodes[0].name, of(first), node.name, of(shape));
            return Err((message, "select nodes of one kind with resource.labelSelector"));
        }
    }
    Ok(())
}

/// The nodes of a user's own that match the Workspace's selector.
pub(super) fn own_nodes<'a>(located: &Located<Workspace>, context: &Context<'a>) -> Vec<&'a OwnNode> {
    let selector = located.value.node_labels();
    context.input.nodes.iter().filter(|node| node.matches(&selector)).collect()
}

/// Says so if fewer ready nodes are there than are needed.
pub(super) fn enough(located: &Located<Workspace>, context: &Context<'_>, needed: u64, findings: &mut Vec<Diagnostic>) -> bool {
    if context.options.node_provisioner.makes_nodes() {
        return true;
    }
    let ready = own_nodes(located, context).iter().filter(|node| node.ready).count() as u64;
    if ready >= needed {
        return true;
    }
    let finding = rule::UNFIT_NODES
        .says(format!("{needed} nodes are needed, but only {ready} of the input match the selector and are ready"))
        .help("add nodes with these labels, or choose a smaller model");
    findings.push(located.document.finding(finding, &[Step::Field("resource"), Step::Field("labelSelector")]));
    false
}
