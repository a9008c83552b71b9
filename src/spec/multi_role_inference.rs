//! The MultiRoleInference: one InferenceSet that reads prompts and one that writes answers.
//!
//! Source: the API and controller of Kaito 0.12.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::inference_set::{InferenceSetResource, InferenceSetSpec, InferenceSetTemplate, TemplateMeta};
use super::{InferenceSet, InferenceSpec, LabelSelector, Located, ObjectMeta, PresetOptions, PresetSpec, names};
use crate::yaml::{Document, Move, Step};

/// A model served in two roles.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MultiRoleInference {
    /// `kaito.sh/v1alpha1`.
    pub api_version: String,
    /// `MultiRoleInference`.
    pub kind: String,
    /// Name, namespace, labels, annotations.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: MultiRoleInferenceSpec,
    /// What a controller reports; read over.
    pub status: Option<Map<String, Value>>,
}

/// What is wanted of a MultiRoleInference.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MultiRoleInferenceSpec {
    /// Which nodes belong to it.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "has(self.matchLabels) && size(self.matchLabels) > 0 || has(self.matchExpressions) && size(self.matchExpressions) > 0",
        "message": "the selector is empty: name at least one label",
    }]))]
    pub label_selector: LabelSelector,
    /// The model.
    pub model: RoleModel,
    /// The ConfigMap with the endpoint picker's `config.yaml`.
    pub epp_plugins_config: Option<String>,
    /// One role that reads prompts, one that writes answers.
    #[schemars(length(min = 2, max = 2), extend("x-kubernetes-validations" = [{
        "rule": "self.exists(role, role.type == 'prefill') && self.exists(role, role.type == 'decode')",
        "message": "one role is prefill, the other decode",
    }]))]
    pub roles: Vec<RoleSpec>,
}

/// The model of a MultiRoleInference.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleModel {
    /// An alias or a Hugging Face id.
    pub name: String,
    /// The Secret with the key `HF_TOKEN`.
    pub model_access_secret: Option<String>,
}

/// One role.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleSpec {
    /// `prefill` or `decode`.
    #[serde(rename = "type")]
    pub role: Role,
    /// How many Workspaces; 1 if absent, when an autoscaler may change it.
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<u32>,
    /// The cloud's name for the size of a node.
    pub instance_type: Option<String>,
    /// The ConfigMap with `inference_config.yaml`.
    pub runtime_config: Option<String>,
}

/// The role of a pod in a MultiRoleInference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads prompts.
    Prefill,
    /// Writes answers, behind a routing sidecar.
    Decode,
}

impl Role {
    /// The role of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Prefill, Self::Decode].into_iter().find(|role| role.name() == name)
    }

    /// The name as fields and labels spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

impl Located<MultiRoleInference> {
    /// The InferenceSet of each role. What is found wrong with one is said of the field that it comes from.
    pub fn sets(&self) -> Vec<Located<InferenceSet>> {
        let set = |(index, role): (usize, &RoleSpec)| Located {
            value: self.set(role),
            namespace: self.namespace.clone(),
            document: Document { moves: moves(index).into(), ..self.document.clone() },
            unfit: self.unfit.clone(),
        };
        self.value.spec.roles.iter().enumerate().map(set).collect()
    }

    fn set(&self, role: &RoleSpec) -> InferenceSet {
        let MultiRoleInference { metadata, spec, .. } = &self.value;
        let own: BTreeMap<String, String> =
            [(names::MULTI_ROLE_CREATED_BY, metadata.name.as_str()), (names::INFERENCE_ROLE, role.role.name())]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into();
        let with_own = |labels: &Option<BTreeMap<String, String>>| {
            labels.iter().flatten().chain(&own).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let selected: BTreeMap<_, _> = with_own(&spec.label_selector.match_labels);
        let options = PresetOptions { model_access_secret: spec.model.model_access_secret.clone(), ..PresetOptions::default() };
        let preset = PresetSpec { name: spec.model.name.clone(), access_mode: None, preset_options: Some(options) };
        InferenceSet {
            api_version: "kaito.sh/v1beta1".to_owned(),
            kind: "InferenceSet".to_owned(),
            metadata: ObjectMeta {
                name: format!("{}-{}", metadata.name, role.role.name()),
                labels: Some(own.clone()),
                ..ObjectMeta::default()
            },
            spec: InferenceSetSpec {
                replicas: role.replicas,
                label_selector: LabelSelector {
                    match_labels: Some(selected.clone()),
                    match_expressions: spec.label_selector.match_expressions.clone(),
                },
                template: InferenceSetTemplate {
                    metadata: Some(TemplateMeta { labels: Some(selected), annotations: metadata.annotations.clone() }),
                    resource: Some(InferenceSetResource { instance_type: role.instance_type.clone(), partition: None }),
                    inference: InferenceSpec { preset: Some(preset), template: None, config: role.runtime_config.clone(), adapters: None },
                },
                node_count_limit: None,
                update_strategy: None,
                auto_upgrade: None,
            },
            status: None,
        }
    }
}

/// Where the fields of a role's Workspaces stand.
fn moves(role: usize) -> Vec<Move> {
    let of_role = |field| [Step::Field("spec"), Step::Field("roles"), Step::Item(role), Step::Field(field)];
    let of_model = |field| [Step::Field("spec"), Step::Field("model"), Step::Field(field)];
    vec![
        Move::new(&["resource", "labelSelector"], &[Step::Field("spec"), Step::Field("labelSelector")]),
        Move::new(&["resource", "instanceType"], &of_role("instanceType")),
        Move::new(&["inference", "config"], &of_role("runtimeConfig")),
        Move::new(&["inference", "preset", "name"], &of_model("name")),
        Move::new(&["inference", "preset", "presetOptions", "modelAccessSecret"], &of_model("modelAccessSecret")),
    ]
}
