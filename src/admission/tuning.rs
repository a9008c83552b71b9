//! The rules about what is fine-tuned: `tuning`.

use core::net::Ipv4Addr;
use std::collections::HashSet;

use fluent_uri::Uri;
use fluent_uri::component::Host;

use super::{Check, at, image_reference, missing_config_map};
use crate::diagnostic::Diagnostic;
use crate::image;
use crate::options::NodeProvisioner;
use crate::rule;
use crate::spec::{DataDestination, DataSource, TrainingConfig, TuningMethod, TuningSpec, names, unread_config_map};
use crate::yaml::Step;

/// The longest name of training data in an image: `docker-config-NAME-tuning-input` has at most 63 characters.
const LONGEST_INPUT_NAME: usize = 36;

/// The containers of a tuning pod besides the one that is named like the Workspace.
const CONTAINERS: [&str; 5] = ["model-weights-downloader", "puller", "data-downloader", "pusher", "pause"];

/// Names of the hosts by which clouds hand out credentials.
const METADATA_HOSTS: [&str; 3] = ["metadata", "metadata.google.internal", "metadata.azure.internal"];

impl Check<'_> {
    pub(super) fn tuning(&mut self) {
        let Some(tuning) = self.workspace.tuning.as_ref().filter(|_| self.workspace.inference.is_none()) else { return };
        self.one_node();
        if self.context.options.node_provisioner == NodeProvisioner::Byo {
            let finding = rule::INVALID_TUNING.says("Kaito tunes only on nodes that are made for it, of a size that it knows");
            self.say(finding.help("use another --node-provisioner"), at!["tuning"]);
        }
        let name = self.workspace.metadata.name.as_str();
        if CONTAINERS.contains(&name) {
            let finding = rule::INVALID_NAME.says(format!("the pod has another container called {name}"));
            self.say(finding.help("give the Workspace another name"), at!["metadata", "name"]);
        }
        self.tuning_preset(tuning);
        self.tuning_config(tuning);
        self.tuning_input(&tuning.input);
        self.tuning_output(&tuning.output);
    }

    /// Tuning is not divided over nodes.
    pub(super) fn one_node(&mut self) {
        if self.workspace.count() > 1 {
            self.say(
                rule::INVALID_TUNING.says("tuning runs on one node").help("leave the field out, or write 1"),
                at!["resource", "count"],
            );
        }
    }

    fn tuning_preset(&mut self, tuning: &TuningSpec) {
        let Some(preset) = &tuning.preset else {
            return self.say(rule::MISSING_FIELD.says("the preset is missing").help("name the model to tune"), at!["tuning", "preset"]);
        };
        let at = at!["tuning", "preset", "name"];
        match self.context.catalog.model(&preset.name) {
            Err(unknown) => self.say(unknown.finding(&preset.name), at),
            Ok(found) if found.value.tuning.is_none() => {
                let known = self.context.catalog.models().filter(|model| model.value.tuning.is_some()).map(|model| model.value.name());
                let help = format!("models to tune are {}", known.collect::<Vec<_>>().join(", "));
                self.say(rule::PRESET_RUNTIME.says(format!("{} can't be tuned", found.value.name())).help(help), at);
            }
            Ok(_) => {}
        }
    }

    /// The method, and the ConfigMap in its place.
    pub(super) fn tuning_config(&mut self, tuning: &TuningSpec) {
        let asked = tuning.method.as_deref().unwrap_or_default();
        let Some(method) = tuning.method() else {
            let finding = rule::INVALID_TUNING.says(if asked.is_empty() {
                "the method is missing".to_owned()
            } else {
                format!("{asked:?} is no method")
            });
            return self.say(finding.help("methods are lora and qlora"), at!["tuning", "method"]);
        };
        let default = self.context.catalog.tuning.defaults.get(method.name());
        if tuning.config().is_none() && asked != method.name() {
            let finding = rule::INVALID_TUNING.says(format!("Kaito has no default configuration for {asked:?}"));
            self.say(finding.help(format!("write {}, or name a ConfigMap in tuning.config", method.name())), at!["tuning", "method"]);
        }
        let Some(name) = tuning.config().or(default.map(|default| default.name.as_str())) else { return };
        match self.context.config_map(&self.located.namespace, name) {
            Some(document) => match unread_config_map(document, name) {
                Some(finding) => self.say(finding, at!["tuning"]),
                None => self.configs.training = TrainingConfig::read(document, name, method, self.findings),
            },
            None if tuning.config().is_some() => {
                let finding = missing_config_map(self.context, &self.located.namespace, name);
                self.say(finding, at!["tuning", "config"]);
            }
            None => self.default_training(method),
        }
    }

    /// The default configuration, which a preset file may have made wrong.
    fn default_training(&mut self, method: TuningMethod) {
        let catalog = &self.context.catalog;
        let mut faults = Vec::new();
        match catalog.tuning.defaults.get(method.name()) {
            None => faults.push(Diagnostic::error(format!("there is no default for {}", method.name()))),
            Some(default) => {
                let name = &default.name;
                if !names::is_dns_subdomain(name) {
                    faults.push(Diagnostic::error(format!("{name:?} is no name for a ConfigMap")));
                }
                if catalog.tuning.defaults.values().filter(|other| other.name == *name).count() > 1 {
                    faults.push(Diagnostic::error(format!("two defaults are called {name}")));
                }
                self.configs.training = TrainingConfig::of_default(default, method, &mut faults);
            }
        }
        self.findings.extend(faults.into_iter().map(|fault| {
            let message = format!("{}: defaults.{}: {}", catalog.file_name("tuning"), method.name(), fault.message);
            fault.help.into_iter().fold(Diagnostic::error(message), Diagnostic::help)
        }));
    }

    fn tuning_input(&mut self, input: &DataSource) {
        let given = [input.urls().is_some(), input.volume_source.is_some(), input.image().is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            let finding = rule::EXACTLY_ONE.says("training data comes from exactly one of urls, volumeSource and image");
            return self.say(finding, at!["tuning", "input"]);
        }
        let mut file_names = HashSet::new();
        for (index, url) in input.urls().into_iter().flatten().enumerate() {
            let at = at!["tuning", "input", "urls", index];
            if let Err((message, help)) = check_url(url) {
                self.say(rule::TRAINING_URL.says(message).help(help), at);
            } else if !file_names.insert(file_name(url)) {
                let finding =
                    rule::TRAINING_FILE.says(format!("another file is called {} too, and only one of them is kept", file_name(url)));
                self.say(finding.help("give each file a name of its own"), at);
            }
        }
        if let Some(image) = input.image().filter(|image| !image::is_reference(image)) {
            self.say(image_reference(image), at!["tuning", "input", "image"]);
        }
        let name = input.name.as_deref().unwrap_or_default();
        if input.image().is_some() && !name.is_empty() && (!names::is_dns_label(name) || name.len() > LONGEST_INPUT_NAME) {
            let finding = rule::INVALID_NAME.says(format!("{name:?} can't be part of the name of a volume"));
            self.say(
                finding.help(format!("use at most {LONGEST_INPUT_NAME} lower-case letters, digits and dashes")),
                at!["tuning", "input", "name"],
            );
        }
        self.pull_secrets(input, at!["tuning", "input", "imagePullSecrets"]);
        if let Some(volume) = &input.volume_source {
            self.volume_source(volume, at!["tuning", "input", "volumeSource"]);
        }
    }

    fn tuning_output(&mut self, output: &DataDestination) {
        if output.volume_source.is_some() == output.image().is_some() {
            let finding = rule::EXACTLY_ONE.says("the adapter goes to exactly one of volumeSource and image");
            return self.say(finding, at!["tuning", "output"]);
        }
        if let Some(volume) = &output.volume_source {
            self.volume_source(volume, at!["tuning", "output", "volumeSource"]);
        }
        let Some(image) = output.image() else { return };
        if !image::is_reference(image) {
            self.say(image_reference(image), at!["tuning", "output", "image"]);
        }
        if let Some(secret) = output.image_push_secret.as_deref().filter(|secret| !secret.is_empty()) {
            self.secret_name(secret, at!["tuning", "output", "imagePushSecret"]);
        } else {
            let finding = rule::INVALID_TUNING.says("the Secret to push the image with is missing");
            self.say(finding.help("name one of type kubernetes.io/dockerconfigjson"), at!["tuning", "output", "imagePushSecret"]);
        }
    }
}

