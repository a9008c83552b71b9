//! `kaito fn`: a KRM function for kustomize and kpt.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::output::{self, Color, Exit};
use super::setup::{RenderingArgs, Setup};
use crate::config::{API_VERSION, FILE_NAME};
use crate::diagnostic::{self, Diagnostic, SourceFile};
use crate::diff::Owner;
use crate::krm::{self, ResourceList};
use crate::manifest::ObjectRef;
use crate::render::TemplateError;
use crate::session::Session;
use crate::source::{Disk, Memory};
use crate::spec::Input;
use crate::status::owner_of;
use crate::yaml;

/// Where `functionConfig` stands as a `kaito.yaml`.
const ROOT: &str = "functionConfig";

/// The label, or annotation, of what kaito renders.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The field of a ConfigMap that keeps Workspaces in the list.
const INCLUDE_WORKSPACE: &str = "includeWorkspace";

/// Work as a KRM function for kustomize and kpt.
// Workspaces among the items, and one that is the functionConfig, are rendered. They leave the list, unless they are marked with
// config.kubernetes.io/local-config: "true", or includeWorkspace says so. How to render is said by a functionConfig of kind
// `RenderConfig` (a kaito.yaml), or a ConfigMap with fields of one. No file is read, and nothing is asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kustomize build --enable-alpha-plugins --enable-exec .
  kpt fn eval DIR --exec 'kaito fn'
  kpt fn source DIR | kaito fn | kpt fn sink DIR

Exit codes: 0 done, 1 the input is invalid or rendering failed (the results say why), 2 wrong usage.")]
pub(super) struct Args {}

/// Reads a list, and writes it with what its Workspaces stand for.
pub(super) fn run(color: Color) -> Exit {
    let mut text = String::new();
    // One byte more than there may be, so that it is said if there are more.
    let read = std::io::stdin().take(yaml::Limits::default().bytes as u64 + 1).read_to_string(&mut text);
    let list = read.map_err(|error| Diagnostic::error(format!("standard input can't be read: {error}"))).and_then(|_| read_list(text));
    match list {
        Ok(list) => Function::new(list).run(color),
        Err(finding) => {
            output::findings(vec![finding], color, "rendered");
            Exit::Invalid
        }
    }
}

fn read_list(text: String) -> Result<ResourceList, Diagnostic> {
    let mut findings = Vec::new();
    let file = SourceFile::new("<stdin>", text);
    // A list is one document, however many objects are in it.
    let limits = yaml::Limits { nodes: 5_000_000, ..yaml::Limits::default() };
    let document = yaml::read(&file, limits, &mut findings).into_iter().next();
    match (findings.into_iter().find(Diagnostic::is_error), document) {
        (Some(finding), _) => Err(finding),
        (None, Some(document)) => ResourceList::of(document.root.to_value()),
        (None, None) => ResourceList::of(Value::Null),
    }
}

struct Function {
    list: ResourceList,
    /// What is rendered and in no list.
    own: Option<Value>,
    /// The configuration.
    config: Option<Value>,
    includes_workspaces: bool,
    findings: Vec<Diagnostic>,
}

impl Function {
    fn new(list: ResourceList) -> Self {
        let mut function = Self { list, own: None, config: None, includes_workspaces: false, findings: Vec::new() };
        if let Some(config) = function.list.function_config.clone() {
            function.configure(config);
        }
        function.look_for_config();
        function
    }

    /// A package of kpt's has its `kaito.yaml` among the items.
    fn look_for_config(&mut self) {
        let mut all = self.list.items.iter().filter(|item| is_config(item));
        match (self.config.is_some(), all.next(), all.next()) {
            (false, Some(config), None) => self.config = Some(without_metadata(config.clone())),
            (false, Some(_), Some(_)) => {
                let finding = Diagnostic::error("several items are a RenderConfig, and none is functionConfig");
                self.findings.push(finding.help("name the one that holds: configPath in a Kptfile, or --fn-config"));
            }
            _ => {}
        }
    }

