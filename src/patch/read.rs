//! `patches` of `kaito.yaml`, in the form of kustomize's field, to patches that can be applied.

use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::target::{Matching, PatchTarget, Target};
use super::{Change, Patch};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::manifest::ObjectRef;
use crate::yaml::{self, Document, Kind, Limits, Node, Step};

/// One of `patches`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchEntry {
    /// A strategic merge patch or a JSON patch (RFC 6902), as text.
    pub patch: Option<String>,
    /// A file with one, relative to `kaito.yaml`.
    pub path: Option<String>,
    /// The objects that are patched. A strategic merge patch without it is about the object that it names.
    pub target: Option<PatchTarget>,
    /// What else the patch may do.
    pub options: Option<PatchOptions>,
}

/// `options` of a patch.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchOptions {
    /// Whether a strategic merge patch may rename the object.
    #[serde(default)]
    pub allow_name_change: bool,
    /// Whether it may change the kind.
    #[serde(default)]
    pub allow_kind_change: bool,
}

/// Reads the patches that `kaito.yaml` declares; everything that is wrong with them is added to `findings`. `open` reads the file
/// of that path, and says itself what stands in the way.
pub fn read(
    document: &Document,
    entries: &[PatchEntry],
    mut open: impl FnMut(&str, &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>>,
    findings: &mut Vec<Diagnostic>,
) -> Vec<Patch> {
    let mut patches = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        // Of an entry that doesn't fit its type that has been said.
        if findings.iter().any(|finding| finding.is_about(&format!("patches[{number}]"))) {
            continue;
        }
        let mut reader = Reader { document, entry, number, findings };
        match (given(entry.patch.as_ref()), given(entry.path.as_ref())) {
            (Some(text), None) => {
                let before = reader.findings.len();
                let documents = reader.inline(text);
                patches.extend(reader.patches(documents, "patch", before));
            }
            (None, Some(path)) => {
                let before = reader.findings.len();
                if let Some(file) = reader.open(path, &mut open) {
                    let documents = yaml::read_values(&file, 0..file.text.len(), Limits::default(), reader.findings);
                    patches.extend(reader.patches(documents, "path", before));
                }
            }
            (Some(_), Some(_)) => reader.say(Diagnostic::error("patch and path can't both be given").help("take one out"), &["path"]),
            (None, None) => reader.say(Diagnostic::error("this says neither patch nor path").help("write the patch below patch: |"), &[]),
        }
    }
    patches
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.trim().is_empty())
}

struct Reader<'a> {
    /// `kaito.yaml`.
    document: &'a Document,
    entry: &'a PatchEntry,
    /// Which of the patches it is.
    number: usize,
    findings: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn path<'s>(&self, fields: &[&'s str]) -> Vec<Step<'s>> {
        let entry = [Step::Field("patches"), Step::Item(self.number)];
        entry.into_iter().chain(fields.iter().map(|field| Step::Field(field))).collect()
    }

    fn say(&mut self, finding: Diagnostic, fields: &[&str]) {
        let path = self.path(fields);
        self.findings.push(self.document.finding(finding, &path));
    }

    /// The file of a patch; what stands in the way of reading it is shown where it is named.
    fn open(
        &mut self,
        path: &str,
        open: &mut impl FnMut(&str, &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>>,
    ) -> Option<Arc<SourceFile>> {
        let mut said = Vec::new();
        let file = open(path, &mut said);
        said.into_iter().for_each(|finding| self.say(finding, &["path"]));
        file
    }

    /// The documents of a patch that stands in `kaito.yaml` itself: read where they stand, so that each fault is shown there,
    /// if the text is a literal block.
    fn inline(&mut self, text: &str) -> Vec<Document> {
        let node = self.document.root.get("patches").and_then(|patches| match &patches.kind {
            Kind::Sequence(items) => items.get(self.number)?.get("patch"),
            _ => None,
        });
        let file = &self.document.file;
        if let Some(block) = node.and_then(|node| literal_block(&file.text, &node.span)) {
            let parts = parts(&file.text, block);
            return parts.into_iter().flat_map(|part| yaml::read_values(file, part, Limits::default(), self.findings)).collect();
        }
        let part = SourceFile::new(format!("{}: patches[{}].patch", file.name, self.number), text);
        yaml::read_values(&part, 0..text.len(), Limits::default(), self.findings)
    }

    /// The patches of a text, which stands in a field; `before` it was read there were so many findings.
    fn patches(&mut self, documents: Vec<Document>, field: &str, before: usize) -> Vec<Patch> {
        if documents.is_empty() && self.findings.len() == before {
            self.say(Diagnostic::error("there is no patch in this"), &[field]);
        }
        let merges = documents.iter().filter(|document| is_mapping(document)).count();
        if let Some(other) = documents.iter().find(|document| !matches!(document.root.kind, Kind::Mapping(_) | Kind::Sequence(_))) {
            let finding = Diagnostic::error(format!("a patch is a mapping or a list of operations; found {}", other.root.describe()));
            self.findings.push(other.finding(finding, &[]).at(&other.file, other.root.span.clone()));
            return Vec::new();
        }
        if merges != documents.len() && documents.len() > 1 {
            let finding = Diagnostic::error("several JSON patches, or JSON patches and others, can't stand in one entry");
            self.findings.push(documents[1].finding(finding.help("make an entry of patches of each"), &[]));
            return Vec::new();
        }
        let target = self.entry.target.clone().map(|declared| {
            let path = self.path(&["target"]);
            Target::Matching(Box::new(Matching::new(&declared, self.document, &path, self.findings)))
        });
        if merges > 1 && target.is_some() {
            let finding = Diagnostic::error(format!("{merges} strategic merge patches can't share one target"));
            self.say(
                finding.help("leave it out: each patch is then about the object that it names; or make an entry of each"),
                &["target"],
            );
            return Vec::new();
        }
        documents.into_iter().filter_map(|document| self.patch(document, target.clone())).collect()
    }

    fn patch(&mut self, document: Document, target: Option<Target>) -> Option<Patch> {
        let options = self.entry.options.unwrap_or_default();
        let asked = target.is_some().then(|| self.document.finding(Diagnostic::error(""), &self.path(&["target"])));
        let (target, change, asked) = if is_mapping(&document) {
            let target = match target {
                Some(target) => target,
                None => named(&document, self.findings)?,
            };
            let asked = asked.unwrap_or_else(|| document.finding(Diagnostic::error(""), &[Step::Field("metadata"), Step::Field("name")]));
            (target, Change::Merge(without_identity(document.root.to_value(), options)), asked)
        } else {
            let operations = operations(&document, self.findings);
            let Some(target) = target else {
                self.say(Diagnostic::error("a JSON patch needs a target").help("write target: {kind: ..., name: ...}"), &[]);
                return None;
            };
            (target, Change::Json(operations?), asked?)
        };
        Some(Patch { target, change, document, asked, number: self.number })
    }
}

