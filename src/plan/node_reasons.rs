//! Why the nodes of a Workspace are what they are.

use super::{Context, Nodes, Reasons};
use crate::options::{Cloud, NodeProvisioner};
use crate::spec::{Located, Workspace};

/// Adds the reasons for the nodes of a Workspace.
pub(super) fn explain(
    nodes: &Nodes<'_>,
    located: &Located<Workspace>,
    has_asked_family: bool,
    context: &Context<'_>,
    reasons: &mut Reasons,
) {
    let provisioner = context.options.node_provisioner;
    match provisioner {
        NodeProvisioner::Machine | NodeProvisioner::Byo => {}
        NodeProvisioner::GpuProvisioner => image_family(nodes, has_asked_family, reasons),
        NodeProvisioner::Karpenter => {
            node_class(nodes, context, reasons);
            pool(nodes, located, context, reasons);
            drift_budget(nodes, &located.value, reasons);
        }
        NodeProvisioner::Aso | NodeProvisioner::Capi => {
            match context.options.cloud {
                Cloud::Aws => ami_type(context, reasons),
                Cloud::Azure | Cloud::Arc => image_family(nodes, has_asked_family, reasons),
            }
            pool(nodes, located, context, reasons);
        }
    }
    reasons.add("node labels", || {
        let labels = nodes.selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ");
        let because = if provisioner.makes_cloud_pools() {
            "resource.labelSelector.matchLabels and the labels of the node provisioner"
        } else {
            "resource.labelSelector.matchLabels and, for what serves, the labels of the node provisioner"
        };
        (labels, because.to_owned(), flag(provisioner))
    });
}

fn flag(provisioner: NodeProvisioner) -> String {
    format!("--node-provisioner {}", provisioner.name())
}

fn image_family(nodes: &Nodes<'_>, is_asked: bool, reasons: &mut Reasons) {
    reasons.add("node image", || {
        let origin = if is_asked { "annotation kaito.sh/node-image-family" } else { "--default-node-image-family" };
        (nodes.image_family.name().to_owned(), "the annotation, else the default".to_owned(), origin.to_owned())
    });
}

fn ami_type(context: &Context<'_>, reasons: &mut Reasons) {
    let Some(pools) = &context.options.machine_pools else { return };
    reasons.add("node image", || {
        let because = "the image of EKS with NVIDIA's driver, unless another is named";
        (pools.ami_type.clone(), because.to_owned(), "capi.amiType".to_owned())
    });
}

fn node_class(nodes: &Nodes<'_>, context: &Context<'_>, reasons: &mut Reasons) {
    let Some(class) = nodes.node_class else { return };
    reasons.add("node class", || {
        let because = "the annotation kaito.sh/node-class-name, else the default class; its disk is that of the nodes";
        let is_declared = context.options.node_classes.is_some();
        let origin = if is_declared { "karpenter.classes".to_owned() } else { context.catalog.file_name("karpenter") };
        (class.name.clone(), because.to_owned(), origin)
    });
}

fn pool(nodes: &Nodes<'_>, located: &Located<Workspace>, context: &Context<'_>, reasons: &mut Reasons) {
    let provisioner = context.options.node_provisioner;
    let (name, namespace) = (&located.value.metadata.name, &located.namespace);
    let size = nodes.instance_type.unwrap_or_default();
    reasons.add("node pool", || {
        if nodes.count == 0 {
            return ("none".to_owned(), "there are no nodes to make".to_owned(), flag(provisioner));
        }
        let (pool, in_azure) = (Nodes::pool_name(namespace, name), Nodes::cloud_pool_name(namespace, name));
        let name_rule = "named namespace-name, cut with a hash where that is longer than 63";
        let with_disk = format!("{pool}: {} x {size} with {} GiB", nodes.count, nodes.disk_gib());
        let (value, because) = match (provisioner, context.options.cloud) {
            (NodeProvisioner::Karpenter, _) => (format!("{pool}: {} x {size}", nodes.count), format!("the nodes above; {name_rule}")),
            (_, Cloud::Aws) => (with_disk, format!("the nodes and the disk above; {name_rule}")),
            _ => (with_disk, format!("the nodes and the disk above; {name_rule}; {in_azure} in AKS, a hash of both within 12 characters")),
        };
        (value, because, flag(provisioner))
    });
}

fn drift_budget(nodes: &Nodes<'_>, workspace: &Workspace, reasons: &mut Reasons) {
    if nodes.count > 0 {
        reasons.add("drift budget", || {
            let because = "how many nodes may be replaced at once for their drift: 0 for the children of an InferenceSet, else 1";
            (Nodes::drift_budget(workspace).to_string(), because.to_owned(), flag(NodeProvisioner::Karpenter))
        });
    }
}
