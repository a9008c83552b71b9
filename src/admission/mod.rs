//! The rules by which Kaito admits a Workspace, as far as they can be decided without a cluster.
//!
//! Source: the validating webhooks of Kaito 0.12. Where Kaito reads the cluster, the input set stands in for it.

mod inference;
mod mirror;
mod node_labels;
mod rag_engine;
mod resource;
mod streaming;
mod template;
mod tuning;
mod v0_3;

pub use mirror::check_mirror;
pub use rag_engine::check_rag_engine;

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::options::{NodeImageFamily, NodeProvisioner};
use crate::plan::Context;
use crate::rule;
use crate::spec::{Configs, Located, Workspace, names};
use crate::yaml::Step;

/// The longest name whose Services (`<name>-headless`) are within 63 characters.
const LONGEST_NAME: usize = 54;

/// The longest name whose pods can carry the label `controller-revision-hash`, 11 characters longer.
const LONGEST_GOOD_NAME: usize = 52;

/// Adds everything for which Kaito would refuse a Workspace, and warnings for its known traps. What is configured, which it reads
/// on the way, it gives to the plan.
pub fn check(located: &Located<Workspace>, context: &Context<'_>, findings: &mut Vec<Diagnostic>) -> Configs {
    let mut check = Check { located, workspace: &located.value, context, configs: Configs::default(), findings };
    if context.catalog.is_v0_3() {
        check.v0_3();
        return check.configs;
    }
    let serves = located.value.inference.is_some();
    check.names(serves, serves);
    check.annotations();
    check.one_job();
    check.resource();
    check.inference();
    check.tuning();
    check.configs
}

struct Check<'a> {
    located: &'a Located<Workspace>,
    workspace: &'a Workspace,
    context: &'a Context<'a>,
    configs: Configs,
    findings: &'a mut Vec<Diagnostic>,
}

/// A field path: `at!["a", 2, name]`.
macro_rules! at {
    ($($step:expr),*) => { &[$(Step::from($step)),*] };
}
use at;