/// A pod must not be made to ask the node, its cloud or a private network.
pub(super) fn check_url(text: &str) -> Result<(), (String, &'static str)> {
    let help = "write https://host/path, with everything but letters, digits and -._~ percent-encoded";
    let url = Uri::parse(text).map_err(|error| (format!("{text:?} is no URL: {error}"), help))?;
    if !["http", "https"].iter().any(|scheme| url.scheme().as_str().eq_ignore_ascii_case(scheme)) {
        return Err((format!("{} is not downloaded", url.scheme()), help));
    }
    let Some(authority) = url.authority().filter(|authority| !authority.host().is_empty()) else {
        return Err((format!("{text:?} names no host"), help));
    };
    if is_private(&authority.host_parsed()) {
        return Err((format!("{text:?} is in a private place"), "Kaito downloads from public hosts only"));
    }
    match file_name(text) {
        "." | ".." => Err((format!("{text:?} names no file"), "the last part of the path becomes the name of the file")),
        _ => Ok(()),
    }
}

/// What the data is called in its volume, as basename has it: the last part of the path, or the host.
fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

#[expect(clippy::match_wildcard_for_single_variants, reason = "the variant can't be named outside of its crate")]
fn is_private(host: &Host<'_>) -> bool {
    match host {
        Host::RegName(name) => {
            let name = name.as_str().trim_end_matches('.').to_lowercase();
            let is_number = name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
            name == "localhost" || name.ends_with(".localhost") || METADATA_HOSTS.contains(&name.as_str()) || is_number
        }
        Host::Ipv4(ip) => is_private_v4(*ip),
        Host::Ipv6(ip) => {
            let embedded = ip.to_ipv4().is_some_and(is_private_v4);
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast() || embedded
        }
        _ => true,
    }
}