fn is_mapping(document: &Document) -> bool {
    matches!(document.root.kind, Kind::Mapping(_))
}

/// The object that a strategic merge patch is about by its own words.
fn named(document: &Document, findings: &mut Vec<Diagnostic>) -> Option<Target> {
    let metadata = document.root.get("metadata");
    let field = |name: &str, of: Option<&Node>| of?.get(name)?.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let (api_version, kind) = (field("apiVersion", Some(&document.root)), field("kind", Some(&document.root)));
    let (name, namespace) = (field("name", metadata), field("namespace", metadata));
    let (Some(api_version), Some(kind), Some(name)) = (api_version, kind, name) else {
        let finding = Diagnostic::error("this patch says neither its target nor apiVersion, kind and metadata.name of the object");
        findings.push(document.finding(finding.help("write them here, or a target beside the patch"), &[]));
        return None;
    };
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let reference = ObjectRef::new(group, &kind, namespace.as_deref(), &name);
    Some(Target::Named { api_version, reference })
}

/// A strategic merge patch tells by its identity what it is about, and changes it only if that is allowed; as in kustomize, group,
/// version and namespace never.
fn without_identity(mut patch: Value, options: PatchOptions) -> Value {
    if let Some(fields) = patch.as_object_mut() {
        fields.remove("apiVersion");
        if !options.allow_kind_change {
            fields.remove("kind");
        }
    }
    if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("namespace");
        if !options.allow_name_change {
            metadata.remove("name");
        }
    }
    patch
}

/// The operations of a JSON patch; each that is none is a finding.
fn operations(document: &Document, findings: &mut Vec<Diagnostic>) -> Option<Vec<json_patch::PatchOperation>> {
    let Kind::Sequence(items) = &document.root.kind else { return None };
    let mut operations = Vec::new();
    for (number, item) in items.iter().enumerate() {
        match serde_json::from_value(item.to_value()) {
            Ok(operation) => operations.push(operation),
            Err(error) => {
                let finding = Diagnostic::error(format!("this is no operation of a JSON patch: {error}"));
                let help = "operations are add, remove, replace, move, copy and test, as {op: replace, path: /spec/replicas, value: 2}";
                let (at, item) = ([Step::Item(number), Step::Field("op")], [Step::Item(number)]);
                let path: &[Step<'_>] = if items[number].get("op").is_some() { &at } else { &item };
                findings.push(document.finding(finding.help(help), path));
            }
        }
    }
    (operations.len() == items.len()).then_some(operations)
}

/// The lines of a literal block (`|`), if a scalar is one.
fn literal_block(text: &str, scalar: &Range<usize>) -> Option<Range<usize>> {
    let start = text[..scalar.start].rfind('\n')? + 1;
    let header = text[..start].trim_end().lines().next_back()?;
    let style = header.split(" #").next()?.split_whitespace().next_back()?;
    (text[start..scalar.start].trim().is_empty() && style.starts_with('|')).then_some(start..scalar.end)
}

/// The stretches of lines that lie between lines of `---`. The lines of a block are indented alike, and so read as they are.
fn parts(text: &str, block: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (block.start, block.start);
    for line in text[block.clone()].split_inclusive('\n') {
        if line.trim() == "---" {
            parts.push(start..at);
            start = at + line.len();
        }
        at += line.len();
    }
    parts.push(start..block.end);
    parts
}
