//! A model of the catalog on its nodes.

use super::count::Counting;
use super::workload::{Adapter, AdapterSource, PresetInference, Weights};
use super::{Context, Reasons, Runtime, command, runtime, shape, streaming};
use crate::diagnostic::Diagnostic;
use crate::preset::{Found, Model};
use crate::quantity::{GIB, gib_text};
use crate::rule;
use crate::sku::NodeShape;
use crate::spec::{Configs, Located, PartitionMode, Role, Workspace, names};
use crate::yaml::Step;

/// Plans a model of the catalog.
pub(super) fn plan<'a>(
    located: &'a Located<Workspace>,
    configs: &Configs,
    context: &Context<'a>,
    reasons: &mut Reasons,
    findings: &mut Vec<Diagnostic>,
) -> Option<PresetInference<'a>> {
    let workspace = &located.value;
    let preset = workspace.preset()?;
    let found = context.catalog.model(&preset.name).ok()?;
    let model = &found.value;
    let node = shape::shape(located, context, findings)?;
    let runtime = runtime(workspace, context.options);
    explain_model(&preset.name, found, &node, runtime, reasons);
    let counting = Counting { located, context, model, shape: &node };
    let count = match runtime {
        Runtime::Vllm => counting.estimated(configs.inference.as_deref(), reasons, findings)?,
        Runtime::Transformers => counting.counted(reasons, findings)?,
    };
    if !shape::enough(located, context, count, findings) {
        return None;
    }
    let role = workspace.label(names::INFERENCE_ROLE).and_then(Role::by_name);
    let sidecar = role == Some(Role::Decode) && runtime == Runtime::Vllm;
    let streaming =
        if streaming::streams(workspace, context.options) { Some(streaming::plan(located, model, context, reasons)?) } else { None };
    let deep_gemm = context.catalog.vllm.deep_gemm.contains(model);
    let mut planned = PresetInference {
        model,
        runtime,
        gpus: node.gpus,
        mig_profile: mig_profile(workspace),
        nodes: count,
        disk: disk(context, model, reasons),
        image: context.images.base.clone(),
        command: String::new(),
        weights: if streaming.is_some() && !has_local_weights(workspace) {
            Weights::Streamed
        } else {
            weights(workspace, context, &node, reasons)
        },
        streaming,
        startup_failures: startup_failures(context, model, reasons),
        benchmark: runtime == Runtime::Vllm && workspace.annotation(names::DISABLE_BENCHMARK) != Some("true"),
        deep_gemm,
        cuda_toolkit: deep_gemm || context.catalog.vllm.cuda_toolkit.contains(model),
        role,
        sidecar,
        port: if sidecar { 5001 } else { 5000 },
        config: workspace.config(),
        token_secret: workspace.token_secret(),
        adapters: adapters(workspace, context),
    };
    explain_pod(&planned, context, reasons);
    planned.command = command::command(located, context, &planned, &node, reasons);
    explain_config(located, configs, reasons);
    warn_of_old_gpus(located, &planned, &node, findings);
    Some(planned)
}

fn explain_model(asked: &str, found: &Found<Model>, shape: &NodeShape, runtime: Runtime, reasons: &mut Reasons) {
    let model = &found.value;
    reasons.add("model", || (model.id.clone(), format!("inference.preset.name {asked:?}"), found.origin.clone()));
    reasons.add("runtime", || {
        (
            runtime.name().to_owned(),
            "vllm unless the annotation kaito.sh/runtime or the gate vLLM=false say otherwise".to_owned(),
            "Workspace".to_owned(),
        )
    });
    reasons.add("GPUs per node", || {
        let value = format!("{} x {} of {}", shape.gpus, shape.model, gib_text(shape.memory_per_gpu()));
        (value, format!("{} of GPU memory in all / {}", gib_text(shape.memory), shape.gpus), shape.origin.clone())
    });
}

fn explain_pod(planned: &PresetInference<'_>, context: &Context<'_>, reasons: &mut Reasons) {
    reasons.add("image", || (planned.image.clone(), "registry/base".to_owned(), context.base_image_origin()));
    reasons.add("port", || {
        let because = "5000; vLLM moves to 5001 behind the routing sidecar of a decode pod";
        (planned.port.to_string(), because.to_owned(), format!("label {}", names::INFERENCE_ROLE))
    });
    reasons.add("startup probe", || {
        let value = if planned.benchmark { "benchmark" } else { "GET /health" };
        (
            value.to_owned(),
            "vLLM presets run a benchmark unless the annotation kaito.sh/disable-benchmark is \"true\"".to_owned(),
            "Workspace".to_owned(),
        )
    });
}

/// What the user's configuration adds at run time, where it wins over the command.
fn explain_config(located: &Located<Workspace>, configs: &Configs, reasons: &mut Reasons) {
    let name = located.value.config().unwrap_or_default();
    for (key, value) in configs.inference.iter().flat_map(|config| &config.arguments) {
        reasons.add("argument", || (format!("--{key} {value}"), String::new(), format!("ConfigMap {name}, appended at run time: it wins")));
    }
}

