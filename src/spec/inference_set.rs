//! The InferenceSet: replicas of one Workspace.
//!
//! Source: the API and controller of Kaito 0.12. It names children at random; here they are `<set>-<ordinal>`, so that the same
//! set gives the same Workspaces. `nodeCountLimit`, `updateStrategy` and `autoUpgrade` change nothing that is rendered.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{InferenceSpec, LabelSelector, Located, ObjectMeta, PartitionSpec, ResourceSpec, Workspace, names};
use crate::yaml::{Document, Move, Step};

/// Replicas of one Workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InferenceSet {
    /// `kaito.sh/v1beta1` or `kaito.sh/v1alpha1`.
    pub api_version: String,
    /// `InferenceSet`.
    pub kind: String,
    /// Name, namespace, labels, annotations.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: InferenceSetSpec,
    /// What a controller reports; read over.
    pub status: Option<Map<String, Value>>,
}

/// What is wanted of an InferenceSet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InferenceSetSpec {
    /// How many Workspaces; 1 if absent, when an autoscaler may change it.
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    pub replicas: Option<u32>,
    /// Which nodes belong to the Workspaces.
    pub label_selector: LabelSelector,
    /// The Workspace.
    pub template: InferenceSetTemplate,
    /// Not enforced.
    pub node_count_limit: Option<i64>,
    /// Not read by Kaito.
    #[schemars(extend("default" = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}))]
    pub update_strategy: Option<Map<String, Value>>,
    /// Upgrades of the base image, which happen in a cluster.
    pub auto_upgrade: Option<AutoUpgrade>,
}

/// Upgrades of the base image, which happen in a cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AutoUpgrade {
    /// Whether there are any.
    #[schemars(extend("default" = false))]
    pub enabled: Option<bool>,
    /// How a Workspace gets to the new image.
    #[schemars(extend("default" = "InPlace"))]
    pub strategy: Option<UpgradeStrategy>,
    /// When it may happen; at any time if absent.
    pub maintenance_window: Option<MaintenanceWindow>,
}

/// How a Workspace gets to a new image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum UpgradeStrategy {
    /// It is changed itself.
    InPlace,
    /// A new one takes its place.
    Surge,
}

/// When upgrades may happen.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaintenanceWindow {
    /// When it opens, as the five fields of cron, in UTC.
    pub schedule: String,
    /// How long it is open, such as `4h`.
    #[schemars(extend("default" = "4h"))]
    pub duration: Option<String>,
}

/// The Workspace of an InferenceSet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InferenceSetTemplate {
    /// Labels and annotations of the Workspaces.
    pub metadata: Option<TemplateMeta>,
    /// The nodes.
    pub resource: Option<InferenceSetResource>,
    /// What to serve.
    pub inference: InferenceSpec,
}

/// The part of the metadata that Kaito copies to children.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct TemplateMeta {
    /// Labels of the Workspaces.
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations of the Workspaces.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// The nodes of an InferenceSet's Workspaces.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InferenceSetResource {
    /// The cloud's name for the size of a node.
    pub instance_type: Option<String>,
    /// A part of a GPU or of a node's GPUs.
    pub partition: Option<PartitionSpec>,
}

impl Located<InferenceSet> {
    /// The Workspaces of the set. What is found wrong with one is said of the field of the set that it comes from.
    pub fn children(&self) -> Vec<Located<Workspace>> {
        let moves: Arc<[Move]> = self.moves().into();
        let child = |ordinal| Located {
            value: self.child(ordinal),
            namespace: self.namespace.clone(),
            document: Document { moves: Arc::clone(&moves), ..self.document.clone() },
            unfit: self.unfit.clone(),
        };
        (0..self.value.spec.replicas.unwrap_or(1)).map(child).collect()
    }

    /// How many Workspaces these are.
    pub(super) fn replicas(&self) -> usize {
        self.value.spec.replicas.unwrap_or(1) as usize
    }

    fn child(&self, ordinal: u32) -> Workspace {
        let set = &self.value;
        let template = &set.spec.template;
        let given = template.metadata.clone().unwrap_or_default();
        let mut labels = given.labels.unwrap_or_default();
        let own_labels = set
            .metadata
            .labels
            .iter()
            .flatten()
            .filter(|(key, _)| [names::INFERENCE_ROLE, names::MULTI_ROLE_CREATED_BY].contains(&key.as_str()));
        labels.extend(own_labels.map(|(key, value)| (key.clone(), value.clone())));
        labels.insert(names::INFERENCE_SET_CREATED_BY.to_owned(), set.metadata.name.clone());
        let mut annotations = given.annotations.unwrap_or_default();
        if set.metadata.annotation(names::DISABLE_BENCHMARK) == Some("true") {
            annotations.insert(names::DISABLE_BENCHMARK.to_owned(), "true".to_owned());
        }
        let resource = template.resource.clone().unwrap_or_default();
        Workspace {
            api_version: "kaito.sh/v1beta1".to_owned(),
            kind: "Workspace".to_owned(),
            metadata: ObjectMeta {
                name: format!("{}-{ordinal}", set.metadata.name),
                labels: Some(labels),
                annotations: (!annotations.is_empty()).then_some(annotations),
                ..ObjectMeta::default()
            },
            resource: Some(ResourceSpec {
                instance_type: resource.instance_type,
                partition: resource.partition,
                label_selector: set.spec.label_selector.clone(),
                ..ResourceSpec::default()
            }),
            inference: Some(template.inference.clone()),
            tuning: None,
            status: None,
        }
    }

    /// Where the fields of a child stand in the set; or, if the set has itself been made from something, in that.
    fn moves(&self) -> Vec<Move> {
        let template = |field: &'static str| [Step::Field("spec"), Step::Field("template"), Step::Field(field)];
        let own = [
            Move::new(&["resource", "labelSelector"], &[Step::Field("spec"), Step::Field("labelSelector")]),
            Move::new(&["resource"], &template("resource")),
            Move::new(&["inference"], &template("inference")),
            Move::new(&["metadata", "labels"], &[template("metadata").as_slice(), &[Step::Field("labels")]].concat()),
            Move::new(&["metadata", "annotations"], &[template("metadata").as_slice(), &[Step::Field("annotations")]].concat()),
        ];
        if self.document.moves.is_empty() { own.into() } else { self.document.moves.to_vec() }
    }
}

impl InferenceSet {
    /// Whether a MultiRoleInference has made it.
    pub fn is_a_role(&self) -> bool {
        self.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(names::MULTI_ROLE_CREATED_BY))
    }
}
