//! How to render: the choices that flags and `kaito.yaml` make, resolved.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::ImageRules;
use crate::model_streaming::ModelStreaming;
use crate::node_pool::{AgentPools, MachinePools};
use crate::patch::Patch;
use crate::preset::NodeClasses;
use crate::selector::Selector;
use crate::sku::NodeShape;

/// The cloud: which SKU table holds, and what a NodeClaim refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// Azure.
    #[default]
    Azure,
    /// AWS.
    Aws,
    /// Azure Arc.
    Arc,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 3] = [Self::Azure, Self::Aws, Self::Arc];

    /// The name as flags spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Aws => "aws",
            Self::Arc => "arc",
        }
    }

    /// The cloud of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name() == name)
    }
}

/// What turns a claim into a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeProvisioner {
    /// Machines `karpenter.sh/v1alpha5`, as the gpu-provisioner of Kaito 0.3 took them.
    Machine,
    /// NodeClaims `karpenter.sh/v1` for the gpu-provisioner.
    #[default]
    GpuProvisioner,
    /// A NodePool `karpenter.sh/v1` for Karpenter.
    Karpenter,
    /// An agent pool of AKS `containerservice.azure.com` for Azure Service Operator.
    Aso,
    /// A MachinePool `cluster.x-k8s.io` for Cluster API.
    Capi,
    /// Nobody: the nodes are there.
    Byo,
}

impl NodeProvisioner {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Machine, Self::GpuProvisioner, Self::Karpenter, Self::Aso, Self::Capi, Self::Byo];

    /// The one of that name; `azure-gpu-provisioner` is what Kaito's own flag calls the default.
    pub fn by_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix("azure-").unwrap_or(name);
        Self::ALL.into_iter().find(|provisioner| provisioner.name() == name)
    }

    /// The name as flags spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::GpuProvisioner => "gpu-provisioner",
            Self::Karpenter => "karpenter",
            Self::Aso => "aso",
            Self::Capi => "capi",
            Self::Byo => "byo",
        }
    }

    /// Whether nodes are made for a Workspace (Kaito's "node auto-provisioning").
    pub fn makes_nodes(self) -> bool {
        self != Self::Byo
    }

    /// The clouds that it can make nodes in. Karpenter can wherever somebody declares NodeClasses.
    pub fn clouds(self) -> &'static [Cloud] {
        match self {
            Self::Aso => &[Cloud::Azure],
            Self::Machine | Self::GpuProvisioner | Self::Capi => &[Cloud::Azure, Cloud::Aws],
            Self::Karpenter | Self::Byo => &Cloud::ALL,
        }
    }

    /// Whether a pool of the cloud's own holds all nodes of a Workspace.
    pub fn makes_cloud_pools(self) -> bool {
        matches!(self, Self::Aso | Self::Capi)
    }
}

/// The operating system of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeImageFamily {
    /// Ubuntu.
    #[default]
    Ubuntu,
    /// Azure Linux.
    AzureLinux,
}

impl NodeImageFamily {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Ubuntu, Self::AzureLinux];

    /// The name as annotations spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ubuntu => "ubuntu",
            Self::AzureLinux => "azurelinux",
        }
    }

    /// The family of that name, in any case and with spaces around it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name().eq_ignore_ascii_case(name.trim()))
    }
}

/// Kaito's feature gates, those of all versions, with its defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureGates(BTreeMap<&'static str, bool>);

/// The one gate of Kaito 0.3, which 0.12 lacks: NodeClaims for Karpenter in the place of Machines.
pub const KARPENTER_GATE: &str = "Karpenter";

const GATES: [(&str, bool); 11] = [
    ("vLLM", true),
    ("disableNodeAutoProvisioning", false),
    ("gatewayAPIInferenceExtension", false),
    ("enableInferenceSetController", true),
    ("enableMIG", false),
    ("enableAccelerator", false),
    ("enableMultiRoleInferenceController", false),
    ("ModelMirror", false),
    ("ModelStreaming", false),
    ("enableBaseImageAutoUpgrade", false),
    (KARPENTER_GATE, false),
];

impl Default for FeatureGates {
    fn default() -> Self {
        Self(GATES.into_iter().collect())
    }
}

