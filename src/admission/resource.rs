//! The rules about nodes: `resource`.

use super::{Check, at, label};
use crate::config::gate_is_off;
use crate::diagnostic::did_you_mean;
use crate::options::{Cloud, NodeProvisioner};
use crate::plan::{Runtime, runtime};
use crate::quantity;
use crate::rule;
use crate::sku::mig_memory;
use crate::spec::{LabelSelector, PartitionMode, PartitionSpec, names};
use crate::yaml::Step;

impl Check<'_> {
    pub(super) fn resource(&mut self) {
        let Some(resource) = &self.workspace.resource else {
            let finding =
                rule::MISSING_FIELD.says("resource is missing").help("name the size of the nodes and the labels that select them");
            return self.say(finding, at!["resource"]);
        };
        if self.context.options.node_provisioner.makes_nodes() {
            self.instance_type();
        } else if let Some(name) = self.workspace.instance_type() {
            let finding = rule::INSTANCE_TYPE_PRESENCE
                .says(format!("{name} can't be asked for: with --node-provisioner byo the nodes are there already"));
            let help = if resource.instance_type.is_none() {
                "it is the default of kaito.sh/v1alpha1: write kaito.sh/v1beta1"
            } else {
                "leave the field out, and select nodes with resource.labelSelector"
            };
            self.say(finding.help(help), at!["resource", "instanceType"]);
        }
        let counts = runtime(self.workspace, self.context.options) == Runtime::Transformers;
        if let Some(count) = resource.count.filter(|count| *count < 0 && counts) {
            self.say(rule::INVALID_VALUE.says(format!("{count} nodes: a count is 0 or more")), at!["resource", "count"]);
        }
        if let Some(partition) = &resource.partition {
            if self.workspace.is_v1alpha1() {
                self.say(
                    rule::UNKNOWN_FIELD.says("unknown field").help("it is there since kaito.sh/v1beta1"),
                    at!["resource", "partition"],
                );
            }
            self.partition(partition);
        }
        self.selector();
        self.node_labels();
    }

    fn instance_type(&mut self) {
        let cloud = self.context.options.cloud;
        let at = at!["resource", "instanceType"];
        let Some(name) = self.workspace.instance_type() else {
            let finding = rule::INSTANCE_TYPE_PRESENCE
                .says("the size of the nodes is missing")
                .help(format!("`kaito sku list --cloud {}` shows the known sizes", cloud.name()));
            self.say(finding, at);
            return;
        };
        if cloud == Cloud::Arc && self.context.options.node_provisioner == NodeProvisioner::GpuProvisioner {
            let finding = rule::UNKNOWN_NODE_CLASS.says("nothing makes nodes on arc: a NodeClaim needs a NodeClass, and arc has none");
            return self.say(finding.help("use nodes of your own: --node-provisioner byo, without instanceType"), at);
        }
        if let Some(found) = self.context.catalog.sku(cloud, name) {
            let sku = &found.value;
            if name != sku.name {
                let finding = rule::INSTANCE_TYPE_SPELLING
                    .says(format!("the cloud spells this size {}", sku.name))
                    .help("Kaito compares the node's label letter by letter");
                self.say(finding, at);
            }
            if !sku.kaito.contains(&self.context.catalog.version) {
                let finding = rule::INSTANCE_TYPE_UNKNOWN_TO_KAITO
                    .says(format!("Kaito {} itself would refuse {name}, which its table lacks", self.context.catalog.version));
                self.say(finding, at);
            }
            if !sku.is_nvidia() {
                let finding = rule::NOT_NVIDIA
                    .says(format!("{name} has {} GPUs, but pods ask for nvidia.com/gpu", sku.model))
                    .help("choose a size with NVIDIA GPUs");
                self.say(finding, at);
            }
            return;
        }
        let is_template = self.workspace.inference.as_ref().is_some_and(|inference| inference.template.is_some());
        let azure_prefix = ["standard_n", "standard_d"].iter().any(|prefix| name.to_lowercase().starts_with(prefix));
        if cloud == Cloud::Azure && azure_prefix && is_template {
            return;
        }
        let known: Vec<&str> = self.context.catalog.skus(cloud).map(|sku| sku.value.name.as_str()).collect();
        let mut finding = rule::UNKNOWN_INSTANCE_TYPE.says(format!("the size {name} is unknown on {}", cloud.name()));
        finding.help.extend(did_you_mean(name, known));
        finding = finding.help(format!(
            "`kaito sku list --cloud {}` shows the known sizes; a file skus/{}.yaml in --presets DIR adds one",
            cloud.name(),
            cloud.name()
        ));
        self.say(finding, at);
    }

    fn partition(&mut self, partition: &PartitionSpec) {
        let at = at!["resource", "partition"];
        if self.context.options.node_provisioner.makes_nodes() {
            let finding = rule::INVALID_PARTITION.says("GPUs of nodes that are made for a Workspace can't be divided");
            return self.say(finding.help("leave the field out, or use nodes of your own: --node-provisioner byo"), at);
        }
        let gate = match partition.mode {
            PartitionMode::Mig => "enableMIG",
            PartitionMode::Accelerator => "enableAccelerator",
        };
        if !self.context.options.feature_gates.is_on(gate) {
            self.say(gate_is_off(gate), at!["resource", "partition", "mode"]);
        }
        match partition.mode {
            PartitionMode::Mig => self.mig(partition),
            PartitionMode::Accelerator => {
                if partition.count.is_none() {
                    self.say(rule::INVALID_PARTITION.says("the number of GPUs is missing").help("set count"), at);
                }
                if partition.profile.as_ref().is_some_and(|profile| !profile.is_empty()) {
                    self.say(
                        rule::INVALID_PARTITION.says("profiles are for mode mig").help("leave the field out"),
                        at!["resource", "partition", "profile"],
                    );
                }
            }
        }
    }

    fn mig(&mut self, partition: &PartitionSpec) {
        if partition.count.is_some() {
            self.say(
                rule::INVALID_PARTITION.says("a count is for mode accelerator; mig is one slice").help("leave the field out"),
                at!["resource", "partition", "count"],
            );
        }
        let at = at!["resource", "partition", "profile"];
        let profile = partition.profile.as_deref().unwrap_or_default();
        let known = self.context.catalog.mig_profiles();
        if !known.iter().any(|known| known == profile) {
            let mut finding = rule::INVALID_PARTITION.says(format!("{profile:?} is no MIG profile"));
            finding.help.extend(did_you_mean(profile, known.iter().map(String::as_str)));
            return self.say(finding.help(format!("profiles are {}", known.join(", "))), at);
        }
        let Some(model) = self.workspace.preset().and_then(|preset| self.context.catalog.model(&preset.name).ok()) else { return };
        let (slice, weights) = (mig_memory(profile), model.value.weights_bytes());
        if slice >= weights {
            return;
        }
        let message = format!(
            "the weights of {} alone are {}, and the slice {profile} has {}",
            model.value.name(),
            quantity::gib_text(weights),
            quantity::gib_text(slice)
        );
        if self.workspace.annotation(names::BYPASS_RESOURCE_CHECKS).is_some() {
            self.say(rule::LITTLE_GPU_MEMORY.says(message), at);
        } else {
            self.say(rule::GPU_MEMORY.says(message).help("choose a larger profile or a smaller model"), at);
        }
    }

    /// The labels of nodes, which must be labels.
    pub(super) fn match_labels(&mut self, selector: &LabelSelector) {
        for (key, value) in selector.match_labels.iter().flatten() {
            for finding in label(key, value) {
                self.say(finding, at!["resource", "labelSelector", "matchLabels", key.as_str()]);
            }
        }
    }

    fn selector(&mut self) {
        let Some(resource) = &self.workspace.resource else { return };
        let selector = &resource.label_selector;
        self.match_labels(selector);
        for key in selector.match_labels.iter().flat_map(|labels| labels.keys()) {
            let at = at!["resource", "labelSelector", "matchLabels", key.as_str()];
            if names::RESERVED_SELECTOR_LABELS.contains(&key.as_str()) {
                self.say(
                    rule::RESERVED_LABEL.says("Kaito reserves this label for itself and drops it from the selector").help("leave it out"),
                    at,
                );
            }
        }
        for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
            let at = at!["resource", "labelSelector", "matchExpressions", index];
            if requirement.operator != "In" || requirement.values.as_ref().is_none_or(|values| values.len() != 1) {
                let finding = rule::MATCH_EXPRESSIONS
                    .says(format!("Kaito admits only `In` with one value; found {} {}", requirement.key, requirement.operator));
                self.say(finding.help("write it as matchLabels"), at);
            } else {
                self.say(
                    rule::MATCH_EXPRESSIONS_IGNORED
                        .says("Kaito admits matchExpressions but selects nodes by matchLabels only")
                        .help("write it as matchLabels"),
                    at,
                );
            }
        }
        let given = selector.match_labels.as_ref().is_some_and(|labels| !labels.is_empty());
        if given && self.workspace.node_labels().is_empty() {
            let finding = rule::EMPTY_SELECTOR
                .says("every label here is reserved, so that no selector is left")
                .help("name at least one label of your own");
            self.say(finding, at!["resource", "labelSelector", "matchLabels"]);
        }
    }
}
