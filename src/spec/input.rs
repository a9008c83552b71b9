//! Files to what they declare: Workspaces, ConfigMaps and nodes to look things up in, and objects that pass through.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::measure::Measure;
use super::{InferenceSet, Located, ModelMirror, MultiRoleInference, ObjectMeta, RagEngine, Workspace};
use crate::config::{FILE_NAME, gate_is_off};
use crate::diagnostic::{Diagnostic, SourceFile, did_you_mean};
use crate::manifest::{Identity, ObjectRef};
use crate::options::{Options, OwnNode};
use crate::parallel;
use crate::rule;
use crate::schema;
use crate::sku::NodeShape;
use crate::yaml::{self, Document, Entry, Kind, Node, Step};

/// A namespace and a name.
pub type Key = (String, String);

/// An object that passes through unchanged.
#[derive(Clone, Debug)]
pub struct Passed {
    /// What it is.
    pub reference: ObjectRef,
    /// Its document.
    pub document: Arc<Document>,
}

/// An object whose Workspaces are rendered in its place.
#[derive(Clone, Debug)]
pub enum Declarer {
    /// Replicas of one Workspace.
    Set(Box<Located<InferenceSet>>),
    /// Two sets.
    Roles(Box<Located<MultiRoleInference>>),
}

/// Everything that a set of files declares.
#[derive(Default)]
pub struct Input {
    /// The Workspaces, by namespace and name.
    pub workspaces: Vec<Located<Workspace>>,
    /// The InferenceSets and MultiRoleInferences whose Workspaces these are.
    pub sets: Vec<Declarer>,
    /// The RAGEngines, by namespace and name.
    pub rag_engines: Vec<Located<RagEngine>>,
    /// The ModelMirrors, by name.
    pub mirrors: Vec<Located<ModelMirror>>,
    /// The ConfigMaps, which Workspaces refer to.
    pub config_maps: HashMap<Key, Arc<Document>>,
    /// The nodes, by name: facts that are never rendered.
    pub nodes: Vec<OwnNode>,
    /// Objects that pass through, in apply order.
    pub passed: Vec<Passed>,
    /// Objects that are only looked things up in.
    looked_up: Vec<Passed>,
}

static WORKSPACE_SCHEMA: LazyLock<Value> = LazyLock::new(schema::of::<Workspace>);
static INFERENCE_SET_SCHEMA: LazyLock<Value> = LazyLock::new(schema::of::<InferenceSet>);
static MULTI_ROLE_INFERENCE_SCHEMA: LazyLock<Value> = LazyLock::new(schema::of::<MultiRoleInference>);
static MODEL_MIRROR_SCHEMA: LazyLock<Value> = LazyLock::new(schema::of::<ModelMirror>);
static RAG_ENGINE_SCHEMA: LazyLock<Value> = LazyLock::new(schema::of::<RagEngine>);

/// What one document declares.
enum Declared {
    Workspace(Box<Located<Workspace>>),
    Set(Declarer),
    RagEngine(Box<Located<RagEngine>>),
    Mirror(Box<Located<ModelMirror>>),
    Node(OwnNode),
    ConfigMap(Key, Arc<Document>),
    Passed(Passed),
    LookedUp(Passed),
}

impl Declared {
    /// What it takes of what may be declared.
    fn measure(&self) -> Measure {
        let (workspaces, document) = match self {
            Self::Workspace(workspace) => (1, &workspace.document),
            Self::Set(Declarer::Set(set)) => (set.replicas(), &set.document),
            Self::Set(Declarer::Roles(roles)) => (roles.sets().iter().map(Located::replicas).sum(), &roles.document),
            Self::RagEngine(engine) => (0, &engine.document),
            Self::Mirror(mirror) => (0, &mirror.document),
            Self::Passed(passed) | Self::LookedUp(passed) => (0, &*passed.document),
            // These stand among the others once more.
            Self::Node(_) | Self::ConfigMap(..) => return Measure::default(),
        };
        Measure { values: document.root.size().nodes.saturating_mul(workspaces.max(1)), workspaces, findings: 0 }
    }
}

