//! The rights of a loop that is installed before anybody has seen its files: for every kind that Workspaces may stand for.

use serde_json::Value;
use smol_str::SmolStr;

use super::{FOLLOWING, Grants, Resource, Use, is_cluster_wide};
use crate::diff::Owner;
use crate::inventory::GroupKind;
use crate::options::NodeProvisioner;

/// Stands for each namespace that objects may be in.
const WORKSPACES: &str = "*";

/// What people declare in the cluster, and what has a status there.
const DECLARED: &[&str] = &["Workspace", "RAGEngine", "InferenceSet", "MultiRoleInference"];

/// What of that is applied from files, beside what it stands for.
const APPLIED: &[&str] = &["Workspace"];

/// What is rendered beside nodes, by group.
const WORKLOADS: [(&str, &[&str]); 6] = [
    ("", &["ConfigMap", "PersistentVolumeClaim", "Service"]),
    ("apps", &["Deployment", "StatefulSet"]),
    ("batch", &["Job"]),
    ("helm.toolkit.fluxcd.io", &["HelmRelease"]),
    ("kaito.sh", &["ModelMirror"]),
    ("source.toolkit.fluxcd.io", &["OCIRepository"]),
];

/// What makes nodes, by group.
fn node_kinds(provisioner: NodeProvisioner) -> &'static [(&'static str, &'static [&'static str])] {
    match provisioner {
        NodeProvisioner::Machine => &[("karpenter.sh", &["Machine"])],
        NodeProvisioner::GpuProvisioner => &[("karpenter.sh", &["NodeClaim"])],
        NodeProvisioner::Karpenter => &[
            ("karpenter.azure.com", &["AKSNodeClass"]),
            ("karpenter.k8s.aws", &["EC2NodeClass"]),
            ("karpenter.kwok.sh", &["KWOKNodeClass"]),
            ("karpenter.sh", &["NodePool"]),
        ],
        NodeProvisioner::Aso => &[("containerservice.azure.com", &["ManagedClustersAgentPool"])],
        NodeProvisioner::Capi => &[
            ("cluster.x-k8s.io", &["MachinePool"]),
            ("infrastructure.cluster.x-k8s.io", &["AWSManagedMachinePool", "AzureASOManagedMachinePool", "AzureManagedMachinePool"]),
        ],
        NodeProvisioner::Byo => &[],
    }
}

/// The kinds of all that is rendered where a provisioner makes the nodes.
pub fn rendered_kinds(provisioner: NodeProvisioner) -> impl Iterator<Item = GroupKind> {
    let all = WORKLOADS.into_iter().chain(node_kinds(provisioner).iter().copied());
    all.flat_map(|(group, kinds)| kinds.iter().map(move |kind| GroupKind::new(group, kind)))
}

/// What a loop does of which the rights depend.
#[derive(Clone, Debug)]
pub struct Installed {
    /// How it is used. There must be a set, which is in the namespace of the loop itself.
    pub how: Use,
    /// What makes nodes.
    pub provisioner: NodeProvisioner,
    /// Whether people declare Workspaces in the cluster, so that the loop applies none.
    pub is_declared: bool,
    /// Whether it looks at the storage behind claims that people have made.
    pub sees_storage: bool,
    /// Whether objects may be in all namespaces, and not in some that are named.
    pub is_everywhere: bool,
    /// Whether it applies what it renders, and doesn't only give it to others.
    pub applies: bool,
}

/// The rules of the roles, as they stand in these.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// In the namespace of the loop itself.
    pub own: Vec<Value>,
    /// In each namespace that objects may be in.
    pub workspaces: Vec<Value>,
    /// About what is in no namespace.
    pub cluster: Vec<Value>,
}

impl Installed {
    /// The rules that it needs.
    pub fn rules(&self) -> Rules {
        let mut grants = Grants::default();
        let home = self.how.set.as_ref().map_or("default", |parent| parent.namespace.as_str());
        if !self.applies {
            grants.running(&self.how);
            return Rules { own: grants.rules().remove(&Some(home.to_owned())).unwrap_or_default(), ..Rules::default() };
        }
        let mut add = |kind: &GroupKind, verbs: &[&'static str]| {
            let resource = Resource::of(kind, !is_cluster_wide(kind));
            let place = resource.is_namespaced.then_some(WORKSPACES);
            grants.add(place, (&resource.group, &resource.plural), None, verbs);
            // A member may be in any namespace of the set, and that of the loop is one.
            let home = place.and(Some(home));
            home.iter().for_each(|home| grants.add(Some(home), (&resource.group, &resource.plural), None, &FOLLOWING));
        };
        rendered_kinds(self.provisioner).for_each(|kind| add(&kind, &self.how.verbs()));
        let (declared, verbs) = if self.is_declared { (DECLARED, FOLLOWING.to_vec()) } else { (APPLIED, self.how.verbs()) };
        declared.iter().for_each(|kind| add(&GroupKind::new("kaito.sh", kind), &verbs));
        if self.sees_storage {
            let seen = [GroupKind::new("", "PersistentVolume"), GroupKind::new("storage.k8s.io", "StorageClass")];
            seen.iter().for_each(|kind| add(kind, &FOLLOWING));
        }
        let owner = |kind: &&'static str| Owner { kind, namespace: WORKSPACES.into(), name: SmolStr::default() };
        let owners: Vec<Owner> = declared.iter().map(owner).collect();
        grants.watching(owners.iter(), &[WORKSPACES, home].into(), &self.how);
        grants.keeping(&self.how);
        grants.add(None, ("apps", "deployments"), None, &["list"]);
        if self.is_everywhere {
            grants.allowed_everywhere(WORKSPACES);
        }
        let mut rules = grants.rules();
        let mut of = |place: Option<&str>| rules.remove(&place.map(ToOwned::to_owned)).unwrap_or_default();
        Rules { own: of(Some(home)), workspaces: of(Some(WORKSPACES)), cluster: of(None) }
    }
}