    fn configure(&mut self, config: Value) {
        let is_of = |version: &str, kind: &str| config["apiVersion"] == version && config["kind"] == kind;
        if is_kaitos(&config) {
            // kustomize hands a generator over as an item, too.
            let own = krm::reference(&config);
            self.own = Some(config).filter(|_| !self.list.items.iter().any(|item| krm::reference(item) == own));
        } else if is_config(&config) {
            self.config = Some(without_metadata(config));
        } else if is_of("v1", "ConfigMap") {
            let mut fields = config["data"].as_object().cloned().unwrap_or_default();
            self.includes_workspaces = fields.remove(INCLUDE_WORKSPACE).is_some_and(|value| value == "true");
            let typed = fields.into_iter().map(|(name, value)| (name, typed(value)));
            let head = [("apiVersion".to_owned(), API_VERSION.into()), ("kind".to_owned(), "RenderConfig".into())];
            self.config = Some(head.into_iter().chain(typed).collect());
        } else {
            let text = |name: &str| config[name].as_str().unwrap_or("none").to_owned();
            let finding = Diagnostic::error(format!("functionConfig is a {} of {}", text("kind"), text("apiVersion")));
            self.findings.push(finding.help(format!(
                "it may be a Workspace, a RenderConfig (apiVersion: {API_VERSION}) or a ConfigMap with fields of one, such as nodeProvisioner"
            )));
        }
    }

    fn run(mut self, color: Color) -> Exit {
        let rendered = self.rendered();
        let mut findings = std::mem::take(&mut self.findings);
        diagnostic::sort(&mut findings);
        let items: Vec<Option<Value>> = findings.iter().map(|finding| self.item_of(finding).cloned()).collect();
        let results: Vec<Value> = findings.iter().zip(&items).map(|(finding, item)| krm::result(finding, item.as_ref())).collect();
        let has_failed = findings.iter().any(Diagnostic::is_error);
        if !has_failed {
            self.replace(rendered);
        }
        let mut text = String::new();
        yaml::to_yaml(&self.list.with_results(&results), &mut text);
        let written = output::data(&text);
        // kustomize shows what is on standard error, and not the results.
        output::findings(findings, color, "rendered");
        if has_failed { Exit::Invalid } else { written }
    }

    /// What all Workspaces stand for; what is wrong is among the findings.
    fn rendered(&mut self) -> Vec<Value> {
        let findings = &mut self.findings;
        let config: Arc<str> = self.config.as_ref().map(Value::to_string).unwrap_or_default().into();
        let has_config = self.config.is_some();
        let tree = Arc::new(Memory::new(Path::new(ROOT), has_config.then(|| (FILE_NAME.into(), config)), Arc::new(Disk)));
        let rendering = RenderingArgs { config: has_config.then(|| Path::new(ROOT).join(FILE_NAME)), ..RenderingArgs::default() };
        let Some(mut setup) = Setup::at(tree, &rendering, &[], findings) else { return Vec::new() };
        // What Workspaces refer to may be in other lists.
        setup.options.is_partial = true;
        let input = Input::read(&files(&self.list.items, self.own.as_ref()), &setup.options, findings);
        let session = Session::new(&input, &setup.catalog, &setup.options, false, findings);
        let engine = setup.engine();
        session.rehearse(&engine, findings);
        if findings.iter().any(Diagnostic::is_error) {
            return Vec::new();
        }
        let mut objects = Vec::new();
        let shared = session.render_shared(&engine, |_, object| {
            objects.push(object.to_value());
            Ok::<_, TemplateError>(())
        });
        let own = session.render(
            &engine,
            |_, rendered| Ok(rendered.iter().map(crate::render::Object::to_value).collect::<Vec<Value>>()),
            |rendered| {
                objects.extend(rendered);
                Ok::<_, TemplateError>(())
            },
        );
        findings.extend([shared, own].into_iter().filter_map(|done| Some(*done.err()?.0)));
        objects
    }

    /// The item, or the functionConfig, that a finding is about.
    fn item_of(&self, finding: &Diagnostic) -> Option<&Value> {
        let name = &finding.place.as_ref()?.outermost().file.name;
        self.list.items.iter().chain(&self.own).enumerate().find(|(number, item)| file_name(*number, item) == **name).map(|(_, item)| item)
    }

