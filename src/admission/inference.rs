//! The rules about what is served: `inference`.

use serde_json::{Map, Value};

use super::{Check, at, image_reference, missing_config_map, secret_name};
use crate::diagnostic::Diagnostic;
use crate::options::Options;
use crate::plan::{Runtime, runtime};
use crate::rule;
use crate::spec::{AdapterSpec, DataSource, InferenceConfig, max_model_len, names, unread_config_map};
use crate::yaml::{Node, Step};

/// The most adapters of one Workspace.
const MOST_ADAPTERS: usize = 10;

impl Check<'_> {
    pub(super) fn inference(&mut self) {
        let Some(inference) = &self.workspace.inference else { return };
        match (&inference.preset, &inference.template) {
            (None, None) => self.say(
                rule::EXACTLY_ONE.says("neither preset nor template is set").help("name a preset: `kaito preset list` shows them"),
                at!["inference"],
            ),
            (Some(_), Some(_)) => {
                self.say(rule::EXACTLY_ONE.says("both preset and template are set; keep one of them"), at!["inference", "template"]);
            }
            (Some(_), None) => self.preset(),
            (None, Some(template)) => {
                self.template(template);
                self.config(None);
            }
        }
        self.adapters();
    }

    fn preset(&mut self) {
        let Some(preset) = self.workspace.preset() else { return };
        let at = at!["inference", "preset", "name"];
        let model = match self.context.catalog.model(&preset.name) {
            Ok(found) => &found.value,
            Err(unknown) => return self.say(unknown.finding(&preset.name), at),
        };
        let secret = preset.preset_options.as_ref().and_then(|options| options.model_access_secret.as_deref());
        if let Some(secret) = secret.filter(|name| !name.is_empty()) {
            let at = at!["inference", "preset", "presetOptions", "modelAccessSecret"];
            self.secret_name(secret, at);
            if self.workspace.is_v1alpha1() {
                self.say(rule::UNKNOWN_FIELD.says("unknown field").help("it is there since kaito.sh/v1beta1"), at);
            }
        }
        let runtime = runtime(self.workspace, self.context.options);
        self.streaming(model, runtime);
        if runtime == Runtime::Transformers && model.transformers.is_none() {
            let finding = rule::PRESET_RUNTIME
                .says(format!("{} does not run on the transformers runtime", model.name()))
                .help("leave out the annotation kaito.sh/runtime: transformers (and the gate vLLM=false)");
            self.say(finding, at);
        }
        if runtime == Runtime::Vllm {
            let strengths = self.workspace.adapters().iter().enumerate().filter(|(_, adapter)| adapter.strength.is_some());
            for index in strengths.map(|(index, _)| index).collect::<Vec<_>>() {
                let finding = rule::INVALID_ADAPTER
                    .says("vLLM has no strength of adapters")
                    .help("leave the field out, or use the annotation kaito.sh/runtime: transformers");
                self.say(finding, at!["inference", "adapters", index, "strength"]);
            }
            self.config(Some(model.context_limit));
        }
    }

    pub(super) fn secret_name(&mut self, name: &str, path: &[Step<'_>]) {
        if let Some(finding) = secret_name(name) {
            self.say(finding, path);
        }
    }

    /// The Secrets to pull an image with, each of which becomes a file of its name.
    pub(super) fn pull_secrets(&mut self, source: &DataSource, path: &[Step<'_>]) {
        let secrets = source.image_pull_secrets.as_deref().unwrap_or_default();
        for (index, secret) in secrets.iter().enumerate() {
            let at = [path, &[Step::Item(index)]].concat();
            self.secret_name(secret, &at);
            if secrets[..index].contains(secret) {
                self.say(rule::INVALID_VALUE.says(format!("the Secret {secret} stands here twice")).help("take one out"), &at);
            }
        }
    }

    /// Looks into the ConfigMap, which only vLLM's configuration needs.
    fn config(&mut self, context_limit: Option<u64>) {
        let Some(name) = self.workspace.config().filter(|_| runtime(self.workspace, self.context.options) == Runtime::Vllm) else { return };
        let at = at!["inference", "config"];
        let Some(document) = self.context.config_map(&self.located.namespace, name) else {
            let finding = missing_config_map(self.context, &self.located.namespace, name);
            self.say(finding, at);
            return;
        };
        if let Some(finding) = unread_config_map(document, name) {
            return self.say(finding, at);
        }
        let names_no_namespace = document.root.get("metadata").and_then(|metadata| metadata.get("namespace")).is_none_or(Node::is_null);
        if names_no_namespace && self.located.namespace != Options::default().namespace {
            let finding = rule::CONFIG_MAP_NAMESPACE.says(format!("the ConfigMap {name} names no namespace, and is printed so"));
            self.say(finding.help(format!("write namespace: {} into it, or apply with --namespace", self.located.namespace)), at);
        }
        let Some(config) = self.context.inference_configs.read(document, name, self.findings) else { return };
        if let Some(finding) = wrong_max_model_len(&config, context_limit) {
            self.findings.push(config.finding(document, name, finding));
        }
        self.configs.inference = Some(config);
    }

    pub(super) fn volume_source(&mut self, volume: &Map<String, Value>, path: &[Step<'_>]) {
        if volume.len() != 1 || volume.contains_key("name") {
            let finding = rule::INVALID_VOLUME_SOURCE.says(format!("a volumeSource has one kind of volume; found {}", volume.len()));
            self.say(finding.help("write it as in a pod, without a name: persistentVolumeClaim: {claimName: ...}"), path);
        }
    }

    /// Kaito takes only so many adapters.
    pub(super) fn adapters_within_limit(&mut self) {
        let adapters = self.workspace.adapters();
        if adapters.len() > MOST_ADAPTERS {
            let finding = rule::INVALID_ADAPTER.says(format!("{} adapters; a Workspace has at most {MOST_ADAPTERS}", adapters.len()));
            self.say(finding, at!["inference", "adapters"]);
        }
    }

    fn adapters(&mut self) {
        let adapters = self.workspace.adapters();
        self.adapters_within_limit();
        if self.workspace.inference.as_ref().is_some_and(|inference| inference.template.is_some()) && !adapters.is_empty() {
            return self.say(rule::ADAPTER_WITHOUT_EFFECT.says("adapters have no effect beside a template"), at!["inference", "adapters"]);
        }
        for (index, adapter) in adapters.iter().enumerate() {
            self.adapter(index, adapter);
        }
    }

    /// The strength, which Kaito itself checks only when a Workspace is changed.
    pub(super) fn strength(&mut self, index: usize, adapter: &AdapterSpec) {
        if let Some(strength) = &adapter.strength
            && !strength.parse::<f64>().is_ok_and(|value| (0.0..=1.0).contains(&value))
        {
            let finding =
                rule::ADAPTER_STRENGTH.says(format!("{strength:?} is no strength, and Kaito refuses to change a Workspace with it"));
            self.say(finding.help("a strength is a number from 0 to 1, in quotes"), at!["inference", "adapters", index, "strength"]);
        }
    }

    /// Says so if an earlier adapter has the name too.
    pub(super) fn adapter_twice(&mut self, index: usize, name: &str) {
        let earlier = self.workspace.adapters()[..index].iter().filter_map(|other| other.source.as_ref());
        if earlier.map(|other| other.name.as_deref().unwrap_or_default()).any(|other| other == name) {
            let at = at!["inference", "adapters", index, "source", "name"];
            self.say(rule::INVALID_ADAPTER.says(format!("two adapters are called {name:?}")), at);
        }
    }

    fn adapter(&mut self, index: usize, adapter: &AdapterSpec) {
        let at = |field: &'static str| [Step::Field("inference"), Step::Field("adapters"), Step::Item(index), Step::Field(field)];
        self.strength(index, adapter);
        let Some(source) = &adapter.source else {
            self.say(rule::INVALID_ADAPTER.says("the adapter has no source").help("name an image or a volumeSource"), &at("source"));
            return;
        };
        let within = |field: &'static str| {
            [Step::Field("inference"), Step::Field("adapters"), Step::Item(index), Step::Field("source"), Step::Field(field)]
        };
        let name = source.name.as_deref().unwrap_or_default();
        if !names::is_dns_subdomain(name) {
            let finding = rule::INVALID_NAME
                .says(format!("{name:?} is no name for an adapter"))
                .help("use lower-case letters, digits, dashes and dots");
            self.say(finding, &within("name"));
        } else if name.contains('.') || name.len() > longest_adapter_name(source) {
            let most = longest_adapter_name(source);
            let finding = rule::INVALID_NAME.says(format!("{name:?} can't be part of the names of its container and volume"));
            self.say(finding.help(format!("use at most {most} lower-case letters, digits and dashes, no dots")), &within("name"));
        }
        self.adapter_twice(index, name);
        if source.urls().is_some() {
            let message = "an adapter can't come from URLs";
            let finding = if source.volume_source.is_some() {
                rule::ADAPTER_WITHOUT_EFFECT.says(message)
            } else {
                rule::INVALID_ADAPTER.says(message)
            };
            self.say(finding.help("name an image or a volumeSource"), &within("urls"));
        }
        if let Some(volume) = &source.volume_source {
            self.volume_source(volume, &within("volumeSource"));
        }
        self.pull_secrets(source, &within("imagePullSecrets"));
        match (source.image(), &source.volume_source) {
            (None, None) => self.say(rule::INVALID_ADAPTER.says("the adapter has neither an image nor a volumeSource"), &at("source")),
            (Some(_), Some(_)) => self.say(rule::ADAPTER_WITHOUT_EFFECT.says("the volumeSource wins over the image"), &within("image")),
            (Some(image), None) if !crate::image::is_reference(image) => {
                self.say(image_reference(image), &within("image"));
            }
            _ => {}
        }
    }
}

/// What is wrong with the configured `max-model-len`.
fn wrong_max_model_len(config: &InferenceConfig, context_limit: Option<u64>) -> Option<Diagnostic> {
    let given = config.max_model_len.as_deref().map(str::trim).filter(|given| !given.is_empty())?;
    let limit = context_limit?;
    match given.parse::<i64>() {
        Err(_) => Some(rule::INVALID_CONFIG.says(format!("{given:?} is no integer"))),
        Ok(value) if value > i64::try_from(limit).unwrap_or(i64::MAX) => Some(
            rule::INVALID_CONFIG
                .says(format!("{value} is beyond the model's context of {limit} tokens"))
                .help(format!("use at most {limit}")),
        ),
        Ok(value) if value > 0 && max_model_len(&config.text).is_none() => {
            let finding = rule::UNSEEN_CONFIG.says(format!("the node estimate doesn't see {value}, since it reads lines and not YAML"));
            let help = "write `vllm:` and, two spaces deeper, `max-model-len: N` on lines of their own, without quotes or a comment";
            Some(finding.help(help))
        }
        Ok(_) => None,
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
