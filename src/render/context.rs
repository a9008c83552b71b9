//! What each template is given: the figures of a plan, under the names that the manifest has for them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::image;
use crate::options::Cloud;
use crate::plan::{AdapterSource, Context, InferencePool, Plan, PresetInference, Runtime, StreamSource, Streaming, Weights, leader};
use crate::spec::{Role, names};

/// What every template is given.
#[derive(Serialize)]
pub(super) struct Common<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    cloud: &'static str,
    node_provisioner: &'static str,
}

/// The context of every template.
pub(super) fn common<'a>(plan: &'a Plan<'a>, context: &Context<'_>) -> Common<'a> {
    common_of(plan.key(), context)
}

/// What is common to the templates of an object with this namespace and name.
pub(super) fn common_of<'a>((namespace, name): (&'a str, &'a str), context: &Context<'_>) -> Common<'a> {
    Common { name, namespace, cloud: context.options.cloud.name(), node_provisioner: context.options.node_provisioner.name() }
}

/// For `ocirepository.yaml` and `helmrelease.yaml`.
#[derive(Serialize)]
pub(super) struct Router<'a> {
    name: &'a str,
    namespace: &'a str,
    roles: bool,
    /// The label by which pods belong to the set.
    created_by: &'static str,
    interval: &'static str,
    picker_config: Option<&'a str>,
    router_chart: &'a str,
    router_chart_tag: Option<&'a str>,
    router_chart_digest: Option<&'a str>,
    picker_registry: &'a str,
    picker_repository: &'a str,
    picker_tag: String,
}

/// The context of a router.
pub(super) fn router<'a>(pool: &'a InferencePool<'a>, context: &'a Context<'a>) -> Router<'a> {
    let (router_chart, router_chart_tag, router_chart_digest) = image::split(&context.images.router_chart);
    let (picker, picker_tag, picker_digest) = image::split(&context.images.endpoint_picker);
    let (picker_registry, picker_repository) = picker.rsplit_once('/').unwrap_or(("", picker));
    // The chart joins its parts with a colon, so that a digest can only stand behind a tag.
    let tag = picker_tag.or(image::split(&context.catalog.images.endpoint_picker).1).unwrap_or("latest");
    Router {
        name: pool.name,
        namespace: pool.namespace,
        roles: pool.roles,
        created_by: if pool.roles { names::MULTI_ROLE_CREATED_BY } else { names::INFERENCE_SET_CREATED_BY },
        interval: if pool.roles { "10m0s" } else { "0s" },
        picker_config: pool.picker_config,
        router_chart,
        router_chart_tag,
        router_chart_digest,
        picker_registry,
        picker_repository,
        picker_tag: picker_digest.map_or_else(|| tag.to_owned(), |digest| format!("{tag}@{digest}")),
    }
}

/// For `service.yaml` and `service-headless.yaml`.
#[derive(Serialize)]
pub(super) struct Service<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    load_balancer: bool,
    kv_events: bool,
}

/// The context of both Services.
pub(super) fn service<'a>(plan: &'a Plan<'a>, context: &Context<'_>) -> Service<'a> {
    let load_balancer = plan.workspace.annotation(names::ENABLE_LB) == Some("True");
    let kv_events = !load_balancer && plan.runtime(context.options) == Runtime::Vllm;
    Service { common: common(plan, context), load_balancer, kv_events }
}

/// What both kinds of StatefulSet are given.
#[derive(Serialize)]
pub(super) struct Pods<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    replicas: u64,
    /// The labels of the pods and of their selector.
    pod_labels: BTreeMap<&'static str, &'a str>,
    /// The labels of the nodes, as pairs in their order.
    node_labels: &'a [(&'a str, &'a str)],
    spot: bool,
}

/// The context of every pod.
pub(super) fn pods<'a>(plan: &'a Plan<'a>, context: &Context<'_>) -> Pods<'a> {
    let inherited = names::INHERITED_LABELS.into_iter().filter_map(|key| Some((key, plan.workspace.label(key)?)));
    let identity = plan.workload.streaming().map(|_| (names::WORKLOAD_IDENTITY_USE, "true"));
    Pods {
        common: common(plan, context),
        replicas: plan.nodes.count,
        pod_labels: inherited.chain(identity).chain([(names::WORKSPACE, plan.workspace.metadata.name.as_str())]).collect(),
        node_labels: &plan.nodes.selector,
        spot: context.options.cloud == Cloud::Azure,
    }
}

/// For `configmap-fetch-sas.yaml`.
pub(super) fn workspace<'a>(plan: &'a Plan<'a>, context: &Context<'_>) -> Common<'a> {
    common(plan, context)
}

