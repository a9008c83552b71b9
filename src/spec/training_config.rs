//! `training_config.yaml` in the ConfigMap that `tuning.config` names.
//!
//! Source: the webhook and the Job of Kaito 0.12.

use super::{TuningMethod, config_map};
use crate::diagnostic::{Diagnostic, did_you_mean};
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
        let file = config_map::text(config_map, name, KEY, "tuning.config", findings)?;
        let before = findings.len();
        let document = yaml::read(&file, yaml::Limits::default(), findings).into_iter().next();
        let output_dir = match &document {
            Some(document) => check(document, method, findings),
            None if findings.len() == before => {
                findings.push(Diagnostic::error("the text is empty").at(&file, 0..0));
                None
            }
            None => None,
        };
        output_dir.filter(|_| findings.len() == before).map(|output_dir| Self { output_dir })
    }
}

/// The directory for results as the pod mounts it: below `/mnt`, `/mnt/output` if none is given; `None` if it isn't below it.
pub fn output_dir(given: &str) -> Option<String> {
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
    (clean.len() > 1 && clean[0] == "mnt").then(|| format!("/{}", clean.join("/")))
}

fn check(document: &Document, method: TuningMethod, findings: &mut Vec<Diagnostic>) -> Option<String> {
    let mut say = |finding: Diagnostic, path: &[Step<'_>]| findings.push(document.finding(finding, path));
    let Some(Node { kind: Kind::Mapping(sections), .. }) = document.root.get(ROOT) else {
        say(Diagnostic::error(format!("the field {ROOT} is missing")).help(format!("its sections are {}", SECTIONS.join(", "))), &[]);
        return None;
    };
    for section in sections {
        let at = [Step::Field(ROOT), Step::Field(&section.key)];
        if !SECTIONS.contains(&section.key.as_str()) {
            let mut finding = Diagnostic::error("unknown section");
            finding.help.extend(did_you_mean(&section.key, SECTIONS));
            say(finding.help(format!("the sections are {}", SECTIONS.join(", "))), &at);
        } else if !matches!(section.value.kind, Kind::Mapping(_) | Kind::Null) {
            say(Diagnostic::error(format!("expected a mapping, found {}", section.value.describe())), &at);
        }
    }
    let field = |section: &str, name: &str| document.root.get(ROOT)?.get(section)?.get(name).filter(|node| !node.is_null());
    let quantization = |name: &'static str| [Step::Field(ROOT), Step::Field("QuantizationConfig"), Step::Field(name)];
    let mut loads = Vec::new();
    for name in ["load_in_4bit", "load_in_8bit"] {
        match field("QuantizationConfig", name).map(|node| &node.kind) {
            None | Some(Kind::Bool(false)) => {}
            Some(Kind::Bool(true)) => loads.push(name),
            Some(_) => say(Diagnostic::error("expected true or false"), &quantization(name)),
        }
    }
    match (method, loads.as_slice()) {
        (_, [_, second]) => say(Diagnostic::error("a model is loaded in 4 or in 8 bits, not in both"), &quantization(second)),
        (TuningMethod::Lora, [one]) => {
            say(Diagnostic::error("lora doesn't quantize").help("set it to false, or use method: qlora"), &quantization(one));
        }
        (TuningMethod::Qlora, []) => {
            let finding = Diagnostic::error("qlora needs a quantized model").help("set load_in_4bit or load_in_8bit to true");
            say(finding, &[Step::Field(ROOT), Step::Field("QuantizationConfig")]);
        }
        _ => {}
    }
    let at = [Step::Field(ROOT), Step::Field("TrainingArguments"), Step::Field("output_dir")];
    let Some(node) = field("TrainingArguments", "output_dir") else { return output_dir("") };
    let Some(given) = node.as_str() else {
        say(Diagnostic::error(format!("expected a string, found {}", node.describe())), &at);
        return None;
    };
    let found = output_dir(given);
    if found.is_none() {
        say(Diagnostic::error(format!("{given:?} is no directory below /mnt")).help("write results, or /mnt/results"), &at);
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
