//! The rules by which Kaito admits a RAGEngine.
//!
//! Source: the validating webhook of Kaito 0.12. An address that can't be one is a warning here, since Kaito's controller makes a
//! workload of it where the webhook isn't installed.

use fluent_uri::Uri;

use super::{at, image_reference, label, secret_name};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::image::is_reference;
use crate::options::{Cloud, NodeProvisioner};
use crate::plan::Context;
use crate::rule;
use crate::spec::{LocalEmbeddingSpec, Located, RagEngine, ResourceSpec, names, unread_config_map};
use crate::yaml::Step;

/// The vector databases that Kaito's service speaks to.
const VECTOR_DATABASES: [&str; 2] = ["qdrant", "faiss"];

/// Adds everything for which Kaito would refuse a RAGEngine, and warnings for its traps.
pub fn check_rag_engine(located: &Located<RagEngine>, context: &Context<'_>, findings: &mut Vec<Diagnostic>) {
    let mut check = Check { located, engine: &located.value, context, findings };
    if context.catalog.is_v0_3() {
        let finding = rule::UNKNOWN_KIND.says("Kaito 0.3 has no such kind");
        return check.say(finding.help("leave out --kaito-version"), at!["kind"]);
    }
    check.name();
    check.version();
    check.compute();
    check.embedding();
    check.storage();
    check.inference_service();
    check.guardrails();
}

