//! What Kaito reads from a cluster to stream weights, and an input declares: StorageClasses, ServiceAccounts, and the volumes
//! behind claims.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::config::FILE_NAME;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::ObjectRef;
use crate::options::Options;
use crate::preset::Catalog;
use crate::rule;
use crate::spec::Input;
use crate::yaml::{Document, Step};

/// What makes volumes of blob containers, the only ones that are streamed from.
pub const BLOB_DRIVER: &str = "blob.csi.azure.com";

/// A blob container, and where its name was found.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    /// The storage account.
    pub account: Cow<'a, str>,
    /// The container.
    pub name: Cow<'a, str>,
    /// What says so.
    pub origin: String,
}

/// The objects of an input that tell of storage, by what identifies them.
#[derive(Default)]
pub struct Storage<'a> {
    objects: HashMap<ObjectRef, &'a Document>,
    namespace: &'a str,
}

impl<'a> Storage<'a> {
    /// The storage of an input.
    pub fn new(input: &'a Input, options: &'a Options) -> Self {
        let tells = |reference: &ObjectRef| match reference.group.as_str() {
            "" => ["ServiceAccount", "PersistentVolume", "PersistentVolumeClaim"].contains(&reference.kind.as_str()),
            "storage.k8s.io" => reference.kind == "StorageClass",
            _ => false,
        };
        let objects = input.objects().filter(|object| tells(&object.reference));
        let objects = objects.map(|object| (object.reference.clone().in_namespace(&options.namespace), &*object.document));
        Self { objects: objects.collect(), namespace: &options.namespace }
    }

    /// The StorageClass of that name.
    pub fn class(&self, name: &str) -> Option<&'a Document> {
        self.get(ObjectRef::new("storage.k8s.io", "StorageClass", None, name))
    }

    /// The ServiceAccount of that name.
    pub fn service_account(&self, namespace: &str, name: &str) -> Option<&'a Document> {
        self.get(ObjectRef::new("", "ServiceAccount", Some(namespace), name))
    }

    /// The claim of that name.
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&'a Document> {
        self.get(ObjectRef::new("", "PersistentVolumeClaim", Some(namespace), name))
    }

    /// What is said of something that isn't in the input. If the input has others of its kind, those are all there are; if it has
    /// none, nothing is said, since it is in the cluster then.
    pub fn missing(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<Diagnostic> {
        let within = namespace.unwrap_or(self.namespace);
        let fits = |reference: &&ObjectRef| reference.kind == kind && reference.namespace.as_deref() == Some(within);
        let mut known: Vec<&str> = self.objects.keys().filter(fits).map(|reference| reference.name.as_str()).collect();
        if known.is_empty() || known.contains(&name) {
            return None;
        }
        known.sort_unstable();
        let place = namespace.map(|namespace| format!(" of the namespace {namespace}")).unwrap_or_default();
        let mut finding = rule::STREAMING.says(format!("the {kind} {name} is not among those{place} in the input: {}", known.join(", ")));
        finding.help.extend(did_you_mean(name, known));
        let annotation = "config.kubernetes.io/local-config: \"true\"";
        Some(finding.help(format!("if only the cluster has it, add it with the annotation {annotation}, and it isn't printed")))
    }

    fn get(&self, reference: ObjectRef) -> Option<&'a Document> {
        self.objects.get(&reference.in_namespace(self.namespace)).copied()
    }

    /// The volume behind a claim: the one that the claim names, or that names the claim.
    fn volume(&self, namespace: &str, claim: &str) -> Option<&'a Document> {
        if let Some(name) = self.claim(namespace, claim).and_then(|claim| claim.text(&["spec", "volumeName"])) {
            return self.get(ObjectRef::new("", "PersistentVolume", None, name));
        }
        let is_bound = |volume: &&Document| {
            volume.text(&["spec", "claimRef", "namespace"]) == Some(namespace) && volume.text(&["spec", "claimRef", "name"]) == Some(claim)
        };
        let volumes = self.objects.iter().filter(|(reference, _)| reference.kind == "PersistentVolume");
        volumes.filter(|(_, volume)| is_bound(volume)).min_by_key(|(reference, _)| reference.name.as_str()).map(|(_, volume)| *volume)
    }

    /// The blob container behind a claim: as its volume says, or `kaito.yaml`, or its StorageClass; `None` if nothing does.
    ///
    /// # Errors
    /// A volume that is none of a blob container, or whose handle doesn't tell it.
    pub fn container(
        &self,
        claim: (&str, &str),
        class: &str,
        model: &str,
        options: &'a Options,
        catalog: &Catalog,
    ) -> Result<Option<Container<'a>>, Diagnostic> {
        if let Some(volume) = self.volume(claim.0, claim.1) {
            return of_volume(volume).map(Some);
        }
        Ok(of_options(model, options, catalog).or_else(|| of_class(self.class(class)?, class)))
    }
}

/// Source: the blob CSI driver's handle is `group#account#container#...`.
fn of_volume(volume: &Document) -> Result<Container<'_>, Diagnostic> {
    let path = |field| [Step::Field("spec"), Step::Field("csi"), Step::Field(field)];
    let driver = volume.text(&["spec", "csi", "driver"]);
    if driver != Some(BLOB_DRIVER) {
        let finding = rule::STREAMING
            .says(format!("the volume of a mirror is of {}, and weights are streamed from blob containers", driver.unwrap_or("no driver")));
        return Err(volume.finding(finding.help(format!("give the mirror a StorageClass of {BLOB_DRIVER}")), &path("driver")));
    }
    let mut parts = volume.text(&["spec", "csi", "volumeHandle"]).unwrap_or_default().split('#').skip(1);
    match (parts.next(), parts.next()) {
        (Some(account), Some(container)) if !account.is_empty() && !container.is_empty() => Ok(Container {
            account: account.into(),
            name: container.into(),
            origin: format!("PersistentVolume {} in {}", volume.text(&["metadata", "name"]).unwrap_or_default(), volume.file.name),
        }),
        _ => {
            let finding = rule::STREAMING.says("the handle doesn't tell the storage account and the container");
            Err(volume.finding(finding.help("it is GROUP#ACCOUNT#CONTAINER, and may go on with #"), &path("volumeHandle")))
        }
    }
}

/// What `kaito.yaml` says of the model, or else of all models.
fn of_options<'a>(model: &str, options: &'a Options, catalog: &Catalog) -> Option<Container<'a>> {
    let id = |name: &str| catalog.model(name).map_or_else(|_| name.to_lowercase(), |found| found.value.repository());
    let wanted = id(model);
    let all = &options.model_streaming.containers;
    let of_the_model = all.iter().find(|container| container.model.as_deref().is_some_and(|name| id(name) == wanted));
    let found = of_the_model.or_else(|| all.iter().find(|container| container.model.is_none()))?;
    Some(Container {
        account: found.storage_account.as_str().into(),
        name: found.container.as_str().into(),
        origin: format!("modelStreaming.containers of {FILE_NAME}"),
    })
}

/// A StorageClass that puts all its volumes into one container.
fn of_class<'a>(class: &'a Document, name: &str) -> Option<Container<'a>> {
    let parameter = |key| class.text(&["parameters", key]).filter(|value| !value.is_empty() && !value.contains('$'));
    Some(Container {
        account: parameter("storageAccount")?.into(),
        name: parameter("containerName")?.into(),
        origin: format!("StorageClass {name} in {}", class.file.name),
    })
}
