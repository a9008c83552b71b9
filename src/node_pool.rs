//! What `kaito.yaml` says of the pools that others make nodes in: Azure Service Operator's and Cluster API's.
//!
//! The fields are called as in the objects that they end in.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::options::Cloud;
use crate::spec::names;
use crate::yaml::Step;

/// The agent pools of AKS that Azure Service Operator makes, as ManagedClustersAgentPool.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentPools {
    /// The ManagedCluster that gets the pools.
    pub owner: AgentPoolOwner,
    /// The namespace of the pools, which is that of the ManagedCluster; that of the Workspace if absent.
    pub namespace: Option<String>,
    /// The version of the API group `containerservice.azure.com`.
    #[serde(default = "agent_pool_version")]
    pub version: String,
    /// The Secret with the credential for Azure, where the operator has none that holds for all.
    pub credential_from: Option<String>,
    /// The zones of the nodes.
    #[serde(default)]
    pub availability_zones: Vec<String>,
    /// Whether nodes may be taken away again; `Regular` if absent.
    pub scale_set_priority: Option<ScaleSetPriority>,
    /// Tags in Azure.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The ManagedCluster that gets the pools: by its name in Kubernetes, or by its id in Azure.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentPoolOwner {
    /// The name of the ManagedCluster, in the namespace of the pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of a cluster that Azure Service Operator doesn't manage: `/subscriptions/...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm_id: Option<String>,
}

/// The machine pools that Cluster API makes, as MachinePool and the infrastructure of the cloud.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachinePools {
    /// The Cluster that gets the pools.
    pub cluster_name: String,
    /// The namespace of the pools, which is that of the Cluster; that of the Workspace if absent.
    pub namespace: Option<String>,
    /// The version of the API group `cluster.x-k8s.io`.
    #[serde(default)]
    pub version: ClusterApiVersion,
    /// What pools of AKS are made from, which goes by what its cluster is made from. On azure only.
    #[serde(default)]
    pub infrastructure_kind: AzureInfrastructure,
    /// The Secret with the credential for Azure, for `AzureASOManagedMachinePool`.
    pub credential_from: Option<String>,
    /// Whether nodes may be taken away again; `Regular` if absent. On azure only.
    pub scale_set_priority: Option<ScaleSetPriority>,
    /// Whether nodes may be taken away again; `onDemand` if absent. On aws only.
    pub capacity_type: Option<CapacityType>,
    /// The image of the nodes. On aws only.
    #[serde(default = "ami_type")]
    pub ami_type: String,
    /// The IAM role of the nodes; one is made if absent. On aws only.
    pub role_name: Option<String>,
    /// The subnets of the nodes; those of the cluster if absent. On aws only.
    #[serde(rename = "subnetIDs", default)]
    pub subnet_ids: Vec<String>,
    /// The zones of the nodes.
    #[serde(default)]
    pub availability_zones: Vec<String>,
    /// Tags in the cloud.
    #[serde(default)]
    pub additional_tags: BTreeMap<String, String>,
}

/// A version of the API group `cluster.x-k8s.io`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClusterApiVersion {
    /// Up to Cluster API 1.10; deprecated since.
    V1beta1,
    /// Since Cluster API 1.11.
    #[default]
    V1beta2,
}

/// What a pool of AKS is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum AzureInfrastructure {
    /// For clusters that are an AzureASOManagedCluster.
    #[default]
    #[serde(rename = "AzureASOManagedMachinePool")]
    Aso,
    /// For clusters that are an AzureManagedCluster, which is deprecated.
    #[serde(rename = "AzureManagedMachinePool")]
    Managed,
}

/// Whether Azure may take nodes away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ScaleSetPriority {
    /// It may not.
    Regular,
    /// It may, and they cost less.
    Spot,
}

/// Whether AWS may take nodes away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CapacityType {
    /// It may not.
    OnDemand,
    /// It may, and they cost less.
    Spot,
}

/// A stable version that Azure Service Operator has had since 2.11.
fn agent_pool_version() -> String {
    "v1api20240901".to_owned()
}

/// The newest image of EKS with NVIDIA's driver.
fn ami_type() -> String {
    "AL2023_x86_64_NVIDIA".to_owned()
}

impl AgentPools {
    /// What is wrong, each with the field below `aso`.
    pub fn faults(&self) -> Vec<(Vec<Step<'static>>, Diagnostic)> {
        let mut faults = Vec::new();
        let owner = vec![Step::Field("owner")];
        match (&self.owner.name, &self.owner.arm_id) {
            (Some(name), None) if !names::is_dns_subdomain(name) => {
                faults.push((owner, Diagnostic::error(format!("{name:?} is no name for a ManagedCluster"))));
            }
            (None, Some(id)) if !id.starts_with("/subscriptions/") => {
                let finding = Diagnostic::error(format!("{id:?} is no id of Azure")).help("it starts with /subscriptions/");
                faults.push((owner, finding));
            }
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) | (Some(_), Some(_)) => {
                let finding = Diagnostic::error("the ManagedCluster is named in one way: by name or by armId");
                faults.push((owner, finding.help("write owner: {name: NAME}, or owner: {armId: /subscriptions/...}")));
            }
        }
        faults.extend(namespace(self.namespace.as_deref()));
        let digits = self.version.strip_prefix("v1api").or_else(|| self.version.strip_prefix('v')).unwrap_or_default();
        let digits = digits.strip_suffix("preview").unwrap_or(digits);
        if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let finding = Diagnostic::error(format!("{:?} is no version of containerservice.azure.com", self.version));
            faults.push((vec![Step::Field("version")], finding.help(format!("write it as {}", agent_pool_version()))));
        }
        faults
    }
}

impl MachinePools {
    /// The kind and version in `infrastructure.cluster.x-k8s.io` of what a pool is made from.
    pub fn infrastructure(&self, cloud: Cloud) -> (&'static str, &'static str) {
        match (cloud, self.infrastructure_kind) {
            (Cloud::Aws, _) => ("AWSManagedMachinePool", "v1beta2"),
            (_, AzureInfrastructure::Aso) => ("AzureASOManagedMachinePool", "v1beta1"),
            (_, AzureInfrastructure::Managed) => ("AzureManagedMachinePool", "v1beta1"),
        }
    }

    /// What is wrong, each with the field below `capi`.
    pub fn faults(&self) -> Vec<(Vec<Step<'static>>, Diagnostic)> {
        let mut faults = Vec::new();
        if !names::is_dns_label(&self.cluster_name) {
            let finding = Diagnostic::error(format!("{:?} is no name for a Cluster", self.cluster_name));
            let finding = finding.help("use at most 63 lower-case letters, digits and dashes");
            faults.push((vec![Step::Field("clusterName")], finding));
        }
        faults.extend(namespace(self.namespace.as_deref()));
        faults
    }
}

fn namespace(name: Option<&str>) -> Option<(Vec<Step<'static>>, Diagnostic)> {
    let name = name.filter(|name| !names::is_dns_label(name))?;
    let finding = Diagnostic::error(format!("{name:?} is no name for a namespace"));
    Some((vec![Step::Field("namespace")], finding.help("use lower-case letters, digits and dashes")))
}
