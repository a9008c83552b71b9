//! The file of one imported model: written, and renewed without touching what its reader has put into it.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::{Model, WeightsFormat};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::yaml::{self, Kind, Node};

/// What the first line of an imported file begins with.
const HEADER: &str = "# Imported by `kaito preset import";

/// The text of a file with one model.
pub fn text(model: &Model, gated: bool) -> String {
    let fields = facts(model).into_iter().filter_map(|fact| Some(format!("  {}: {}\n", fact.name, fact.value?)));
    format!("{}\nmodels:\n- id: {}\n{}", header(&model.id, model, gated), word(&model.id), fields.collect::<String>())
}

fn header(id: &str, model: &Model, gated: bool) -> String {
    let revision = model.revision.as_ref().map(|revision| format!(" at revision {revision}")).unwrap_or_default();
    let gated = if gated { "; gated, so its Workspaces need inference.preset.presetOptions.modelAccessSecret" } else { "" };
    format!("{HEADER} {id}`{revision}{gated}.")
}

/// A field of an entry that an import writes.
struct Fact {
    name: &'static str,
    value: Option<String>,
    /// What takes the place of a value that is there no more. Without one that value stays: a folder doesn't say what the hub does.
    blank: Option<&'static str>,
}

/// The fields of an entry that an import writes, in their order. All others are the user's.
fn facts(model: &Model) -> Vec<Fact> {
    let config = &model.config;
    let shape = [
        ("hiddenSize", Some(config.hidden_size)),
        ("numHiddenLayers", Some(config.num_hidden_layers)),
        ("numAttentionHeads", Some(config.num_attention_heads)),
        ("numKeyValueHeads", config.num_key_value_heads),
        ("headDim", config.head_dim),
        ("kvLoraRank", config.kv_lora_rank),
        ("qkRopeHeadDim", config.qk_rope_head_dim),
    ];
    let quantization = model
        .quantization
        .as_ref()
        .map(|quantization| flow([("method", Some(word(&quantization.method))), ("bits", quantization.bits.map(|bits| bits.to_string()))]));
    let fact = |name, value, blank| Fact { name, value, blank };
    vec![
        fact("architectures", Some(list(&model.architectures)), Some("[]")),
        fact("weights", Some(word(model.weights.as_str())), Some("null")),
        fact("contextLimit", Some(model.context_limit.to_string()), Some("null")),
        fact("config", Some(flow(shape.map(|(name, figure)| (name, figure.map(|figure| figure.to_string()))))), Some("null")),
        fact("quantization", quantization, Some("null")),
        fact("format", (model.format != WeightsFormat::default()).then(|| model.format.name().to_owned()), Some("auto")),
        fact("revision", model.revision.as_deref().map(word), Some("null")),
        fact("license", model.license.as_deref().map(word), None),
        fact("task", model.task.as_deref().map(word), None),
        fact("baseModels", (!model.base_models.is_empty()).then(|| list(&model.base_models)), None),
    ]
}

fn flow<const N: usize>(fields: [(&str, Option<String>); N]) -> String {
    let fields = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| word(item)).collect::<Vec<_>>().join(", "))
}

/// A string as it may stand anywhere: in quotes unless it is surely read as itself.
fn word(text: &str) -> String {
    let mut bare = String::new();
    let is_bare = yaml::scalar_to_yaml(&Value::from(text), &mut bare) && bare == text;
    if is_bare && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)) {
        return bare;
    }
    Value::from(text).to_string()
}

/// A file with the facts of its model renewed. Everything else stays as it is, byte by byte: fields that an import doesn't
/// write, other models, comments, further documents.
#[derive(Debug)]
pub struct Update {
    /// The text.
    pub text: String,
    /// What changed, as `weights: 14.96Gi -> 15.01Gi`.
    pub changes: Vec<String>,
}

