//! The labels of `resource.labelSelector` as labels of nodes: what a provisioner, a kubelet or a cloud refuses.

use super::{Check, at};
use crate::options::NodeProvisioner;
use crate::rule;
use crate::yaml::Step;

impl Check<'_> {
    /// Labels that the nodes to be made can't have.
    pub(super) fn node_labels(&mut self) {
        let refuses: (fn(&str) -> bool, &str) = match self.context.options.node_provisioner {
            NodeProvisioner::Karpenter => (is_restricted_by_karpenter, "Karpenter lets no NodePool set this label"),
            NodeProvisioner::Aso | NodeProvisioner::Capi => {
                (is_refused_on_nodes, "no pool can give its nodes this label: Kubernetes or the cloud keeps its domain to itself")
            }
            NodeProvisioner::Machine | NodeProvisioner::GpuProvisioner | NodeProvisioner::Byo => return,
        };
        for key in self.workspace.node_labels().into_keys().filter(|key| refuses.0(key)) {
            let finding = rule::INVALID_LABEL.says(refuses.1).help("select nodes by a label of your own");
            self.say(finding, at!["resource", "labelSelector", "matchLabels", key]);
        }
    }
}

/// Whether a key is in a domain that Karpenter keeps to itself.
///
/// Source: the validation rules in the CRD of NodePool `karpenter.sh/v1`.
fn is_restricted_by_karpenter(key: &str) -> bool {
    const KNOWN: [&str; 11] = [
        "beta.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "node.kubernetes.io/instance-type",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "node.kubernetes.io/windows-build",
    ];
    let Some((domain, _)) = key.split_once('/') else { return false };
    let allowed = ["node.kubernetes.io", "node-restriction.kubernetes.io", "kops.k8s.io"].iter().any(|end| domain.ends_with(end));
    let kept = ["kubernetes.io", "k8s.io", "karpenter.sh"].iter().any(|end| domain.ends_with(end));
    kept && !allowed && !KNOWN.contains(&key) && key != "karpenter.sh/capacity-type"
}

/// Whether a kubelet refuses to start with a label of this key, or the cloud keeps it to itself.
///
/// Source: `k8s.io/kubelet/pkg/apis` (well-known labels); the reserved prefixes of AKS and EKS.
fn is_refused_on_nodes(key: &str) -> bool {
    const KNOWN: [&str; 10] = [
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    ];
    let Some((domain, _)) = key.split_once('/') else { return false };
    let within = |of: &str| domain.strip_suffix(of).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    let allowed = ["kubelet.kubernetes.io", "node.kubernetes.io"].into_iter().any(within) || KNOWN.contains(&key);
    let kept = ["kubernetes.io", "k8s.io"].into_iter().any(within) && !allowed;
    kept || ["kubernetes.azure.com", "eks.amazonaws.com"].into_iter().any(within)
}