struct Check<'a> {
    located: &'a Located<RagEngine>,
    engine: &'a RagEngine,
    context: &'a Context<'a>,
    findings: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn say(&mut self, finding: Diagnostic, path: &[Step<'_>]) {
        self.findings.push(self.located.document.finding(finding, path));
    }

    fn name(&mut self) {
        let name = &self.engine.metadata.name;
        let starts_with_letter = name.starts_with(|first: char| first.is_ascii_lowercase());
        if !names::is_dns_label(name) || !starts_with_letter {
            let finding = rule::INVALID_NAME.says(format!("{name:?} is no name for a Service, and a RAGEngine has one of its name"));
            self.say(
                finding.help("use at most 63 lower-case letters, digits and dashes, the first a letter, the last no dash"),
                at!["metadata", "name"],
            );
        }
        let load_balancer = self.engine.metadata.annotation(names::ENABLE_LB);
        if load_balancer.is_some_and(|value| value != "True" && value.eq_ignore_ascii_case("true")) {
            let finding =
                rule::ANNOTATION_WITHOUT_EFFECT.says("this doesn't make the Service a load balancer").help("Kaito wants exactly \"True\"");
            self.say(finding, at!["metadata", "annotations", names::ENABLE_LB]);
        }
    }

    /// Fields that only the other version has.
    fn version(&mut self) {
        let spec = &self.engine.spec;
        let storage = spec.storage.as_ref();
        let newer: [(bool, &[&'static str]); 3] = [
            (storage.is_some_and(|storage| storage.persistent_volume.is_some()), &["storage", "persistentVolume"]),
            (storage.is_some_and(|storage| storage.vector_db.is_some()), &["storage", "vectorDB"]),
            (spec.guardrails.is_some(), &["guardrails"]),
        ];
        let older: [(bool, &[&'static str]); 4] = [
            (storage.is_some_and(|storage| storage.persistent_volume_claim.is_some()), &["storage", "persistentVolumeClaim"]),
            (storage.is_some_and(|storage| storage.mount_path.is_some()), &["storage", "mountPath"]),
            (spec.query_service_name.is_some(), &["queryServiceName"]),
            (spec.index_service_name.is_some(), &["indexServiceName"]),
        ];
        let (wrong, other): (&[_], _) =
            if self.engine.is_v1alpha1() { (&newer, "kaito.sh/v1beta1") } else { (&older, "kaito.sh/v1alpha1") };
        for (_, fields) in wrong.iter().filter(|(is_given, _)| *is_given) {
            let path: Vec<_> = ["spec"].iter().chain(*fields).map(|field| Step::Field(field)).collect();
            self.say(rule::UNKNOWN_FIELD.says("unknown field").help(format!("only {other} has it")), &path);
        }
    }

    fn compute(&mut self) {
        let Some(compute) = &self.engine.spec.compute else { return };
        let provisioner = self.context.options.node_provisioner;
        match (self.engine.instance_type(), provisioner) {
            (None, NodeProvisioner::Byo) => {}
            (None, _) => {
                let help = "name one, or leave compute out: the pod then runs on any node";
                self.say(
                    rule::INSTANCE_TYPE_PRESENCE.says("the size of the node is missing").help(help),
                    at!["spec", "compute", "instanceType"],
                );
            }
            (Some(name), NodeProvisioner::Byo) => {
                let message = format!("{name} can't be asked for: with --node-provisioner byo the nodes are there already");
                self.say(rule::INSTANCE_TYPE_PRESENCE.says(message).help("leave the field out"), at!["spec", "compute", "instanceType"]);
            }
            (Some(name), NodeProvisioner::GpuProvisioner | NodeProvisioner::Machine) => self.size(name),
            (Some(_), other) => {
                let message = format!("a RAGEngine gets its node from the gpu-provisioner, and not from {}", other.name());
                let help = "leave compute out to run it on any node, or render it with --node-provisioner gpu-provisioner or byo";
                self.say(rule::INSTANCE_TYPE_PRESENCE.says(message).help(help), at!["spec", "compute", "instanceType"]);
            }
        }
        if compute.count.is_some_and(|count| count != 1) {
            let finding = rule::FIELD_WITHOUT_EFFECT.says("a RAGEngine runs on one node");
            self.say(finding.help("leave the field out"), at!["spec", "compute", "count"]);
        }
        if compute.partition.is_some() {
            self.say(
                rule::FIELD_WITHOUT_EFFECT.says("a RAGEngine takes whole GPUs").help("leave the field out"),
                at!["spec", "compute", "partition"],
            );
        }
        self.labels(compute);
    }

    fn size(&mut self, name: &str) {
        let options = self.context.options;
        let at = at!["spec", "compute", "instanceType"];
        if options.cloud == Cloud::Arc {
            let finding = rule::UNKNOWN_NODE_CLASS.says("nothing makes nodes on arc").help("use nodes of your own: --node-provisioner byo");
            return self.say(finding, at);
        }
        let by_prefix = ["standard_n", "standard_d"].iter().any(|prefix| name.to_lowercase().starts_with(prefix));
        match self.context.catalog.sku(options.cloud, name) {
            Some(found) if found.value.kaito.contains(&self.context.catalog.version) => {}
            _ if options.cloud == Cloud::Azure && by_prefix => {
                let finding = rule::INSTANCE_TYPE_UNKNOWN_TO_KAITO.says(format!("Kaito's table lacks {name}, so the pod asks for no GPU"));
                self.say(finding, at);
            }
            _ => {
                let known: Vec<&str> = self.context.catalog.skus(options.cloud).map(|found| found.value.name.as_str()).collect();
                let mut finding = rule::UNKNOWN_INSTANCE_TYPE.says(format!("the size {name} is unknown on {}", options.cloud.name()));
                finding.help.extend(did_you_mean(name, known));
                self.say(finding.help(format!("`kaito sku list --cloud {}` shows the known sizes", options.cloud.name())), at);
            }
        }
    }

    fn labels(&mut self, compute: &ResourceSpec) {
        for (key, value) in compute.label_selector.match_labels.iter().flatten() {
            for finding in label(key, value) {
                self.say(finding, at!["spec", "compute", "labelSelector", "matchLabels", key.as_str()]);
            }
        }
        for (index, requirement) in compute.label_selector.match_expressions.iter().flatten().enumerate() {
            let at = at!["spec", "compute", "labelSelector", "matchExpressions", index];
            let is_one = requirement.operator == "In" && requirement.values.as_ref().is_some_and(|values| values.len() == 1);
            let finding = if is_one {
                rule::MATCH_EXPRESSIONS_IGNORED.says("Kaito admits matchExpressions but selects nodes by matchLabels only")
            } else {
                rule::MATCH_EXPRESSIONS.says("Kaito admits only `In` with one value")
            };
            self.say(finding.help("write it as matchLabels"), at);
        }
    }

    fn embedding(&mut self) {
        let embedding = &self.engine.spec.embedding;
        match (&embedding.local, &embedding.remote) {
            (Some(local), None) => self.local(local),
            (None, Some(remote)) => {
                self.url(&remote.url, at!["spec", "embedding", "remote", "url"]);
                let finding = rule::FIELD_WITHOUT_EFFECT.says("Kaito 0.12 tells the pod neither the address nor the Secret of the service");
                self.say(finding.help("use a local model"), at!["spec", "embedding", "remote"]);
            }
            (None, None) | (Some(_), Some(_)) => {
                let finding = rule::EXACTLY_ONE.says("vectors are made by exactly one of local and remote");
                self.say(finding, at!["spec", "embedding"]);
            }
        }
    }

    fn local(&mut self, local: &LocalEmbeddingSpec) {
        let given = |text: &'_ Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if given(&local.image) == given(&local.model_id) {
            let finding = rule::EXACTLY_ONE.says("a local model is exactly one of modelID and image");
            self.say(finding.help("name one of Hugging Face: modelID: BAAI/bge-small-en-v1.5"), at!["spec", "embedding", "local"]);
        } else if let Some(image) = local.image.as_deref().filter(|image| !image.is_empty()) {
            if !is_reference(image) || !image.contains('/') || !image.rsplit('/').next().unwrap_or_default().contains(':') {
                self.say(image_reference(image), at!["spec", "embedding", "local", "image"]);
            }
            let finding = rule::FIELD_WITHOUT_EFFECT.says("Kaito 0.12 admits an image and does nothing with it").help("use modelID");
            self.say(finding, at!["spec", "embedding", "local", "image"]);
        }
        if given(&local.model_access_secret) {
            let finding = rule::FIELD_WITHOUT_EFFECT.says("Kaito 0.12 tells the pod the name of the Secret, and not what is in it");
            self.say(finding.help("use a model without a login"), at!["spec", "embedding", "local", "modelAccessSecret"]);
        }
    }

    fn storage(&mut self) {
        let Some(storage) = &self.engine.spec.storage else { return };
        if let Some(database) = &storage.vector_db {
            let engine = database.engine.as_str();
            if !VECTOR_DATABASES.contains(&engine) {
                let mut finding =
                    rule::UNKNOWN_VECTOR_DATABASE.says(format!("{engine:?} is no vector database that the service is known to speak to"));
                finding.help.extend(did_you_mean(engine, VECTOR_DATABASES));
                self.say(finding.help("write qdrant"), at!["spec", "storage", "vectorDB", "engine"]);
            }
            self.url(&database.url, at!["spec", "storage", "vectorDB", "url"]);
            self.secret(database.access_secret.as_deref(), at!["spec", "storage", "vectorDB", "accessSecret"]);
        }
        let Some(volume) = self.engine.volume() else { return };
        let field = |beta: &'static str, alpha: &'static str| {
            if storage.persistent_volume.is_some() {
                vec![Step::Field("persistentVolume"), Step::Field(beta)]
            } else {
                vec![Step::Field(alpha)]
            }
        };
        if !volume.mount_path.starts_with('/') || volume.mount_path.contains(':') {
            let path = [at!["spec", "storage"].as_slice(), &field("mountPath", "mountPath")].concat();
            let finding = rule::INVALID_VALUE.says(format!("{:?} is no place to mount a volume", volume.mount_path));
            self.say(finding.help("write a path that begins with / and has no colon"), &path);
        }
        match volume.claim {
            Some(claim) if !names::is_dns_subdomain(claim) => {
                let path = [at!["spec", "storage"].as_slice(), &field("persistentVolumeClaim", "persistentVolumeClaim")].concat();
                self.say(rule::INVALID_NAME.says(format!("{claim:?} is no name for a PersistentVolumeClaim")), &path);
            }
            None if storage.vector_db.is_none() => {
                let finding = rule::LOST_VECTORS.says("without a claim the vectors are lost with the pod");
                self.say(finding.help("name a PersistentVolumeClaim"), at!["spec", "storage"]);
            }
            _ => {}
        }
    }

    fn inference_service(&mut self) {
        let Some(service) = &self.engine.spec.inference_service else { return };
        if let Some(url) = service.url.as_deref().filter(|url| !url.is_empty()) {
            self.url(url, at!["spec", "inferenceService", "url"]);
        }
        self.secret(service.access_secret.as_deref(), at!["spec", "inferenceService", "accessSecret"]);
        if service.context_window_size <= 0 {
            let finding = rule::INVALID_VALUE.says(format!("{} tokens: a context is at least 1", service.context_window_size));
            self.say(finding.help("write the context of the model that answers"), at!["spec", "inferenceService", "contextWindowSize"]);
        }
    }

    fn guardrails(&mut self) {
        let Some(guardrails) = self.engine.spec.guardrails.as_ref().filter(|guardrails| guardrails.enabled) else { return };
        let Some(name) = guardrails.config_map_ref.as_ref().map(|reference| reference.name.as_str()).filter(|name| !name.is_empty()) else {
            return;
        };
        let at = at!["spec", "guardrails", "configMapRef", "name"];
        match self.context.config_map(&self.located.namespace, name) {
            None => {
                let finding = rule::MISSING_CONFIG_MAP
                    .says(format!("the ConfigMap {name} is not in the namespace {} of the input", self.located.namespace));
                self.say(finding.help("add it to the files given with -f, or leave configMapRef out for the default rules"), at);
            }
            Some(document) if document.root.get("data").and_then(|data| data.get("guardrails.yaml")).is_none() => {
                self.say(rule::INVALID_CONFIG.says(format!("the ConfigMap {name} has no key guardrails.yaml")), at);
            }
            Some(document) => unread_config_map(document, name).into_iter().for_each(|finding| self.say(finding, at)),
        }
    }

    fn url(&mut self, text: &str, path: &[Step<'_>]) {
        let is_address = Uri::parse(text).is_ok_and(|uri| uri.authority().is_some_and(|authority| !authority.host().is_empty()));
        if !is_address {
            let finding = rule::INVALID_ADDRESS.says(format!("{text:?} is no address; Kaito's webhook would refuse it"));
            self.say(finding.help("write http://HOST/PATH"), path);
        }
    }

    fn secret(&mut self, name: Option<&str>, path: &[Step<'_>]) {
        if let Some(finding) = name.filter(|name| !name.is_empty()).and_then(secret_name) {
            self.say(finding, path);
        }
    }
}
