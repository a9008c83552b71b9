//! Files to what they declare: Workspaces, ConfigMaps and nodes to look things up in, and objects that pass through.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use rayon::prelude::*;
use serde_json::Value;

use super::Workspace;
use crate::diagnostic::{Diagnostic, SourceFile, did_you_mean};
use crate::manifest::ObjectRef;
use crate::options::{Options, OwnNode};
use crate::schema;
use crate::sku::NodeShape;
use crate::yaml::{self, Document, Kind, Node, Step};

/// A namespace and a name.
pub type Key = (String, String);

/// A declared object and the document it stands in.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The object.
    pub value: T,
    /// Its namespace, the default filled in.
    pub namespace: String,
    /// The document.
    pub document: Document,
    /// The fields that don't fit the type. They have been reported, and the rest is only looked at for more.
    pub unfit: Vec<String>,
}

/// An object that passes through unchanged.
#[derive(Clone, Debug)]
pub struct Passed {
    /// What it is.
    pub reference: ObjectRef,
    /// Its document.
    pub document: Arc<Document>,
}

/// Everything that a set of files declares.
#[derive(Default)]
pub struct Input {
    /// The Workspaces, by namespace and name.
    pub workspaces: Vec<Located<Workspace>>,
    /// The ConfigMaps, which Workspaces refer to.
    pub config_maps: HashMap<Key, Arc<Document>>,
    /// The nodes, by name: facts that are never rendered.
    pub nodes: Vec<OwnNode>,
    /// Objects that pass through, in apply order.
    pub passed: Vec<Passed>,
}

static WORKSPACE_SCHEMA: LazyLock<Value> = LazyLock::new(schema::of::<Workspace>);

/// Kinds of `kaito.sh` that are known but not rendered yet.
const OTHER_KINDS: [&str; 4] = ["InferenceSet", "MultiRoleInference", "ModelMirror", "RAGEngine"];

/// What one document declares.
enum Declared {
    Workspace(Box<Located<Workspace>>),
    Node(OwnNode),
    ConfigMap(Key, Arc<Document>),
    Passed(Passed),
}

impl Input {
    /// Reads files; every fault of all of them is added to `findings`.
    pub fn read(files: &[Arc<SourceFile>], options: &Options, findings: &mut Vec<Diagnostic>) -> Self {
        let parts: Vec<_> = files.iter().flat_map(|file| yaml::split(&file.text).into_iter().map(move |part| (file, part))).collect();
        let read = parts.into_par_iter().map(|(file, part)| {
            let mut findings = Vec::new();
            let mut reader = Reader { options, declared: Vec::new(), findings: Vec::new() };
            for document in yaml::read_part(file, part, yaml::Limits::default(), &mut findings) {
                reader.add(document);
            }
            findings.append(&mut reader.findings);
            (reader.declared, findings)
        });
        let mut input = Self { nodes: options.own_nodes.clone(), ..Self::default() };
        for (declared, faults) in read.collect::<Vec<_>>() {
            findings.extend(faults);
            declared.into_iter().for_each(|declared| input.add(declared));
        }
        input.workspaces.sort_by(|a, b| (&a.namespace, &a.value.metadata.name).cmp(&(&b.namespace, &b.value.metadata.name)));
        input.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        input.passed.sort_by(|a, b| a.reference.cmp(&b.reference));
        input.find_repetitions(findings);
        input
    }

    fn add(&mut self, declared: Declared) {
        match declared {
            Declared::Workspace(workspace) => self.workspaces.push(*workspace),
            Declared::Node(node) => self.nodes.push(node),
            Declared::ConfigMap(key, document) => _ = self.config_maps.insert(key, document),
            Declared::Passed(passed) => self.passed.push(passed),
        }
    }

    /// The same object twice, in one file or in two.
    fn find_repetitions(&self, findings: &mut Vec<Diagnostic>) {
        let workspaces = self.workspaces.iter().map(|workspace| {
            (ObjectRef::new("kaito.sh", "Workspace", Some(&workspace.namespace), &workspace.value.metadata.name), &workspace.document)
        });
        let passed = self.passed.iter().map(|passed| (passed.reference.clone(), &*passed.document));
        let mut first: HashMap<ObjectRef, &Document> = HashMap::new();
        for (reference, document) in workspaces.chain(passed) {
            if let Some(other) = first.get(&reference) {
                let place = other.place(&[]);
                let (line, column) = place.file.line_column(place.span.start);
                let finding =
                    Diagnostic::error(format!("{reference} stands here again; it is already in {}:{line}:{column}", place.file.name));
                findings.push(document.finding(finding, &[Step::Field("metadata"), Step::Field("name")]));
            } else {
                first.insert(reference, document);
            }
        }
    }
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

    /// A field that every object has.
    fn text(&mut self, document: &Document, field: &str) -> Option<String> {
        match document.root.get(field) {
            Some(Node { kind: Kind::String(text), .. }) if !text.is_empty() => return Some(text.clone()),
            None | Some(Node { kind: Kind::Null, .. }) => {
                self.say(document, Diagnostic::error(format!("this isn't a Kubernetes object: it has no {field}")), &[]);
            }
            Some(other) => {
                self.say(document, Diagnostic::error(format!("expected a string, found {}", other.describe())), &[Step::Field(field)]);
            }
        }
        None
    }

