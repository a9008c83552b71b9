//! Rules about one Workspace: what Kaito takes without doing what it says.

use serde_json::Value;

use super::Subject;
use crate::image;
use crate::options::{Cloud, NodeProvisioner};
use crate::plan::{Runtime, runtime};
use crate::rule;
use crate::spec::{PartitionMode, names};
use crate::yaml::Step;

/// A model that is found in any case is not everywhere called the same: the mirror of a streamed model is named as it is typed.
pub(super) fn preset_spelling(subject: &mut Subject<'_>) {
    let tuned = subject.workspace.tuning.as_ref().and_then(|tuning| tuning.preset.as_ref());
    let of_inference = subject.workspace.preset().map(|preset| (preset, "inference"));
    for (preset, field) in of_inference.into_iter().chain(tuned.map(|preset| (preset, "tuning"))) {
        let catalog = subject.context.catalog;
        let known: Vec<&str> = catalog.preset_names().filter(|known| known.eq_ignore_ascii_case(&preset.name)).collect();
        if let Some(known) = known.first().filter(|_| !known.contains(&preset.name.as_str())) {
            let finding = rule::PRESET_SPELLING.says(format!("the catalog spells it {known}"));
            let finding = finding.help("Kaito takes it in any case, but calls some objects after the name as it is typed");
            subject.say(finding, &[Step::Field(field), Step::Field("preset"), Step::Field("name")]);
        }
    }
}

/// Fields of Kaito's API that nothing reads.
pub(super) fn fields_without_effect(subject: &mut Subject<'_>) {
    let workspace = subject.workspace;
    let is_given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if workspace.resource.as_ref().is_some_and(|resource| is_given(&resource.preferred_nodes)) {
        let finding = rule::FIELD_WITHOUT_EFFECT.says("Kaito reads no preferredNodes").help("select nodes with labelSelector");
        subject.say(finding, &[Step::Field("resource"), Step::Field("preferredNodes")]);
    }
    let Some(preset) = workspace.preset() else { return };
    let at = |field| [Step::Field("inference"), Step::Field("preset"), Step::Field("presetOptions"), Step::Field(field)];
    let help = "weights come from the model hub, with modelAccessSecret where it wants a login";
    if preset.is_private() {
        let finding = rule::FIELD_WITHOUT_EFFECT.says("Kaito reads no accessMode any more").help(help);
        subject.say(finding, &[Step::Field("inference"), Step::Field("preset"), Step::Field("accessMode")]);
    }
    let options = preset.preset_options.as_ref();
    if options.is_some_and(|options| options.image.as_ref().is_some_and(|image| !image.is_empty())) {
        let finding = rule::FIELD_WITHOUT_EFFECT.says("Kaito takes no image of a preset any more").help(help);
        subject.say(finding, &at("image"));
    }
    if options.is_some_and(|options| is_given(&options.image_pull_secrets)) {
        let finding = rule::FIELD_WITHOUT_EFFECT.says("Kaito takes no image of a preset any more, nor Secrets for it").help(help);
        subject.say(finding, &at("imagePullSecrets"));
    }
}

