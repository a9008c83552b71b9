//! A RAGEngine: one pod, with a node of its own if it asks for one.
//!
//! Source: the controller of Kaito 0.12.

use super::{Context, Nodes, Reasons};
use crate::manifest::ObjectRef;
use crate::options::{NodeImageFamily, NodeProvisioner};
use crate::preset::GuardrailsPolicy;
use crate::spec::{Located, RagEngine, names};
use crate::yaml::Document;

/// Everything that a RAGEngine becomes, before it is written into templates.
pub struct RagPlan<'a> {
    /// The RAGEngine.
    pub engine: &'a RagEngine,
    /// Its namespace.
    pub namespace: &'a str,
    /// The document that asks for it.
    pub document: &'a Document,
    /// The size of the node that is made for it.
    pub instance_type: Option<&'a str>,
    /// Its operating system.
    pub image_family: NodeImageFamily,
    /// The labels by which the pod finds its node, as pairs in their order.
    pub node_labels: Vec<(&'a str, &'a str)>,
    /// The image.
    pub image: String,
    /// GPUs of the pod, for a local model on a size that Kaito's table has.
    pub gpus: Option<u64>,
    /// Whether the pod asks for a little processor and memory, since it may run on any node.
    pub runs_anywhere: bool,
    /// The ConfigMap with the rules for answers, if they are looked through.
    pub guardrails: Option<&'a str>,
    /// Its content, if it is made for the namespace.
    pub default_guardrails: Option<&'a GuardrailsPolicy>,
    /// Why each figure is what it is, if that was asked for.
    pub reasons: Reasons,
}

impl RagPlan<'_> {
    /// Its namespace and name.
    pub fn key(&self) -> (&str, &str) {
        (self.namespace, &self.engine.metadata.name)
    }

    /// What it will be rendered to, without rendering it.
    pub fn references(&self, provisioner: NodeProvisioner) -> Vec<ObjectRef> {
        let name = &self.engine.metadata.name;
        let namespaced = |group, kind| ObjectRef::new(group, kind, Some(self.namespace), name);
        let claim = match provisioner {
            NodeProvisioner::GpuProvisioner => Some("NodeClaim"),
            NodeProvisioner::Machine => Some("Machine"),
            _ => None,
        };
        let claim =
            claim.filter(|_| self.instance_type.is_some()).map(|kind| ObjectRef::new("karpenter.sh", kind, None, &self.claim_name()));
        [namespaced("", "Service"), namespaced("apps", "Deployment")].into_iter().chain(claim).collect()
    }

    /// The name of the NodeClaim or Machine, another one than any Workspace's.
    pub fn claim_name(&self) -> String {
        Nodes::claim_name(self.namespace, &format!("ragengine/{}", self.engine.metadata.name), 0)
    }
}

/// Plans an admitted RAGEngine.
pub fn rag_engine<'a>(located: &'a Located<RagEngine>, context: &Context<'a>, explain: bool) -> RagPlan<'a> {
    let engine = &located.value;
    let spec = &engine.spec;
    let mut reasons = Reasons::new(explain);
    let instance_type = engine.instance_type();
    let asked_family = engine.metadata.annotation(names::NODE_IMAGE_FAMILY).and_then(NodeImageFamily::by_name);
    let sized = instance_type.filter(|_| spec.embedding.local.is_some());
    let sku = sized.and_then(|name| context.catalog.sku(context.options.cloud, name));
    let sku = sku.filter(|found| found.value.kaito.contains(&context.catalog.version));
    let rules = &context.catalog.rag_engine;
    let wanted = spec.guardrails.as_ref().filter(|guardrails| guardrails.enabled);
    let asked = wanted.and_then(|guardrails| guardrails.config_map_ref.as_ref()).map(|reference| reference.name.as_str());
    let guardrails = wanted.map(|_| asked.filter(|name| !name.is_empty()).unwrap_or(&rules.guardrails.name));
    let is_given = guardrails.is_some_and(|name| context.config_map(&located.namespace, name).is_some());
    let planned = RagPlan {
        engine,
        namespace: &located.namespace,
        document: &located.document,
        instance_type,
        image_family: asked_family.unwrap_or(context.options.default_node_image_family),
        node_labels: spec.compute.as_ref().map(|compute| compute.node_labels().into_iter().collect()).unwrap_or_default(),
        image: context.images.rag_service.clone(),
        gpus: sku.map(|found| found.value.gpus),
        runs_anywhere: sized.is_none(),
        guardrails,
        default_guardrails: guardrails.filter(|_| !is_given).map(|_| &rules.guardrails),
        reasons: Reasons::default(),
    };
    reasons.add("image", || (planned.image.clone(), "registry/ragService".to_owned(), context.catalog.file_name("images")));
    reasons.add("GPUs", || match sku {
        Some(found) => (found.value.gpus.to_string(), "all of the node, for a local model".to_owned(), found.origin.clone()),
        None => ("0".to_owned(), "no local model on a size of Kaito's table".to_owned(), "Kaito".to_owned()),
    });
    if instance_type.is_some() {
        reasons
            .add("disk", || (rules.disk.as_str().to_owned(), "that of every RAGEngine".to_owned(), context.catalog.file_name("ragengine")));
    }
    reasons.add("vectors", || match engine.volume() {
        Some(volume) => (volume.mount_path.to_owned(), format!("claim {}", volume.claim.unwrap_or("none")), "spec.storage".to_owned()),
        None => ("in memory".to_owned(), "no spec.storage".to_owned(), "RAGEngine".to_owned()),
    });
    RagPlan { reasons, ..planned }
}
