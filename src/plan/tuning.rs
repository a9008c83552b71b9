//! A model that is fine-tuned.
//!
//! Source: the tuning Job of Kaito 0.12.

use super::workload::{Training, Tuning, TuningInput, TuningOutput};
use super::{Context, Reasons, shape};
use crate::diagnostic::Diagnostic;
use crate::image;
use crate::preset::Model;
use crate::quantity::gib_text;
use crate::rule;
use crate::sku::NodeShape;
use crate::spec::{Configs, DataDestination, DataSource, Located, TuningMethod, Workspace};
use crate::yaml::Step;

/// Plans a fine-tuning.
pub(super) fn plan<'a>(
    located: &'a Located<Workspace>,
    configs: &Configs,
    context: &Context<'a>,
    reasons: &mut Reasons,
    findings: &mut Vec<Diagnostic>,
) -> Option<Tuning<'a>> {
    let tuning = located.value.tuning.as_ref()?;
    let preset_name = tuning.preset.as_ref()?.name.as_str();
    let found = context.catalog.model(preset_name).ok()?;
    let model = &found.value;
    let needs = model.tuning.as_ref()?;
    let method = tuning.method()?;
    let shape = shape::shape(located, context, findings)?;
    warn_of_little_memory(located, model, &shape, findings);
    let rules = &context.catalog.tuning;
    let planned = Tuning {
        model,
        preset_name,
        gpus: shape.gpus,
        image: context.images.base.clone(),
        command: format!("{} --num_processes={} {}", rules.launcher, shape.gpus, rules.script),
        weights_image: context.own_image(&needs.weights_image),
        target_modules: rules.target_modules(&model.name()),
        training: training(located, configs, context, method)?,
        input: input(&tuning.input, context)?,
        output: output(&tuning.output)?,
    };
    reasons.add("model", || (model.id.clone(), format!("tuning.preset.name {preset_name:?}"), found.origin.clone()));
    explain(&planned, method, &shape, context, reasons);
    Some(planned)
}

/// The user's configuration, or the default of the method.
pub(super) fn training<'a>(
    located: &'a Located<Workspace>,
    configs: &Configs,
    context: &Context<'a>,
    method: TuningMethod,
) -> Option<Training<'a>> {
    let default = context.catalog.tuning.defaults.get(method.name());
    let asked = located.value.tuning.as_ref()?.config();
    let config = asked.or(default.map(|default| default.name.as_str()))?;
    let is_given = context.config_map(&located.namespace, config).is_some();
    let output_dir = configs.training.as_ref()?.output_dir.clone();
    Some(Training { config, default: default.filter(|_| !is_given), output_dir })
}

/// The training data.
pub(super) fn input<'a>(source: &'a DataSource, context: &Context<'_>) -> Option<TuningInput<'a>> {
    let secrets = source.image_pull_secrets.as_deref().unwrap_or_default();
    if let Some(urls) = source.urls() {
        return Some(TuningInput::Urls(urls));
    }
    if let Some(volume) = &source.volume_source {
        return Some(TuningInput::Volume(volume));
    }
    Some(TuningInput::Image(context.users_image(source.image()?), source.name.as_deref().unwrap_or_default(), secrets))
}

fn output(destination: &DataDestination) -> Option<TuningOutput<'_>> {
    if let Some(volume) = &destination.volume_source {
        return Some(TuningOutput::Volume(volume));
    }
    // What is pushed goes where the user says, not into a mirror.
    Some(TuningOutput::Image(image::normalise(destination.image()?), destination.image_push_secret.as_deref()?))
}

fn warn_of_little_memory(located: &Located<Workspace>, model: &Model, shape: &NodeShape, findings: &mut Vec<Diagnostic>) {
    let Some(needs) = model.tuning.as_ref().filter(|needs| needs.min_gpu_memory.bytes() > shape.memory) else { return };
    let message =
        format!("tuning {} takes {} of GPU memory, and a node has {}", model.name(), needs.min_gpu_memory.as_str(), gib_text(shape.memory));
    let finding = rule::LITTLE_GPU_MEMORY.says(message).help("choose a larger size");
    findings.push(located.document.finding(finding, &[Step::Field("resource"), Step::Field("instanceType")]));
}

fn explain(planned: &Tuning<'_>, method: TuningMethod, shape: &NodeShape, context: &Context<'_>, reasons: &mut Reasons) {
    reasons.add("method", || (method.name().to_owned(), "tuning.method".to_owned(), "Workspace".to_owned()));
    reasons.add("GPUs", || {
        let value = format!("{} x {} of {}", shape.gpus, shape.model, gib_text(shape.memory_per_gpu()));
        (value, "one process on each GPU of one node".to_owned(), shape.origin.clone())
    });
    reasons.add("nodes", || ("1".to_owned(), "tuning runs on one node".to_owned(), "Kaito".to_owned()));
    reasons.add("image", || (planned.image.clone(), "registry/base".to_owned(), context.base_image_origin()));
    reasons.add("weights", || {
        (planned.weights_image.clone(), "registry and tuning.weightsImage of the model".to_owned(), planned.model.id.clone())
    });
    explain_training(&planned.training, planned.target_modules, context, reasons);
}

/// Where the configuration comes from, and what follows from it.
pub(super) fn explain_training(training: &Training<'_>, target_modules: Option<&str>, context: &Context<'_>, reasons: &mut Reasons) {
    let rules = context.catalog.file_name("tuning");
    reasons.add("configuration", || {
        let (because, origin) = match training.default {
            Some(_) => ("the default of the method, made for the namespace", rules.clone()),
            None => ("a ConfigMap of the input", "tuning.config, or the name of the default".to_owned()),
        };
        (format!("ConfigMap {}", training.config), because.to_owned(), origin)
    });
    reasons.add("results", || {
        let because = "TrainingArguments.output_dir, below /mnt; /mnt/output if it is empty";
        (training.output_dir.clone(), because.to_owned(), format!("ConfigMap {}", training.config))
    });
    if let Some(modules) = target_modules {
        reasons.add("target modules", || (modules.to_owned(), "by the model's name".to_owned(), rules));
    }
}
