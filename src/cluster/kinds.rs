//! Where objects of a kind stand, as the server's discovery has it: one question for each version of a group.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use http::Request;
use kube::api::ApiResource;
use serde_json::Value;

use super::error::ClusterError;
use super::{Cluster, look::AT_ONCE};
use crate::inventory::GroupKind;

/// The kinds that a server knows, by `apiVersion` and kind.
#[derive(Clone, Default)]
pub struct Kinds(BTreeMap<(String, String), Kind>);

/// A kind that the server knows.
#[derive(Clone)]
pub(super) struct Kind {
    /// Its path without a namespace: `/apis/apps/v1`.
    root: String,
    /// Its name in paths: `statefulsets`.
    plural: String,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
}

impl Kind {
    /// A kind of the core, with namespaces, by its name in paths.
    pub(super) fn core(plural: &str) -> Self {
        Self { root: "/api/v1".to_owned(), plural: plural.to_owned(), is_namespaced: true }
    }

    /// What kube calls it.
    pub(super) fn resource(&self, api_version: &str, kind: &str) -> ApiResource {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: self.plural.clone(),
        }
    }

    /// Where all objects of the kind are, or those of a namespace.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", self.root, self.plural),
            None => format!("{}/{}", self.root, self.plural),
        }
    }
}

impl Kinds {
    /// Takes further kinds in.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Forgets the kind of an object.
    pub(super) fn forget(&mut self, object: &Value) {
        let is_other = |version: &str, kind: &str| object["apiVersion"] != version || object["kind"] != kind;
        self.0.retain(|(version, kind), _| is_other(version, kind));
    }

    /// Whether the server knows a kind of this version.
    pub(super) fn has(&self, version: &str, kind: &str) -> bool {
        self.0.contains_key(&(version.to_owned(), kind.to_owned()))
    }

    /// A kind of a version.
    pub(super) fn get(&self, version: &str, kind: &str) -> Option<&Kind> {
        self.0.get(&(version.to_owned(), kind.to_owned()))
    }

    /// A kind of a group, and its version.
    pub(super) fn of_group_kind(&self, wanted: &GroupKind) -> Option<(&str, &Kind)> {
        let group = |version: &str| version.split_once('/').map_or("", |(group, _)| group).to_owned();
        let mut found = self.0.iter().filter(|((version, kind), _)| *kind == wanted.kind && group(version) == wanted.group);
        found.next().map(|((version, _), kind)| (version.as_str(), kind))
    }

    /// The kind of an object.
    pub(super) fn of(&self, object: &Value) -> Option<&Kind> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.0.get(&(text(&object["apiVersion"]), text(&object["kind"])))
    }
}

impl Cluster {
    /// The kinds of these versions of groups.
    pub(super) async fn kinds(&self, versions: BTreeSet<String>) -> Result<Kinds, ClusterError> {
        let found: Vec<Vec<_>> =
            stream::iter(versions).map(|version| self.kinds_of(version)).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(Kinds(found.into_iter().flatten().collect()))
    }

    /// The versions of a group, as `apiVersion` has them; the one that the server likes best first.
    pub(super) async fn versions(&self, group: &str) -> Result<Vec<String>, ClusterError> {
        if group.is_empty() {
            return Ok(vec!["v1".to_owned()]);
        }
        let path = format!("/apis/{group}");
        let Ok(request) = Request::get(&path).body(Vec::new()) else { return Ok(Vec::new()) };
        let answer = match self.request(request).await? {
            Ok(answer) => answer,
            Err(status) if status.code == 404 => return Ok(Vec::new()),
            Err(status) => return Err(ClusterError::refused(&self.server, &path, &status)),
        };
        let versions = answer["versions"].as_array().into_iter().flatten();
        Ok(versions.filter_map(|version| version["groupVersion"].as_str()).map(ToOwned::to_owned).collect())
    }

    /// Takes in the kinds of these objects that aren't known yet.
    pub(super) async fn learn(&self, kinds: &mut Kinds, objects: impl IntoIterator<Item = &Value>) -> Result<(), ClusterError> {
        let unknown = objects.into_iter().filter(|object| kinds.of(object).is_none());
        let versions = unknown.filter_map(|object| object["apiVersion"].as_str()).map(ToOwned::to_owned).collect();
        kinds.extend(self.kinds(versions).await?);
        Ok(())
    }

    /// A kind in the version of its group that the server likes best, if it knows it.
    pub(super) async fn locate(&self, wanted: &GroupKind) -> Result<Option<(String, Kind)>, ClusterError> {
        for version in self.versions(&wanted.group).await? {
            let kinds = self.kinds([version.clone()].into()).await?;
            if let Some(kind) = kinds.get(&version, &wanted.kind) {
                return Ok(Some((version, kind.clone())));
            }
        }
        Ok(None)
    }

    async fn kinds_of(&self, version: String) -> Result<Vec<((String, String), Kind)>, ClusterError> {
        let root = format!("/{}/{version}", if version.contains('/') { "apis" } else { "api" });
        let Ok(request) = Request::get(&root).body(Vec::new()) else { return Ok(Vec::new()) };
        let answer = match self.request(request).await? {
            Ok(answer) => answer,
            Err(status) if status.code == 404 => return Ok(Vec::new()),
            Err(status) => return Err(ClusterError::refused(&self.server, &root, &status)),
        };
        let resources = answer["resources"].as_array().cloned().unwrap_or_default();
        let kinds = resources.iter().filter_map(|resource| {
            // With a slash it is a part of another one, as `deployments/status`.
            let plural = resource["name"].as_str().filter(|name| !name.contains('/'))?;
            let kind = Kind { root: root.clone(), plural: plural.to_owned(), is_namespaced: resource["namespaced"] == true };
            Some(((version.clone(), resource["kind"].as_str()?.to_owned()), kind))
        });
        Ok(kinds.collect())
    }
}
