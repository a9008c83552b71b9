//! A model of the hub as a preset: what follows from its `config.json` and its list of files.
//!
//! Source: the generic models of Kaito 0.12, which asks the hub whenever it starts. Here it is asked once, by
//! `kaito preset import`, and the answer is a file that can be reviewed.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::merge::{Merged, stem};
use super::{Layer, Model, ModelConfig, Quantization, WeightsFormat};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, did_you_mean, either, plural};
use crate::quantity::{GIB, Quantity};
use crate::yaml::{self, Document, Kind, Node, Step};

/// The name of the file with the rules. It is no part of the catalog: rendering has no use for it.
pub(super) const STEM: &str = "hub";

/// What the hub, or a folder with a copy, says of a model.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// The Hugging Face id.
    pub id: String,
    /// The commit, if it is known.
    pub revision: Option<String>,
    /// The licence.
    pub license: Option<String>,
    /// The task.
    pub task: Option<String>,
    /// What the model was made from.
    pub base_models: Vec<String>,
    /// Whether only those may download it who have accepted its licence.
    pub gated: bool,
    /// Every file by its path, with its size in bytes.
    pub files: Vec<(String, u64)>,
    /// `config.json`, or the `params.json` of models that have none.
    pub config: Option<Arc<SourceFile>>,
}

/// How a model of the hub is described, as `hub.yaml` says.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HubRules {
    /// Which files are the weights; the first rule that fits any file counts.
    pub weights: Vec<WeightsRule>,
    /// The keys of `config.json`, by the field of a model that they give.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Where `config.json` has what it lacks on top.
    pub nested: Vec<String>,
    /// The context in tokens of a model that names none.
    pub context_limit: u64,
    /// Architectures by prefix of the name, for models that name none.
    pub architectures_by_name_prefix: BTreeMap<String, Vec<String>>,
    /// Architectures that an image of the user's own knows.
    pub further_architectures: Vec<String>,
    /// The architectures that vLLM knows.
    pub architectures: Vec<String>,
}

/// Which files are the weights.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeightsRule {
    /// Parts of a path, in their order.
    pub path: Vec<String>,
    /// How such files are stored.
    pub format: WeightsFormat,
}

impl WeightsRule {
    fn fits(&self, path: &str) -> bool {
        let after = |rest: Option<&'_ str>, part: &String| rest.and_then(|rest| rest.find(part).map(|at| at + part.len()));
        let mut from = 0;
        self.path.iter().all(|part| after(path.get(from..), part).map(|at| from += at).is_some())
    }
}

impl HubRules {
    /// The rules, layers merged; none if the version takes no models but its own.
    ///
    /// # Errors
    /// Every fault of the files.
    pub fn load(layers: &[Layer]) -> Result<Option<Self>, Vec<Diagnostic>> {
        if !layers.iter().any(|layer| matches!(layer, Layer::BuiltIn(files) if files.iter().any(|file| stem(file.path) == STEM))) {
            return Ok(None);
        }
        let mut findings = Vec::new();
        let rules = Merged::of(layers, |_, stem| stem == STEM, &mut findings).file(STEM, &mut findings);
        if findings.is_empty() { Ok(rules) } else { Err(findings) }
    }

    /// Whether vLLM knows one of the architectures, or none is named.
    pub fn knows(&self, architectures: &[String]) -> bool {
        let known = |name: &String| self.architectures.contains(name) || self.further_architectures.contains(name);
        architectures.is_empty() || architectures.iter().any(known)
    }

    /// What is said of architectures that vLLM doesn't know.
    pub fn unknown(&self, architectures: &[String]) -> Diagnostic {
        let names: Vec<&str> = architectures.iter().map(String::as_str).collect();
        let mut finding = Diagnostic::error(format!("the vLLM of Kaito doesn't know {}", either(&names)));
        finding.help.extend(names.iter().find_map(|name| did_you_mean(name, self.architectures.iter().map(String::as_str))));
        finding.help("for an image of your own that does, list it as furtherArchitectures in a file hub.yaml of your presets")
    }

