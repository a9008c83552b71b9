//! The nodes of a Workspace: how many, of which size, and by which labels its pods find them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{Context, Reasons};
use crate::options::{NodeImageFamily, NodeProvisioner};
use crate::preset::NodeClass;
use crate::spec::{Located, Workspace, names};

/// The nodes of a Workspace.
pub struct Nodes<'a> {
    /// How many.
    pub count: u64,
    /// Their size; none for nodes of one's own.
    pub instance_type: Option<&'a str>,
    /// The disk of each.
    pub disk: Cow<'a, str>,
    /// Their operating system.
    pub image_family: NodeImageFamily,
    /// The NodeClass, for Karpenter.
    pub node_class: Option<&'a NodeClass>,
    /// The labels by which pods find them: the selector's, then those that pin them to this Workspace.
    pub selector: Vec<(&'a str, &'a str)>,
}

/// Plans the nodes of a workload that needs `count` of them.
pub(super) fn plan<'a>(
    located: &'a Located<Workspace>,
    context: &Context<'a>,
    count: u64,
    disk: Cow<'a, str>,
    reasons: &mut Reasons,
) -> Nodes<'a> {
    let workspace = &located.value;
    let provisioner = context.options.node_provisioner;
    let mut selector: Vec<_> = workspace.node_labels().into_iter().collect();
    let own = (workspace.metadata.name.as_str(), located.namespace.as_str());
    match provisioner {
        // A Job goes by the user's labels alone.
        _ if workspace.tuning.is_some() => {}
        NodeProvisioner::GpuProvisioner | NodeProvisioner::Machine => {
            selector.extend([(names::WORKSPACE, own.0), (names::WORKSPACE_NAMESPACE, own.1)]);
        }
        NodeProvisioner::Karpenter => {
            selector.extend([(names::KARPENTER_WORKSPACE_NAME, own.0), (names::KARPENTER_WORKSPACE_NAMESPACE, own.1)]);
        }
        NodeProvisioner::Byo => {}
    }
    let asked_family = workspace.annotation(names::NODE_IMAGE_FAMILY).and_then(NodeImageFamily::by_name);
    let node_class = (provisioner == NodeProvisioner::Karpenter).then(|| node_class(workspace, context)).flatten();
    let nodes = Nodes {
        count,
        instance_type: workspace.instance_type().filter(|_| provisioner.makes_nodes()),
        disk,
        image_family: asked_family.unwrap_or(context.options.default_node_image_family),
        node_class,
        selector,
    };
    explain(&nodes, provisioner, asked_family, reasons);
    nodes
}

fn explain(nodes: &Nodes<'_>, provisioner: NodeProvisioner, asked_family: Option<NodeImageFamily>, reasons: &mut Reasons) {
    match (provisioner, nodes.node_class) {
        (NodeProvisioner::Karpenter, Some(class)) => reasons.add("node class", || {
            (
                class.name.clone(),
                "the annotation kaito.sh/node-class-name, else the default class; its disk is that of the nodes".to_owned(),
                "karpenter.classes".to_owned(),
            )
        }),
        (NodeProvisioner::GpuProvisioner, _) => reasons.add("node image", || {
            let origin = if asked_family.is_some() { "annotation kaito.sh/node-image-family" } else { "--default-node-image-family" };
            (nodes.image_family.name().to_owned(), "the annotation, else the default".to_owned(), origin.to_owned())
        }),
        _ => {}
    }
    reasons.add("node labels", || {
        let labels = nodes.selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ");
        (
            labels,
            "resource.labelSelector.matchLabels and, for what serves, the labels of the node provisioner".to_owned(),
            format!("--node-provisioner {}", provisioner.name()),
        )
    });
}

fn node_class<'a>(workspace: &Workspace, context: &Context<'a>) -> Option<&'a NodeClass> {
    let classes = &context.node_classes()?.classes;
    match workspace.annotation(names::NODE_CLASS_NAME).filter(|name| !name.is_empty()) {
        Some(name) => classes.iter().find(|class| class.name == name),
        None => classes.iter().find(|class| class.default),
    }
}

impl Nodes<'_> {
    /// The name of the `ordinal`-th NodeClaim or Machine, which becomes an AKS agent pool's: 11 lower-case alphanumerics.
    ///
    /// Kaito hashes the clock; here the same Workspace gives the same names, so that a second rendering makes no new nodes.
    pub fn claim_name(namespace: &str, workspace: &str, ordinal: u64) -> String {
        format!("ws{}", &hex(format!("{namespace}/{workspace}/{ordinal}").as_bytes())[..9])
    }

    /// The name of the NodePool: `<namespace>-<workspace>`, cut to 53 characters and a hash if it is longer than 63.
    pub fn pool_name(namespace: &str, workspace: &str) -> String {
        let full = format!("{namespace}-{workspace}");
        if full.len() <= 63 { full } else { format!("{}-{}", &full[..53], &hex(full.as_bytes())[..9]) }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}
