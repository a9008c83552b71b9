//! The catalog of one Kaito version: layers merged, entries looked up by name, each knowing where it came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Images, Layer, Model, NodeClasses, Sizing, TransformersRules, VllmRules};
use crate::diagnostic::{Diagnostic, SourceFile, nearest};
use crate::options::Cloud;
use crate::schema;
use crate::sku::Sku;
use crate::yaml::{self, Document, Node, Step};

/// An entry and where it came from, as `presets/0.12/models/qwen.yaml:3 (embedded)`.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The entry.
    pub value: T,
    /// Its file, line and layer; an overridden entry names each of its layers.
    pub origin: String,
}

/// Everything that `presets/` says about one Kaito version.
pub struct Catalog {
    /// The version, such as `0.12`.
    pub version: String,
    models: BTreeMap<String, Found<Model>>,
    aliases: BTreeMap<String, String>,
    retired: BTreeMap<String, String>,
    skus: BTreeMap<(Cloud, String), Found<Sku>>,
    node_classes: BTreeMap<String, NodeClasses>,
    mig_profiles: Vec<String>,
    /// The vLLM command.
    pub vllm: VllmRules,
    /// The transformers command.
    pub transformers: TransformersRules,
    /// Figures for nodes, disks and probes.
    pub sizing: Sizing,
    /// The images.
    pub images: Images,
}

/// A preset name that isn't in the catalog.
#[derive(Debug)]
pub struct Unknown<'a> {
    /// Why, where the name was known once.
    pub retired: Option<&'a str>,
    /// The names nearest to it.
    pub nearest: Vec<&'a str>,
}

/// One `name: value` of a merged file, still unread, with every document that contributed to it.
struct Raw {
    value: Value,
    documents: Vec<(Document, String)>,
    path: Vec<String>,
}

impl Catalog {
    /// Merges layers, lowest first; an entry of a higher layer overrides the fields it names.
    ///
    /// # Errors
    /// Every fault of the files.
    pub fn load(version: &str, layers: &[Layer]) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Vec::new();
        let mut merged = Merged::default();
        for layer in layers {
            let read: Vec<_> = layer.files.par_iter().map(read_file).collect();
            for (file, (documents, faults)) in layer.files.iter().zip(read) {
                findings.extend(faults);
                merged.add(file, documents, &layer.origin, &mut findings);
            }
        }
        let models = merged.models(&mut findings);
        let aliases =
            models.iter().flat_map(|(id, model)| model.value.aliases.iter().map(|alias| (alias.to_lowercase(), id.clone()))).collect();
        let catalog = (|findings: &mut Vec<Diagnostic>| {
            Some(Self {
                version: version.to_owned(),
                aliases,
                retired: merged.file::<Retired>("retired", findings)?.retired,
                skus: merged.skus(findings),
                node_classes: merged.file("karpenter", findings)?,
                mig_profiles: merged.file::<Mig>("mig", findings)?.profiles,
                vllm: merged.file("vllm", findings)?,
                transformers: merged.file("transformers", findings)?,
                sizing: merged.file("sizing", findings)?,
                images: merged.file("images", findings)?,
                models,
            })
        })(&mut findings);
        match catalog {
            Some(catalog) if findings.is_empty() => Ok(catalog),
            _ => Err(findings),
        }
    }

    /// The model that a preset name means: an alias or a Hugging Face id, in any case.
    ///
    /// # Errors
    /// The nearest names, or why a name is gone.
    pub fn model(&self, name: &str) -> Result<&Found<Model>, Unknown<'_>> {
        let lower = name.to_lowercase();
        let id = self.aliases.get(&lower).unwrap_or(&lower);
        self.models
            .get(id)
            .ok_or_else(|| Unknown { retired: self.retired.get(&lower).map(String::as_str), nearest: nearest(name, self.preset_names()) })
    }

    /// Every model, by id.
    pub fn models(&self) -> impl Iterator<Item = &Found<Model>> {
        self.models.values()
    }

    /// Every name that means a preset: ids and aliases.
    pub fn preset_names(&self) -> impl Iterator<Item = &str> {
        self.models.values().map(|model| model.value.id.as_str()).chain(self.aliases.keys().map(String::as_str))
    }

    /// The size of that name, in any case.
    pub fn sku(&self, cloud: Cloud, name: &str) -> Option<&Found<Sku>> {
        self.skus.get(&(cloud, name.to_lowercase()))
    }

    /// Every size of a cloud.
    pub fn skus(&self, cloud: Cloud) -> impl Iterator<Item = &Found<Sku>> {
        self.skus.iter().filter(move |((of, _), _)| *of == cloud).map(|(_, sku)| sku)
    }

    /// The NodeClasses of a cloud that has any.
    pub fn node_classes(&self, cloud: Cloud) -> Option<&NodeClasses> {
        self.node_classes.get(cloud.name())
    }

    /// The MIG profiles that are admitted.
    pub fn mig_profiles(&self) -> &[String] {
        &self.mig_profiles
    }

    /// The path of a file of this version, for people: `presets/0.12/sizing.yaml`.
    pub fn file_name(&self, stem: &str) -> String {
        format!("presets/{}/{stem}.yaml", self.version)
    }
}

#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Retired {
    retired: BTreeMap<String, String>,
}

fn read_file(file: &Arc<SourceFile>) -> (Vec<Document>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    (yaml::read(file, yaml::Limits::default(), &mut findings), findings)
}

#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mig {
    profiles: Vec<String>,
}

/// The files of all layers, merged but unread.
#[derive(Default)]
struct Merged {
    files: BTreeMap<String, Raw>,
    models: BTreeMap<String, Raw>,
    skus: BTreeMap<(Cloud, String), Raw>,
}

