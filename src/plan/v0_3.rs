//! The workloads of Kaito 0.3: a model's own image served or tuned, with figures that the preset gives.
//!
//! Source: Kaito 0.3.0. It estimates nothing: the nodes are `resource.count`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::command::{argument, text};
use super::{Context, Nodes, Plan, Reasons, Training, TuningInput, Workload, count};
use crate::diagnostic::Diagnostic;
use crate::preset::ImagePreset;
use crate::rule;
use crate::spec::{AdapterSpec, Configs, Located, PresetSpec, TuningMethod, Workspace};
use crate::yaml::Step;

/// The size of a Workspace that names none.
const DEFAULT_INSTANCE_TYPE: &str = "Standard_NC12s_v3";

/// The port by which torch's processes on several nodes find each other.
const TORCH_PORT: u16 = 29500;

/// The ordinal of the pod, which only its shell knows.
const NODE_RANK: &str = " --node_rank=$(echo $HOSTNAME | grep -o '[^-]*$')";

/// A preset that is served from its own image.
pub struct Inference<'a> {
    /// The preset.
    pub preset: &'a ImagePreset,
    /// The image.
    pub image: String,
    /// The Secrets to pull it with.
    pub image_pull_secrets: &'a [String],
    /// The shell command.
    pub command: String,
    /// The adapters.
    pub adapters: &'a [AdapterSpec],
}

/// A preset that is tuned in its own image.
pub struct Tuning<'a> {
    /// The preset.
    pub preset: &'a ImagePreset,
    /// GPUs that the pod asks for.
    pub gpus: u64,
    /// The image.
    pub image: String,
    /// The Secrets to pull images with, and to push the result.
    pub image_pull_secrets: Vec<&'a str>,
    /// The shell command.
    pub command: String,
    /// `DEFAULT_TARGET_MODULES`.
    pub target_modules: Option<&'a str>,
    /// What it is configured by.
    pub training: Training<'a>,
    /// The training data.
    pub input: TuningInput<'a>,
    /// The image that the result becomes.
    pub output_image: &'a str,
    /// The Secret to push it with.
    pub push_secret: &'a str,
}

/// Plans an admitted Workspace.
pub(super) fn plan<'a>(
    located: &'a Located<Workspace>,
    configs: &Configs,
    context: &Context<'a>,
    explain: bool,
    findings: &mut Vec<Diagnostic>,
) -> Option<Plan<'a>> {
    let mut reasons = Reasons::new(explain);
    let workspace = &located.value;
    let count = count::within_limit(located, u64::try_from(workspace.count()).ok()?, findings)?;
    let template = workspace.inference.as_ref().and_then(|inference| inference.template.as_ref());
    let unknown_disk = context.catalog.sizing.unknown_disk.as_str();
    let (workload, disk) = if workspace.tuning.is_some() {
        (Workload::TuningV0_3(Box::new(tuning(located, configs, context, &mut reasons)?)), unknown_disk)
    } else if let Some(template) = template {
        (Workload::TemplateV0_3(template), unknown_disk)
    } else {
        let inference = inference(located, context, count, &mut reasons)?;
        let disk = inference.preset.disk.as_str();
        warn_of_unit_less_disk(located, inference.preset, findings);
        (Workload::InferenceV0_3(Box::new(inference)), disk)
    };
    let instance_type = instance_type(workspace);
    let makes_nodes = context.options.node_provisioner.makes_nodes();
    reasons.add("nodes", || (count.to_string(), "resource.count, 1 if absent".to_owned(), "Workspace".to_owned()));
    if makes_nodes {
        reasons.add("disk", || {
            let origin = match &workload {
                Workload::InferenceV0_3(inference) => origin(context, &inference.preset.name),
                _ => context.catalog.file_name("sizing"),
            };
            (disk.to_owned(), "what the preset asks for; nothing for templates and tuning".to_owned(), origin)
        });
    }
    let nodes = Nodes {
        count,
        instance_type: makes_nodes.then_some(instance_type),
        disk: Cow::Borrowed(disk),
        image_family: context.options.default_node_image_family,
        node_class: None,
        selector: match_labels(workspace).collect(),
    };
    Some(Plan { workspace, namespace: &located.namespace, document: &located.document, nodes, workload, reasons })
}

