//! Layers of preset files, merged entry by entry before they are read.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::catalog::Preset;
use super::embedded::{BuiltIn, File};
use super::{Found, ImagePreset, Layer, Model};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::options::Cloud;
use crate::schema;
use crate::sku::Sku;
use crate::yaml::{self, Document, Kind, Node, Step};

/// One `name: value` of a merged file, still unread.
#[derive(Default)]
struct Raw {
    built_in: Option<BuiltIn>,
    /// It in each of the user's files, lowest first.
    own: Vec<Document>,
    /// What these say, over what is built in; nothing if there are none.
    value: Value,
    path: Vec<String>,
}

/// An entry of a list that the user's own files describe or change.
pub(super) struct Entry<'m> {
    /// The merged value.
    pub(super) value: &'m Value,
    /// The entry in each of the user's files, lowest first.
    pub(super) own: &'m [Document],
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
pub(super) fn stem(name: &str) -> &str {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    base.split('.').next().unwrap_or_default()
}

impl Merged {
    /// The layers, lowest first, of the files that are wanted: by whether they are built in, and their name without its ending.
    pub(super) fn of(layers: &[Layer], wanted: impl Fn(bool, &str) -> bool, findings: &mut Vec<Diagnostic>) -> Self {
        let mut merged = Self::default();
        for layer in layers {
            match layer {
                Layer::BuiltIn(files) => {
                    files.iter().filter(|file| wanted(true, stem(file.path))).for_each(|file| merged.add_built_in(file));
                }
                Layer::Own(files) => {
                    for file in files.iter().filter(|file| wanted(false, stem(&file.name))) {
                        let documents = yaml::read(file, yaml::Limits::default(), findings);
                        merged.add(file, documents, findings);
                    }
                }
            }
        }
        merged
    }

    fn add_built_in(&mut self, file: &'static File) {
        let stem = stem(file.path);
        for entry in file.entries() {
            let raw = match (entry.list(), Cloud::by_name(stem)) {
                ("models", _) => self.models.entry(entry.name().to_lowercase()).or_default(),
                ("presets", _) => self.presets.entry(entry.name().to_owned()).or_default(),
                ("skus", Some(cloud)) => self.skus.entry((cloud, entry.name().to_lowercase())).or_default(),
                _ => self.files.entry(stem.to_owned()).or_default(),
            };
            raw.built_in = Some(entry);
        }
    }

