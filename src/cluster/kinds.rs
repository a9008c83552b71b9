//! Where objects of a kind stand, as the server's discovery has it: one question for each version of a group.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use http::Request;
use serde_json::Value;

use super::error::ClusterError;
use super::{Cluster, look::AT_ONCE};

/// The kinds that a server knows, by `apiVersion` and kind.
pub(super) struct Kinds(BTreeMap<(String, String), Kind>);

/// A kind that the server knows.
pub(super) struct Kind {
    /// Its path without a namespace: `/apis/apps/v1`.
    root: String,
    /// Its name in paths: `statefulsets`.
    plural: String,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
}

impl Kind {
    /// Where all objects of the kind are, or those of a namespace.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", self.root, self.plural),
            None => format!("{}/{}", self.root, self.plural),
        }
    }
}

impl Kinds {
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