impl Input {
    /// Reads files; every fault of all of them is added to `findings`.
    pub fn read(files: &[Arc<SourceFile>], options: &Options, findings: &mut Vec<Diagnostic>) -> Self {
        let limits = yaml::Limits::default();
        let read = |(file, part): &(&Arc<SourceFile>, Range<usize>)| {
            let mut findings = Vec::new();
            let mut reader = Reader { options, declared: Vec::with_capacity(1), findings: Vec::new() };
            for document in yaml::read_part(file, part.clone(), limits, &mut findings) {
                reader.add(document);
            }
            findings.append(&mut reader.findings);
            (reader.declared, findings)
        };
        let mut parts = Vec::with_capacity(files.len());
        for file in files {
            parts.extend(yaml::split(file, limits, findings).into_iter().map(|part| (file, part)));
        }
        let mut input = Self { nodes: options.own_nodes.clone(), ..Self::default() };
        let mut measure = Measure::default();
        for batch in batches(&parts) {
            for (declared, faults) in parallel::map(batch, read) {
                measure.add(Measure { findings: faults.len(), ..Measure::default() });
                declared.iter().for_each(|declared| measure.add(declared.measure()));
                if let Some(finding) = measure.excess() {
                    findings.push(finding);
                    return Self::default();
                }
                findings.extend(faults);
                declared.into_iter().for_each(|declared| input.add(declared));
            }
        }
        input.workspaces.sort_by(|a, b| (&a.namespace, &a.value.metadata.name).cmp(&(&b.namespace, &b.value.metadata.name)));
        let key = |located: &Located<RagEngine>| (located.namespace.clone(), located.value.metadata.name.clone());
        input.rag_engines.sort_by_key(key);
        input.mirrors.sort_by(|a, b| a.value.metadata.name.cmp(&b.value.metadata.name));
        input.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        input.passed.sort_by(|a, b| a.reference.cmp(&b.reference));
        input.find_repetitions(&options.namespace, findings);
        input
    }

    /// Whether nothing at all is declared.
    pub fn is_empty(&self) -> bool {
        self.workspaces.is_empty()
            && self.sets.is_empty()
            && self.rag_engines.is_empty()
            && self.mirrors.is_empty()
            && self.objects().next().is_none()
    }

    /// Every object that isn't of Kaito, whether it is printed or only looked things up in.
    pub fn objects(&self) -> impl Iterator<Item = &Passed> {
        self.passed.iter().chain(&self.looked_up)
    }

    /// Whether another input says the same of everything that Workspaces are planned by, besides themselves and their ConfigMaps.
    pub fn has_same_facts(&self, other: &Self) -> bool {
        self.nodes == other.nodes && self.facts().eq(other.facts())
    }

    /// Everything that Workspaces are planned by, besides themselves, their ConfigMaps and the nodes.
    pub fn facts(&self) -> impl Iterator<Item = Value> {
        let mirrors = self.mirrors.iter().map(|mirror| mirror.document.root.to_value());
        let objects = self.objects().filter(|object| object.reference.kind != "ConfigMap");
        mirrors.chain(objects.map(|object| object.document.root.to_value()))
    }

    fn add(&mut self, declared: Declared) {
        match declared {
            Declared::Workspace(workspace) => self.workspaces.push(*workspace),
            Declared::Set(set) => {
                match &set {
                    Declarer::Set(set) => self.workspaces.extend(set.children()),
                    Declarer::Roles(roles) => self.workspaces.extend(roles.sets().iter().flat_map(Located::children)),
                }
                self.sets.push(set);
            }
            Declared::RagEngine(engine) => self.rag_engines.push(*engine),
            Declared::Mirror(mirror) => self.mirrors.push(*mirror),
            Declared::Node(node) => self.nodes.push(node),
            Declared::ConfigMap(key, document) => _ = self.config_maps.insert(key, document),
            Declared::Passed(passed) => self.passed.push(passed),
            Declared::LookedUp(object) => self.looked_up.push(object),
        }
    }