/// Annotations that count only for other Workspaces, other nodes, or with another value.
pub(super) fn annotations_without_effect(subject: &mut Subject<'_>) {
    let workspace = subject.workspace;
    let provisioner = subject.context.options.node_provisioner;
    let runs_vllm = runtime(workspace, subject.context.options) == Runtime::Vllm;
    let has_preset = workspace.preset().is_some();
    let partition = workspace.resource.as_ref().and_then(|resource| resource.partition.as_ref());
    let is_mig = partition.is_some_and(|partition| partition.mode == PartitionMode::Mig);
    let only_vllm = (!(runs_vllm && has_preset)).then_some("it counts only for a preset on vLLM");
    let only_karpenter = (provisioner != NodeProvisioner::Karpenter).then_some("it counts only with --node-provisioner karpenter");
    let asks_for_image = match provisioner {
        NodeProvisioner::GpuProvisioner => true,
        NodeProvisioner::Aso | NodeProvisioner::Capi => subject.context.options.cloud == Cloud::Azure,
        NodeProvisioner::Machine | NodeProvisioner::Karpenter | NodeProvisioner::Byo => false,
    };
    let only_images = (!asks_for_image).then_some("it counts only with --node-provisioner gpu-provisioner, and for pools of AKS");
    let only_checks =
        (runs_vllm && !is_mig).then_some("it counts only for the transformers runtime and for MIG: vLLM's nodes are computed");
    let table = [
        (names::NODE_CLASS_NAME, only_karpenter),
        (names::NODE_IMAGE_FAMILY, only_images),
        (names::PERFORMANCE_MODE, only_vllm),
        (names::DISABLE_BENCHMARK, only_vllm),
        (names::BYPASS_RESOURCE_CHECKS, only_checks),
        (names::USE_LOCAL_WEIGHTS, (!has_preset).then_some("it counts only for a preset")),
        (names::ENABLE_LB, workspace.tuning.is_some().then_some("a tuning has no Service")),
    ];
    let mut found: Vec<(&str, String)> = table
        .into_iter()
        .filter(|(key, _)| workspace.annotation(key).is_some())
        .filter_map(|(key, reason)| Some((key, reason?.to_owned())))
        .collect();
    if let Some(value) = workspace.annotation(names::DISABLE_BENCHMARK).filter(|value| !matches!(*value, "true" | "false"))
        && only_vllm.is_none()
    {
        found.push((names::DISABLE_BENCHMARK, format!("{value:?} doesn't switch the benchmark off; only \"true\" does")));
    }
    for (key, message) in found {
        let finding = rule::ANNOTATION_WITHOUT_EFFECT.says(message);
        subject.say(finding, &[Step::Field("metadata"), Step::Field("annotations"), Step::Field(key)]);
    }
}

/// The strength of an adapter becomes a variable of the adapter's name.
pub(super) fn strengths(subject: &mut Subject<'_>) {
    for (index, adapter) in subject.workspace.adapters().iter().enumerate() {
        let name = adapter.source.as_ref().and_then(|source| source.name.as_deref()).unwrap_or_default();
        if adapter.strength.is_some() && name.starts_with(|first: char| first.is_ascii_digit()) {
            let message = format!("the strength becomes a variable called {name}, and Kubernetes before 1.32 wants no digit first");
            let finding = rule::ADAPTER_STRENGTH.says(message).help("start the name of the adapter with a letter");
            let at = [Step::Field("inference"), Step::Field("adapters"), Step::Item(index), Step::Field("source"), Step::Field("name")];
            subject.say(finding, &at);
        }
    }
}

/// Images that a pod pulls each time it starts, under a name whose content moves.
pub(super) fn unpinned_images(subject: &mut Subject<'_>) {
    let adapters = subject.workspace.adapters().iter().enumerate().filter_map(|(index, adapter)| {
        let source = adapter.source.as_ref().filter(|source| source.volume_source.is_none())?;
        let at = [Step::Field("inference"), Step::Field("adapters"), Step::Item(index), Step::Field("source"), Step::Field("image")];
        Some((source.image()?, at.to_vec()))
    });
    let tuning = subject.workspace.tuning.as_ref().and_then(|tuning| tuning.input.image());
    let at = [Step::Field("tuning"), Step::Field("input"), Step::Field("image")];
    let images: Vec<_> = adapters.chain(tuning.map(|image| (image, at.to_vec()))).collect();
    for (name, at) in images {
        if image::is_reference(name) && image::normalise(name).ends_with(":latest") {
            let finding = rule::UNPINNED_IMAGE.says(format!("{name} is whatever was pushed last when a pod starts"));
            subject.say(finding.help("name a tag that stays, or a digest: repository@sha256:..."), &at);
        }
    }
}

/// Kaito puts the affinity of the Workspace's nodes in the place of a template's own.
pub(super) fn template(subject: &mut Subject<'_>) {
    let template = subject.workspace.inference.as_ref().and_then(|inference| inference.template.as_ref());
    let affinity = template.and_then(|template| template.get("spec")?.get("affinity"));
    if affinity.is_some_and(|affinity| !matches!(affinity, Value::Null)) {
        let finding = rule::TEMPLATE_AFFINITY.says("Kaito puts the affinity for the Workspace's nodes in its place");
        let finding = finding.help("select nodes with resource.labelSelector, or with nodeSelector in the template");
        let at = ["inference", "template", "spec", "affinity"].map(Step::Field);
        subject.say(finding, &at);
    }
}