    /// The model that a repository holds; everything that is wrong with it is added to `findings`.
    pub fn describe(&self, repository: &Repository, findings: &mut Vec<Diagnostic>) -> Option<Model> {
        let faults = |findings: &[Diagnostic]| findings.iter().filter(|finding| finding.is_error()).count();
        let before = faults(findings);
        let weights = self.weights(repository, findings);
        let config = self.config(repository, findings)?;
        let architectures = self.architectures(&config, &repository.id, findings);
        let shape = self.shape(&config, findings);
        let context_limit = self.optional("contextLimit", &config, findings).unwrap_or(self.context_limit);
        let ((bytes, format), shape) = (weights?, shape?);
        if faults(findings) > before {
            return None;
        }
        Some(Model {
            id: repository.id.clone(),
            aliases: Vec::new(),
            architectures,
            weights: gib(bytes, findings)?,
            context_limit,
            config: shape,
            quantization: config.quantization(),
            format,
            revision: repository.revision.clone(),
            license: repository.license.clone(),
            task: repository.task.clone(),
            base_models: repository.base_models.clone(),
            transformers: None,
            arguments: BTreeMap::new(),
            tuning: None,
        })
    }

    /// The size of the weights in bytes, and how they are stored.
    fn weights(&self, repository: &Repository, findings: &mut Vec<Diagnostic>) -> Option<(u64, WeightsFormat)> {
        for rule in &self.weights {
            let fitting: Vec<u64> = repository.files.iter().filter(|(path, _)| rule.fits(path)).map(|(_, size)| *size).collect();
            if !fitting.is_empty() {
                return Some((fitting.iter().fold(0, |sum, size| sum.saturating_add(*size)), rule.format));
            }
        }
        let endings = either(&["*.safetensors", "*.bin"]);
        let finding = Diagnostic::error(format!("{} has no weights that vLLM could load: no {endings}", repository.id));
        let has = |ending: &str| repository.files.iter().filter(|(path, _)| path.ends_with(ending)).count() as u64;
        findings.push(match (has(".gguf"), repository.files.len() as u64) {
            (0, 0) => finding.help("there are no files at all"),
            (0, files) => finding.help(format!("it has {}", plural(files, "other file"))),
            (gguf, _) => finding.help(format!("it has {}; import the model that they were made from", plural(gguf, ".gguf file"))),
        });
        None
    }

    fn config(&self, repository: &Repository, findings: &mut Vec<Diagnostic>) -> Option<Config> {
        let Some(file) = &repository.config else {
            let finding = Diagnostic::error(format!("{} has neither config.json nor params.json", repository.id));
            let is_adapter = repository.files.iter().any(|(path, _)| path == "adapter_config.json");
            findings.push(if is_adapter {
                finding.help("it is an adapter: name it in inference.adapters of a Workspace with its base model")
            } else {
                finding.help("without it nothing is known of its layers and heads")
            });
            return None;
        };
        let before = findings.len();
        let document = yaml::read(file, yaml::Limits::default(), findings).into_iter().next();
        // YAML has all of JSON, and the Infinity and NaN that some of these files have.
        findings[before..].iter_mut().for_each(|finding| finding.message = finding.message.replace("YAML", "JSON"));
        if document.is_none() && findings.len() == before {
            findings.push(Diagnostic::error("the file is empty").at(file, 0..0));
        }
        let document = document.filter(|_| findings.len() == before)?;
        let nested = self.nested.iter().find(|name| matches!(document.root.get(name).map(|node| &node.kind), Some(Kind::Mapping(_))));
        Some(Config { nested: nested.cloned(), document })
    }

    fn shape(&self, config: &Config, findings: &mut Vec<Diagnostic>) -> Option<ModelConfig> {
        let (hidden_size, num_hidden_layers, num_attention_heads) = (
            self.required("hiddenSize", config, findings),
            self.required("numHiddenLayers", config, findings),
            self.required("numAttentionHeads", config, findings),
        );
        let multi_query = config.find("multi_query").is_some_and(|(node, _)| matches!(node.kind, Kind::Bool(true)));
        let mut optional = |field: &str| self.optional(field, config, findings);
        Some(ModelConfig {
            num_key_value_heads: optional("numKeyValueHeads").or(multi_query.then_some(1)),
            head_dim: optional("headDim"),
            kv_lora_rank: optional("kvLoraRank"),
            qk_rope_head_dim: optional("qkRopeHeadDim"),
            hidden_size: hidden_size?,
            num_hidden_layers: num_hidden_layers?,
            num_attention_heads: num_attention_heads?,
        })
    }

    fn keys(&self, field: &str) -> &[String] {
        self.keys.get(field).map(Vec::as_slice).unwrap_or_default()
    }

    /// A figure that may be absent; 0 is as good as none.
    fn optional(&self, field: &str, config: &Config, findings: &mut Vec<Diagnostic>) -> Option<u64> {
        config.figure(self.keys(field), findings).filter(|figure| *figure > 0)
    }

