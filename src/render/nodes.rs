//! The manifests of nodes: a claim for each, or a pool for all.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::context::{Common, common, common_of};
use super::{Engine, Object, TemplateError, v0_3};
use crate::node_pool::{AgentPools, MachinePools};
use crate::options::NodeProvisioner;
use crate::plan::{Context, Nodes, Plan, RagPlan};
use crate::preset::{NodeClass, NodeClasses};
use crate::spec::names;

/// The manifests of a Workspace's nodes.
///
/// # Errors
/// The template at fault, with its line.
pub(super) fn nodes(engine: &Engine, plan: &Plan<'_>, context: &Context<'_>) -> Result<Vec<Object>, TemplateError> {
    let claims = |template| (0..plan.nodes.count).map(|ordinal| engine.render(template, &claim(plan, context, ordinal))).collect();
    match context.options.node_provisioner {
        NodeProvisioner::Machine if context.catalog.is_v0_3() => v0_3::claims(engine, "machine.yaml", plan, context),
        // The Karpenter of that time takes single nodes.
        NodeProvisioner::Karpenter if context.catalog.is_v0_3() => v0_3::claims(engine, "nodeclaim.yaml", plan, context),
        NodeProvisioner::GpuProvisioner => claims("nodeclaim.yaml"),
        NodeProvisioner::Machine => claims("machine.yaml"),
        NodeProvisioner::Byo => Ok(Vec::new()),
        // Karpenter refuses a pool of nothing; Kaito makes none.
        _ if plan.nodes.count == 0 => Ok(Vec::new()),
        NodeProvisioner::Karpenter => Ok(vec![engine.render("nodepool.yaml", &pool(plan, context))?]),
        NodeProvisioner::Aso => {
            let Some(aso) = &context.options.agent_pools else { return Ok(Vec::new()) };
            Ok(vec![engine.render("managedclustersagentpool.yaml", &AgentPool { pool: cloud_pool(plan, context), aso })?])
        }
        NodeProvisioner::Capi => {
            let Some(capi) = &context.options.machine_pools else { return Ok(Vec::new()) };
            let (infrastructure_kind, infrastructure_version) = capi.infrastructure(context.options.cloud);
            let pool = MachinePool { pool: cloud_pool(plan, context), capi, infrastructure_kind, infrastructure_version };
            let infrastructure = format!("{}.yaml", infrastructure_kind.to_lowercase());
            Ok(vec![engine.render("machinepool.yaml", &pool)?, engine.render(&infrastructure, &pool)?])
        }
    }
}

/// The manifest of a NodeClass.
///
/// # Errors
/// The template at fault, with its line.
pub fn render_node_class(engine: &Engine, classes: &NodeClasses, class: &NodeClass) -> Result<Object, TemplateError> {
    let NodeClasses { group, kind, version, .. } = classes;
    engine.render("nodeclass.yaml", &Class { group, kind, version, name: &class.name, default: class.default, spec: &class.spec })
}

/// For `nodeclass.yaml`.
#[derive(Serialize)]
struct Class<'a> {
    group: &'a str,
    kind: &'a str,
    version: &'a str,
    name: &'a str,
    default: bool,
    spec: &'a Map<String, Value>,
}

/// For `nodeclaim.yaml` and `machine.yaml`.
#[derive(Serialize)]
struct Claim<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    /// `workspace` or `ragengine`, as the labels of its owner have it.
    owner: &'static str,
    claim_name: String,
    selector: BTreeMap<&'a str, &'a str>,
    instance_type: &'a str,
    disk: &'a str,
    image_family: &'static str,
}

/// The context of the `ordinal`-th claim.
fn claim<'a>(plan: &'a Plan<'a>, context: &Context<'_>, ordinal: u64) -> Claim<'a> {
    let common = common(plan, context);
    Claim {
        claim_name: Nodes::claim_name(common.namespace, common.name, ordinal),
        selector: plan.workspace.node_labels(),
        instance_type: plan.nodes.instance_type.unwrap_or_default(),
        disk: &plan.nodes.disk,
        image_family: plan.nodes.image_family.name(),
        owner: "workspace",
        common,
    }
}