/// The size of the nodes, Kaito's default if the Workspace names none.
pub fn instance_type(workspace: &Workspace) -> &str {
    let given = workspace.resource.as_ref().and_then(|resource| resource.instance_type.as_deref());
    given.filter(|name| !name.is_empty()).unwrap_or(DEFAULT_INSTANCE_TYPE)
}

/// The labels that select nodes; this version keeps none of them for itself.
fn match_labels(workspace: &Workspace) -> impl Iterator<Item = (&str, &str)> {
    let labels = workspace.resource.as_ref().and_then(|resource| resource.label_selector.match_labels.as_ref());
    labels.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
}

fn explain_preset(preset: &ImagePreset, context: &Context<'_>, reasons: &mut Reasons) {
    reasons.add("preset", || (preset.name.clone(), "preset.name".to_owned(), origin(context, &preset.name)));
}

fn origin(context: &Context<'_>, preset: &str) -> String {
    context.catalog.image_preset(preset).map(|found| found.origin.clone()).unwrap_or_default()
}

fn inference<'a>(located: &'a Located<Workspace>, context: &Context<'a>, count: u64, reasons: &mut Reasons) -> Option<Inference<'a>> {
    let workspace = &located.value;
    let asked = workspace.preset()?;
    let preset = &context.catalog.image_preset(&asked.name).ok()?.value;
    explain_preset(preset, context, reasons);
    let (image, image_pull_secrets) = image(preset, asked, context, reasons)?;
    reasons.add("GPUs per pod", || {
        (preset.gpus.to_string(), "what the preset asks for, whatever the node has".to_owned(), origin(context, &preset.name))
    });
    reasons.add("workload", || {
        let (kind, because) = if preset.distributed { ("StatefulSet", "distributed") } else { ("Deployment", "not distributed") };
        (kind.to_owned(), format!("the preset is {because}"), origin(context, &preset.name))
    });
    let command = command(located, context, preset, count, reasons)?;
    Some(Inference { preset, image, image_pull_secrets, command, adapters: workspace.adapters() })
}

/// The image and the Secrets to pull it with: the user's own for a private preset, else the one in the registry.
fn image<'a>(
    preset: &'a ImagePreset,
    asked: &'a PresetSpec,
    context: &Context<'a>,
    reasons: &mut Reasons,
) -> Option<(String, &'a [String])> {
    if asked.is_private() {
        let options = asked.preset_options.as_ref()?;
        let image = context.options.images.rewrite(options.image.as_deref()?);
        reasons.add("image", || (image.clone(), "presetOptions.image, since accessMode is private".to_owned(), "Workspace".to_owned()));
        return Some((image, options.image_pull_secrets.as_deref().unwrap_or_default()));
    }
    let image = context.options.images.rewrite(&preset.image(&context.images.registry)?);
    reasons.add("image", || {
        (
            image.clone(),
            "registry/kaito-preset:tag".to_owned(),
            format!("{} and {}", context.catalog.file_name("images"), origin(context, &preset.name)),
        )
    });
    Some((image, &[]))
}

/// `LAUNCHER --launcher-arguments SCRIPT --arguments`. Kaito's order is that of a hash map; here it is the alphabet's.
fn command(located: &Located<Workspace>, context: &Context<'_>, preset: &ImagePreset, count: u64, reasons: &mut Reasons) -> Option<String> {
    let launcher = context.catalog.launcher(preset)?;
    let mut arguments = launcher.arguments.clone();
    arguments.extend(launcher.rendezvous.clone());
    if preset.distributed {
        arguments.extend(over_nodes(located, preset, count));
    }
    let rank = if preset.distributed && count > 1 {
        arguments.remove("node_rank");
        NODE_RANK
    } else {
        ""
    };
    let mut explain = |arguments: &BTreeMap<String, String>, origin: &str| {
        for (flag, value) in arguments {
            reasons.add("argument", || (argument(flag, value), String::new(), origin.to_owned()));
        }
    };
    explain(&arguments, &format!("launcher {}{}", preset.launcher, if preset.distributed { ", over the nodes" } else { "" }));
    explain(&preset.arguments, &format!("arguments of {}", preset.name));
    Some(format!("{}{rank}{} {}{}", launcher.command, text(&arguments), launcher.script, text(&preset.arguments)))
}

