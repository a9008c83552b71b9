//! The nodes of a Workspace: how many, of which size, and by which labels its pods find them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{Context, Reasons, node_reasons};
use crate::diagnostic::Diagnostic;
use crate::hex::hex;
use crate::options::{Cloud, NodeImageFamily, NodeProvisioner};
use crate::preset::NodeClass;
use crate::quantity::{self, GIB};
use crate::rule;
use crate::spec::{Located, Workspace, names};
use crate::yaml::Step;

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
        // Kaito's Job goes by the user's labels alone. Where pools are no matter of Kaito's, it is kept to its own too.
        _ if workspace.tuning.is_some() && !provisioner.makes_cloud_pools() => {}
        NodeProvisioner::Aso | NodeProvisioner::Capi | NodeProvisioner::GpuProvisioner | NodeProvisioner::Machine => {
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
    node_reasons::explain(&nodes, located, asked_family.is_some(), context, reasons);
    nodes
}

/// Whether the cloud has disks as large as the nodes need; if not, that is said.
pub(super) fn has_disk(nodes: &Nodes<'_>, located: &Located<Workspace>, context: &Context<'_>, findings: &mut Vec<Diagnostic>) -> bool {
    let (whose, largest) = match context.options.cloud {
        Cloud::Aws => ("EKS", 16384),
        Cloud::Azure | Cloud::Arc => ("AKS", 2048),
    };
    let fits = !context.options.node_provisioner.makes_cloud_pools() || nodes.disk_gib() <= largest;
    if !fits {
        let finding = rule::DISK_TOO_LARGE.says(format!("its nodes need a disk of {}, and {whose} has none above {largest}Gi", nodes.disk));
        findings.push(located.document.finding(finding.help("use nodes of your own: --node-provisioner byo"), &[Step::Field("resource")]));
    }
    fits
}

fn node_class<'a>(workspace: &Workspace, context: &Context<'a>) -> Option<&'a NodeClass> {
    let classes = &context.node_classes()?.classes;
    match workspace.annotation(names::NODE_CLASS_NAME).filter(|name| !name.is_empty()) {
        Some(name) => classes.iter().find(|class| class.name == name),
        None => classes.iter().find(|class| class.default),
    }
}

impl Nodes<'_> {
    /// The disk of each node in GiB, a part of one counted as one.
    pub fn disk_gib(&self) -> u64 {
        quantity::bytes(&self.disk).unwrap_or_default().div_ceil(GIB)
    }

    /// How many nodes of a Workspace Karpenter may replace at once for their drift.
    ///
    /// Those of a set wait for Kaito's operator, which raises it for one pool after the other.
    pub fn drift_budget(workspace: &Workspace) -> u64 {
        u64::from(workspace.label(names::INFERENCE_SET_CREATED_BY).is_none())
    }

    /// The name of the `ordinal`-th NodeClaim or Machine, which becomes an AKS agent pool's: 11 lower-case alphanumerics.
    ///
    /// Kaito hashes the clock; here the same Workspace gives the same names, so that a second rendering makes no new nodes.
    pub fn claim_name(namespace: &str, workspace: &str, ordinal: u64) -> String {
        format!("ws{}", short_hash(&format!("{namespace}/{workspace}/{ordinal}")))
    }

    /// The name of a pool in the cloud, which AKS wants as 1 to 12 lower-case alphanumerics with a letter first.
    pub fn cloud_pool_name(namespace: &str, workspace: &str) -> String {
        format!("ws{}", short_hash(&format!("{namespace}/{workspace}")))
    }

    /// The name of the object that is a pool: `<namespace>-<workspace>`, cut to 53 characters and a hash if it is longer than 63.
    pub fn pool_name(namespace: &str, workspace: &str) -> String {
        let full = format!("{namespace}-{workspace}");
        if full.len() <= 63 { full } else { format!("{}-{}", &full[..53], short_hash(&full)) }
    }
}

/// The first nine digits of the SHA-256 of a text.
fn short_hash(text: &str) -> String {
    let mut digits = hex(&Sha256::digest(text)[..5]);
    digits.truncate(9);
    digits
}

/// The SHA-256 of a text in hexadecimal.
pub(super) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}