/// For `statefulset.yaml`.
#[derive(Serialize)]
pub(super) struct Preset<'a> {
    #[serde(flatten)]
    pods: Pods<'a>,
    image: &'a str,
    command: &'a str,
    gpu_resource: String,
    gpus: u64,
    runtime: &'static str,
    distributed: bool,
    leader: String,
    port: u16,
    sidecar_image: Option<&'a str>,
    role: Option<&'static str>,
    deep_gemm: bool,
    cuda_toolkit: bool,
    benchmark: bool,
    startup_failures: u64,
    weights: &'static str,
    local_path: Option<&'a str>,
    streaming: Option<Stream<'a>>,
    disk: &'a str,
    config: Option<&'a str>,
    token_secret: Option<&'a str>,
    adapter_puller: &'a str,
    image_adapters: Vec<Adapter<'a>>,
    volume_adapters: Vec<Adapter<'a>>,
    image_pull_secrets: Vec<&'a str>,
}

#[derive(Serialize)]
struct Stream<'a> {
    model_id: &'a str,
    service_account: &'a str,
    storage_account: Option<&'a str>,
    sas: Option<Sas<'a>>,
}

#[derive(Serialize)]
struct Sas<'a> {
    fetcher: &'a str,
    datarefs_url: &'a str,
    client_id: &'a str,
    source_type: &'a str,
}

fn stream<'a>(streaming: &'a Streaming<'a>, context: &'a Context<'a>) -> Stream<'a> {
    let (storage_account, sas) = match &streaming.source {
        StreamSource::Mirror(container) => (Some(container.account.as_ref()), None),
        StreamSource::Sas { datarefs_url, client_id, source_type } => {
            (None, Some(Sas { fetcher: &context.images.sas_fetcher, datarefs_url, client_id, source_type }))
        }
    };
    Stream { model_id: &streaming.model_id, service_account: streaming.service_account, storage_account, sas }
}

#[derive(Serialize)]
struct Adapter<'a> {
    name: &'a str,
    strength: Option<&'a str>,
    image: Option<&'a str>,
    pull_secrets: &'a [String],
    volume: Option<&'a Map<String, Value>>,
}

/// The context of a preset's StatefulSet.
pub(super) fn preset<'a>(plan: &'a Plan<'a>, preset: &'a PresetInference<'a>, context: &'a Context<'a>) -> Preset<'a> {
    let (weights, local_path) = match &preset.weights {
        Weights::Claim => ("claim", None),
        Weights::EmptyDir => ("emptyDir", None),
        Weights::Local(path) => ("hostPath", Some(path.as_str())),
        Weights::Streamed => ("streamed", None),
    };
    let adapter = |of: &'a crate::plan::Adapter<'a>| match &of.source {
        AdapterSource::Image(image, pull_secrets) => {
            Adapter { name: of.name, strength: of.strength, image: Some(image), pull_secrets, volume: None }
        }
        AdapterSource::Volume(volume) => {
            Adapter { name: of.name, strength: of.strength, image: None, pull_secrets: &[], volume: Some(volume) }
        }
    };
    let (image_adapters, volume_adapters): (Vec<_>, Vec<_>) =
        preset.adapters.iter().map(adapter).partition(|adapter| adapter.volume.is_none());
    let secrets = plan.workspace.adapters().iter().filter_map(|adapter| adapter.source.as_ref()?.image_pull_secrets.as_ref());
    Preset {
        pods: pods(plan, context),
        image: &preset.image,
        command: &preset.command,
        gpu_resource: preset.mig_profile.map_or_else(|| "nvidia.com/gpu".to_owned(), |profile| format!("nvidia.com/mig-{profile}")),
        gpus: preset.gpus,
        runtime: preset.runtime.name(),
        distributed: preset.is_distributed(),
        leader: leader(&plan.workspace.metadata.name, plan.namespace),
        port: preset.port,
        sidecar_image: preset.sidecar.then_some(context.images.routing_sidecar.as_str()),
        role: preset.role.map(Role::name),
        deep_gemm: preset.deep_gemm,
        cuda_toolkit: preset.cuda_toolkit,
        benchmark: preset.benchmark,
        startup_failures: preset.startup_failures,
        weights,
        local_path,
        streaming: preset.streaming.as_ref().map(|streaming| stream(streaming, context)),
        disk: &preset.disk,
        config: preset.config,
        token_secret: preset.token_secret,
        adapter_puller: &context.images.adapter_puller,
        image_adapters,
        volume_adapters,
        image_pull_secrets: secrets.flatten().map(String::as_str).collect(),
    }
}

/// For `statefulset-template.yaml`.
#[derive(Serialize)]
pub(super) struct Template<'a> {
    #[serde(flatten)]
    pods: Pods<'a>,
    pod_metadata: Value,
    pod_spec: Value,
}

/// The context of the StatefulSet of a pod template: the user's, with labels, node affinity and tolerations of Kaito's.
pub(super) fn template<'a>(plan: &'a Plan<'a>, template: &Map<String, Value>, context: &Context<'_>) -> Template<'a> {
    let pods = pods(plan, context);
    let mut metadata = template.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut labels = metadata.get("labels").and_then(Value::as_object).cloned().unwrap_or_default();
    labels.extend(pods.pod_labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    metadata.insert("labels".to_owned(), Value::Object(labels));
    let mut pod_spec = Value::Object(template.get("spec").and_then(Value::as_object).cloned().unwrap_or_default());
    context.options.images.rewrite_pods(&mut pod_spec);
    Template { pods, pod_metadata: Value::Object(metadata), pod_spec }
}