/// The manifest of a RAGEngine's node, if one is made for it.
///
/// # Errors
/// The template at fault, with its line.
pub(super) fn rag_node(engine: &Engine, planned: &RagPlan<'_>, context: &Context<'_>) -> Result<Option<Object>, TemplateError> {
    let template = match context.options.node_provisioner {
        NodeProvisioner::GpuProvisioner => "nodeclaim.yaml",
        NodeProvisioner::Machine => "machine.yaml",
        _ => return Ok(None),
    };
    let Some(instance_type) = planned.instance_type else { return Ok(None) };
    let claim = Claim {
        claim_name: planned.claim_name(),
        selector: planned.node_labels.iter().copied().collect(),
        instance_type,
        disk: context.catalog.rag_engine.disk.as_str(),
        image_family: planned.image_family.name(),
        owner: "ragengine",
        common: common_of(planned.key(), context),
    };
    engine.render(template, &claim).map(Some)
}

/// For `nodepool.yaml`.
#[derive(Serialize)]
struct Pool<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    pool_name: String,
    replicas: u64,
    instance_type: &'a str,
    selector: BTreeMap<&'a str, &'a str>,
    inference_set: Option<&'a str>,
    drift_budget: u64,
    node_class_group: &'a str,
    node_class_kind: &'a str,
    node_class_name: &'a str,
}

/// The context of a NodePool.
fn pool<'a>(plan: &'a Plan<'a>, context: &Context<'a>) -> Pool<'a> {
    let common = common(plan, context);
    let classes = context.node_classes();
    Pool {
        pool_name: Nodes::pool_name(common.namespace, common.name),
        replicas: plan.nodes.count,
        instance_type: plan.nodes.instance_type.unwrap_or_default(),
        selector: plan.workspace.node_labels(),
        inference_set: plan.workspace.label(names::INFERENCE_SET_CREATED_BY),
        drift_budget: Nodes::drift_budget(plan.workspace),
        node_class_group: classes.map_or("", |classes| &classes.group),
        node_class_kind: classes.map_or("", |classes| &classes.kind),
        node_class_name: plan.nodes.node_class.map_or("", |class| &class.name),
        common,
    }
}

/// What each pool of the cloud's own is given.
#[derive(Serialize)]
struct CloudPool<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    pool_name: String,
    pool_namespace: &'a str,
    /// The name in AKS.
    azure_name: String,
    replicas: u64,
    instance_type: &'a str,
    disk_gib: u64,
    image_family: &'static str,
    /// Those by which the pods find the nodes.
    node_labels: BTreeMap<&'a str, &'a str>,
}

fn cloud_pool<'a>(plan: &'a Plan<'a>, context: &Context<'a>) -> CloudPool<'a> {
    let common = common(plan, context);
    CloudPool {
        pool_name: Nodes::pool_name(common.namespace, common.name),
        pool_namespace: context.options.pool_namespace(common.namespace),
        azure_name: Nodes::cloud_pool_name(common.namespace, common.name),
        replicas: plan.nodes.count,
        instance_type: plan.nodes.instance_type.unwrap_or_default(),
        disk_gib: plan.nodes.disk_gib(),
        image_family: plan.nodes.image_family.name(),
        node_labels: plan.nodes.selector.iter().copied().collect(),
        common,
    }
}

/// For `managedclustersagentpool.yaml`.
#[derive(Serialize)]
struct AgentPool<'a> {
    #[serde(flatten)]
    pool: CloudPool<'a>,
    aso: &'a AgentPools,
}

/// For `machinepool.yaml` and what it is made from.
#[derive(Serialize)]
struct MachinePool<'a> {
    #[serde(flatten)]
    pool: CloudPool<'a>,
    capi: &'a MachinePools,
    infrastructure_kind: &'static str,
    infrastructure_version: &'static str,
}
