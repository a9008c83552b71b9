//! The rules by which Kaito admits a Workspace, as far as they can be decided without a cluster.
//!
//! Source: the validating webhooks of Kaito 0.12. Where Kaito reads the cluster, the input set stands in for it.

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::options::{NodeImageFamily, NodeProvisioner};
use crate::plan::{Context, Runtime, runtime};
use crate::spec::{AdapterSpec, DataSource, InferenceConfig, Located, Workspace, max_model_len, names};
use crate::yaml::Step;

/// The most adapters of one Workspace.
const MOST_ADAPTERS: usize = 10;

/// The longest name whose Services (`<name>-headless`) are within 63 characters.
const LONGEST_NAME: usize = 54;

/// The longest name whose pods can carry the label `controller-revision-hash`, 11 characters longer.
const LONGEST_GOOD_NAME: usize = 52;

/// Adds everything for which Kaito would refuse a Workspace, and warnings for its known traps.
pub fn check(located: &Located<Workspace>, context: &Context<'_>, findings: &mut Vec<Diagnostic>) {
    let mut check = Check { located, workspace: &located.value, context, findings };
    check.names();
    check.annotations();
    check.one_job();
    check.resource();
    check.inference();
}

struct Check<'a> {
    located: &'a Located<Workspace>,
    workspace: &'a Workspace,
    context: &'a Context<'a>,
    findings: &'a mut Vec<Diagnostic>,
}

macro_rules! path {
    ($($step:expr),*) => { &[$(Step::from($step)),*] };
}

