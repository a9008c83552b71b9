//! The rules by which Kaito 0.3 admits a Workspace.
//!
//! Source: the validating webhook of Kaito 0.3.0. It looks at little more than names and sizes: an image or a Secret that can't
//! be right is a warning here, since Kaito makes a workload of it.

use std::collections::BTreeMap;

use super::tuning::check_url;
use super::{Check, at, image_reference};
use crate::diagnostic::{Diagnostic, Severity, did_you_mean};
use crate::image::is_reference;
use crate::options::Cloud;
use crate::plan::Context;
use crate::plan::v0_3::instance_type;
use crate::preset::ImagePreset;
use crate::quantity::Quantity;
use crate::rule;
use crate::spec::{AdapterSpec, PresetSpec, TuningSpec, names};
use crate::yaml::Step;

/// The unit in which Kaito 0.3 compares memory: GB, though the sizes of its table are GiB.
const GB: u64 = 1_000_000_000;

impl<'a> Check<'a> {
    pub(super) fn v0_3(&mut self) {
        if !self.located.document.moves.is_empty() {
            let finding = rule::UNKNOWN_KIND.says("Kaito 0.3 has no such kind");
            return self.say(finding.help("write Workspaces, or leave out --kaito-version"), at!["kind"]);
        }
        if !self.workspace.is_v1alpha1() {
            let finding = rule::UNKNOWN_KIND.says(format!("Kaito 0.3 has no Workspace of {}", self.workspace.api_version));
            self.say(finding.help("write kaito.sh/v1alpha1, or leave out --kaito-version"), at!["apiVersion"]);
        }
        let preset = self.workspace.preset().and_then(|asked| self.context.catalog.image_preset(&asked.name).ok());
        self.names(self.workspace.preset().is_some(), preset.is_some_and(|found| found.value.distributed));
        self.enable_lb();
        self.unknown_annotations(&[names::ENABLE_LB]);
        self.one_job();
        self.resource_v0_3();
        self.inference_v0_3();
        self.tuning_v0_3();
    }

    fn newer_field(&mut self, path: &[Step<'_>]) {
        self.say(rule::UNKNOWN_FIELD.says("unknown field").help("Kaito 0.3 has none of that name"), path);
    }

    fn resource_v0_3(&mut self) {
        let Some(resource) = &self.workspace.resource else {
            let finding = rule::MISSING_FIELD.says("resource is missing").help("name the labels that select the nodes");
            return self.say(finding, at!["resource"]);
        };
        if resource.partition.is_some() {
            self.newer_field(at!["resource", "partition"]);
        }
        if let Some(count) = resource.count.filter(|count| *count < 1) {
            self.say(rule::INVALID_VALUE.says(format!("{count} nodes: a count is 1 or more")), at!["resource", "count"]);
        }
        self.match_labels(&resource.label_selector);
        if resource.label_selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty) {
            let finding = rule::ANY_NODE.says("without matchLabels the pods fit on no node");
            self.say(finding.help("name at least one label"), at!["resource", "labelSelector"]);
        }
        if resource.label_selector.match_expressions.as_ref().is_some_and(|all| !all.is_empty()) {
            let finding = rule::MATCH_EXPRESSIONS_IGNORED.says("Kaito 0.3 selects nodes by matchLabels only");
            self.say(finding.help("write it as matchLabels"), at!["resource", "labelSelector", "matchExpressions"]);
        }
        let name = instance_type(self.workspace);
        let cloud = self.context.options.cloud;
        let any_prefix = ["Standard_N", "Standard_D"].iter().any(|prefix| name.starts_with(prefix));
        if self.context.options.node_provisioner.makes_nodes() && !any_prefix && self.table_size().is_none() {
            let known: Vec<&str> = self.context.catalog.skus(cloud).map(|found| found.value.name.as_str()).collect();
            let mut finding = rule::UNKNOWN_INSTANCE_TYPE.says(format!("Kaito 0.3 doesn't know the size {name}"));
            finding.help.extend(did_you_mean(name, known));
            let help = if cloud == Cloud::Azure { "sizes begin with Standard_N or Standard_D" } else { "its table of sizes is azure's" };
            self.say(finding.help(help), at!["resource", "instanceType"]);
        }
    }

    /// GPUs and GiB of the size, if Kaito's table has it.
    fn table_size(&self) -> Option<(u64, u64)> {
        let name = instance_type(self.workspace);
        let found = self.context.catalog.sku(self.context.options.cloud, name)?;
        let is_listed = found.value.name == name && found.value.kaito.contains(&self.context.catalog.version);
        is_listed.then(|| (found.value.gpus, found.value.memory.bytes() / crate::quantity::GIB))
    }

