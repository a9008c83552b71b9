//! What the templates of Kaito 0.3 are given, and which of them a plan takes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Engine, Object, TemplateError};
use crate::plan::v0_3::{Inference, Tuning};
use crate::plan::{Context, Nodes, Plan, TuningInput};
use crate::spec::names;

/// For the templates of nodes.
#[derive(Serialize)]
struct Claim<'a> {
    claim_name: String,
    labels: BTreeMap<&'a str, &'a str>,
    cloud: &'static str,
    instance_type: &'a str,
    disk: &'a str,
}

/// The nodes, as claims in a template's form.
///
/// # Errors
/// The template at fault, with its line.
pub(super) fn claims(engine: &Engine, template: &str, plan: &Plan<'_>, context: &Context<'_>) -> Result<Vec<Object>, TemplateError> {
    let name = plan.workspace.metadata.name.as_str();
    let (pool_label, pool) =
        if template == "machine.yaml" { ("karpenter.sh/provisioner-name", "default") } else { ("karpenter.sh/nodepool", "kaito") };
    let own = [(pool_label, pool), (names::WORKSPACE, name), (names::WORKSPACE_NAMESPACE, plan.namespace)];
    let labels: BTreeMap<_, _> = own.into_iter().chain(plan.nodes.selector.iter().copied()).collect();
    let claim = |ordinal| Claim {
        claim_name: Nodes::claim_name(plan.namespace, name, ordinal),
        labels: labels.clone(),
        cloud: context.options.cloud.name(),
        instance_type: plan.nodes.instance_type.unwrap_or_default(),
        disk: &plan.nodes.disk,
    };
    (0..plan.nodes.count).map(|ordinal| engine.render(template, &claim(ordinal))).collect()
}

/// What every workload is given.
#[derive(Serialize)]
struct Pods<'a> {
    name: &'a str,
    namespace: &'a str,
    replicas: u64,
    /// The labels of the nodes, as pairs in their order.
    node_labels: &'a [(&'a str, &'a str)],
}

fn pods<'a>(plan: &'a Plan<'_>) -> Pods<'a> {
    Pods { name: &plan.workspace.metadata.name, namespace: plan.namespace, replicas: plan.nodes.count, node_labels: &plan.nodes.selector }
}

/// For `deployment.yaml`, `statefulset.yaml` and the Services.
#[derive(Serialize)]
struct Served<'a> {
    #[serde(flatten)]
    pods: Pods<'a>,
    distributed: bool,
    load_balancer: bool,
    image: &'a str,
    image_pull_secrets: &'a [String],
    command: &'a str,
    gpus: u64,
    adapters: Vec<Adapter<'a>>,
}

#[derive(Serialize)]
struct Adapter<'a> {
    name: &'a str,
    image: String,
    strength: &'a str,
}

/// The Services of a preset, then its Deployment or `StatefulSet`.
///
/// # Errors
/// The template at fault, with its line.
pub(super) fn inference(
    engine: &Engine,
    plan: &Plan<'_>,
    planned: &Inference<'_>,
    context: &Context<'_>,
) -> Result<Vec<Object>, TemplateError> {
    let adapters = planned.adapters.iter().filter_map(|adapter| {
        let source = adapter.source.as_ref()?;
        Some(Adapter {
            name: source.name.as_deref()?,
            image: context.options.images.rewrite(source.image()?),
            strength: adapter.strength.as_deref()?,
        })
    });
    let served = Served {
        pods: pods(plan),
        distributed: planned.preset.distributed,
        load_balancer: plan.workspace.annotation(names::ENABLE_LB) == Some("True"),
        image: &planned.image,
        image_pull_secrets: planned.image_pull_secrets,
        command: &planned.command,
        gpus: planned.preset.gpus,
        adapters: adapters.collect(),
    };
    let templates: &[&str] = if served.distributed {
        &["service.yaml", "service-headless.yaml", "statefulset.yaml"]
    } else {
        &["service.yaml", "deployment.yaml"]
    };
    templates.iter().map(|template| engine.render(template, &served)).collect()
}

/// For `deployment-template.yaml`.
#[derive(Serialize)]
struct Template<'a> {
    #[serde(flatten)]
    pods: Pods<'a>,
    pod_metadata: Map<String, Value>,
    pod_spec: Value,
}

/// The Deployment of a pod template.
///
/// # Errors
/// The template at fault, with its line.
pub(super) fn template(
    engine: &Engine,
    plan: &Plan<'_>,
    template: &Map<String, Value>,
    context: &Context<'_>,
) -> Result<Object, TemplateError> {
    let field = |of: &Map<String, Value>, name: &str| of.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let pods = pods(plan);
    let mut pod_metadata = field(template, "metadata");
    let mut labels = field(&pod_metadata, "labels");
    labels.insert(names::WORKSPACE.to_owned(), json!(pods.name));
    pod_metadata.insert("labels".to_owned(), Value::Object(labels));
    let mut pod_spec = Value::Object(field(template, "spec"));
    context.options.images.rewrite_pods(&mut pod_spec);
    engine.render("deployment-template.yaml", &Template { pods, pod_metadata, pod_spec })
}

/// For `job.yaml`.
#[derive(Serialize)]
struct Job<'a> {
    #[serde(flatten)]
    pods: Pods<'a>,
    image: &'a str,
    image_pull_secrets: &'a [&'a str],
    command: &'a str,
    gpus: u64,
    target_modules: Option<&'a str>,
    config: &'a str,
    output_dir: &'a str,
    data_downloader: &'a str,
    adapter_pusher: &'a str,
    input_urls: Option<String>,
    input_image: Option<&'a str>,
    output_image: &'a str,
    push_secret: &'a str,
}

/// The Job of a fine-tuning.
///
/// # Errors
/// The template at fault, with its line.
pub(super) fn tuning(engine: &Engine, plan: &Plan<'_>, planned: &Tuning<'_>, context: &Context<'_>) -> Result<Object, TemplateError> {
    let (input_urls, input_image) = match &planned.input {
        TuningInput::Urls(urls) => (Some(urls.join(" ")), None),
        TuningInput::Image(image, ..) => (None, Some(image.as_str())),
        TuningInput::Volume(_) => (None, None),
    };
    let job = Job {
        pods: pods(plan),
        image: &planned.image,
        image_pull_secrets: &planned.image_pull_secrets,
        command: &planned.command,
        gpus: planned.gpus,
        target_modules: planned.target_modules,
        config: planned.training.config,
        output_dir: &planned.training.output_dir,
        data_downloader: &context.images.data_downloader,
        adapter_pusher: &context.images.adapter_pusher,
        input_urls,
        input_image,
        output_image: planned.output_image,
        push_secret: planned.push_secret,
    };
    engine.render("job.yaml", &job)
}