/// Loopback, private, link-local, and what no public host has; 168.63.129.16 is Azure's own.
fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || first == 0
        || is_shared
        || ip == Ipv4Addr::new(168, 63, 129, 16)
}

#[cfg(test)]
mod tests {
    use super::check_url;

    #[test]
    fn urls_of_training_data() {
        let table = [
            ("https://example.com/d.parquet?download=true", true),
            ("http://example.com:8080/a", true),
            ("https://8.8.8.8/a", true),
            ("ftp://example.com/a", false),
            ("example.com/a", false),
            ("https://", false),
            ("https://example.com/a%20b", true),
            ("https://example.com/a b", false),
            ("https://example.com/a[1-2]", false),
            ("https:example.com/a", false),
            ("https:///example.com/a", false),
            ("https://example.com", true),
            ("https://example.com/a/", true),
            ("https://example.com/a/..", false),
            ("http://0.1.2.3/a", false),
            ("http://100.64.0.1/a", false),
            ("http://168.63.129.16/a", false),
            ("http://[::ffff:0.0.0.0]/a", false),
            ("https://localhost/a", false),
            ("https://LOCALHOST./a", false),
            ("http://127.0.0.1/a", false),
            ("http://0x7f.1/a", false),
            ("http://10.1.2.3/a", false),
            ("http://169.254.169.254/latest", false),
            ("http://metadata.google.internal/a", false),
            ("http://[::1]/a", false),
            ("http://[::ffff:10.0.0.1]/a", false),
            ("http://[fe80::1]/a", false),
        ];
        for (url, fine) in table {
            assert_eq!(check_url(url).is_ok(), fine, "{url}");
        }
    }
}