    fn inference_v0_3(&mut self) {
        let Some(inference) = &self.workspace.inference else { return };
        if inference.config.is_some() {
            self.newer_field(at!["inference", "config"]);
        }
        match (&inference.preset, &inference.template) {
            (None, None) => self.say(
                rule::EXACTLY_ONE
                    .says("neither preset nor template is set")
                    .help("name a preset: `kaito preset list --kaito-version 0.3` shows them"),
                at!["inference"],
            ),
            (Some(_), Some(_)) => {
                self.say(rule::EXACTLY_ONE.says("both preset and template are set; keep one of them"), at!["inference", "template"]);
            }
            (Some(asked), None) => {
                if let Some(preset) = self.image_preset(asked, "inference") {
                    self.memory(preset);
                    if preset.distributed && !self.workspace.adapters().is_empty() {
                        let finding = rule::ADAPTER_WITHOUT_EFFECT.says(format!("Kaito 0.3 fetches no adapters for {}", preset.name));
                        self.say(finding.help("only presets that run as a Deployment have them"), at!["inference", "adapters"]);
                    }
                }
            }
            (None, Some(template)) => self.template(template),
        }
        self.adapters_within_limit();
        for (index, adapter) in self.workspace.adapters().iter().enumerate() {
            self.adapter_v0_3(index, adapter);
        }
    }