    /// A figure without which nothing can be estimated.
    fn required(&self, field: &str, config: &Config, findings: &mut Vec<Diagnostic>) -> Option<u64> {
        let before = findings.len();
        let found = self.optional(field, config, findings);
        let help = format!("without it {field} isn't known; a model of another kind must be described by hand");
        if found.is_none() && findings.len() == before {
            let names: Vec<&str> = self.keys(field).iter().map(String::as_str).collect();
            let finding = Diagnostic::error(format!("there is no {}", either(&names)));
            findings.push(config.document.finding(finding.help(help), &[]));
        } else if found.is_none() {
            let odd = findings[before..].iter_mut().filter(|finding| !finding.is_error());
            odd.for_each(|finding| (finding.severity, finding.help) = (Severity::Error, vec![help.clone()]));
        }
        found
    }

    fn architectures(&self, config: &Config, id: &str, findings: &mut Vec<Diagnostic>) -> Vec<String> {
        let named = config.find("architectures").and_then(|(node, path)| match &node.kind {
            Kind::Sequence(items) => Some((items.iter().filter_map(Node::as_str).map(ToOwned::to_owned).collect::<Vec<_>>(), path)),
            _ => None,
        });
        let (named, path) = named.filter(|(named, _)| !named.is_empty()).unwrap_or_default();
        if !self.knows(&named) {
            findings.push(config.document.finding(self.unknown(&named), &path));
        }
        if !named.is_empty() {
            return named;
        }
        let name = id.rsplit('/').next().unwrap_or(id).to_lowercase();
        let by_name = self.architectures_by_name_prefix.iter().find(|(prefix, _)| name.starts_with(prefix.as_str()));
        let Some((_, known)) = by_name else {
            let finding = Diagnostic::warning("no architecture is named, so no argument follows from one");
            findings.push(config.document.finding(finding.help("write it into the preset if you know it"), &[]));
            return Vec::new();
        };
        known.clone()
    }
}

/// A `config.json`, and where it has what it lacks on top.
struct Config {
    document: Document,
    nested: Option<String>,
}

impl Config {
    /// A value and its path. One that stands on top wins even if it is null.
    fn find<'c>(&'c self, key: &'c str) -> Option<(&'c Node, Vec<Step<'c>>)> {
        let root = &self.document.root;
        let nested = || {
            let name = self.nested.as_deref()?;
            Some((root.get(name)?.get(key)?, vec![Step::Field(name), Step::Field(key)]))
        };
        root.get(key).map(|node| (node, vec![Step::Field(key)])).or_else(nested)
    }

    /// The first of the keys that has a number. A key that has something else is as good as none, with a warning.
    fn figure(&self, keys: &[String], findings: &mut Vec<Diagnostic>) -> Option<u64> {
        for key in keys {
            let Some((node, path)) = self.find(key).filter(|(node, _)| !node.is_null()) else { continue };
            let number = match &node.kind {
                #[expect(clippy::cast_possible_truncation, reason = "a fraction is cut off, as Kaito does")]
                Kind::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)),
                Kind::String(text) => text.parse().ok(),
                _ => None,
            };
            match number.map(u64::try_from) {
                Some(Ok(figure)) => return Some(figure),
                Some(Err(_)) => {
                    findings.push(self.document.finding(Diagnostic::error("a figure below 0 can't be right"), &path));
                    return None;
                }
                None => {
                    let finding = Diagnostic::warning(format!("expected a number, found {}", node.describe()));
                    findings.push(self.document.finding(finding.help("it is left out, as Kaito does; look at the preset's config"), &path));
                }
            }
        }
        None
    }

    fn quantization(&self) -> Option<Quantization> {
        let (node, _) = self.find("quantization_config")?;
        let bits = node.get("bits").and_then(|node| match &node.kind {
            Kind::Number(number) => number.as_u64(),
            _ => None,
        });
        Some(Quantization { method: node.get("quant_method")?.as_str()?.to_owned(), bits })
    }
}

/// Bytes as Kaito writes the size of weights: GiB with two decimals.
fn gib(bytes: u64, findings: &mut Vec<Diagnostic>) -> Option<Quantity> {
    #[expect(clippy::cast_precision_loss, reason = "two decimals are kept")]
    let text = format!("{:.2}Gi", bytes as f64 / GIB as f64);
    Quantity::try_from(text).map_err(|message| findings.push(Diagnostic::error(format!("the size of the weights: {message}")))).ok()
}

/// Whether a text can be a Hugging Face id, `organisation/model`.
pub fn is_id(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        part.len() <= 96 && part.bytes().all(is_good) && part.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
    };
    text.split_once('/').is_some_and(|(organisation, model)| is_part(organisation) && is_part(model)) && !text.contains("..")
}