/// The arguments by which a model is divided over nodes.
///
/// Kaito looks the address of the Service up; its name says the same, and is known before the Service is there.
fn over_nodes(located: &Located<Workspace>, preset: &ImagePreset, count: u64) -> Vec<(String, String)> {
    let (name, namespace) = (&located.value.metadata.name, &located.namespace);
    let mut arguments = vec![
        ("nnodes", count.to_string()),
        ("nproc_per_node", (preset.gpus / count.max(1)).to_string()),
        ("rdzv_id", "job".to_owned()),
        ("rdzv_endpoint", format!("{}:{TORCH_PORT}", super::leader(name, namespace))),
    ];
    if count > 1 {
        arguments.push(("master_addr", format!("{name}.{namespace}.svc.cluster.local")));
    }
    arguments.into_iter().map(|(flag, value)| (flag.to_owned(), value)).collect()
}

fn warn_of_unit_less_disk(located: &Located<Workspace>, preset: &ImagePreset, findings: &mut Vec<Diagnostic>) {
    if preset.disk.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("{} asks for a disk of {} bytes, and means GB", preset.name, preset.disk.as_str());
        let help = format!(
            "the gpu-provisioner of Kaito 0.3 (0.2.0) reads it so; for another, write disk: {}Gi for it in --presets DIR",
            preset.disk.as_str()
        );
        findings.push(located.document.finding(
            rule::DISK_WITHOUT_UNIT.says(message).help(help),
            &[Step::Field("inference"), Step::Field("preset"), Step::Field("name")],
        ));
    }
}

fn tuning<'a>(located: &'a Located<Workspace>, configs: &Configs, context: &Context<'a>, reasons: &mut Reasons) -> Option<Tuning<'a>> {
    let workspace = &located.value;
    let tuning = workspace.tuning.as_ref()?;
    let asked = tuning.preset.as_ref()?;
    let preset = &context.catalog.image_preset(&asked.name).ok()?.value;
    let needs = preset.tuning.as_ref()?;
    let method = tuning.method()?;
    explain_preset(preset, context, reasons);
    let (image, preset_secrets) = image(preset, asked, context, reasons)?;
    let push_secret = tuning.output.image_push_secret.as_deref()?;
    let input_secrets = tuning.input.image_pull_secrets.as_deref().unwrap_or_default();
    let secrets = input_secrets.iter().map(String::as_str).chain([push_secret]).chain(preset_secrets.iter().map(String::as_str));
    let sku = context.catalog.sku(context.options.cloud, instance_type(workspace));
    let processes = sku.map_or(1, |found| found.value.gpus);
    let rules = &context.catalog.tuning;
    let mut arguments = needs.launcher_arguments.clone();
    arguments.insert("num_processes".to_owned(), processes.to_string());
    let planned = Tuning {
        preset,
        gpus: needs.gpus,
        image,
        image_pull_secrets: secrets.collect(),
        command: format!("{}{} {}", rules.launcher, text(&arguments), rules.script),
        target_modules: rules.target_modules(&preset.name),
        training: super::tuning::training(located, configs, context, method)?,
        input: super::tuning::input(&tuning.input, context)?,
        output_image: tuning.output.image()?,
        push_secret,
    };
    reasons.add("processes", || {
        let origin = sku.map_or_else(|| format!("no SKU {}", instance_type(workspace)), |found| found.origin.clone());
        (processes.to_string(), "GPUs of the size, 1 if it is unknown".to_owned(), origin)
    });
    explain_tuning(&planned, method, context, reasons);
    Some(planned)
}

fn explain_tuning(planned: &Tuning<'_>, method: TuningMethod, context: &Context<'_>, reasons: &mut Reasons) {
    reasons.add("method", || (method.name().to_owned(), "tuning.method".to_owned(), "Workspace".to_owned()));
    reasons.add("GPUs per pod", || {
        (planned.gpus.to_string(), "what tuning the preset asks for".to_owned(), origin(context, &planned.preset.name))
    });
    super::tuning::explain_training(&planned.training, planned.target_modules, context, reasons);
}
