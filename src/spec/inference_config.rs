//! `inference_config.yaml` in the ConfigMap that `inference.config` names.
//!
//! Source: Kaito 0.12 checks it as YAML with a map `vllm` of scalars, but takes `max-model-len` for its node estimate
//! from a scan of the lines.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use super::config_map;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::rule;
use crate::yaml::{self, Document, Kind, Node, Step};

/// What of `inference_config.yaml` matters before the model runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InferenceConfig {
    /// `vllm.max-model-len` as the YAML has it.
    pub max_model_len: Option<String>,
    /// Everything below `vllm`, which wins over the command at run time.
    pub arguments: Vec<(String, String)>,
    /// The text itself.
    pub text: String,
}

/// The key of the ConfigMap.
const KEY: &str = "inference_config.yaml";

impl InferenceConfig {
    /// Reads the configuration out of a ConfigMap; what is wrong with it is added to `findings`.
    pub fn read(config_map: &Document, name: &str, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let file = config_map::text(config_map, name, KEY, "inference.config", findings)?;
        let before = findings.len();
        let document = yaml::read(&file, yaml::Limits::default(), findings).into_iter().next();
        let mut warnings = Vec::new();
        let arguments = document.map(|document| {
            traps(&document, &mut warnings);
            vllm(&document, findings)
        });
        let arguments = arguments.unwrap_or_default();
        let max_model_len = arguments.iter().find(|(key, _)| key == "max-model-len").map(|(_, value)| value.clone());
        let is_right = findings.len() == before;
        findings.append(&mut warnings);
        is_right.then(|| Self { max_model_len, arguments, text: file.text.clone() })
    }

    /// Where `vllm.max-model-len` stands, for a finding about it.
    pub fn finding(&self, config_map: &Document, name: &str, finding: Diagnostic) -> Diagnostic {
        let file = config_map::file(config_map, name, KEY, &self.text);
        let documents = yaml::read(&file, yaml::Limits::default(), &mut Vec::new());
        match documents.first() {
            Some(document) => document.finding(finding, &[Step::Field("vllm"), Step::Field("max-model-len")]),
            None => finding.at(&Arc::clone(&file), 0..0),
        }
    }
}

/// Configurations with which nothing is wrong, by their text: of a fleet, many Workspaces have the same.
#[derive(Default)]
pub struct InferenceConfigs(RwLock<HashMap<String, Arc<InferenceConfig>>>);

impl InferenceConfigs {
    /// Reads the configuration out of a ConfigMap as [`InferenceConfig::read`] does, but each text only once.
    pub fn read(&self, config_map: &Document, name: &str, findings: &mut Vec<Diagnostic>) -> Option<Arc<InferenceConfig>> {
        let known = config_map.text(&["data", KEY]).and_then(|text| self.0.read().ok()?.get(text).cloned());
        if known.is_some() {
            return known;
        }
        let before = findings.len();
        let config = Arc::new(InferenceConfig::read(config_map, name, findings)?);
        if findings.len() == before
            && let Ok(mut all) = self.0.write()
        {
            all.insert(config.text.clone(), Arc::clone(&config));
        }
        Some(config)
    }
}

/// What vLLM and Kaito read otherwise than it looks.
fn traps(document: &Document, warnings: &mut Vec<Diagnostic>) {
    let Kind::Mapping(sections) = &document.root.kind else { return };
    for section in sections.iter().filter(|section| section.key != "vllm") {
        if let Some(help) = did_you_mean(&section.key, ["vllm"]) {
            warnings.push(document.finding(rule::UNSEEN_CONFIG.says("nobody reads this section").help(help), &[Step::Field(&section.key)]));
        }
    }
    if document.root.get("vllm").and_then(|vllm| vllm.get("max_model_len")).is_some() {
        let finding = rule::UNSEEN_CONFIG.says("vLLM takes this spelling, but Kaito's checks and its node estimate don't see it");
        warnings.push(document.finding(finding.help("write max-model-len"), &[Step::Field("vllm"), Step::Field("max_model_len")]));
    }
}

/// Checks `vllm` and gives its entries.
fn vllm(document: &Document, findings: &mut Vec<Diagnostic>) -> Vec<(String, String)> {
    let Some(vllm) = document.root.get("vllm").filter(|vllm| !vllm.is_null()) else { return Vec::new() };
    let Kind::Mapping(entries) = &vllm.kind else {
        findings.push(
            document.finding(rule::INVALID_CONFIG.says(format!("expected a mapping, found {}", vllm.describe())), &[Step::Field("vllm")]),
        );
        return Vec::new();
    };
    let mut arguments = Vec::new();
    for entry in entries {
        match entry.value.kind {
            Kind::Mapping(_) | Kind::Sequence(_) => {
                let finding =
                    rule::INVALID_CONFIG.says(format!("expected one value for --{}, found {}", entry.key, entry.value.describe()));
                findings.push(document.finding(finding, &[Step::Field("vllm"), Step::Field(&entry.key)]));
            }
            Kind::Null => {}
            _ => arguments.push((entry.key.to_string(), scalar_text(document, &entry.value))),
        }
    }
    arguments
}

/// A scalar as it is written, which is what Kaito and vLLM get: `4_096` is no integer for them.
fn scalar_text(document: &Document, node: &Node) -> String {
    let written = document.file.text.get(node.span.clone()).unwrap_or_default();
    node.as_str().unwrap_or(written).to_owned()
}

/// The `max-model-len` that Kaito's node estimate uses: the first one in the lines indented by two or more after the first
/// `vllm:`, if it is a bare positive integer.
pub fn max_model_len(text: &str) -> Option<u64> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines();
    let inner = lines.by_ref().find(|line| line.trim_start().starts_with("vllm:")).map(indent)? + 2;
    for line in lines {
        let trimmed = line.trim();
        if !trimmed.is_empty() && !trimmed.starts_with('#') && indent(line) < inner {
            return None;
        }
        if let Some(value) = trimmed.strip_prefix("max-model-len:") {
            return value.trim().parse().ok().filter(|value| *value > 0);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::max_model_len;

    #[test]
    fn the_estimate_scans_lines() {
        let table = [
            ("vllm:\n  max-model-len: 4096\n", Some(4096)),
            ("x: 1\nvllm:\n  a: b\n\n# c\n  max-model-len: 8192\n", Some(8192)),
            ("vllm:\n  max-model-len: \"8192\"\n", None),
            ("vllm:\n max-model-len: 8192\n", None),
            ("vllm:\nother:\n  max-model-len: 4096\n", None),
            ("vllm: {max-model-len: 4096}\n", None),
            ("max-model-len: 4096\n", None),
            ("vllm:\n  max-model-len: -5\n", None),
            ("vllm:\n  max-model-len: auto\n", None),
        ];
        for (text, want) in table {
            assert_eq!(max_model_len(text), want, "{text}");
        }
    }
}
