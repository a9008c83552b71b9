//! What is wrong or odd in presets of the user's own, beyond what keeps them from being read.

use std::collections::{BTreeMap, BTreeSet};

use super::merge::{Entry, Merged};
use super::{Catalog, HubRules, ImagePreset, Layer, Model};
use crate::diagnostic::{Diagnostic, Severity, either, plural};
use crate::image::is_reference;
use crate::options::Cloud;
use crate::quantity::{GIB, gib_text};
use crate::sku::Sku;
use crate::yaml::{Kind, Step};

/// What was found in presets of the user's own.
pub struct Checked {
    /// All findings.
    pub findings: Vec<Diagnostic>,
    /// The models that are described or changed.
    pub models: usize,
    /// The sizes that are described or changed.
    pub skus: usize,
}

/// Checks layers, of which the lowest is what is built in.
pub fn check(version: &str, layers: &[Layer]) -> Checked {
    let mut findings = Catalog::load(version, layers).err().unwrap_or_default();
    let rules = HubRules::load(layers).map_err(|faults| findings.extend(faults)).ok().flatten();
    // What can't be read has been reported; everything else is looked at all the same.
    let merged = Merged::of(layers, |_, _| true, &mut Vec::new());
    let (models, presets, skus) = (merged.own_models(), merged.own_presets(), merged.own_skus());
    for entry in &models {
        layers_of(entry, "id", &mut findings);
        if let Ok(model) = serde_json::from_value::<Model>(entry.value.clone()) {
            let mut check = Check { entry, findings: &mut findings };
            check.shape(&model);
            check.sources(&model, rules.as_ref());
            check.arguments("arguments", &model.arguments);
            check.arguments("transformers", model.transformers.as_ref().unwrap_or(&BTreeMap::new()));
        }
    }
    for entry in &presets {
        layers_of(entry, "name", &mut findings);
        if let Ok(preset) = serde_json::from_value::<ImagePreset>(entry.value.clone()) {
            Check { entry, findings: &mut findings }.arguments("arguments", &preset.arguments);
        }
    }
    let memory = memory_by_gpu(version);
    for (cloud, entry) in &skus {
        layers_of(entry, "name", &mut findings);
        if let Ok(sku) = serde_json::from_value::<Sku>(entry.value.clone()) {
            Check { entry, findings: &mut findings }.sku(*cloud, &sku, &memory);
        }
    }
    Checked { findings, models: models.len() + presets.len(), skus: skus.len() }
}

/// Says where an entry changes another, be it built in or in another file.
fn layers_of(entry: &Entry<'_>, key: &str, findings: &mut Vec<Diagnostic>) {
    for (index, document) in entry.own.iter().enumerate() {
        let below = match index.checked_sub(1).map(|below| &entry.own[below]) {
            Some(below) => {
                let (line, _) = below.file.line_column(below.place(&[]).span.start);
                format!("is in {}:{line} too", below.file.name)
            }
            None if entry.is_built_in => "is built in".to_owned(),
            None => continue,
        };
        let Kind::Mapping(fields) = &document.root.kind else { continue };
        let changed: Vec<&str> = fields.iter().map(|field| field.key.as_str()).filter(|field| *field != key).collect();
        let name = document.root.get(key).and_then(|node| node.as_str()).unwrap_or_default();
        let finding = Diagnostic::note(match changed.as_slice() {
            [] => format!("{name} {below}, and this changes nothing"),
            changed => format!("{name} {below}; this wins for its {}", either(changed).replace(" or ", " and ")),
        });
        findings.push(document.finding(finding, &[]));
    }
}

/// The memory that one GPU of each model has in the built-in sizes, in bytes.
fn memory_by_gpu(version: &str) -> BTreeMap<String, BTreeSet<u64>> {
    let mut memory: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    if let Ok(catalog) = Catalog::load(version, &[Layer::embedded(version)]) {
        for sku in Cloud::ALL.into_iter().flat_map(|cloud| catalog.skus(cloud)) {
            let shape = sku.value.shape(String::new());
            memory.entry(shape.model.clone()).or_default().insert(shape.memory_per_gpu());
        }
    }
    memory
}

struct Check<'c> {
    entry: &'c Entry<'c>,
    findings: &'c mut Vec<Diagnostic>,
}