    fn add(&mut self, file: &Arc<SourceFile>, documents: Vec<Document>, findings: &mut Vec<Diagnostic>) {
        let name = file.name.replace('\\', "/");
        let stem = stem(&file.name).to_owned();
        let in_skus = name.rsplit('/').nth(1) == Some("skus");
        for document in documents {
            if let Some(models) = document.root.get("models") {
                self.add_list(models, "models", &document, findings, |merged, id| merged.models.entry(id.to_lowercase()));
            } else if let Some(presets) = document.root.get("presets") {
                self.add_list(presets, "presets", &document, findings, |merged, name| merged.presets.entry(name.to_owned()));
            } else if let Some(skus) = document.root.get("skus") {
                match Cloud::by_name(&stem).filter(|_| in_skus) {
                    Some(cloud) => {
                        self.add_list(skus, "skus", &document, findings, |merged, name| merged.skus.entry((cloud, name.to_lowercase())));
                    }
                    None => findings.push(
                        document
                            .finding(Diagnostic::error("a list of skus belongs into skus/azure.yaml, skus/aws.yaml or skus/arc.yaml"), &[]),
                    ),
                }
            } else if FILES.contains(&stem.as_str()) {
                self.files.entry(stem.clone()).or_default().overlay(document.root.to_value(), document, Vec::new());
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
            let part = Document::new(&document.file, item.clone());
            let path = vec![field.to_owned(), id.to_owned()];
            entry(self, id).or_default().overlay(item.to_value(), part, path);
        }
    }

    /// The users' files among those that have a name of their own, by that name.
    pub(super) fn overriding_files(&self) -> BTreeMap<String, String> {
        let over = self.files.iter().map(|(stem, raw)| {
            let names = raw.own.iter().map(|document| document.file.name.as_str());
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

    pub(super) fn models(&mut self, findings: &mut Vec<Diagnostic>) -> BTreeMap<String, Preset<Model>> {
        presets(std::mem::take(&mut self.models), findings)
    }

    pub(super) fn presets(&mut self, findings: &mut Vec<Diagnostic>) -> BTreeMap<String, Preset<ImagePreset>> {
        presets(std::mem::take(&mut self.presets), findings)
    }

    pub(super) fn skus(&mut self, findings: &mut Vec<Diagnostic>) -> BTreeMap<(Cloud, String), Preset<Sku>> {
        presets(std::mem::take(&mut self.skus), findings)
    }

    /// What a file says; empty if the version has none of that name.
    pub(super) fn file<T: DeserializeOwned + JsonSchema + Default>(&mut self, stem: &str, findings: &mut Vec<Diagnostic>) -> Option<T> {
        let Some(raw) = self.files.remove(stem) else { return Some(T::default()) };
        match raw.built_in.filter(|_| raw.own.is_empty()) {
            Some(built_in) => Some(built_in.read()),
            None => raw.read::<T>(&OnceCell::new(), findings).map(|found| found.value),
        }
    }
}

/// The entries of a list. What is as it is built in is known to be right, and left for later.
fn presets<K: Ord, T: DeserializeOwned + JsonSchema>(list: BTreeMap<K, Raw>, findings: &mut Vec<Diagnostic>) -> BTreeMap<K, Preset<T>> {
    let schema = OnceCell::new();
    let mut preset = |raw: Raw| match raw.built_in.filter(|_| raw.own.is_empty()) {
        Some(built_in) => Some(Preset::built_in(built_in)),
        None => raw.read(&schema, findings).map(Preset::own),
    };
    list.into_iter().filter_map(|(key, raw)| Some((key, preset(raw)?))).collect()
}

impl Raw {
    fn overlay(&mut self, value: Value, document: Document, path: Vec<String>) {
        if self.own.is_empty() {
            self.value = self.built_in.map_or_else(|| Value::Object(Map::new()), BuiltIn::read);
        }
        overlay(&mut self.value, value);
        self.own.push(document);
        self.path = path;
    }

    fn own(&self) -> Option<Entry<'_>> {
        let own = self.own.as_slice();
        (!own.is_empty()).then_some(Entry { value: &self.value, own, is_built_in: self.built_in.is_some() })
    }

    /// Reads an entry that the user's files describe or change.
    fn read<T: DeserializeOwned + JsonSchema>(self, schema: &OnceCell<Value>, findings: &mut Vec<Diagnostic>) -> Option<Found<T>> {
        let before = findings.len();
        let schema = schema.get_or_init(schema::of::<T>);
        for document in &self.own {
            schema::check(document, &schema::partial(schema.clone()), findings);
        }
        let last = self.own.last()?;
        let entry = self.path.join(".");
        findings.extend(schema::missing_fields(&self.value, schema).into_iter().map(|(path, name)| {
            let path: Vec<&str> = [entry.as_str(), &path].into_iter().filter(|part| !part.is_empty()).collect();
            last.finding(Diagnostic::error(format!("the field {name} is missing")), &[]).field(path.join("."))
        }));
        if findings.len() > before {
            return None;
        }
        let origin = self.origin();
        match serde_json::from_value(self.value) {
            Ok(value) => Some(Found { value, origin }),
            Err(error) => {
                findings.push(last.finding(Diagnostic::error(error.to_string()), &[]).field(entry));
                None
            }
        }
    }

    fn origin(&self) -> String {
        let own = self.own.iter().map(|document| {
            let (line, _) = document.file.line_column(document.place(&[]).span.start);
            format!("{}:{line}", document.file.name)
        });
        self.built_in.map(BuiltIn::origin).into_iter().chain(own).collect::<Vec<_>>().join(", overridden by ")
    }
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