    /// Puts what was rendered into the list, in the place of what was rendered before of the same Workspaces. What was rendered of others
    /// stays: another function has made it.
    fn replace(&mut self, rendered: Vec<Value>) {
        let owners: BTreeSet<Owner> = rendered.iter().filter_map(owner_of).collect();
        let names: BTreeSet<ObjectRef> = rendered.iter().filter_map(krm::reference).collect();
        let mut old: BTreeMap<ObjectRef, Value> = BTreeMap::new();
        for item in std::mem::take(&mut self.list.items) {
            let reference = krm::reference(&item).filter(|_| is_rendered(&item));
            let is_old = |reference: &ObjectRef| names.contains(reference) || owner_of(&item).is_some_and(|owner| owners.contains(&owner));
            match reference.filter(is_old) {
                Some(reference) => _ = old.insert(reference, item),
                None if is_kaitos(&item) && !self.includes_workspaces && !krm::is_local(&item) => {}
                None => self.list.items.push(item),
            }
        }
        let of_others: BTreeSet<ObjectRef> = self.list.items.iter().filter_map(krm::reference).collect();
        for mut object in rendered {
            let reference = krm::reference(&object);
            if let Some(old) = reference.as_ref().and_then(|reference| old.get(reference)) {
                krm::keep_place(&mut object, old);
            }
            // A default that somebody has written themselves is theirs.
            if !reference.is_some_and(|reference| of_others.contains(&reference)) {
                self.list.items.push(object);
            }
        }
    }
}

/// A field of a ConfigMap is text, whatever is meant.
fn typed(value: Value) -> Value {
    match value.as_str() {
        Some("true") => true.into(),
        Some("false") => false.into(),
        _ => value,
    }
}

/// Whether an object is what `kaito.yaml` holds.
fn is_config(object: &Value) -> bool {
    object["apiVersion"] == API_VERSION && object["kind"] == "RenderConfig"
}

/// kustomize and kpt want every object to have a name, and keep where it is in its annotations.
fn without_metadata(mut config: Value) -> Value {
    _ = config.as_object_mut().map(|fields| fields.remove("metadata"));
    config
}

/// Whether an object is a Workspace or another kind that is rendered.
fn is_kaitos(object: &Value) -> bool {
    const KINDS: [&str; 5] = ["Workspace", "InferenceSet", "MultiRoleInference", "RAGEngine", "ModelMirror"];
    let is_group = object["apiVersion"].as_str().is_some_and(|version| version.starts_with("kaito.sh/"));
    is_group && KINDS.iter().any(|kind| object["kind"] == *kind)
}

/// Whether an object was rendered by kaito before.
fn is_rendered(object: &Value) -> bool {
    !is_kaitos(object) && ["labels", "annotations"].iter().any(|place| object["metadata"][*place][MANAGED_BY] == "kaito")
}

/// A file for each object that may matter. What was rendered before isn't input.
fn files(items: &[Value], own: Option<&Value>) -> Vec<Arc<SourceFile>> {
    let all = items.iter().chain(own).enumerate();
    let objects = all.filter(|(_, item)| !is_rendered(item) && (is_kaitos(item) || !krm::is_local(item)));
    objects.map(|(number, item)| SourceFile::new(file_name(number, item), without_place(item))).collect()
}

/// What a finding calls an object.
fn file_name(number: usize, item: &Value) -> String {
    format!("item {number} ({} {})", item["kind"].as_str().unwrap_or("?"), item["metadata"]["name"].as_str().unwrap_or("?"))
}

/// The text of an object, as it would be in a cluster: without what the tool keeps in its annotations.
fn without_place(item: &Value) -> String {
    let mut item = item.clone();
    let annotations = item.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    let is_empty = annotations.is_some_and(|annotations| {
        annotations.retain(|name, _| {
            !["config.kubernetes.io/", "internal.config.kubernetes.io/", "config.k8s.io/"].iter().any(|own| name.starts_with(own))
        });
        annotations.is_empty()
    });
    if is_empty {
        _ = item.pointer_mut("/metadata").and_then(Value::as_object_mut).map(|metadata| metadata.remove("annotations"));
    }
    let mut text = String::new();
    yaml::to_yaml(&json!(item), &mut text);
    text
}
