//! Layers of preset files, merged entry by entry before they are read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Found, ImagePreset, Layer, Model};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::options::Cloud;
use crate::schema;
use crate::sku::Sku;
use crate::yaml::{Document, Kind, Node, Step};

/// One `name: value` of a merged file, still unread, with every document that contributed to it.
struct Raw {
    value: Value,
    /// Each with whether it is built in.
    documents: Vec<(Document, bool)>,
    path: Vec<String>,
}

/// An entry of a list that the user's own files describe or change.
pub(super) struct Entry<'m> {
    /// The merged value.
    pub(super) value: &'m Value,
    /// The entry in each of the user's files, lowest first.
    pub(super) own: Vec<&'m Document>,
    /// Whether it is built in too.
    pub(super) is_built_in: bool,
}

/// The files of all layers, merged but unread.
#[derive(Default)]
pub(super) struct Merged {
    files: BTreeMap<String, Raw>,
    models: BTreeMap<String, Raw>,
    presets: BTreeMap<String, Raw>,
    skus: BTreeMap<(Cloud, String), Raw>,
}

const FILES: [&str; 11] =
    ["vllm", "transformers", "tuning", "sizing", "images", "karpenter", "mig", "retired", "launchers", "ragengine", "hub"];

/// The name of a file without its ending.
pub(super) fn stem(file: &SourceFile) -> &str {
    let base = file.name.rsplit(['/', '\\']).next().unwrap_or_default();
    base.split('.').next().unwrap_or_default()
}

impl Merged {
    /// The layers, lowest first, of the files that are wanted: by whether they are built in, and their name without its ending.
    pub(super) fn of(layers: &[Layer], wanted: impl Fn(bool, &str) -> bool, findings: &mut Vec<Diagnostic>) -> Self {
        let mut merged = Self::default();
        for layer in layers {
            let files: Vec<_> = layer.files.iter().filter(|file| wanted(layer.is_embedded, stem(file))).collect();
            for (file, documents, faults) in layer.read(&files) {
                findings.extend(faults);
                merged.add(file, documents, layer.is_embedded, findings);
            }
        }
        merged
    }

    fn add(&mut self, file: &Arc<SourceFile>, documents: Vec<Document>, is_embedded: bool, findings: &mut Vec<Diagnostic>) {
        let name = file.name.replace('\\', "/");
        let stem = stem(file).to_owned();
        let in_skus = name.rsplit('/').nth(1) == Some("skus");
        for document in documents {
            if let Some(models) = document.root.get("models") {
                self.add_list(models, "models", &document, is_embedded, findings, |merged, id| merged.models.entry(id.to_lowercase()));
            } else if let Some(presets) = document.root.get("presets") {
                self.add_list(presets, "presets", &document, is_embedded, findings, |merged, name| merged.presets.entry(name.to_owned()));
            } else if let Some(skus) = document.root.get("skus") {
                match Cloud::by_name(&stem).filter(|_| in_skus) {
                    Some(cloud) => self.add_list(skus, "skus", &document, is_embedded, findings, |merged, name| {
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
                raw.overlay(value, document, is_embedded, Vec::new());
            } else {
                let finding = Diagnostic::error("this isn't a preset file").help(format!(
                    "a preset file has a list of `models`, `presets` (Kaito 0.3) or `skus`, or is called {}",
                    FILES.map(|stem| format!("{stem}.yaml")).join(", ")
                ));
                findings.push(document.finding(finding, &[]));
            }
        }
    }

    fn add_list<'m, K: Ord + 'm>(
        &'m mut self,
        list: &Node,
        field: &str,
        document: &Document,
        is_embedded: bool,
        findings: &mut Vec<Diagnostic>,
        entry: impl for<'e> Fn(&'e mut Self, &str) -> std::collections::btree_map::Entry<'e, K, Raw>,
    ) {
        let Kind::Sequence(items) = &list.kind else {
            findings
                .push(document.finding(Diagnostic::error(format!("expected a list, found {}", list.describe())), &[Step::Field(field)]));
            return;
        };
        if let Kind::Mapping(entries) = &document.root.kind {
            for entry in entries.iter().filter(|entry| entry.key != field) {
                let finding =
                    Diagnostic::error("unknown field").help(format!("beside a list of {field} nothing else stands in a document"));
                findings.push(document.finding(finding, &[Step::Field(&entry.key)]));
            }
        }
        let key = if field == "models" { "id" } else { "name" };
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let Some(id) = item.get(key).and_then(Node::as_str) else {
                findings.push(
                    document.finding(Diagnostic::error(format!("the field {key} is missing")), &[Step::Field(field), Step::Item(index)]),
                );
                continue;
            };
            if !seen.insert(id.to_lowercase()) {
                let at = [Step::Field(field), Step::Item(index), Step::Field(key)];
                findings.push(document.finding(Diagnostic::error(format!("{id} stands here twice")).help("take one out"), &at));
            }
            // Of a built-in entry nobody asks more than where it stands.
            let kept = if is_embedded { Node { span: item.span.clone(), kind: Kind::Null } } else { item.clone() };
            let part = Document::new(&document.file, kept);
            let path = vec![field.to_owned(), id.to_owned()];
            entry(self, id).or_insert_with(Raw::empty).overlay(item.to_value(), part, is_embedded, path);
        }
    }

    /// The users' files among those that have a name of their own, by that name.
    pub(super) fn overriding_files(&self) -> BTreeMap<String, String> {
        let over = self.files.iter().map(|(stem, raw)| {
            let names = raw.documents.iter().filter(|(_, is_embedded)| !is_embedded).map(|(document, _)| document.file.name.as_str());
            (stem.clone(), names.collect::<Vec<_>>().join(" and "))
        });
        over.filter(|(_, names)| !names.is_empty()).collect()
    }

    /// The models that the user's files describe or change.
    pub(super) fn own_models(&self) -> Vec<Entry<'_>> {
        self.models.values().filter_map(Raw::own).collect()
    }