impl Check<'_> {
    fn say(&mut self, finding: Diagnostic, path: &[Step<'_>]) {
        self.findings.push(self.located.document.finding(finding, path));
    }

    fn names(&mut self) {
        let name = &self.workspace.metadata.name;
        let at = path!["metadata", "name"];
        if !names::is_dns_label(name) {
            let finding = Diagnostic::error(format!("{name:?} is no name for a Workspace"))
                .help("use at most 63 lower-case letters, digits and dashes, the first and last no dash; no dots");
            self.say(finding, at);
        } else if name.len() > LONGEST_NAME {
            let finding =
                Diagnostic::error(format!("the name has {} characters; its Service {name}-headless can't have more than 63", name.len()))
                    .help(format!("use at most {LONGEST_GOOD_NAME} characters"));
            self.say(finding, at);
        } else if name.len() > LONGEST_GOOD_NAME {
            let finding = Diagnostic::warning(format!(
                "the name has {} characters; its pods can't be labelled with controller-revision-hash",
                name.len()
            ))
            .help(format!("use at most {LONGEST_GOOD_NAME} characters"));
            self.say(finding, at);
        } else if name.starts_with(|first: char| first.is_ascii_digit()) {
            self.say(
                Diagnostic::error(format!("the name of a Service can't start with a digit, and {name} needs one of its name"))
                    .help("start it with a letter"),
                at,
            );
        }
        if !names::is_dns_label(&self.located.namespace) {
            let finding = Diagnostic::error(format!("{:?} is no name for a namespace", self.located.namespace))
                .help("use lower-case letters, digits and dashes");
            self.say(finding, path!["metadata", "namespace"]);
        }
        let workspace = self.workspace;
        for (key, value) in workspace.labels() {
            if !names::is_qualified_name(key) {
                self.say(Diagnostic::error(format!("{key:?} is no key for a label")), path!["metadata", "labels", key.as_str()]);
            }
            if !names::is_label_value(value) {
                self.say(label_value(value), path!["metadata", "labels", key.as_str()]);
            }
        }
        for key in workspace.metadata.annotations.iter().flat_map(|all| all.keys()) {
            if !names::is_qualified_name(&key.to_lowercase()) {
                self.say(Diagnostic::error(format!("{key:?} is no key for an annotation")), path!["metadata", "annotations", key.as_str()]);
            }
        }
    }

    fn annotations(&mut self) {
        let at = |key| [Step::Field("metadata"), Step::Field("annotations"), Step::Field(key)];
        let one_of = |value: &str, allowed: &[&'static str]| {
            let mut finding = Diagnostic::error(format!("{value:?} is not allowed here"))
                .help(format!("allowed is {}", crate::diagnostic::either(allowed)));
            finding.help.extend(did_you_mean(value, allowed.iter().copied()));
            finding
        };
        if let Some(value) = self.workspace.annotation(names::NODE_IMAGE_FAMILY).filter(|value| NodeImageFamily::by_name(value).is_none()) {
            self.say(one_of(value, &["ubuntu", "azurelinux"]), &at(names::NODE_IMAGE_FAMILY));
        }
        if let Some(value) = self.workspace.annotation(names::PERFORMANCE_MODE) {
            let allowed = ["balanced", "interactivity", "throughput"];
            if !allowed.contains(&value) {
                self.say(one_of(value, &allowed), &at(names::PERFORMANCE_MODE));
            }
        }
        if let Some(value) = self.workspace.annotation(names::USE_LOCAL_WEIGHTS).filter(|value| !matches!(*value, "true" | "false")) {
            self.say(one_of(value, &["true", "false"]), &at(names::USE_LOCAL_WEIGHTS));
        }
        if let Some(value) =
            self.workspace.annotation(names::ENABLE_LB).filter(|value| *value != "True" && value.eq_ignore_ascii_case("true"))
        {
            let finding =
                Diagnostic::warning(format!("{value:?} doesn't make the Service a load balancer")).help("Kaito wants exactly \"True\"");
            self.say(finding, &at(names::ENABLE_LB));
        }
        if let Some(value) = self.workspace.annotation(names::RUNTIME).filter(|value| !matches!(*value, "vllm" | "transformers")) {
            let finding =
                Diagnostic::warning(format!("{value:?} is no runtime, so vllm is used")).help("runtimes are vllm and transformers");
            self.say(finding, &at(names::RUNTIME));
        }
        let workspace = self.workspace;
        for key in workspace.metadata.annotations.iter().flat_map(|all| all.keys()) {
            let ours = key.starts_with("kaito.sh/") || key.starts_with("inference.kaito.sh/");
            if ours && !names::ANNOTATIONS.contains(&key.as_str()) {
                let mut finding = Diagnostic::warning("Kaito knows no such annotation");
                finding.help.extend(did_you_mean(key, names::ANNOTATIONS));
                self.say(finding, &at(key));
            }
        }
        self.node_class();
    }

    fn node_class(&mut self) {
        let named = self.workspace.annotation(names::NODE_CLASS_NAME).filter(|name| !name.is_empty());
        if self.context.options.node_provisioner != NodeProvisioner::Karpenter {
            return;
        }
        let Some(classes) = self.context.node_classes() else {
            let cloud = self.context.options.cloud.name();
            let finding = Diagnostic::error(format!("no NodeClasses are known for Karpenter on {cloud}"))
                .help("declare them in kaito.yaml: karpenter.classes");
            self.say(finding, &[]);
            return;
        };
        let known: Vec<&str> = classes.classes.iter().map(|class| class.name.as_str()).collect();
        if let Some(name) = named.filter(|name| !known.contains(name)) {
            let mut finding =
                Diagnostic::error(format!("{name:?} is no declared NodeClass")).help(format!("declared are {}", known.join(", ")));
            finding.help.extend(did_you_mean(name, known));
            self.say(finding, &[Step::Field("metadata"), Step::Field("annotations"), Step::Field(names::NODE_CLASS_NAME)]);
        }
    }

    fn one_job(&mut self) {
        let help = "give it `inference` to serve a model, or `tuning` to fine-tune one";
        match (&self.workspace.inference, &self.workspace.tuning) {
            (None, None) => self.say(Diagnostic::error("neither inference nor tuning is set").help(help), &[]),
            (Some(_), Some(_)) => {
                self.say(Diagnostic::error("both inference and tuning are set; a Workspace does one of them").help(help), path!["tuning"]);
            }
            (None, Some(_)) => {
                let finding =
                    Diagnostic::error("tuning is not rendered by this version of kaito").help("leave the Workspace out of the input");
                self.say(finding, path!["tuning"]);
            }
            (Some(_), None) => {}
        }
    }

    fn resource(&mut self) {
        let given = self.workspace.resource.as_ref().and_then(|resource| resource.instance_type.as_deref()).filter(|name| !name.is_empty());
        if self.context.options.node_provisioner.makes_nodes() {
            self.instance_type();
        } else if let Some(name) = given {
            let finding = Diagnostic::error(format!("{name} can't be asked for: with --node-provisioner byo the nodes are there already"))
                .help("leave the field out, and select nodes with resource.labelSelector");
            self.say(finding, path!["resource", "instanceType"]);
        }
        let Some(resource) = &self.workspace.resource else { return };
        if resource.count.is_some_and(|count| !(0..=i64::from(i32::MAX)).contains(&count)) {
            self.say(Diagnostic::error("a count of nodes is 0 or more"), path!["resource", "count"]);
        }
        if resource.partition.is_some() {
            let finding = Diagnostic::error("partitions of GPUs are not rendered by this version of kaito")
                .help("leave the Workspace out of the input");
            self.say(finding, path!["resource", "partition"]);
        }
        self.selector();
    }

    fn instance_type(&mut self) {
        let cloud = self.context.options.cloud;
        let at = path!["resource", "instanceType"];
        let Some(name) = self.workspace.instance_type() else {
            let finding = Diagnostic::error("the size of the nodes is missing")
                .help(format!("`kaito sku list --cloud {}` shows the known sizes", cloud.name()));
            self.say(finding, at);
            return;
        };
        if let Some(found) = self.context.catalog.sku(cloud, name) {
            let sku = &found.value;
            if name != sku.name {
                let finding = Diagnostic::warning(format!("the cloud spells this size {}", sku.name))
                    .help("Kaito compares the node's label letter by letter");
                self.say(finding, at);
            }
            if !sku.kaito.contains(&self.context.catalog.version) {
                let finding =
                    Diagnostic::note(format!("Kaito {} itself would refuse {name}, which its table lacks", self.context.catalog.version));
                self.say(finding, at);
            }
            if !sku.is_nvidia() {
                let finding = Diagnostic::warning(format!("{name} has {} GPUs, but pods ask for nvidia.com/gpu", sku.model))
                    .help("choose a size with NVIDIA GPUs");
                self.say(finding, at);
            }
            return;
        }
        let azure_prefix = ["standard_n", "standard_d"].iter().any(|prefix| name.to_lowercase().starts_with(prefix));
        if cloud == crate::options::Cloud::Azure && azure_prefix && self.workspace.preset().is_none() {
            return;
        }
        let known: Vec<&str> = self.context.catalog.skus(cloud).map(|sku| sku.value.name.as_str()).collect();
        let mut finding = Diagnostic::error(format!("the size {name} is unknown on {}", cloud.name()));
        finding.help.extend(did_you_mean(name, known));
        finding = finding.help(format!(
            "`kaito sku list --cloud {}` shows the known sizes; a file skus/{}.yaml in --presets DIR adds one",
            cloud.name(),
            cloud.name()
        ));
        self.say(finding, at);
    }

    fn selector(&mut self) {
        let Some(resource) = &self.workspace.resource else { return };
        let selector = &resource.label_selector;
        for (key, value) in selector.match_labels.iter().flatten() {
            let at = path!["resource", "labelSelector", "matchLabels", key.as_str()];
            if !names::is_qualified_name(key) {
                self.say(Diagnostic::error(format!("{key:?} is no key for a label")), at);
            }
            if !names::is_label_value(value) {
                self.say(label_value(value), at);
            }
            if names::RESERVED_SELECTOR_LABELS.contains(&key.as_str()) {
                self.say(
                    Diagnostic::warning("Kaito reserves this label for itself and drops it from the selector").help("leave it out"),
                    at,
                );
            }
        }
        for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
            let at = path!["resource", "labelSelector", "matchExpressions", index];
            if requirement.operator != "In" || requirement.values.as_ref().is_none_or(|values| values.len() != 1) {
                let finding =
                    Diagnostic::error(format!("Kaito admits only `In` with one value; found {} {}", requirement.key, requirement.operator));
                self.say(finding.help("write it as matchLabels"), at);
            } else {
                self.say(
                    Diagnostic::warning("Kaito admits matchExpressions but selects nodes by matchLabels only")
                        .help("write it as matchLabels"),
                    at,
                );
            }
        }
        let given = selector.match_labels.as_ref().is_some_and(|labels| !labels.is_empty());
        if given && self.workspace.node_labels().is_empty() {
            let finding =
                Diagnostic::error("every label here is reserved, so that no selector is left").help("name at least one label of your own");
            self.say(finding, path!["resource", "labelSelector", "matchLabels"]);
        }
    }

    fn inference(&mut self) {
        let Some(inference) = &self.workspace.inference else { return };
        match (&inference.preset, &inference.template) {
            (None, None) => self.say(
                Diagnostic::error("neither preset nor template is set").help("name a preset: `kaito preset list` shows them"),
                path!["inference"],
            ),
            (Some(_), Some(_)) => {
                self.say(Diagnostic::error("both preset and template are set; keep one of them"), path!["inference", "template"]);
            }
            (Some(_), None) => self.preset(),
            (None, Some(_)) => self.config(None),
        }
        self.adapters();
    }

    fn preset(&mut self) {
        let Some(preset) = self.workspace.preset() else { return };
        let at = path!["inference", "preset", "name"];
        let model = match self.context.catalog.model(&preset.name) {
            Ok(found) => &found.value,
            Err(unknown) => {
                let message = match unknown.retired {
                    Some(why) => format!("the preset {} is {why}", preset.name),
                    None => format!("the preset {:?} is unknown", preset.name),
                };
                let mut finding = Diagnostic::error(message);
                if !unknown.nearest.is_empty() {
                    finding = finding.help(format!("did you mean {}?", crate::diagnostic::either(&unknown.nearest)));
                }
                finding = finding.help("`kaito preset list` shows all; a file in --presets DIR adds one");
                self.say(finding, at);
                return;
            }
        };
        let runtime = runtime(self.workspace, self.context.options);
        if runtime == Runtime::Transformers && model.transformers.is_none() {
            let finding = Diagnostic::error(format!("{} does not run on the transformers runtime", model.name()))
                .help("leave out the annotation kaito.sh/runtime: transformers (and the gate vLLM=false)");
            self.say(finding, at);
        }
        if runtime == Runtime::Vllm {
            let strengths = self.workspace.adapters().iter().enumerate().filter(|(_, adapter)| adapter.strength.is_some());
            for index in strengths.map(|(index, _)| index).collect::<Vec<_>>() {
                let finding = Diagnostic::error("vLLM has no strength of adapters")
                    .help("leave the field out, or use the annotation kaito.sh/runtime: transformers");
                self.say(finding, path!["inference", "adapters", index, "strength"]);
            }
            self.config(Some(model.context_limit));
        }
    }

    /// Looks into the ConfigMap, which only vLLM's configuration needs.
    fn config(&mut self, context_limit: Option<u64>) {
        let Some(name) = self.workspace.config().filter(|_| runtime(self.workspace, self.context.options) == Runtime::Vllm) else { return };
        let at = path!["inference", "config"];
        let Some(document) = self.context.config_map(&self.located.namespace, name) else {
            let elsewhere = self.context.input.config_maps.keys().find(|(_, other)| other == name);
            let mut finding =
                Diagnostic::error(format!("the ConfigMap {name} is not in the namespace {} of the input", self.located.namespace));
            finding = match elsewhere {
                Some((namespace, _)) => finding.help(format!("the one in the namespace {namespace} is another")),
                None => finding.help("add it to the files given with -f: kaito reads it, and passes it through"),
            };
            self.say(finding, at);
            return;
        };
        let Some(config) = InferenceConfig::read(document, name, self.findings) else { return };
        let Some(given) = config.max_model_len.as_deref().map(str::trim).filter(|given| !given.is_empty()) else { return };
        let Some(limit) = context_limit else { return };
        let wrong = match given.parse::<i64>() {
            Err(_) => Some(Diagnostic::error(format!("{given:?} is no integer"))),
            Ok(value) if value > i64::try_from(limit).unwrap_or(i64::MAX) => Some(
                Diagnostic::error(format!("{value} is beyond the model's context of {limit} tokens")).help(format!("use at most {limit}")),
            ),
            Ok(value) if value > 0 && max_model_len(&config.text).is_none() => {
                let finding = Diagnostic::warning(format!("the node estimate doesn't see {value}, since it reads lines and not YAML"));
                Some(
                    finding.help(
                        "write `vllm:` and, two spaces deeper, `max-model-len: N` on lines of their own, without quotes or a comment",
                    ),
                )
            }
            Ok(_) => None,
        };
        if let Some(finding) = wrong {
            let finding = config.finding(document, name, finding);
            self.findings.push(finding);
        }
    }

    fn adapters(&mut self) {
        let adapters = self.workspace.adapters();
        if adapters.len() > MOST_ADAPTERS {
            let finding = Diagnostic::error(format!("{} adapters; a Workspace has at most {MOST_ADAPTERS}", adapters.len()));
            self.say(finding, path!["inference", "adapters"]);
        }
        if self.workspace.inference.as_ref().is_some_and(|inference| inference.template.is_some()) && !adapters.is_empty() {
            self.say(Diagnostic::warning("adapters have no effect beside a template"), path!["inference", "adapters"]);
        }
        for (index, adapter) in adapters.iter().enumerate() {
            self.adapter(index, adapter);
        }
    }

    fn adapter(&mut self, index: usize, adapter: &AdapterSpec) {
        let at = |field: &'static str| [Step::Field("inference"), Step::Field("adapters"), Step::Item(index), Step::Field(field)];
        if let Some(strength) = &adapter.strength
            && !strength.parse::<f64>().is_ok_and(|value| (0.0..=1.0).contains(&value))
        {
            self.say(
                Diagnostic::error(format!("{strength:?} is no strength")).help("a strength is a number from 0 to 1, in quotes"),
                &at("strength"),
            );
        }
        let Some(source) = &adapter.source else {
            self.say(Diagnostic::error("the adapter has no source").help("name an image or a volumeSource"), &at("source"));
            return;
        };
        let within = |field: &'static str| {
            [Step::Field("inference"), Step::Field("adapters"), Step::Item(index), Step::Field("source"), Step::Field(field)]
        };
        let name = source.name.as_deref().unwrap_or_default();
        if !names::is_dns_subdomain(name) {
            let finding =
                Diagnostic::error(format!("{name:?} is no name for an adapter")).help("use lower-case letters, digits, dashes and dots");
            self.say(finding, &within("name"));
        } else if name.contains('.') || name.len() > longest_adapter_name(source) {
            let most = longest_adapter_name(source);
            let finding = Diagnostic::error(format!("{name:?} can't be part of the names of its container and volume"));
            self.say(finding.help(format!("use at most {most} lower-case letters, digits and dashes, no dots")), &within("name"));
        }
        let earlier = self.workspace.adapters()[..index].iter();
        if earlier.filter_map(|other| other.source.as_ref()).any(|other| other.name == source.name) {
            self.say(Diagnostic::error(format!("two adapters are called {name:?}")), &within("name"));
        }
        if source.urls.as_ref().is_some_and(|urls| !urls.is_empty()) {
            self.say(Diagnostic::error("an adapter can't come from URLs").help("name an image or a volumeSource"), &within("urls"));
        }
        match (source.image.as_deref().filter(|image| !image.is_empty()), &source.volume_source) {
            (None, None) => self.say(Diagnostic::error("the adapter has neither an image nor a volumeSource"), &at("source")),
            (Some(_), Some(_)) => self.say(Diagnostic::warning("the volumeSource wins over the image"), &within("image")),
            (Some(image), None) if !crate::image::is_reference(image) => {
                let finding = Diagnostic::error(format!("{image:?} is no reference of an image"))
                    .help("write registry/repository:tag, the repository in lower case");
                self.say(finding, &within("image"));
            }
            _ => {}
        }
    }
}

/// What of 63 characters is left by `adapter-volume-`, `docker-config--inference-adapter` or `puller-`.
fn longest_adapter_name(source: &DataSource) -> usize {
    match (&source.volume_source, &source.image_pull_secrets) {
        (Some(_), _) => 48,
        (None, Some(secrets)) if !secrets.is_empty() => 31,
        _ => 56,
    }
}

fn label_value(value: &str) -> Diagnostic {
    Diagnostic::error(format!("{value:?} is no value for a label"))
        .help("use at most 63 letters, digits, dashes, underscores and dots, the first and last alphanumeric")
}