    /// The preset, whose image the registry or the user must have.
    fn image_preset(&mut self, asked: &PresetSpec, within: &'static str) -> Option<&'a ImagePreset> {
        let context: &'a Context<'a> = self.context;
        let preset = match context.catalog.image_preset(&asked.name) {
            Ok(found) => &found.value,
            Err(unknown) => {
                self.say(unknown.finding(&asked.name), at![within, "preset", "name"]);
                return None;
            }
        };
        let options = asked.preset_options.as_ref();
        let image = options.and_then(|options| options.image.as_deref()).filter(|image| !image.is_empty());
        if options.is_some_and(|options| options.model_access_secret.is_some()) {
            self.newer_field(at![within, "preset", "presetOptions", "modelAccessSecret"]);
        }
        match (asked.is_private(), image) {
            (false, _) if preset.tag.is_none() => {
                let finding = rule::INVALID_VALUE.says(format!("there is no public image of {}", preset.name));
                let help = "write accessMode: private, and the image of your own as presetOptions.image";
                self.say(finding.help(help), at![within, "preset", "accessMode"]);
            }
            (true, None) => {
                let finding =
                    rule::MISSING_FIELD.says("a private preset needs an image of your own").help("name it as presetOptions.image");
                self.say(finding, at![within, "preset", "presetOptions", "image"]);
            }
            (true, Some(image)) => self.doubtful_image(image, at![within, "preset", "presetOptions", "image"]),
            (false, Some(_)) => {
                let finding = rule::FIELD_WITHOUT_EFFECT.says("only a private preset has an image of your own");
                self.say(finding.help("write accessMode: private"), at![within, "preset", "presetOptions", "image"]);
            }
            (false, None) => {}
        }
        Some(preset)
    }

    /// Kaito 0.3 takes any text for an image; a cluster does not.
    fn doubtful_image(&mut self, image: &str, path: &[Step<'_>]) {
        if !is_reference(image) {
            self.say(Diagnostic { severity: Severity::Warning, ..image_reference(image) }, path);
        }
    }

    /// Whether the model fits on the GPUs of a size in the table: Kaito's webhook refuses those that don't, its controller doesn't ask.
    fn memory(&mut self, preset: &ImagePreset) {
        let Some((gpus, gib)) = self.table_size() else { return };
        let count = u64::try_from(self.workspace.count()).unwrap_or(0);
        let gb = |quantity: &Quantity| quantity.bytes().div_ceil(GB);
        let size = instance_type(self.workspace);
        let at = at!["resource", "instanceType"];
        let few = count * gpus < preset.gpus;
        if gpus < preset.gpus && !few {
            let message = format!("each pod of {} asks for {} GPUs, and a node of {size} has {gpus}", preset.name, preset.gpus);
            let finding = rule::LITTLE_GPU_MEMORY.says(message).help("no such pod is ever scheduled: choose a size with as many GPUs");
            self.say(finding, at);
        }
        let mut doubt = |message: String| {
            let finding =
                rule::LITTLE_GPU_MEMORY.says(message).help("Kaito's webhook would refuse it: choose a larger size, or more nodes");
            self.say(finding, at);
        };
        if few {
            doubt(format!("{} needs {} GPUs, and {count} x {size} have {}", preset.name, preset.gpus, count * gpus));
        }
        let (one, least) = (gib / gpus.max(1), gb(&preset.gpu_memory_per_gpu));
        if one < least {
            doubt(format!("{} needs GPUs of {least} GB, and one of {size} has {one}", preset.name));
        }
        // The figure of the table is that of all GPUs already; Kaito multiplies it by their number once more.
        let (all, least) = (count * gib * gpus, gb(&preset.gpu_memory));
        if all < least {
            doubt(format!("{} needs {least} GB of GPU memory, and {count} x {size} count as {all}", preset.name));
        }
    }

    fn adapter_v0_3(&mut self, index: usize, adapter: &AdapterSpec) {
        let within = |path: &[Step<'static>]| [at!["inference", "adapters", index], path].concat();
        if adapter.strength.is_none() {
            let finding = rule::INVALID_ADAPTER.says("the controller of Kaito 0.3 crashes on an adapter without strength");
            self.say(finding.help("write strength: \"1.0\""), &within(at!["strength"]));
        }
        self.strength(index, adapter);
        let Some(source) = &adapter.source else {
            return self.say(rule::INVALID_ADAPTER.says("the adapter has no source").help("name an image"), &within(at!["source"]));
        };
        match source.image() {
            Some(image) => self.doubtful_image(image, &within(at!["source", "image"])),
            None => self.say(
                rule::INVALID_ADAPTER.says("the adapter has no image").help("Kaito 0.3 takes adapters from images only"),
                &within(at!["source", "image"]),
            ),
        }
        if source.image_pull_secrets.as_ref().is_some_and(|secrets| !secrets.is_empty()) {
            let finding = rule::ADAPTER_WITHOUT_EFFECT.says("Kaito 0.3 pulls adapters without Secrets");
            self.say(finding.help("name them in the pod's ServiceAccount"), &within(at!["source", "imagePullSecrets"]));
        }
        let name = source.name.as_deref().unwrap_or_default();
        if !names::is_dns_label(name) || name == self.workspace.metadata.name {
            let finding = rule::INVALID_NAME.says(format!("{name:?} can't be the name of the container that fetches the adapter"));
            let help = "use lower-case letters, digits and dashes, and another name than the Workspace's";
            self.say(finding.help(help), &within(at!["source", "name"]));
        }
        self.adapter_twice(index, name);
    }

    fn tuning_v0_3(&mut self) {
        let Some(tuning) = self.workspace.tuning.as_ref().filter(|_| self.workspace.inference.is_none()) else { return };
        self.one_node();
        match &tuning.preset {
            None => self.say(rule::MISSING_FIELD.says("the preset is missing").help("name the model to tune"), at!["tuning", "preset"]),
            Some(asked) => {
                if let Some(preset) = self.image_preset(asked, "tuning").filter(|preset| preset.tuning.is_none()) {
                    let known = self.context.catalog.image_presets().filter(|found| found.value.tuning.is_some());
                    let known: Vec<&str> = known.map(|found| found.value.name.as_str()).collect();
                    let finding = rule::PRESET_RUNTIME.says(format!("{} can't be tuned", preset.name));
                    self.say(finding.help(format!("presets to tune are {}", known.join(", "))), at!["tuning", "preset", "name"]);
                }
            }
        }
        self.tuning_config(tuning);
        self.tuning_input_v0_3(tuning);
        self.tuning_output_v0_3(tuning);
    }

    fn tuning_input_v0_3(&mut self, tuning: &TuningSpec) {
        let input = &tuning.input;
        if input.volume_source.is_some() {
            let finding = rule::INVALID_TUNING.says("Kaito 0.3 reads no training data from volumes");
            return self.say(finding.help("name urls or an image"), at!["tuning", "input", "volumeSource"]);
        }
        if input.urls().is_some() == input.image().is_some() {
            return self.say(rule::EXACTLY_ONE.says("training data comes from exactly one of urls and image"), at!["tuning", "input"]);
        }
        for (index, url) in input.urls().into_iter().flatten().enumerate() {
            if let Err((message, help)) = check_url(url) {
                let finding = Diagnostic { severity: Severity::Warning, ..rule::TRAINING_URL.says(message) };
                self.say(finding.help(help), at!["tuning", "input", "urls", index]);
            }
        }
        if let Some(image) = input.image() {
            self.tagged_image(image, at!["tuning", "input", "image"]);
        }
    }

    fn tuning_output_v0_3(&mut self, tuning: &TuningSpec) {
        let output = &tuning.output;
        if output.volume_source.is_some() {
            let finding = rule::INVALID_TUNING.says("Kaito 0.3 writes no results to volumes");
            return self.say(finding.help("name an image and imagePushSecret"), at!["tuning", "output", "volumeSource"]);
        }
        match output.image() {
            Some(image) => self.tagged_image(image, at!["tuning", "output", "image"]),
            None => self.say(rule::MISSING_FIELD.says("the image for the result is missing"), at!["tuning", "output", "image"]),
        }
        if output.image_push_secret.as_deref().unwrap_or_default().is_empty() {
            let finding = rule::INVALID_TUNING.says("the Secret to push the image with is missing");
            self.say(finding.help("name one of type kubernetes.io/dockerconfigjson"), at!["tuning", "output", "imagePushSecret"]);
        }
    }

    /// `registry/repository:tag`, the only form that Kaito 0.3 takes for tuning.
    fn tagged_image(&mut self, image: &str, path: &[Step<'_>]) {
        let is_tagged = image.rsplit_once(':').is_some_and(|(name, tag)| {
            let has_path = name.rsplit_once('/').is_some_and(|(host, last)| !host.is_empty() && !last.is_empty());
            has_path && !tag.is_empty() && !tag.contains('/')
        });
        if !is_tagged {
            return self.say(image_reference(image), path);
        }
        self.doubtful_image(image, path);
    }
}