    /// The presets of Kaito 0.3 that the user's files describe or change.
    pub(super) fn own_presets(&self) -> Vec<Entry<'_>> {
        self.presets.values().filter_map(Raw::own).collect()
    }

    /// The sizes that the user's files describe or change.
    pub(super) fn own_skus(&self) -> Vec<(Cloud, Entry<'_>)> {
        self.skus.iter().filter_map(|((cloud, _), raw)| Some((*cloud, raw.own()?))).collect()
    }

    pub(super) fn models(&mut self, findings: &mut Vec<Diagnostic>) -> BTreeMap<String, Found<Model>> {
        let schema = std::cell::OnceCell::new();
        let raw = std::mem::take(&mut self.models);
        raw.into_iter().filter_map(|(id, raw)| Some((id, raw.read::<Model>(&schema, findings)?))).collect()
    }

    pub(super) fn presets(&mut self, findings: &mut Vec<Diagnostic>) -> BTreeMap<String, Found<ImagePreset>> {
        let schema = std::cell::OnceCell::new();
        let raw = std::mem::take(&mut self.presets);
        raw.into_iter().filter_map(|(name, raw)| Some((name, raw.read::<ImagePreset>(&schema, findings)?))).collect()
    }

    pub(super) fn skus(&mut self, findings: &mut Vec<Diagnostic>) -> BTreeMap<(Cloud, String), Found<Sku>> {
        let schema = std::cell::OnceCell::new();
        let raw = std::mem::take(&mut self.skus);
        raw.into_iter().filter_map(|(key, raw)| Some((key, raw.read::<Sku>(&schema, findings)?))).collect()
    }

    /// What a file says; empty if the version has none of that name.
    pub(super) fn file<T: DeserializeOwned + JsonSchema + Default>(&mut self, stem: &str, findings: &mut Vec<Diagnostic>) -> Option<T> {
        let Some(raw) = self.files.remove(stem) else { return Some(T::default()) };
        raw.read::<T>(&std::cell::OnceCell::new(), findings).map(|found| found.value)
    }
}

impl Raw {
    fn empty() -> Self {
        Self { value: Value::Object(Map::new()), documents: Vec::new(), path: Vec::new() }
    }

    fn overlay(&mut self, value: Value, document: Document, is_embedded: bool, path: Vec<String>) {
        overlay(&mut self.value, value);
        self.documents.push((document, is_embedded));
        self.path = path;
    }

    fn own(&self) -> Option<Entry<'_>> {
        let own: Vec<&Document> = self.documents.iter().filter(|(_, is_embedded)| !is_embedded).map(|(document, _)| document).collect();
        let is_built_in = self.documents.iter().any(|(_, is_embedded)| *is_embedded);
        (!own.is_empty()).then_some(Entry { value: &self.value, own, is_built_in })
    }

    /// Reads the entry; one that is as embedded is known to be right and skips the search for faults.
    fn read<T: DeserializeOwned + JsonSchema>(
        self,
        schema: &std::cell::OnceCell<Value>,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Found<T>> {
        let before = findings.len();
        let whole = || schema.get_or_init(schema::of::<T>);
        let own: Vec<&Document> = self.documents.iter().filter(|(_, is_embedded)| !is_embedded).map(|(document, _)| document).collect();
        for document in &own {
            schema::check(document, &schema::partial(whole().clone()), findings);
        }
        if let Some(last) = own.last() {
            let entry = self.path.join(".");
            findings.extend(schema::missing_fields(&self.value, whole()).into_iter().map(|(path, name)| {
                let path: Vec<&str> = [entry.as_str(), &path].into_iter().filter(|part| !part.is_empty()).collect();
                last.finding(Diagnostic::error(format!("the field {name} is missing")), &[]).field(path.join("."))
            }));
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

fn origin_text(documents: &[(Document, bool)]) -> String {
    let texts = documents.iter().map(|(document, is_embedded)| {
        let (line, _) = document.file.line_column(document.place(&[]).span.start);
        format!("{}:{line}{}", document.file.name, if *is_embedded { " (embedded)" } else { "" })
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
