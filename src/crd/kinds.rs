//! The kinds of `kaito.sh`: one entry each.
//!
//! Source: the API of Kaito 0.12.

use super::Column::{self, Condition, Field};
use super::{Kind, Version};
use crate::schema;
use crate::spec::status::{InferenceSetStatus, ModelMirrorStatus, MultiRoleInferenceStatus, RagEngineStatus, WorkspaceStatus};
use crate::spec::{InferenceSet, ModelMirror, MultiRoleInference, RagEngine, V1ALPHA1_INSTANCE_TYPE, Workspace};

const INSTANCE: Column = Field("Instance", "string", ".resource.instanceType");
const SET: &[Column] = &[Field("Replicas", "integer", ".spec.replicas"), Field("ReadyReplicas", "integer", ".status.readyReplicas")];

const RAG_ENGINE: &[Column] =
    &[Field("Instance", "string", ".spec.compute.instanceType"), Condition("ResourceReady"), Condition("ServiceReady")];

/// All kinds, in the order in which they are printed.
pub const KINDS: [Kind; 5] = [
    Kind {
        name: "Workspace",
        plural: "workspaces",
        short_names: &["wk", "wks"],
        category: Some("workspace"),
        is_namespaced: true,
        scales: false,
        schema: schema::of::<Workspace>,
        status: schema::of::<WorkspaceStatus>,
        versions: &[
            Version {
                name: "v1alpha1",
                is_served: true,
                columns: &[
                    INSTANCE,
                    Condition("ResourceReady"),
                    Condition("InferenceReady"),
                    Condition("JobStarted"),
                    Condition("WorkspaceSucceeded"),
                ],
                lacks: &[
                    &["resource", "partition"],
                    &["inference", "preset", "presetOptions", "modelAccessSecret"],
                    &["tuning", "preset", "presetOptions", "modelAccessSecret"],
                    &["status", "performance"],
                    &["status", "state"],
                    &["status", "targetNodeCount"],
                ],
                defaults: &[(&["resource", "instanceType"], V1ALPHA1_INSTANCE_TYPE)],
            },
            Version {
                name: "v1beta1",
                is_served: true,
                columns: &[
                    INSTANCE,
                    Condition("ResourceReady"),
                    Condition("InferenceReady"),
                    Condition("JobStarted"),
                    Condition("WorkspaceSucceeded"),
                    Field("TargetNodeCount", "integer", ".status.targetNodeCount"),
                    Field("State", "string", ".status.state"),
                ],
                lacks: &[],
                defaults: &[],
            },
        ],
    },
    Kind {
        name: "InferenceSet",
        plural: "inferencesets",
        short_names: &["is", "isets"],
        category: Some("inferenceset"),
        is_namespaced: true,
        scales: true,
        schema: schema::of::<InferenceSet>,
        status: schema::of::<InferenceSetStatus>,
        versions: &[
            Version {
                name: "v1alpha1",
                is_served: true,
                columns: SET,
                lacks: &[&["spec", "template", "resource", "partition"], &["status", "performance", "metrics", "*", "config"]],
                defaults: &[],
            },
            Version { name: "v1beta1", is_served: true, columns: SET, lacks: &[], defaults: &[] },
        ],
    },
    Kind {
        name: "MultiRoleInference",
        plural: "multiroleinferences",
        short_names: &["mri"],
        category: Some("kaito"),
        is_namespaced: true,
        scales: false,
        schema: schema::of::<MultiRoleInference>,
        status: schema::of::<MultiRoleInferenceStatus>,
        versions: &[Version {
            name: "v1alpha1",
            is_served: true,
            columns: &[Field("Model", "string", ".spec.model.name"), Condition("Ready")],
            lacks: &[],
            defaults: &[],
        }],
    },
    Kind {
        name: "RAGEngine",
        plural: "ragengines",
        short_names: &["rag"],
        category: Some("ragengine"),
        is_namespaced: true,
        scales: false,
        schema: schema::of::<RagEngine>,
        status: schema::of::<RagEngineStatus>,
        versions: &[
            Version {
                name: "v1alpha1",
                // Its `storage` has another form, and only a webhook of Kaito's can convert it.
                is_served: false,
                columns: RAG_ENGINE,
                lacks: &[
                    &["spec", "compute", "partition"],
                    &["spec", "storage", "persistentVolume"],
                    &["spec", "storage", "vectorDB"],
                    &["spec", "guardrails"],
                ],
                defaults: &[(&["spec", "compute", "instanceType"], V1ALPHA1_INSTANCE_TYPE)],
            },
            Version {
                name: "v1beta1",
                is_served: true,
                columns: RAG_ENGINE,
                lacks: &[
                    &["spec", "storage", "persistentVolumeClaim"],
                    &["spec", "storage", "mountPath"],
                    &["spec", "queryServiceName"],
                    &["spec", "indexServiceName"],
                ],
                defaults: &[],
            },
        ],
    },
    Kind {
        name: "ModelMirror",
        plural: "modelmirrors",
        short_names: &[],
        category: None,
        is_namespaced: false,
        scales: false,
        schema: schema::of::<ModelMirror>,
        status: schema::of::<ModelMirrorStatus>,
        versions: &[Version {
            name: "v1alpha1",
            is_served: true,
            columns: &[Field("Model", "string", ".spec.source.modelID"), Field("Phase", "string", ".status.phase")],
            lacks: &[],
            defaults: &[],
        }],
    },
];