    /// The same object twice, in one file or in two.
    fn find_repetitions(&self, namespace: &str, findings: &mut Vec<Diagnostic>) {
        let declared = |kind, namespace, name| Cow::Owned(ObjectRef::new("kaito.sh", kind, namespace, name));
        let workspaces = self.workspaces.iter();
        let workspaces = workspaces.map(|one| (declared("Workspace", Some(&one.namespace), &one.value.metadata.name), &one.document));
        let rag_engines = self.rag_engines.iter();
        let rag_engines = rag_engines.map(|one| (declared("RAGEngine", Some(&one.namespace), &one.value.metadata.name), &one.document));
        let mirrors = self.mirrors.iter().map(|one| (declared("ModelMirror", None, &one.value.metadata.name), &one.document));
        let others = self.objects().map(|object| (Cow::Borrowed(&object.reference), &*object.document));
        let all: Vec<(Cow<'_, ObjectRef>, &Document)> = workspaces.chain(rag_engines).chain(mirrors).chain(others).collect();
        let mut first: HashMap<Identity<'_>, &Document, foldhash::fast::RandomState> =
            HashMap::with_capacity_and_hasher(all.len(), foldhash::fast::RandomState::default());
        let name = [Step::Field("metadata"), Step::Field("name")];
        for (reference, document) in &all {
            let Some(other) = first.get(&reference.identity(namespace)) else {
                first.insert(reference.identity(namespace), document);
                continue;
            };
            let place = other.place(&name);
            let (line, column) = place.file.line_column(place.span.start);
            let message = format!("{reference} stands here again; it is already in {}:{line}:{column}", place.file.name);
            findings.push(document.finding(rule::DUPLICATE_OBJECT.says(message), &name));
        }
    }
}

/// Parts of files that are read at once: after each, there may be enough.
fn batches<'a, 'f>(
    mut parts: &'a [(&'f Arc<SourceFile>, Range<usize>)],
) -> impl Iterator<Item = &'a [(&'f Arc<SourceFile>, Range<usize>)]> {
    const ENOUGH: usize = 1 << 20;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let is_enough = |(_, part): &(_, Range<usize>)| {
            bytes += part.len();
            bytes >= ENOUGH
        };
        let end = parts.iter().position(is_enough).map_or(parts.len(), |last| last + 1);
        let (batch, rest) = parts.split_at(end);
        parts = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Documents to what they declare.
struct Reader<'a> {
    options: &'a Options,
    declared: Vec<Declared>,
    findings: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn say(&mut self, document: &Document, finding: Diagnostic, path: &[Step<'_>]) {
        self.findings.push(document.finding(finding, path));
    }

    /// Whether the user asked for it, as kubectl's `-l` does; what isn't asked for is still there to be looked up.
    fn is_selected(&self, document: &Document) -> bool {
        let Some(selector) = &self.options.selector else { return true };
        let labels = document.root.get("metadata").and_then(|metadata| metadata.get("labels")).map(Node::to_value);
        selector.matches(&labels.and_then(|labels| serde_json::from_value(labels).ok()).unwrap_or_default())
    }

    /// A field that every object has.
    fn text(&mut self, document: &Document, field: &str) -> Option<String> {
        match document.root.get(field) {
            Some(Node { kind: Kind::String(text), .. }) if !text.is_empty() => return Some(text.to_string()),
            None | Some(Node { kind: Kind::Null, .. }) => {
                self.say(document, rule::NOT_AN_OBJECT.says(format!("this isn't a Kubernetes object: it has no {field}")), &[]);
            }
            Some(other) => {
                self.say(document, rule::WRONG_TYPE.says(format!("expected a string, found {}", other.describe())), &[Step::Field(field)]);
            }
        }
        None
    }

    fn add(&mut self, document: Document) {
        if document.root.get("apiVersion").is_none() && document.root.get("kind").is_none() {
            let finding = rule::NOT_AN_OBJECT.says("this isn't a Kubernetes object: it has neither apiVersion nor kind");
            return self.say(&document, finding, &[]);
        }
        let (api_version, kind) = (self.text(&document, "apiVersion"), self.text(&document, "kind"));
        let (Some(api_version), Some(kind)) = (api_version, kind) else { return };
        if let Some(items) = items_of(&document, &kind) {
            return items.iter().for_each(|item| self.add(document.part(with_kind_of(item, &api_version, &kind))));
        }
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        if group == "kaito.sh" && !self.is_selected(&document) {
            return;
        }
        match (group, kind.as_str()) {
            ("kaito.sh", "Workspace") => self.add_workspace(document, &api_version),
            ("kaito.sh", "InferenceSet") => self.add_set(document, &api_version),
            ("kaito.sh", "MultiRoleInference") => self.add_roles(document, &api_version),
            ("kaito.sh", "RAGEngine") => self.add_rag_engine(document, &api_version),
            ("kaito.sh", "ModelMirror") => self.add_mirror(document, &api_version),
            ("kaito.sh", _) => self.findings.push(other_kind(&document, &kind)),
            ("config.kaito.sh", _) => {
                if document.file.name.rsplit('/').next() != Some(FILE_NAME) {
                    let finding = rule::MISPLACED_CONFIG.says(format!("a {kind} counts only in a file called {FILE_NAME}"));
                    self.say(&document, finding.help("rename the file, or name it with --config"), &[Step::Field("kind")]);
                }
            }
            ("kustomize.config.k8s.io", _) => {
                let finding = rule::NEEDS_KUSTOMIZE
                    .says(format!("a {kind} is not a manifest"))
                    .help("build it first: kustomize build DIR | kaito render -f -");
                self.say(&document, finding, &[Step::Field("kind")]);
            }
            ("", "Node") => self.add_node(document),
            _ => self.add_passed(document, group, &kind),
        }
    }

    fn add_workspace(&mut self, document: Document, api_version: &str) {
        if let Some(located) =
            self.kaito::<Workspace>(document, api_version, &["v1beta1", "v1alpha1"], &WORKSPACE_SCHEMA, |value| &value.metadata)
        {
            self.declared.push(Declared::Workspace(Box::new(located)));
        }
    }

    fn add_set(&mut self, document: Document, api_version: &str) {
        let located =
            self.kaito::<InferenceSet>(document, api_version, &["v1beta1", "v1alpha1"], &INFERENCE_SET_SCHEMA, |value| &value.metadata);
        let Some(located) = located.filter(|located| self.gate(&located.document, "enableInferenceSetController")) else { return };
        self.declared.push(Declared::Set(Declarer::Set(Box::new(located))));
    }

    fn add_roles(&mut self, document: Document, api_version: &str) {
        let located =
            self.kaito::<MultiRoleInference>(document, api_version, &["v1alpha1"], &MULTI_ROLE_INFERENCE_SCHEMA, |value| &value.metadata);
        let Some(located) = located.filter(|located| self.gate(&located.document, "enableMultiRoleInferenceController")) else { return };
        let spec = &located.value.spec;
        if spec.roles.len() == 2 && spec.roles[0].role == spec.roles[1].role {
            let finding = rule::INVALID_VALUE.says("both roles are the same").help("one role is prefill, the other decode");
            self.say(&located.document, finding, &[Step::Field("spec"), Step::Field("roles"), Step::Item(1), Step::Field("type")]);
        }
        let labels = &spec.label_selector;
        if labels.match_labels.as_ref().is_none_or(BTreeMap::is_empty) && labels.match_expressions.as_ref().is_none_or(Vec::is_empty) {
            let finding = rule::EMPTY_SELECTOR.says("the selector is empty").help("name at least one label in matchLabels");
            self.say(&located.document, finding, &[Step::Field("spec"), Step::Field("labelSelector")]);
        }
        self.declared.push(Declared::Set(Declarer::Roles(Box::new(located))));
    }

    fn add_rag_engine(&mut self, document: Document, api_version: &str) {
        let versions = ["v1beta1", "v1alpha1"];
        let located = self.kaito::<RagEngine>(document, api_version, &versions, &RAG_ENGINE_SCHEMA, |value| &value.metadata);
        self.declared.extend(located.map(|located| Declared::RagEngine(Box::new(located))));
    }

    fn add_mirror(&mut self, document: Document, api_version: &str) {
        let located = self.kaito::<ModelMirror>(document, api_version, &["v1alpha1"], &MODEL_MIRROR_SCHEMA, |value| &value.metadata);
        let Some(located) = located.filter(|located| self.gate(&located.document, "ModelMirror")) else { return };
        self.declared.push(Declared::Mirror(Box::new(located)));
    }

    /// Reads a document of `kaito.sh` in one of its versions.
    fn kaito<T: DeserializeOwned>(
        &mut self,
        document: Document,
        api_version: &str,
        versions: &[&str],
        schema: &Value,
        metadata: fn(&T) -> &ObjectMeta,
    ) -> Option<Located<T>> {
        if !versions.iter().any(|version| api_version == format!("kaito.sh/{version}")) {
            let kind = document.root.get("kind").and_then(Node::as_str).unwrap_or_default();
            let known: Vec<String> = versions.iter().map(|version| format!("kaito.sh/{version}")).collect();
            let finding =
                rule::UNKNOWN_KIND.says(format!("there is no {kind} of {api_version}")).help(format!("known is {}", known.join(" and ")));
            self.say(&document, finding, &[Step::Field("apiVersion")]);
            return None;
        }
        let before = self.findings.len();
        let value: T = schema::read_what_fits(&document, schema, &mut self.findings)?;
        let unfit = self.findings[before..].iter().map(|finding| finding.field.clone()).collect();
        let given = metadata(&value).namespace.clone().filter(|namespace| !namespace.is_empty());
        if let Some(given) = given.as_ref().filter(|given| self.options.namespace_is_required && **given != self.options.namespace) {
            let finding = rule::NAMESPACE_MISMATCH
                .says(format!("the namespace {given:?} does not match the namespace {:?}", self.options.namespace))
                .help(format!("render it with --namespace={given}, or leave the field out"));
            self.say(&document, finding, &[Step::Field("metadata"), Step::Field("namespace")]);
        }
        let namespace = given.unwrap_or_else(|| self.options.namespace.clone());
        Some(Located { value, namespace, document, unfit })
    }

    /// Whether a gate is on; if not, that is a fault.
    fn gate(&mut self, document: &Document, gate: &str) -> bool {
        if !self.options.feature_gates.is_on(gate) {
            self.say(document, gate_is_off(gate), &[Step::Field("kind")]);
            return false;
        }
        true
    }

    fn add_node(&mut self, document: Document) {
        let value = document.root.to_value();
        let Some(name) = value["metadata"]["name"].as_str() else {
            return self.say(&document, rule::NOT_AN_OBJECT.says("the field name is missing"), &[Step::Field("metadata")]);
        };
        let labels: BTreeMap<String, String> = match serde_json::from_value(value["metadata"]["labels"].clone()) {
            Ok(labels) => Option::unwrap_or_default(labels),
            Err(error) => {
                let finding = rule::WRONG_TYPE.says(format!("labels are strings: {error}")).help("put numbers and booleans in quotes");
                return self.say(&document, finding, &[Step::Field("metadata"), Step::Field("labels")]);
            }
        };
        let conditions = value["status"]["conditions"].as_array();
        let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        let deleting = !value["metadata"]["deletionTimestamp"].is_null();
        let ready = !deleting && conditions.is_some_and(|all| all.iter().any(is_ready));
        let shape = NodeShape::from_labels(name, &labels);
        self.declared.push(Declared::LookedUp(Passed { reference: ObjectRef::new("", "Node", None, name), document: Arc::new(document) }));
        self.declared.push(Declared::Node(OwnNode { name: name.to_owned(), labels, ready, shape }));
    }

    /// What an API server takes only as strings, and YAML reads as something else.
    fn check_strings(&mut self, document: &Document, group: &str, kind: &str) {
        let fields = match (group, kind) {
            ("", "ConfigMap") => ["data", "binaryData"],
            ("", "Secret") => ["data", "stringData"],
            _ => return,
        };
        for field in fields {
            let Some(Kind::Mapping(entries)) = document.root.get(field).map(|node| &node.kind) else { continue };
            let wrong = entries.iter().filter(|entry| !matches!(entry.value.kind, Kind::String(_) | Kind::Null));
            for entry in wrong.take(schema::MOST_FINDINGS) {
                let finding =
                    rule::NON_STRING_DATA.says(format!("an API server takes only strings here, and this is {}", entry.value.kind_name()));
                self.say(document, finding.help("put it in quotes, or write a block: |"), &[Step::Field(field), Step::Field(&entry.key)]);
            }
        }
    }

    fn add_passed(&mut self, document: Document, group: &str, kind: &str) {
        let document = Arc::new(document);
        let metadata = document.root.get("metadata");
        let text = |field: &str| metadata.and_then(|metadata| metadata.get(field)).and_then(Node::as_str).filter(|text| !text.is_empty());
        let Some(name) = text("name") else {
            return self.say(
                &document,
                rule::NOT_AN_OBJECT.says(format!("this {kind} has no name")),
                &[Step::Field("metadata"), Step::Field("name")],
            );
        };
        let namespace = text("namespace");
        self.check_strings(&document, group, kind);
        if group.is_empty() && kind == "ConfigMap" {
            let key = (namespace.unwrap_or(&self.options.namespace).to_owned(), name.to_owned());
            self.declared.push(Declared::ConfigMap(key, Arc::clone(&document)));
        }
        let passed = Passed { reference: ObjectRef::new(group, kind, namespace, name), document: Arc::clone(&document) };
        let local = metadata.and_then(|metadata| metadata.get("annotations")?.get("config.kubernetes.io/local-config")?.as_str());
        let is_wanted = document.is_whole && self.is_selected(&document) && local.is_none_or(|value| value == "false");
        self.declared.push(if is_wanted { Declared::Passed(passed) } else { Declared::LookedUp(passed) });
    }
}

/// The objects of a `List`, or of a list of one kind as API servers answer with. An empty one may have no items; an object that is
/// only called so has a name.
fn items_of<'a>(document: &'a Document, kind: &str) -> Option<&'a [Node]> {
    let is_named = || document.root.get("metadata").is_some_and(|metadata| metadata.get("name").is_some());
    match document.root.get("items").map(|items| &items.kind) {
        Some(Kind::Sequence(items)) if kind.ends_with("List") => Some(items),
        None | Some(Kind::Null) if kind == "List" || (kind.ends_with("List") && !is_named()) => Some(&[]),
        _ => None,
    }
}

/// An item of a list. API servers leave out what the list of one kind says for all: a `ConfigMapList` holds `ConfigMap`s.
fn with_kind_of(item: &Node, api_version: &str, list: &str) -> Node {
    let mut item = item.clone();
    let kind = list.strip_suffix("List").filter(|kind| !kind.is_empty());
    if let (Some(kind), span, Kind::Mapping(fields)) = (kind, item.span.clone(), &mut item.kind) {
        for (key, value) in [("apiVersion", api_version), ("kind", kind)] {
            if fields.iter().all(|field| field.key != key) {
                let value = Node { span: span.clone(), kind: Kind::String(value.into()) };
                let further = Entry { key: key.into(), key_span: span.clone(), value };
                *fields = std::mem::take(fields).into_iter().chain([further]).collect();
            }
        }
    }
    item
}

fn other_kind(document: &Document, kind: &str) -> Diagnostic {
    let mut finding = rule::UNKNOWN_KIND.says(format!("{kind} is no kind of kaito.sh"));
    finding.help.extend(did_you_mean(kind, ["Workspace", "InferenceSet", "MultiRoleInference", "RAGEngine", "ModelMirror"]));
    document.finding(finding, &[Step::Field("kind")])
}
