//! The rules by which Kaito admits a ModelMirror.
//!
//! Source: the validating webhook of Kaito 0.12, and what an API server would refuse of its claim and Job.

use super::{at, namespace_name, secret_name};
use crate::diagnostic::Diagnostic;
use crate::plan::{Context, mirror_name};
use crate::rule;
use crate::spec::{Located, ModelMirror, ModelMirrorSource, ModelMirrorStorage, names};
use crate::yaml::Step;

/// The longest name whose Job, `<name>-download`, has at most 63 characters.
const LONGEST_NAME: usize = 54;

/// Adds everything for which Kaito would refuse a ModelMirror, or could make nothing of it.
pub fn check_mirror(located: &Located<ModelMirror>, context: &Context<'_>, findings: &mut Vec<Diagnostic>) {
    let mut check = Check { located, mirror: &located.value, context, findings };
    check.name();
    // Without knowing the mode nothing more can be said.
    if located.unfit.iter().any(|field| field == "spec.mode") {
        return;
    }
    if located.value.is_static() { check.is_static() } else { check.is_managed() }
}

struct Check<'a> {
    located: &'a Located<ModelMirror>,
    mirror: &'a ModelMirror,
    context: &'a Context<'a>,
    findings: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn say(&mut self, finding: Diagnostic, path: &[Step<'_>]) {
        self.findings.push(self.located.document.finding(finding, path));
    }

    fn missing(&mut self, field: &'static str, help: &str) {
        self.say(rule::MISSING_FIELD.says(format!("the field {field} is missing")).help(help), at!["spec"]);
    }

    fn name(&mut self) {
        let metadata = &self.mirror.metadata;
        if !names::is_dns_subdomain(&metadata.name) || metadata.name.len() > LONGEST_NAME {
            let finding = rule::INVALID_NAME.says(format!("{:?} is no name for a mirror", metadata.name));
            self.say(
                finding.help(format!("use at most {LONGEST_NAME} lower-case letters, digits, dashes and dots")),
                at!["metadata", "name"],
            );
        }
        if metadata.namespace.as_ref().is_some_and(|namespace| !namespace.is_empty()) {
            let finding = rule::FIELD_WITHOUT_EFFECT.says("a ModelMirror belongs to no namespace");
            self.say(finding.help("spec.jobNamespace says where its claim and its Job are"), at!["metadata", "namespace"]);
        }
    }

    fn is_static(&mut self) {
        let spec = &self.mirror.spec;
        let given = [("source", spec.source.is_some()), ("storage", spec.storage.is_some())];
        for (field, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            let finding =
                rule::INVALID_MIRROR.says("a static mirror downloads nothing").help("leave the field out, or write mode: Managed");
            self.say(finding, at!["spec", field]);
        }
        let unused = [("jobNamespace", spec.job_namespace.is_some()), ("serviceAccountName", spec.service_account_name.is_some())];
        for (field, _) in unused.into_iter().filter(|(_, is_given)| *is_given) {
            self.say(rule::FIELD_WITHOUT_EFFECT.says("has no effect: a static mirror has no Job"), at!["spec", field]);
        }
        self.say(Diagnostic::note("nothing is made for a static mirror: its weights are there"), at!["spec", "mode"]);
    }

    fn is_managed(&mut self) {
        let spec = &self.mirror.spec;
        match &spec.source {
            None => self.missing("source", "say what to download: source: {registry: huggingface, modelID: ORGANISATION/MODEL}"),
            Some(source) => self.source(source),
        }
        match &spec.storage {
            None => self.missing("storage", "say where it goes: storage: {size: 100Gi, storageClassName: NAME}"),
            Some(storage) => self.storage(storage),
        }
        match spec.job_namespace.as_deref().filter(|name| !name.is_empty()) {
            None => self.missing("jobNamespace", "name the namespace for the claim and the Job"),
            Some(name) if !names::is_dns_label(name) => self.say(namespace_name(name), at!["spec", "jobNamespace"]),
            Some(_) => {}
        }
        if let Some(name) = spec.service_account_name.as_deref().filter(|name| !name.is_empty() && !names::is_dns_subdomain(name)) {
            let finding = rule::INVALID_NAME.says(format!("{name:?} is no name for a ServiceAccount"));
            self.say(finding.help("use lower-case letters, digits, dashes and dots"), at!["spec", "serviceAccountName"]);
        }
    }

    fn source(&mut self, source: &ModelMirrorSource) {
        let id = source.model_id.as_str();
        if !names::is_model_id(id) {
            let finding = rule::INVALID_MIRROR.says(format!("{id:?} is no model of Hugging Face"));
            let help = "an id is organisation/model, of letters, digits, dashes, underscores and dots";
            self.say(finding.help(help), at!["spec", "source", "modelID"]);
        } else if self.context.options.feature_gates.is_on("ModelStreaming") && self.mirror.metadata.name != mirror_name(id) {
            let finding = rule::STREAMING_TRAP
                .says(format!("no Workspace streams from this mirror: they look for {id} in the mirror {}", mirror_name(id)));
            self.say(finding.help(format!("call it {}", mirror_name(id))), at!["metadata", "name"]);
        }
        let Some(secret) = &source.access_secret else { return };
        let name = secret.name.as_deref().unwrap_or_default();
        if let Some(finding) = secret_name(name) {
            self.say(finding, at!["spec", "source", "accessSecret", "name"]);
        }
        let job_namespace = self.mirror.spec.job_namespace.as_deref().unwrap_or_default();
        if secret.namespace.as_deref().is_some_and(|namespace| !namespace.is_empty() && namespace != job_namespace) {
            let finding = rule::FIELD_WITHOUT_EFFECT
                .says(format!("has no effect: the Job reads the Secret {name} of its own namespace, {job_namespace}"));
            let help = "put the Secret there; without it the Job asks the hub without a token";
            self.say(finding.help(help), at!["spec", "source", "accessSecret", "namespace"]);
        }
    }

    fn storage(&mut self, storage: &ModelMirrorStorage) {
        if storage.size.bytes() == 0 {
            self.say(
                rule::INVALID_MIRROR.says("a claim of nothing").help("say how large the model is, and some more"),
                at!["spec", "storage", "size"],
            );
        }
        match storage.storage_class_name.as_deref().filter(|name| !name.is_empty()) {
            None => {
                let finding = rule::MISSING_FIELD.says("the field storageClassName is missing").help("Kaito takes no default class here");
                self.say(finding, at!["spec", "storage"]);
            }
            Some(name) if !names::is_dns_subdomain(name) => {
                let finding = rule::INVALID_NAME.says(format!("{name:?} is no name for a StorageClass"));
                let help = "use lower-case letters, digits, dashes and dots";
                self.say(finding.help(help), at!["spec", "storage", "storageClassName"]);
            }
            Some(name) => {
                let missing = self.context.mirrors.storage.missing("StorageClass", None, name);
                missing.into_iter().for_each(|finding| self.say(finding, at!["spec", "storage", "storageClassName"]));
            }
        }
    }
}
