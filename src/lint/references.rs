//! Rules about what a Workspace refers to: Secrets and ConfigMaps.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use crate::admission::missing_config_map;
use crate::diagnostic::Diagnostic;
use crate::plan::{Context, Runtime, runtime};
use crate::rule;
use crate::session::Session;
use crate::spec::{Workspace, names};
use crate::yaml::{Document, Node, Step};

/// The key of a Secret with credentials of registries, and that with a token of the model hub.
const REGISTRIES: &str = ".dockerconfigjson";
const TOKEN: &str = "HF_TOKEN";

/// The Secrets of an input, and the names of those that something in it will make.
pub(super) struct Secrets<'a> {
    /// Those that are there, by namespace and name.
    there: BTreeMap<(&'a str, &'a str), &'a Document>,
    /// Those that will be there, by namespace, if that is known, and name.
    made: BTreeSet<(Option<&'a str>, &'a str)>,
}

impl<'a> Secrets<'a> {
    /// The Secrets of an input.
    pub(super) fn of(context: &'a Context<'_>) -> Self {
        let mut secrets = Self { there: BTreeMap::new(), made: BTreeSet::new() };
        let default = context.options.namespace.as_str();
        for object in context.input.objects() {
            let reference = &object.reference;
            let namespace = reference.namespace.as_deref().unwrap_or(default);
            if reference.group.is_empty() && reference.kind == "Secret" {
                secrets.there.insert((namespace, reference.name.as_str()), &object.document);
            } else if reference.kind.contains("Secret") {
                // An ExternalSecret, SealedSecret, VaultStaticSecret and their like; those of a cluster make them anywhere.
                let namespace = Some(namespace).filter(|_| !reference.kind.starts_with("Cluster"));
                secrets.made.extend(names_made(&object.document).into_iter().map(|name| (namespace, name)));
            }
        }
        secrets
    }

    /// What is wrong with the Secret of that name, of which a key is read.
    fn fault(&self, namespace: &str, name: &str, key: &str) -> Option<Diagnostic> {
        if let Some(document) = self.there.get(&(namespace, name)) {
            let has = ["data", "stringData"].iter().any(|field| document.root.get(field).is_some_and(|data| data.get(key).is_some()));
            let finding = rule::SECRET_KEY.says(format!("the Secret {name} has no key {key}"));
            return (!has).then(|| finding.help("the pod reads no other key of it"));
        }
        if self.are_made(namespace, name) {
            return None;
        }
        let elsewhere = self.there.keys().find(|(_, other)| *other == name);
        let finding = rule::MISSING_SECRET.says(format!("the Secret {name} is not in the namespace {namespace} of the input"));
        Some(finding.help(match elsewhere {
            Some((namespace, _)) => format!("the one in the namespace {namespace} is another"),
            None => "see to it that the cluster has it, or add what makes it, such as an ExternalSecret".to_owned(),
        }))
    }

    fn are_made(&self, namespace: &str, name: &str) -> bool {
        [Some(namespace), None].iter().any(|namespace| self.made.contains(&(*namespace, name)))
    }
}

/// The names that such an object may give to its Secret.
fn names_made(document: &Document) -> Vec<&str> {
    let paths: [&[&str]; 6] = [
        &["metadata", "name"],
        &["spec", "target", "name"],
        &["spec", "destination", "name"],
        &["spec", "template", "metadata", "name"],
        &["spec", "output", "secret", "name"],
        &["spec", "externalSecretName"],
    ];
    let at = |path: &[&str]| path.iter().try_fold(&*document.root, |node, field| node.get(field)).and_then(Node::as_str);
    paths.into_iter().filter_map(at).collect()
}

/// A Secret that a Workspace refers to: its name, the key that is read, and the field.
type Reference<'a> = (&'a str, &'static str, Vec<Step<'static>>);

/// Secrets that aren't there, or lack what is read from them.
pub(super) fn secrets(subject: &mut Subject<'_>) {
    for (name, key, path) in references(subject.workspace, subject.context.catalog.is_v0_3()) {
        let fault = subject.secrets.fault(&subject.located.namespace, name, key);
        fault.into_iter().for_each(|fault| subject.say(fault, &path));
    }
}

