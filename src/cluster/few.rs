//! Looks up a few objects by their names, and their nodes by whose they are: a list would have those of a thousand other Workspaces.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt, TryStreamExt, stream};
use kube::api::{GetParams, ListParams};
use serde_json::Value;

use super::Cluster;
use super::error::ClusterError;
use super::kinds::Kind;
use super::look::{AT_ONCE, Key, NODE_LABELS, is_labelled};
use crate::diff::live::{AllWanted, Wanted};

/// Up to how many objects, of how many owners, a question for each costs less than lists.
const FEW: usize = 64;
const FEW_OWNERS: usize = 4;

/// Whether so little is wanted that it is asked for by name.
pub(super) fn are_few(wanted: &AllWanted) -> bool {
    wanted.len() <= FEW_OWNERS && wanted.values().map(BTreeMap::len).sum::<usize>() <= FEW
}

impl Cluster {
    /// What is there of these objects of a kind, and of nodes of the same owners; `None` if the server doesn't know the kind any more.
    pub(super) async fn found_by_name(&self, kind: &Kind, objects: &[&mut Wanted]) -> Result<Option<HashMap<Key, Value>>, ClusterError> {
        let mut found = HashMap::new();
        for selector in owners(kind, objects) {
            let params = ListParams::default().labels(&selector);
            let path = kind.path(None);
            match self.list_at(&path, &|path: &str| kube::core::Request::new(path).list(&params)).await? {
                Ok(items) => found.extend(items.into_iter().map(|object| (self.key(kind, &object), object))),
                Err(status) if status.code == 404 => return Ok(None),
                Err(status) => return Err(ClusterError::refused(&self.server, &path, &status)),
            }
        }
        let keys: BTreeSet<Key> = objects.iter().map(|wanted| self.key(kind, &wanted.desired)).collect();
        let missing: Vec<Key> = keys.into_iter().filter(|key| !found.contains_key(key)).collect();
        let gets = stream::iter(missing).map(|key| async move {
            let path = kind.path(key.0.as_deref());
            let request = kube::core::Request::new(path.as_str()).get(&key.1, &GetParams::default());
            match self.request(request.map_err(|error| self.unaskable(&path, error))?).await? {
                Ok(object) => Ok(Got::Object(key, object)),
                Err(status) if status.code == 404 && status.reason == "NotFound" => Ok(Got::Absent),
                // Not the object but its path isn't there.
                Err(status) if status.code == 404 => Ok(Got::UnknownKind),
                Err(status) => Err(ClusterError::refused(&self.server, &format!("{path}/{}", key.1), &status)),
            }
        });
        for got in gets.buffer_unordered(AT_ONCE).try_collect::<Vec<Got>>().await? {
            match got {
                Got::Object(key, object) => drop(found.insert(key, object)),
                Got::Absent => {}
                Got::UnknownKind => return Ok(None),
            }
        }
        Ok(Some(found))
    }
}

/// What a question for an object gives.
enum Got {
    Object(Key, Value),
    Absent,
    UnknownKind,
}

/// The labels by which nodes of the owners of these objects are found, if these are nodes.
fn owners(kind: &Kind, objects: &[&mut Wanted]) -> BTreeSet<String> {
    let nodes = objects.iter().filter(|wanted| !kind.is_namespaced && !is_labelled(&wanted.desired));
    let owners = nodes.filter_map(|wanted| {
        let labels = &wanted.desired["metadata"]["labels"];
        NODE_LABELS.into_iter().find_map(|label| {
            let namespace = format!("{label}namespace");
            Some(format!("{label}={},{namespace}={}", labels[label].as_str()?, labels[&namespace].as_str()?))
        })
    });
    owners.collect()
}