impl Check<'_> {
    /// Adds a finding at a field, in the file of the highest layer that has it.
    fn say(&mut self, finding: Diagnostic, path: &[&str]) {
        let has = |path: &[&str]| {
            let mut documents = self.entry.own.iter().rev();
            documents.find(|document| path.iter().try_fold(&*document.root, |node, name| node.get(name)).is_some())
        };
        let Some(document) = has(path).or_else(|| has(&path[..1])).or(self.entry.own.last()) else { return };
        let steps: Vec<Step<'_>> = path.iter().map(|name| Step::Field(name)).collect();
        self.findings.push(document.finding(finding, &steps));
    }

    fn shape(&mut self, model: &Model) {
        let (heads, kv_heads, hidden) = (model.config.num_attention_heads, model.kv_heads(), model.config.hidden_size);
        let at = ["config", "numKeyValueHeads"];
        if kv_heads > heads {
            let message = format!("{kv_heads} key-value heads are more than the {}", plural(heads, "head"));
            self.say(Diagnostic::error(message).help("several heads share one key-value head, never the other way round"), &at);
        } else if kv_heads > 0 && !heads.is_multiple_of(kv_heads) {
            let message = format!("{heads} heads can't be shared evenly among {}", plural(kv_heads, "key-value head"));
            self.say(Diagnostic::warning(message).help("compare with num_key_value_heads of config.json"), &at);
        }
        let derived = model.config.head_dim.is_none() && model.config.kv_lora_rank.is_none();
        if derived && hidden < heads {
            let message = format!("a hidden size of {hidden} leaves nothing for each of {}", plural(heads, "head"));
            self.say(Diagnostic::error(message).help("name headDim, or correct one of the two"), &["config", "hiddenSize"]);
        } else if derived && !hidden.is_multiple_of(heads) {
            let message = format!("a hidden size of {hidden} is no multiple of {}", plural(heads, "head"));
            self.say(Diagnostic::warning(message).help("name headDim: the KV cache is estimated with it"), &["config", "hiddenSize"]);
        }
        let weights = model.weights_bytes();
        if weights == 0 {
            let finding = Diagnostic::warning("no size, so every GPU seems large enough");
            self.say(finding.help("write the sum of the files, such as 14.96Gi"), &["weights"]);
        } else if !(1 << 20..=4 << 40).contains(&weights) {
            let finding = Diagnostic::warning(format!("{} can hardly be right", model.weights.as_str()));
            self.say(finding.help("write the sum of the files with its unit, such as 14.96Gi"), &["weights"]);
        }
    }

    fn sources(&mut self, model: &Model, rules: Option<&HubRules>) {
        if let Some(rules) = rules.filter(|rules| !rules.knows(&model.architectures)) {
            let finding = Diagnostic { severity: Severity::Warning, ..rules.unknown(&model.architectures) };
            self.say(finding, &["architectures"]);
        }
        let is_commit = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(revision) = model.revision.as_deref().filter(|revision| !is_commit(revision)) {
            let finding = Diagnostic::warning(format!("{revision:?} is no commit; what a branch or tag means can change"));
            self.say(finding.help(format!("`kaito preset import {} --update` pins the commit", model.id)), &["revision"]);
        }
        if let Some(image) = model.tuning.as_ref().map(|tuning| &tuning.weights_image)
            && !is_reference(&format!("registry/{image}"))
        {
            let finding = Diagnostic::error(format!("{image:?} is no image below a registry"));
            self.say(finding.help("write it as support-8b:1.0.0"), &["tuning", "weightsImage"]);
        }
    }

    fn arguments(&mut self, field: &str, arguments: &BTreeMap<String, String>) {
        for (flag, value) in arguments {
            let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if flag.is_empty() || flag.starts_with('-') || !flag.bytes().all(is_good) {
                let finding = Diagnostic::error(format!("{flag:?} is no name of an argument"));
                self.say(
                    finding.help("write it without the dashes before it and the value behind it: max-num-seqs: \"64\""),
                    &[field, flag],
                );
            }
            if value.contains('\0') {
                self.say(Diagnostic::error("the value has a character that no shell can pass"), &[field, flag]);
            }
        }
    }

    fn sku(&mut self, cloud: Cloud, sku: &Sku, known: &BTreeMap<String, BTreeSet<u64>>) {
        if let Some(text) = sku.compute_capability.as_deref().filter(|text| text.parse::<f64>().is_err()) {
            let finding = Diagnostic::error(format!("{text:?} is no compute capability"));
            self.say(finding.help("write it as \"8.0\", or leave it out for GPUs without CUDA"), &["computeCapability"]);
        }
        let each = sku.shape(String::new()).memory_per_gpu();
        let usual = known.get(&sku.model).filter(|usual| !usual.contains(&each));
        let message = format!("{} of {} leave {} for each", plural(sku.gpus, "GPU"), sku.memory.as_str(), gib_text(each));
        let help = "memory is that of all GPUs of a node together";
        if each < GIB {
            self.say(Diagnostic::error(message).help(help), &["memory"]);
        } else if let Some(usual) = usual {
            let usual: Vec<String> = usual.iter().map(|bytes| gib_text(*bytes)).collect();
            let usual = either(&usual.iter().map(String::as_str).collect::<Vec<_>>());
            let finding = Diagnostic::warning(format!("{message}; each {} of the built-in sizes has {usual}", sku.model));
            self.say(finding.help(help), &["memory"]);
        }
        if cloud == Cloud::Azure && !sku.name.starts_with("Standard_") {
            let finding = Diagnostic::warning(format!("{} isn't a name as Azure's sizes have it", sku.name));
            self.say(finding.help("they begin with Standard_"), &["name"]);
        }
    }
}