/// Renews a file.
///
/// # Errors
/// The file can't be read, or doesn't hold the model.
pub fn update(file: &Arc<SourceFile>, model: &Model, gated: bool) -> Result<Update, Vec<Diagnostic>> {
    let mut findings = Vec::new();
    let documents = yaml::read(file, yaml::Limits::default(), &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    let models = documents.iter().filter_map(|document| document.root.get("models"));
    let items = models.filter_map(|models| if let Kind::Sequence(items) = &models.kind { Some(items) } else { None }).flatten();
    let is_it = |item: &&Node| item.get("id").and_then(Node::as_str).is_some_and(|id| id.eq_ignore_ascii_case(&model.id));
    let Some(entry) = items.into_iter().find(is_it) else {
        let finding = Diagnostic::error(format!("{} is there and holds no entry of {}", file.name, model.id));
        return Err(vec![finding.help("name another file with -o")]);
    };
    let mut edits = Edits { text: &file.text, edits: Vec::new(), changes: Vec::new() };
    let id = entry.get("id").and_then(Node::as_str).unwrap_or(&model.id);
    edits.header(&header(id, model, gated));
    edits.facts(entry, model);
    Ok(edits.apply())
}

/// What a value of one line means.
fn meaning(text: &str) -> Value {
    let file = SourceFile::new("", format!("value: {text}"));
    let documents = yaml::read(&file, yaml::Limits::default(), &mut Vec::new());
    documents.first().and_then(|document| document.root.get("value")).map_or(Value::Null, Node::to_value)
}

/// Stretches of a text and what is to stand in their place.
struct Edits<'t> {
    text: &'t str,
    edits: Vec<(Range<usize>, String)>,
    changes: Vec<String>,
}

impl Edits<'_> {
    fn header(&mut self, header: &str) {
        let first = self.text.lines().next().unwrap_or_default();
        if first.starts_with(HEADER) && first != header {
            self.edits.push((0..first.len(), header.to_owned()));
        }
    }

    fn facts(&mut self, entry: &Node, model: &Model) {
        let Kind::Mapping(fields) = &entry.kind else { return };
        let is_flow = self.text[entry.span.start..].starts_with('{');
        let mut last = fields.iter().find(|field| field.key == "id").unwrap_or(&fields[0]);
        let indent = self.column(fields[0].key_span.start);
        for Fact { name, value, blank } in facts(model) {
            let there = fields.iter().find(|field| field.key == name);
            match (there, value.as_deref().or(blank.filter(|_| there.is_some()))) {
                (Some(field), Some(value)) => {
                    if field.value.to_value() != meaning(value) {
                        let end = self.end(&field.value).max(field.key_span.end);
                        self.changes.push(format!("{name}: {} -> {value}", self.written(&field.value)));
                        self.edits.push((field.key_span.end..end, format!(": {value}")));
                    }
                    last = field;
                }
                (None, Some(value)) => {
                    self.changes.push(format!("{name}: {value}"));
                    let end = self.end(&last.value);
                    let line_end = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
                    self.edits.push(if is_flow {
                        (end..end, format!(", {name}: {value}"))
                    } else {
                        (line_end..line_end, format!("\n{}{name}: {value}", " ".repeat(indent)))
                    });
                }
                (_, None) => {}
            }
        }
    }

    /// A value as it is written, or in one line where it takes several.
    fn written(&self, value: &Node) -> String {
        let text = &self.text[value.span.start..self.end(value)];
        if text.contains('\n') { value.to_value().to_string() } else { text.to_owned() }
    }

    /// The column of an offset, from 0, in characters.
    fn column(&self, offset: usize) -> usize {
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        self.text[start..offset].chars().count()
    }

    /// Where the last character of a value stands. A block collection's own span ends where the next token starts, and an alias
    /// has that of its anchor, somewhere before.
    fn end(&self, node: &Node) -> usize {
        let is_flow = self.text[node.span.clone()].starts_with(['{', '[']);
        let end = match &node.kind {
            Kind::Mapping(fields) if !is_flow => fields.last().map_or(0, |field| self.end(&field.value)),
            Kind::Sequence(items) if !is_flow => items.last().map_or(0, |item| self.end(item)),
            _ => node.span.start + self.text[node.span.clone()].trim_end().len(),
        };
        end.max(node.span.start)
    }

    fn apply(mut self) -> Update {
        // Those of one place stay in their order: the fields of an entry that lacked several.
        self.edits.sort_by_key(|(range, _)| range.start);
        let (mut text, mut from) = (String::new(), 0);
        for (range, instead) in self.edits {
            text.push_str(&self.text[from..range.start.max(from)]);
            text.push_str(&instead);
            from = range.end.max(from);
        }
        text.push_str(&self.text[from..]);
        Update { text, changes: self.changes }
    }
}
