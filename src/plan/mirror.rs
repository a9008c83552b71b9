//! Mirrors: one copy of a model's weights in a claim, which all Workspaces share that stream the model.
//!
//! Source: Kaito 0.12, with the gate `ModelMirror`. The first Workspace that streams a model makes its mirror; here that is the
//! first by namespace and name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::nodes::sha256;
use super::storage::Storage;
use super::streaming::{is_static, model_id, service_account, storage_class, streams};
use crate::manifest::ObjectRef;
use crate::options::Options;
use crate::preset::Catalog;
use crate::spec::{Input, Located, ModelMirror, Workspace};
use crate::yaml::Document;

/// A mirror that is filled by a Job.
pub struct Mirror<'a> {
    /// Its name, which is the claim's too.
    pub name: Cow<'a, str>,
    /// The model on the hub.
    pub model_id: Cow<'a, str>,
    /// The namespace of claim and Job.
    pub namespace: &'a str,
    /// The size of the claim.
    pub size: Cow<'a, str>,
    /// The StorageClass of the claim; empty if none is named, which admission refuses.
    pub storage_class: &'a str,
    /// The ServiceAccount of the Job.
    pub service_account: Option<&'a str>,
    /// The Secret with the token for the hub.
    pub access_secret: Option<&'a str>,
    /// The document that asks for it.
    pub document: &'a Document,
    /// Whether that is a ModelMirror, and not a Workspace that needs one.
    pub is_declared: bool,
    /// Whether that could be read whole; if not, nothing is made of it.
    pub is_whole: bool,
    /// Whether the input has the claim too, so that none is made.
    pub has_claim: bool,
}

impl Mirror<'_> {
    /// Whose it is: the ModelMirror that declares it, or the first Workspace that needs it.
    pub fn owner(&self) -> String {
        let name = self.document.text(&["metadata", "name"]).unwrap_or_default();
        let kind = self.document.text(&["kind"]).unwrap_or_default();
        if self.is_declared { format!("{kind} {name}") } else { format!("{kind} {}/{name}", self.namespace) }
    }

    /// Whether an object that is rendered is the mirror itself, its claim, or its Job.
    pub fn has(&self, object: &ObjectRef) -> bool {
        match object.kind.as_str() {
            "ModelMirror" => *object.name == *self.name,
            "PersistentVolumeClaim" => object.namespace.as_deref() == Some(self.namespace) && *object.name == *self.name,
            "Job" => object.namespace.as_deref() == Some(self.namespace) && object.name == self.job_name(),
            _ => false,
        }
    }

    /// The name of the Job. Kaito leaves the end of it to the API server.
    pub fn job_name(&self) -> String {
        format!("{}-download", self.name)
    }
}

/// The mirrors of an input, and the storage behind them.
#[derive(Default)]
pub struct Mirrors<'a> {
    mirrors: BTreeMap<String, Mirror<'a>>,
    /// What is known of storage.
    pub storage: Storage<'a>,
}

impl<'a> Mirrors<'a> {
    /// The mirrors of an input; none with the gate off.
    pub fn new(input: &'a Input, catalog: &'a Catalog, options: &'a Options) -> Self {
        if !options.feature_gates.is_on("ModelMirror") {
            return Self::default();
        }
        let storage = Storage::new(input, options);
        let declared = input.mirrors.iter().filter_map(of_declared);
        let needed = input.workspaces.iter().filter_map(|located| of_workspace(located, catalog, options));
        let mut mirrors: BTreeMap<String, Mirror<'a>> = BTreeMap::new();
        for mut mirror in declared.chain(needed) {
            mirror.has_claim = storage.claim(mirror.namespace, &mirror.name).is_some();
            mirrors.entry(mirror.name.clone().into_owned()).or_insert(mirror);
        }
        Self { mirrors, storage }
    }

    /// The mirror of that name.
    pub fn get(&self, name: &str) -> Option<&Mirror<'a>> {
        self.mirrors.get(name)
    }

    /// All mirrors, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Mirror<'a>> {
        self.mirrors.values()
    }
}

/// The name of the mirror of a model, by which Workspaces find it: 6 hexadecimal digits.
pub fn mirror_name(model_id: &str) -> String {
    let mut name = sha256(model_id);
    name.truncate(6);
    name
}

/// A declared mirror, if it is managed and has what it needs.
fn of_declared(located: &Located<ModelMirror>) -> Option<Mirror<'_>> {
    let spec = &located.value.spec;
    let (source, storage) = (spec.source.as_ref()?, spec.storage.as_ref()?);
    Some(Mirror {
        name: located.value.metadata.name.as_str().into(),
        model_id: source.model_id.as_str().into(),
        namespace: spec.job_namespace.as_deref()?,
        size: storage.size.as_str().into(),
        storage_class: storage.storage_class_name.as_deref()?,
        service_account: spec.service_account_name.as_deref().filter(|name| !name.is_empty()),
        access_secret: source.access_secret.as_ref().and_then(|secret| secret.name.as_deref()),
        document: &located.document,
        is_declared: true,
        is_whole: located.is_whole(),
        has_claim: false,
    })
    .filter(|_| !located.value.is_static())
}

/// The mirror that a Workspace needs.
fn of_workspace<'a>(located: &'a Located<Workspace>, catalog: &Catalog, options: &'a Options) -> Option<Mirror<'a>> {
    let workspace = &located.value;
    let preset = workspace.preset().filter(|_| streams(workspace, options) && !is_static(workspace))?;
    let model = &catalog.model(&preset.name).ok()?.value;
    let model_id = model_id(&preset.name, model);
    Some(Mirror {
        name: mirror_name(&model_id).into(),
        model_id,
        namespace: &located.namespace,
        size: format!("{}Gi", catalog.sizing.disk_gib(model)).into(),
        storage_class: storage_class(workspace, options).unwrap_or_default(),
        service_account: service_account(workspace, options),
        access_secret: workspace.token_secret(),
        document: &located.document,
        is_declared: false,
        is_whole: true,
        has_claim: false,
    })
}