fn mig_profile(workspace: &Workspace) -> Option<&str> {
    let partition = workspace.resource.as_ref()?.partition.as_ref().filter(|partition| partition.mode == PartitionMode::Mig)?;
    partition.profile.as_deref()
}

fn disk(context: &Context<'_>, model: &Model, reasons: &mut Reasons) -> String {
    let sizing = &context.catalog.sizing;
    let disk = format!("{}Gi", sizing.disk_gib(model));
    if !context.options.node_provisioner.makes_nodes() {
        return disk;
    }
    reasons.add("disk", || {
        let because = format!("floor({} of weights + {})", model.weights.as_str(), sizing.disk_reserve.as_str());
        (disk.clone(), because, context.catalog.file_name("sizing"))
    });
    disk
}

fn has_local_weights(workspace: &Workspace) -> bool {
    workspace.annotation(names::USE_LOCAL_WEIGHTS) == Some("true")
}

fn weights(workspace: &Workspace, context: &Context<'_>, shape: &NodeShape, reasons: &mut Reasons) -> Weights {
    if has_local_weights(workspace) {
        let name = workspace.preset().map_or("", |preset| preset.name.as_str());
        let path = format!("/opt/kaito/models/{}", name.trim().to_lowercase().replace(['/', '\\'], "-"));
        reasons.add("weights", || {
            (path.clone(), "a directory of the node named like the preset".to_owned(), format!("annotation {}", names::USE_LOCAL_WEIGHTS))
        });
        return Weights::Local(path);
    }
    let claim = shape.nvme && context.options.local_nvme;
    reasons.add("weights", || {
        let value = if claim { "downloaded to a claim of kaito-local-nvme-disk" } else { "downloaded to an emptyDir" };
        let because =
            format!("local NVMe disk: {}; StorageClass kaito-local-nvme-disk: {}", yes(shape.nvme), yes(context.options.local_nvme));
        (value.to_owned(), because, format!("{} and --local-nvme", shape.origin))
    });
    if claim { Weights::Claim } else { Weights::EmptyDir }
}

fn startup_failures(context: &Context<'_>, model: &Model, reasons: &mut Reasons) -> u64 {
    let figures = &context.catalog.sizing.startup;
    let bytes = u128::from(model.weights_bytes());
    // In bytes, so that nothing is rounded before the end: seconds = base + perGi x bytes / GiB.
    let gib = u128::from(GIB);
    let scaled = u128::from(figures.base) * gib + u128::from(figures.per_gi) * bytes;
    let clamped = if bytes == 0 {
        u128::from(figures.min) * gib
    } else {
        scaled.min(u128::from(figures.max) * gib).max(u128::from(figures.min) * gib)
    };
    let failures = u64::try_from(clamped.div_ceil(u128::from(figures.period) * gib)).unwrap_or(u64::MAX);
    reasons.add("startup budget", || {
        let because = format!(
            "{} + {} s/GiB x {}, between {} and {} s, in probes of {} s",
            figures.base,
            figures.per_gi,
            model.weights.as_str(),
            figures.min,
            figures.max,
            figures.period
        );
        (format!("{failures} failures"), because, context.catalog.file_name("sizing"))
    });
    failures
}

fn adapters<'a>(workspace: &'a Workspace, context: &Context<'_>) -> Vec<Adapter<'a>> {
    let planned = workspace.adapters().iter().filter_map(|spec| {
        let source = spec.source.as_ref()?;
        let from = match (&source.volume_source, &source.image) {
            (Some(volume), _) => AdapterSource::Volume(volume),
            (None, image) => {
                let secrets = source.image_pull_secrets.as_deref().unwrap_or_default();
                AdapterSource::Image(context.users_image(image.as_deref()?), secrets)
            }
        };
        Some(Adapter { name: source.name.as_deref()?, strength: spec.strength.as_deref(), source: from })
    });
    planned.collect()
}

/// bfloat16 needs compute capability 8.0; older GPUs refuse to start with it.
fn warn_of_old_gpus(located: &Located<Workspace>, planned: &PresetInference<'_>, shape: &NodeShape, findings: &mut Vec<Diagnostic>) {
    let Some(capability) = shape.compute_capability.filter(|capability| *capability < 8.0) else { return };
    let wants_bfloat16 = ["--dtype=bfloat16", "--torch_dtype=bfloat16"].iter().any(|flag| planned.command.contains(flag));
    if wants_bfloat16 {
        let finding = rule::OLD_GPU.says(format!(
            "{} asks for bfloat16, which {} can't do (compute capability {capability:.1}, needed is 8.0)",
            planned.model.name(),
            shape.model
        ))
        .help(
            "choose a size with an A10, A100 or newer, or set `dtype: float16` under `vllm:` in the ConfigMap that inference.config names",
        );
        findings.push(located.document.finding(finding, &[Step::Field("resource"), Step::Field("instanceType")]));
    }
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