    fn add(&mut self, document: Document) {
        if document.root.get("apiVersion").is_none() && document.root.get("kind").is_none() {
            let finding = Diagnostic::error("this isn't a Kubernetes object: it has neither apiVersion nor kind");
            return self.say(&document, finding, &[]);
        }
        let (api_version, kind) = (self.text(&document, "apiVersion"), self.text(&document, "kind"));
        let (Some(api_version), Some(kind)) = (api_version, kind) else { return };
        if kind.ends_with("List")
            && let Some(Kind::Sequence(items)) = document.root.get("items").map(|items| &items.kind)
        {
            for item in items {
                self.add(Document { file: Arc::clone(&document.file), root: item.clone() });
            }
            return;
        }
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        match (group, kind.as_str()) {
            ("kaito.sh", "Workspace") => self.add_workspace(document, &api_version),
            ("kaito.sh", _) => self.findings.push(other_kind(&document, &kind)),
            ("config.kaito.sh", _) => {}
            ("kustomize.config.k8s.io", _) => {
                let finding = Diagnostic::error(format!("a {kind} is not a manifest"))
                    .help("build it first: kustomize build DIR | kaito render -f -");
                self.say(&document, finding, &[Step::Field("kind")]);
            }
            ("", "Node") => self.add_node(&document),
            _ => self.add_passed(document, group, &kind),
        }
    }

    fn add_workspace(&mut self, document: Document, api_version: &str) {
        if !matches!(api_version, "kaito.sh/v1beta1" | "kaito.sh/v1alpha1") {
            let finding = Diagnostic::error(format!("a Workspace of {api_version} is unknown"))
                .help("known are kaito.sh/v1beta1 and kaito.sh/v1alpha1");
            return self.say(&document, finding, &[Step::Field("apiVersion")]);
        }
        let before = self.findings.len();
        let Some(value) = schema::read_what_fits::<Workspace>(&document, &WORKSPACE_SCHEMA, &mut self.findings) else { return };
        let unfit = self.findings[before..].iter().map(|finding| finding.field.clone()).collect();
        let given = value.metadata.namespace.clone().filter(|namespace| !namespace.is_empty());
        if let Some(given) = given.as_ref().filter(|given| self.options.namespace_is_required && **given != self.options.namespace) {
            let finding = Diagnostic::error(format!("the namespace {given:?} does not match the namespace {:?}", self.options.namespace))
                .help(format!("render it with --namespace={given}, or leave the field out"));
            self.say(&document, finding, &[Step::Field("metadata"), Step::Field("namespace")]);
        }
        let namespace = given.unwrap_or_else(|| self.options.namespace.clone());
        self.declared.push(Declared::Workspace(Box::new(Located { value, namespace, document, unfit })));
    }

    fn add_node(&mut self, document: &Document) {
        let value = document.root.to_value();
        let Some(name) = value["metadata"]["name"].as_str() else {
            return self.say(document, Diagnostic::error("the field name is missing"), &[Step::Field("metadata")]);
        };
        let labels: BTreeMap<String, String> = match serde_json::from_value(value["metadata"]["labels"].clone()) {
            Ok(labels) => Option::unwrap_or_default(labels),
            Err(error) => {
                let finding = Diagnostic::error(format!("labels are strings: {error}")).help("put numbers and booleans in quotes");
                return self.say(document, finding, &[Step::Field("metadata"), Step::Field("labels")]);
            }
        };
        let conditions = value["status"]["conditions"].as_array();
        let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        let deleting = !value["metadata"]["deletionTimestamp"].is_null();
        let ready = !deleting && conditions.is_none_or(|all| all.iter().any(is_ready));
        let shape = NodeShape::from_labels(name, &labels);
        self.declared.push(Declared::Node(OwnNode { name: name.to_owned(), labels, ready, shape }));
    }

    fn add_passed(&mut self, document: Document, group: &str, kind: &str) {
        let document = Arc::new(document);
        let metadata = document.root.get("metadata");
        let text = |field: &str| metadata.and_then(|metadata| metadata.get(field)).and_then(Node::as_str).filter(|text| !text.is_empty());
        let Some(name) = text("name") else {
            return self.say(
                &document,
                Diagnostic::error(format!("this {kind} has no name")),
                &[Step::Field("metadata"), Step::Field("name")],
            );
        };
        let namespace = text("namespace");
        if group.is_empty() && kind == "ConfigMap" {
            let key = (namespace.unwrap_or(&self.options.namespace).to_owned(), name.to_owned());
            self.declared.push(Declared::ConfigMap(key, Arc::clone(&document)));
        }
        let local = metadata.and_then(|metadata| metadata.get("annotations")?.get("config.kubernetes.io/local-config")?.as_str());
        if local.is_none_or(|value| value == "false") {
            let reference = ObjectRef::new(group, kind, namespace, name);
            self.declared.push(Declared::Passed(Passed { reference, document: Arc::clone(&document) }));
        }
    }
}

fn other_kind(document: &Document, kind: &str) -> Diagnostic {
    let finding = if OTHER_KINDS.contains(&kind) {
        Diagnostic::error(format!("{kind} is not rendered by this version of kaito"))
            .help("leave it out of the input, or apply it to a cluster where Kaito runs")
    } else {
        let mut finding = Diagnostic::error(format!("{kind} is no kind of kaito.sh"));
        finding.help.extend(did_you_mean(kind, OTHER_KINDS.into_iter().chain(["Workspace"])));
        finding
    };
    document.finding(finding, &[Step::Field("kind")])
}