impl Check<'_> {
    fn say(&mut self, finding: Diagnostic, path: &[Step<'_>]) {
        self.findings.push(self.located.document.finding(finding, path));
    }

    /// Names and labels; of a Workspace with a Service, and of one whose `StatefulSet` has a headless Service too.
    fn names(&mut self, has_service: bool, has_stateful_set: bool) {
        let name = &self.workspace.metadata.name;
        let at = at!["metadata", "name"];
        if !names::is_dns_label(name) {
            let finding = rule::INVALID_NAME
                .says(format!("{name:?} is no name for a Workspace"))
                .help("use at most 63 lower-case letters, digits and dashes, the first and last no dash; no dots");
            self.say(finding, at);
        } else if has_stateful_set && name.len() > LONGEST_NAME {
            let finding = rule::NAME_TOO_LONG
                .says(format!("the name has {} characters; its Service {name}-headless can't have more than 63", name.len()))
                .help(format!("use at most {LONGEST_GOOD_NAME} characters"));
            self.say(finding, at);
        } else if has_stateful_set && name.len() > LONGEST_GOOD_NAME {
            let finding = rule::NAME_TOO_LONG_FOR_PODS
                .says(format!("the name has {} characters; its pods can't be labelled with controller-revision-hash", name.len()))
                .help(format!("use at most {LONGEST_GOOD_NAME} characters"));
            self.say(finding, at);
        } else if has_service && name.starts_with(|first: char| first.is_ascii_digit()) {
            self.say(
                rule::INVALID_NAME
                    .says(format!("the name of a Service can't start with a digit, and {name} needs one of its name"))
                    .help("start it with a letter"),
                at,
            );
        }
        if !names::is_dns_label(&self.located.namespace) {
            self.say(namespace_name(&self.located.namespace), at!["metadata", "namespace"]);
        }
        let workspace = self.workspace;
        for (key, value) in workspace.labels() {
            for finding in label(key, value) {
                self.say(finding, at!["metadata", "labels", key.as_str()]);
            }
        }
        for key in workspace.metadata.annotations.iter().flat_map(|all| all.keys()) {
            if !names::is_qualified_name(&key.to_lowercase()) {
                self.say(
                    rule::INVALID_LABEL.says(format!("{key:?} is no key for an annotation")),
                    at!["metadata", "annotations", key.as_str()],
                );
            }
        }
    }

    fn annotations(&mut self) {
        let at = |key| [Step::Field("metadata"), Step::Field("annotations"), Step::Field(key)];
        let one_of = |value: &str, allowed: &[&'static str]| {
            let mut finding = rule::INVALID_ANNOTATION
                .says(format!("{value:?} is not allowed here"))
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
        self.enable_lb();
        if let Some(value) = self.workspace.annotation(names::RUNTIME).filter(|value| !matches!(*value, "vllm" | "transformers")) {
            let finding = rule::ANNOTATION_WITHOUT_EFFECT
                .says(format!("{value:?} is no runtime, so vllm is used"))
                .help("runtimes are vllm and transformers");
            self.say(finding, &at(names::RUNTIME));
        }
        self.unknown_annotations(&names::ANNOTATIONS);
        self.node_class();
    }

    fn enable_lb(&mut self) {
        let given = self.workspace.annotation(names::ENABLE_LB);
        if let Some(value) = given.filter(|value| *value != "True" && value.eq_ignore_ascii_case("true")) {
            let finding = rule::ANNOTATION_WITHOUT_EFFECT
                .says(format!("{value:?} doesn't make the Service a load balancer"))
                .help("Kaito wants exactly \"True\"");
            self.say(finding, at!["metadata", "annotations", names::ENABLE_LB]);
        }
    }

    fn unknown_annotations(&mut self, known: &[&'static str]) {
        let workspace = self.workspace;
        for key in workspace.metadata.annotations.iter().flat_map(|all| all.keys()) {
            let ours = key.starts_with("kaito.sh/") || key.starts_with("inference.kaito.sh/");
            if ours && key != names::LINT_IGNORE && !known.contains(&key.as_str()) {
                let mut finding = rule::UNKNOWN_ANNOTATION.says(format!("Kaito {} knows no such annotation", self.context.catalog.version));
                finding.help.extend(did_you_mean(key, known.iter().copied()));
                self.say(finding, at!["metadata", "annotations", key.as_str()]);
            }
        }
    }

    fn node_class(&mut self) {
        let named = self.workspace.annotation(names::NODE_CLASS_NAME).filter(|name| !name.is_empty());
        if self.context.options.node_provisioner != NodeProvisioner::Karpenter {
            return;
        }
        let Some(classes) = self.context.node_classes() else {
            let cloud = self.context.options.cloud.name();
            let finding = rule::UNKNOWN_NODE_CLASS
                .says(format!("no NodeClasses are known for Karpenter on {cloud}"))
                .help("declare them in kaito.yaml: karpenter.classes");
            self.say(finding, &[]);
            return;
        };
        let known: Vec<&str> = classes.classes.iter().map(|class| class.name.as_str()).collect();
        if let Some(name) = named.filter(|name| !known.contains(name)) {
            let mut finding = rule::UNKNOWN_NODE_CLASS
                .says(format!("{name:?} is no declared NodeClass"))
                .help(format!("declared are {}", known.join(", ")));
            finding.help.extend(did_you_mean(name, known));
            self.say(finding, &[Step::Field("metadata"), Step::Field("annotations"), Step::Field(names::NODE_CLASS_NAME)]);
        }
    }

    fn one_job(&mut self) {
        let help = "give it `inference` to serve a model, or `tuning` to fine-tune one";
        match (&self.workspace.inference, &self.workspace.tuning) {
            (None, None) => self.say(rule::EXACTLY_ONE.says("neither inference nor tuning is set").help(help), &[]),
            (Some(_), Some(_)) => {
                self.say(
                    rule::EXACTLY_ONE.says("both inference and tuning are set; a Workspace does one of them").help(help),
                    at!["tuning"],
                );
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
    }
}

/// What is said of a ConfigMap that a Workspace of this namespace refers to and that isn't there.
pub(crate) fn missing_config_map(context: &Context<'_>, namespace: &str, name: &str) -> Diagnostic {
    let elsewhere = context.input.config_maps.keys().find(|(_, other)| other == name);
    let message = format!("the ConfigMap {name} is not in the namespace {namespace} of the input");
    rule::MISSING_CONFIG_MAP.says(message).help(match elsewhere {
        Some((namespace, _)) => format!("the one in the namespace {namespace} is another"),
        None => "add it to the files given with -f: kaito reads it, and passes it through".to_owned(),
    })
}

fn image_reference(image: &str) -> Diagnostic {
    rule::INVALID_IMAGE
        .says(format!("{image:?} is no reference of an image"))
        .help("write registry/repository:tag, the repository in lower case")
}

/// What is wrong with a label.
fn label(key: &str, value: &str) -> impl Iterator<Item = Diagnostic> + use<> {
    let key = (!names::is_qualified_name(key)).then(|| rule::INVALID_LABEL.says(format!("{key:?} is no key for a label")));
    let value = (!names::is_label_value(value)).then(|| {
        rule::INVALID_LABEL
            .says(format!("{value:?} is no value for a label"))
            .help("use at most 63 letters, digits, dashes, underscores and dots, the first and last alphanumeric")
    });
    key.into_iter().chain(value)
}

/// What is said of a text that is no name for a Secret.
fn secret_name(name: &str) -> Option<Diagnostic> {
    let is_name = names::is_dns_subdomain(name);
    (!is_name).then(|| {
        rule::INVALID_NAME.says(format!("{name:?} is no name for a Secret")).help("use lower-case letters, digits, dashes and dots")
    })
}

/// What is said of a text that is no name for a namespace.
fn namespace_name(name: &str) -> Diagnostic {
    rule::INVALID_NAME.says(format!("{name:?} is no name for a namespace")).help("use lower-case letters, digits and dashes")
}