/// The same for RAGEngines, whose other Secrets have been said to be of no use.
pub(super) fn secrets_of_rag_engines(session: &Session<'_>, findings: &mut Vec<Diagnostic>) {
    let context = session.context();
    let secrets = Secrets::of(context);
    for engine in &context.input.rag_engines {
        let spec = &engine.value.spec;
        let database = spec.storage.as_ref().and_then(|storage| storage.vector_db.as_ref()?.access_secret.as_deref());
        let service = spec.inference_service.as_ref().and_then(|service| service.access_secret.as_deref());
        let references = [
            (database, "VECTOR_DB_ACCESS_SECRET", fields(&["spec", "storage", "vectorDB", "accessSecret"])),
            (service, "LLM_ACCESS_SECRET", fields(&["spec", "inferenceService", "accessSecret"])),
        ];
        for (name, key, path) in references {
            let fault = name.filter(|name| names::is_dns_subdomain(name)).and_then(|name| secrets.fault(&engine.namespace, name, key));
            let finding = fault.map(|fault| engine.document.finding(fault, &path));
            findings.extend(finding.filter(|finding| engine.is_certain(finding)));
        }
    }
}

fn references(workspace: &Workspace, is_v0_3: bool) -> Vec<Reference<'_>> {
    let mut found: Vec<Reference<'_>> = Vec::new();
    let token = workspace.preset().and_then(|preset| preset.preset_options.as_ref()?.model_access_secret.as_deref());
    found.extend(token.map(|name| (name, TOKEN, fields(&["inference", "preset", "presetOptions", "modelAccessSecret"]))));
    for (names, path) in pulls(workspace, is_v0_3) {
        let numbered = names.iter().enumerate();
        found.extend(numbered.map(|(index, name)| (name.as_str(), REGISTRIES, [path.as_slice(), &[Step::Item(index)]].concat())));
    }
    let output = workspace.tuning.as_ref().map(|tuning| &tuning.output).filter(|output| output.image().is_some());
    let push = output.and_then(|output| output.image_push_secret.as_deref());
    found.extend(push.map(|name| (name, REGISTRIES, fields(&["tuning", "output", "imagePushSecret"]))));
    let template = workspace.inference.as_ref().and_then(|inference| inference.template.as_ref());
    let of_template = template.and_then(|template| template.get("spec")?.get("imagePullSecrets")?.as_array());
    for (index, secret) in of_template.into_iter().flatten().enumerate() {
        let path = [fields(&["inference", "template", "spec", "imagePullSecrets"]), vec![Step::Item(index), Step::Field("name")]].concat();
        found.extend(secret["name"].as_str().map(|name| (name, REGISTRIES, path)));
    }
    // What is no name has been said to be none.
    found.retain(|(name, _, _)| names::is_dns_subdomain(name));
    found
}

/// The lists of Secrets to pull images with: those of adapters, and in Kaito 0.3 those of private presets; of training data in both.
fn pulls(workspace: &Workspace, is_v0_3: bool) -> Vec<(&[String], Vec<Step<'static>>)> {
    let mut found: Vec<(&[String], Vec<Step<'static>>)> = Vec::new();
    let tuning = workspace.tuning.as_ref();
    let input = tuning.and_then(|tuning| tuning.input.image_pull_secrets.as_deref());
    found.extend(input.map(|names| (names, fields(&["tuning", "input", "imagePullSecrets"]))));
    if is_v0_3 {
        let presets = [("inference", workspace.preset()), ("tuning", tuning.and_then(|tuning| tuning.preset.as_ref()))];
        for (field, preset) in presets {
            let options = preset.filter(|preset| preset.is_private()).and_then(|preset| preset.preset_options.as_ref());
            let names = options.and_then(|options| options.image_pull_secrets.as_deref());
            found.extend(names.map(|names| (names, fields(&[field, "preset", "presetOptions", "imagePullSecrets"]))));
        }
        return found;
    }
    for (index, adapter) in workspace.adapters().iter().enumerate() {
        let names = adapter.source.as_ref().and_then(|source| source.image_pull_secrets.as_deref());
        let path = [fields(&["inference", "adapters"]), vec![Step::Item(index)], fields(&["source", "imagePullSecrets"])].concat();
        found.extend(names.map(|names| (names, path)));
    }
    found
}

fn fields(names: &[&'static str]) -> Vec<Step<'static>> {
    names.iter().map(|name| Step::Field(name)).collect()
}

/// The transformers runtime reads no configuration, but its pods wait for the ConfigMap all the same.
pub(super) fn config_map(subject: &mut Subject<'_>) {
    let Some(name) = subject.workspace.config().filter(|_| subject.workspace.preset().is_some()) else { return };
    let is_there = subject.context.config_map(&subject.located.namespace, name).is_some();
    if runtime(subject.workspace, subject.context.options) == Runtime::Transformers && !is_there {
        let finding = missing_config_map(subject.context, &subject.located.namespace, name);
        subject.say(finding, &[Step::Field("inference"), Step::Field("config")]);
    }
}