const FILES: [&str; 7] = ["vllm", "transformers", "sizing", "images", "karpenter", "mig", "retired"];

impl Merged {
    fn add(&mut self, file: &Arc<SourceFile>, documents: Vec<Document>, origin: &str, findings: &mut Vec<Diagnostic>) {
        let name = file.name.replace('\\', "/");
        let stem = name.rsplit('/').next().and_then(|base| base.split('.').next()).unwrap_or_default().to_owned();
        let in_skus = name.rsplit('/').nth(1) == Some("skus");
        for document in documents {
            if let Some(models) = document.root.get("models") {
                self.add_list(models, "models", &document, origin, findings, |merged, id| merged.models.entry(id.to_lowercase()));
            } else if let Some(skus) = document.root.get("skus") {
                match Cloud::by_name(&stem).filter(|_| in_skus) {
                    Some(cloud) => self.add_list(skus, "skus", &document, origin, findings, |merged, name| {
                        merged.skus.entry((cloud, name.to_lowercase()))
                    }),
                    None => findings.push(
                        document
                            .finding(Diagnostic::error("a list of skus belongs into skus/azure.yaml, skus/aws.yaml or skus/arc.yaml"), &[]),
                    ),
                }
            } else if FILES.contains(&stem.as_str()) {
                let value = document.root.to_value();
                let raw = self.files.entry(stem.clone()).or_insert_with(Raw::empty);
                raw.overlay(value, document, origin, Vec::new());
            } else {
                let finding = Diagnostic::error("this isn't a preset file").help("a preset file has a list of `models` or of `skus`, or is called vllm.yaml, transformers.yaml, sizing.yaml, images.yaml, karpenter.yaml, mig.yaml or retired.yaml");
                findings.push(document.finding(finding, &[]));
            }
        }
    }

    fn add_list<'m, K: Ord + 'm>(
        &'m mut self,
        list: &Node,
        field: &str,
        document: &Document,
        origin: &str,
        findings: &mut Vec<Diagnostic>,
        entry: impl for<'e> Fn(&'e mut Self, &str) -> std::collections::btree_map::Entry<'e, K, Raw>,
    ) {
        let crate::yaml::Kind::Sequence(items) = &list.kind else {
            findings
                .push(document.finding(Diagnostic::error(format!("expected a list, found {}", list.describe())), &[Step::Field(field)]));
            return;
        };
        let key = if field == "models" { "id" } else { "name" };
        for (index, item) in items.iter().enumerate() {
            let Some(id) = item.get(key).and_then(Node::as_str) else {
                findings.push(
                    document.finding(Diagnostic::error(format!("the field {key} is missing")), &[Step::Field(field), Step::Item(index)]),
                );
                continue;
            };
            let part = Document::new(&document.file, item.clone());
            let path = vec![field.to_owned(), id.to_owned()];
            entry(self, id).or_insert_with(Raw::empty).overlay(item.to_value(), part, origin, path);
        }
    }

    fn models(&mut self, findings: &mut Vec<Diagnostic>) -> BTreeMap<String, Found<Model>> {
        let schema = std::cell::OnceCell::new();
        let raw = std::mem::take(&mut self.models);
        raw.into_iter().filter_map(|(id, raw)| Some((id, raw.read::<Model>(&schema, findings)?))).collect()
    }

    fn skus(&mut self, findings: &mut Vec<Diagnostic>) -> BTreeMap<(Cloud, String), Found<Sku>> {
        let schema = std::cell::OnceCell::new();
        let raw = std::mem::take(&mut self.skus);
        raw.into_iter().filter_map(|(key, raw)| Some((key, raw.read::<Sku>(&schema, findings)?))).collect()
    }

    fn file<T: DeserializeOwned + JsonSchema>(&mut self, stem: &str, findings: &mut Vec<Diagnostic>) -> Option<T> {
        let raw = self.files.remove(stem)?;
        raw.read::<T>(&std::cell::OnceCell::new(), findings).map(|found| found.value)
    }
}

impl Raw {
    fn empty() -> Self {
        Self { value: Value::Object(Map::new()), documents: Vec::new(), path: Vec::new() }
    }

    fn overlay(&mut self, value: Value, document: Document, origin: &str, path: Vec<String>) {
        overlay(&mut self.value, value);
        self.documents.push((document, origin.to_owned()));
        self.path = path;
    }

    /// Reads the entry; one that is as embedded is known to be right and skips the search for faults.
    fn read<T: DeserializeOwned + JsonSchema>(
        self,
        schema: &std::cell::OnceCell<Value>,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Found<T>> {
        let before = findings.len();
        for (document, origin) in &self.documents {
            if origin != "embedded" {
                let mut partial = schema.get_or_init(|| schema::of::<T>()).clone();
                partial.as_object_mut().map(|schema| schema.remove("required"));
                schema::check(document, &partial, findings);
            }
        }
        if findings.len() > before {
            return None;
        }
        match serde_json::from_value(self.value) {
            Ok(value) => Some(Found { value, origin: origin_text(&self.documents) }),
            Err(error) => {
                let last = self.documents.last().map(|(document, _)| document);
                findings
                    .extend(last.map(|document| document.finding(Diagnostic::error(error.to_string()), &[]).field(self.path.join("."))));
                None
            }
        }
    }
}

fn origin_text(documents: &[(Document, String)]) -> String {
    let texts = documents.iter().map(|(document, origin)| {
        let (line, _) = document.file.line_column(document.place(&[]).span.start);
        if origin == "embedded" { format!("{}:{line} (embedded)", document.file.name) } else { format!("{}:{line}", document.file.name) }
    });
    texts.collect::<Vec<_>>().join(", overridden by ")
}

/// Puts `above` over `below`: mappings merge field by field, everything else is replaced.
fn overlay(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                overlay(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}