impl FeatureGates {
    /// The names of all gates.
    pub fn names() -> impl Iterator<Item = &'static str> {
        GATES.into_iter().map(|(name, _)| name)
    }

    /// Whether a version of Kaito has a gate.
    pub fn is_in(version: &str, gate: &str) -> bool {
        (version == "0.3") == (gate == KARPENTER_GATE)
    }

    /// Switches a gate; `false` if there is none of that name.
    pub fn set(&mut self, name: &str, on: bool) -> bool {
        self.0.get_mut(name).map(|gate| *gate = on).is_some()
    }

    /// Whether a gate is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.0.get(name).copied().unwrap_or(false)
    }
}

impl fmt::Display for FeatureGates {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gates: Vec<String> = self.0.iter().map(|(name, on)| format!("{name}={on}")).collect();
        out.write_str(&gates.join(","))
    }
}

/// A node of one's own: its labels, whether it is ready, and its shape where the labels tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnNode {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is ready.
    pub ready: bool,
    /// Its shape, or which label is missing.
    pub shape: Result<NodeShape, String>,
}

impl OwnNode {
    /// Whether the node has all these labels.
    pub fn matches(&self, selector: &BTreeMap<&str, &str>) -> bool {
        selector.iter().all(|(key, value)| self.labels.get(*key).is_some_and(|have| have == value))
    }
}

/// Everything that decides how a Workspace is rendered, besides the Workspace, the catalog and the templates.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cloud.
    pub cloud: Cloud,
    /// What makes nodes.
    pub node_provisioner: NodeProvisioner,
    /// The gates.
    pub feature_gates: FeatureGates,
    /// The operating system of nodes unless a Workspace says otherwise.
    pub default_node_image_family: NodeImageFamily,
    /// Whether the StorageClass `kaito-local-nvme-disk` is there.
    pub local_nvme: bool,
    /// Whether Flux applies it: what looks like its variables is marked, so that it leaves that alone.
    pub flux: bool,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// Whether the user asked for that namespace, so that another one in the input is a fault.
    pub namespace_is_required: bool,
    /// Which objects of the input are rendered; all of them if absent.
    pub selector: Option<Selector>,
    /// The registry of Kaito's own images, if not the preset's.
    pub registry: Option<String>,
    /// The NodeClasses, if not the preset's.
    pub node_classes: Option<NodeClasses>,
    /// What is known of the agent pools, for Azure Service Operator.
    pub agent_pools: Option<AgentPools>,
    /// What is known of the machine pools, for Cluster API.
    pub machine_pools: Option<MachinePools>,
    /// The nodes that `kaito.yaml` declares.
    pub own_nodes: Vec<OwnNode>,
    /// What holds for streamed weights.
    pub model_streaming: ModelStreaming,
    /// Other names for images.
    pub images: ImageRules,
    /// Changes to rendered objects, in their order.
    pub patches: Vec<Patch>,
    /// Whether only a part of what `kaito.yaml` is for is rendered on purpose, so that patches of the rest are about nothing.
    pub is_partial: bool,
}

impl Options {
    /// The namespace of the pool of a Workspace in `own`: that of the cluster which gets it, if `kaito.yaml` names one.
    pub fn pool_namespace<'a>(&'a self, own: &'a str) -> &'a str {
        let declared = match self.node_provisioner {
            NodeProvisioner::Aso => self.agent_pools.as_ref().and_then(|pools| pools.namespace.as_deref()),
            NodeProvisioner::Capi => self.machine_pools.as_ref().and_then(|pools| pools.namespace.as_deref()),
            _ => None,
        };
        declared.unwrap_or(own)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cloud: Cloud::default(),
            node_provisioner: NodeProvisioner::default(),
            feature_gates: FeatureGates::default(),
            default_node_image_family: NodeImageFamily::default(),
            local_nvme: true,
            flux: false,
            namespace: "default".to_owned(),
            namespace_is_required: false,
            selector: None,
            registry: None,
            node_classes: None,
            agent_pools: None,
            machine_pools: None,
            own_nodes: Vec::new(),
            model_streaming: ModelStreaming::default(),
            images: ImageRules::default(),
            patches: Vec::new(),
            is_partial: false,
        }
    }
}
