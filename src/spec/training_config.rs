//! `training_config.yaml` in the ConfigMap that `tuning.config` names.
//!
//! Source: the webhook and the Job of Kaito 0.12.

use std::sync::Arc;

use super::{TuningMethod, config_map};
use crate::diagnostic::{Diagnostic, SourceFile, did_you_mean};
use crate::preset::DefaultTraining;
use crate::rule;
use crate::yaml::{self, Document, Kind, Node, Step};

/// What of `training_config.yaml` matters before the training runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingConfig {
    /// Where results are written, below `/mnt`.
    pub output_dir: String,
}

/// The key of the ConfigMap, and the only field of its text.
const KEY: &str = "training_config.yaml";
const ROOT: &str = "training_config";

const SECTIONS: [&str; 6] = ["ModelConfig", "QuantizationConfig", "LoraConfig", "TrainingArguments", "DatasetConfig", "DataCollator"];

impl TrainingConfig {
    /// Reads the configuration out of a ConfigMap; what is wrong with it is added to `findings`.
    pub fn read(config_map: &Document, name: &str, method: TuningMethod, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        Self::of_text(&config_map::text(config_map, name, KEY, "tuning.config", findings)?, method, findings)
    }

    /// Reads the default configuration of a method.
    pub fn of_default(default: &DefaultTraining, method: TuningMethod, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        Self::of_text(&SourceFile::new(default.name.as_str(), default.text()), method, findings)
    }

    fn of_text(file: &Arc<SourceFile>, method: TuningMethod, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let before = findings.len();
        let documents = yaml::read(file, yaml::Limits::default(), findings);
        let output_dir = match documents.as_slice() {
            [document] => check(document, method, findings),
            [] if findings.len() > before => None,
            [] => {
                findings.push(rule::INVALID_CONFIG.says("the text is empty").at(file, 0..0));
                None
            }
            [_, second, ..] => {
                findings.push(second.finding(rule::INVALID_CONFIG.says("one document is wanted, and this is another"), &[]));
                None
            }
        };
        output_dir.filter(|_| findings.len() == before).map(|output_dir| Self { output_dir })
    }
}

/// The directory for results as the pod mounts it: below `/mnt`, `/mnt/output` if none is given; `None` if it isn't below it.
fn output_dir(given: &str) -> Option<String> {
    let full = match given {
        "" => "/mnt/output".to_owned(),
        given if given.starts_with("/mnt") => given.to_owned(),
        given => format!("/mnt/{given}"),
    };
    let mut clean: Vec<&str> = Vec::new();
    for part in full.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            clean.pop();
        } else {
            clean.push(part);
        }
    }
    // The data and the configuration are mounted there, and a mount path holds no colon.
    let is_taken = matches!(clean.get(1..), Some(["data"] | ["config", ..]));
    let is_path = !given.contains(|c: char| c == ':' || c.is_control());
    (clean.len() > 1 && clean[0] == "mnt" && !is_taken && is_path).then(|| format!("/{}", clean.join("/")))
}

fn check(document: &Document, method: TuningMethod, findings: &mut Vec<Diagnostic>) -> Option<String> {
    let mut say = |finding: Diagnostic, path: &[Step<'_>]| findings.push(document.finding(finding, path));
    let sections = match document.root.get(ROOT) {
        Some(Node { kind: Kind::Mapping(sections), .. }) => sections,
        Some(other) => {
            say(rule::INVALID_CONFIG.says(format!("expected a mapping, found {}", other.describe())), &[Step::Field(ROOT)]);
            return None;
        }
        None => {
            say(
                rule::INVALID_CONFIG.says(format!("the field {ROOT} is missing")).help(format!("its sections are {}", SECTIONS.join(", "))),
                &[],
            );
            return None;
        }
    };
    for section in sections {
        let at = [Step::Field(ROOT), Step::Field(&section.key)];
        if !SECTIONS.contains(&section.key.as_str()) {
            let mut finding = rule::INVALID_CONFIG.says("unknown section");
            finding.help.extend(did_you_mean(&section.key, SECTIONS));
            say(finding.help(format!("the sections are {}", SECTIONS.join(", "))), &at);
        } else if !matches!(section.value.kind, Kind::Mapping(_) | Kind::Null) {
            say(rule::INVALID_CONFIG.says(format!("expected a mapping, found {}", section.value.describe())), &at);
        }
    }
    let field = |section: &str, name: &str| document.root.get(ROOT)?.get(section)?.get(name).filter(|node| !node.is_null());
    let quantization = |name: &'static str| [Step::Field(ROOT), Step::Field("QuantizationConfig"), Step::Field(name)];
    let mut loads = Vec::new();
    for name in ["load_in_4bit", "load_in_8bit"] {
        match field("QuantizationConfig", name).map(|node| &node.kind) {
            None | Some(Kind::Bool(false)) => {}
            Some(Kind::Bool(true)) => loads.push(name),
            Some(_) => say(rule::INVALID_CONFIG.says("expected true or false"), &quantization(name)),
        }
    }
    match (method, loads.as_slice()) {
        (_, [_, second]) => say(rule::INVALID_CONFIG.says("a model is loaded in 4 or in 8 bits, not in both"), &quantization(second)),
        (TuningMethod::Lora, [one]) => {
            say(rule::INVALID_CONFIG.says("lora doesn't quantize").help("set it to false, or use method: qlora"), &quantization(one));
        }
        (TuningMethod::Qlora, []) => {
            let finding = rule::INVALID_CONFIG.says("qlora needs a quantized model").help("set load_in_4bit or load_in_8bit to true");
            say(finding, &[Step::Field(ROOT), Step::Field("QuantizationConfig")]);
        }
        _ => {}
    }
    let at = [Step::Field(ROOT), Step::Field("TrainingArguments"), Step::Field("output_dir")];
    let Some(node) = field("TrainingArguments", "output_dir") else { return output_dir("") };
    let Some(given) = node.as_str() else {
        say(rule::INVALID_CONFIG.says(format!("expected a string, found {}", node.describe())), &at);
        return None;
    };
    let found = output_dir(given);
    if found.is_none() {
        let finding = rule::INVALID_CONFIG.says(format!("{given:?} is no place for results"));
        say(finding.help("write results, or another directory below /mnt that is neither /mnt/data nor /mnt/config"), &at);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::output_dir;

    #[test]
    fn results_are_below_mnt() {
        let table = [
            ("", Some("/mnt/output")),
            ("/mnt/results", Some("/mnt/results")),
            ("relative/out", Some("/mnt/relative/out")),
            ("/etc", Some("/mnt/etc")),
            ("a//b/./../c/", Some("/mnt/a/c")),
            ("data", None),
            ("data/x", Some("/mnt/data/x")),
            ("/mnt/config", None),
            ("config/x", None),
            ("a:b", None),
            ("/mnt", None),
            ("/mnt/", None),
            ("/mntx", None),
            ("../etc", None),
            ("/mnt/../etc", None),
            ("..", None),
            (".", None),
        ];
        for (given, want) in table {
            assert_eq!(output_dir(given).as_deref(), want, "{given}");
        }
    }
}
