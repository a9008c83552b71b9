//! What a cluster holds of objects that are wanted, with few questions: one for the kinds of a group, one list for each kind.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use http::Request;
use kube::api::{GetParams, ListParams};
use serde_json::Value;

use super::Cluster;
use super::error::ClusterError;
use super::items::Item;
use super::kinds::{Kind, Kinds};
use crate::diff::live::{AllWanted, Live, Wanted};
use crate::spec::names::is_path_segment;

/// How many questions are open at a time.
pub(super) const AT_ONCE: usize = 16;

/// From how many objects on it costs less to ask for the names of all than for each.
const MANY: usize = 50;

/// The label of what kaito renders, where nothing forbids labels.
const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "kaito");

/// The labels of nodes and pods that tell whose they are.
pub(super) const NODE_LABELS: [&str; 2] = ["kaito.sh/workspace", "kaito.sh/ragengine"];

/// How objects are looked up.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// Each kind in a list, which is less to ask for many.
    List,
    /// Each by its name, which is less to be told where there are many others.
    Name,
}

/// Objects of a kind that are wanted.
#[derive(Default)]
struct Objects<'w> {
    /// Those that are looked up.
    unknown: Vec<&'w mut Wanted>,
    /// The others, of which it is known what is there.
    known: Vec<&'w Wanted>,
}

/// A namespace, and a name in it.
pub(super) type Key = (Option<String>, String);

impl Cluster {
    /// Looks up what is there of everything that is wanted and of which that isn't known, and gives back what else was seen.
    pub(super) async fn look(&self, kinds: &Kinds, wanted: &mut AllWanted, (how, lenient): (By, bool)) -> Result<Vec<Value>, ClusterError> {
        let mut by_kind: BTreeMap<(String, String), Objects<'_>> = BTreeMap::new();
        // What nothing can be called isn't there, and no request can be made of it.
        let askable = wanted.values_mut().flatten().filter(|(reference, _)| reference.unfit_name().is_none());
        for (_, wanted) in askable {
            let of_kind = by_kind.entry((text(&wanted.desired["apiVersion"]), text(&wanted.desired["kind"]))).or_default();
            match wanted.live {
                Live::Object(_) | Live::Settled(_) => of_kind.known.push(wanted),
                Live::Absent | Live::UnknownKind | Live::Unreadable(_) => of_kind.unknown.push(wanted),
            }
        }
        let unknown = by_kind.into_values().filter(|of_kind| !of_kind.unknown.is_empty());
        let looks = stream::iter(unknown).map(|objects| self.look_up(kinds, objects, (how, lenient)));
        let others: Vec<Vec<Value>> = looks.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(others.into_iter().flatten().collect())
    }

    /// Looks up objects of one kind, and gives back which others were seen.
    async fn look_up(&self, kinds: &Kinds, mut objects: Objects<'_>, (how, lenient): (By, bool)) -> Result<Vec<Value>, ClusterError> {
        match self.look_up_all(kinds, &mut objects, how).await {
            Err(ClusterError::Refused { why, .. }) if lenient => {
                objects.unknown.into_iter().for_each(|wanted| wanted.live = Live::Unreadable(why.clone()));
                Ok(Vec::new())
            }
            seen => seen,
        }
    }

    async fn look_up_all(&self, kinds: &Kinds, objects: &mut Objects<'_>, how: By) -> Result<Vec<Value>, ClusterError> {
        let found = match (objects.unknown.first().and_then(|first| kinds.of(&first.desired)), how) {
            (None, _) => None,
            (Some(kind), By::Name) => self.found_by_name(kind, &objects.unknown).await?.map(|found| (kind, found)),
            (Some(kind), By::List) => Some((kind, self.found_by_list(kind, objects).await?)),
        };
        let Some((kind, mut found)) = found else {
            objects.unknown.iter_mut().for_each(|wanted| wanted.live = Live::UnknownKind);
            return Ok(Vec::new());
        };
        // The items of a list don't say what they are.
        let (version, name) = match objects.unknown.first() {
            Some(first) => (first.desired["apiVersion"].clone(), first.desired["kind"].clone()),
            None => (Value::Null, Value::Null),
        };
        for live in found.values_mut() {
            live["apiVersion"] = version.clone();
            live["kind"] = name.clone();
        }
        for wanted in &mut objects.unknown {
            wanted.live = found.remove(&self.key(kind, &wanted.desired)).map_or(Live::Absent, Live::Object);
        }
        // What is known is listed with the others, and is none of them: a node of that name is taken.
        objects.known.iter().for_each(|wanted| _ = found.remove(&self.key(kind, &wanted.desired)));
        Ok(found.into_values().collect())
    }

    /// What is there of these objects of a kind, and of others that have the same label.
    async fn found_by_list(&self, kind: &Kind, objects: &Objects<'_>) -> Result<HashMap<Key, Value>, ClusterError> {
        let keys: BTreeSet<Key> = objects.unknown.iter().map(|wanted| self.key(kind, &wanted.desired)).collect();
        let selector = selector(&objects.unknown);
        let mut found: HashMap<Key, Value> = HashMap::new();
        let namespaces: BTreeSet<&str> = keys.iter().filter_map(|(namespace, _)| namespace.as_deref()).collect();
        // Nodes may be there under other names.
        let are_nodes = selector.as_deref().is_some_and(|selector| NODE_LABELS.contains(&selector));
        // A few objects are not worth a list of what may be a thousand others.
        let is_listed = match keys.len() {
            1 if objects.known.is_empty() => selector.is_some(),
            missing => objects.known.is_empty() || are_nodes || missing > MANY,
        };
        if is_listed {
            let params = selector.iter().fold(ListParams::default(), |params, selector| params.labels(selector));
            let listed: Vec<Value> = self.list_in(kind, &namespaces, |path| kube::core::Request::new(path).list(&params)).await?;
            found.extend(listed.into_iter().map(|object| (self.key(kind, &object), object)));
        }
        // What is there without the label isn't listed by it.
        let is_unsure = |key: &&Key| (!is_listed || selector.is_some()) && !found.contains_key(*key);
        let mut missing: Vec<Key> = keys.iter().filter(is_unsure).cloned().collect();
        // Where everything is new, that would be a question about each object.
        if missing.len() > MANY {
            let there = self.names(kind, &namespaces).await?;
            missing.retain(|key| there.contains(key));
        }
        let gets = stream::iter(missing).map(|key| async move { Ok((key.clone(), self.get(kind, &key).await?)) });
        let got: Vec<(Key, Option<Value>)> = gets.buffer_unordered(AT_ONCE).try_collect().await?;
        found.extend(got.into_iter().filter_map(|(key, object)| Some((key, object?))));
        Ok(found)
    }

    /// Where all objects of a kind stand.
    async fn names(&self, kind: &Kind, namespaces: &BTreeSet<&str>) -> Result<HashSet<Key>, ClusterError> {
        let all = ListParams::default();
        let objects: Vec<Value> = self.list_in(kind, namespaces, |path| kube::core::Request::new(path).list_metadata(&all)).await?;
        Ok(objects.iter().map(|object| self.key(kind, object)).collect())
    }

    /// The pods of Workspaces and RAGEngines in these namespaces.
    pub(super) async fn pods_in(&self, namespaces: &BTreeSet<&str>) -> Result<Vec<Value>, ClusterError> {
        let mut pods: Vec<Value> = Vec::new();
        for label in NODE_LABELS {
            let params = ListParams::default().labels(label);
            pods.extend(self.list_in(&Kind::core("pods"), namespaces, |path| kube::core::Request::new(path).list(&params)).await?);
        }
        for pod in &mut pods {
            pod["apiVersion"] = "v1".into();
            pod["kind"] = "Pod".into();
        }
        Ok(pods)
    }

    /// A ConfigMap, if it is there.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let it be read.
    pub fn config_map(&self, namespace: &str, name: &str) -> Result<Option<Value>, ClusterError> {
        let key = (Some(namespace.to_owned()), name.to_owned());
        let found = self.wait(self.get(&Kind::core("configmaps"), &key))?;
        Ok(found.map(|mut object| {
            object["apiVersion"] = "v1".into();
            object["kind"] = "ConfigMap".into();
            object
        }))
    }

    /// The objects of a kind in these namespaces, and maybe in others, as the request for a path asks for them.
    pub(super) async fn list_in<T: Item>(
        &self,
        kind: &Kind,
        namespaces: &BTreeSet<&str>,
        ask: impl Fn(&str) -> Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Vec<T>, ClusterError> {
        let (first, more) = (namespaces.first().copied(), namespaces.len() > 1);
        let everywhere = kind.path(first.filter(|_| !more));
        match self.list_at(&everywhere, &ask).await? {
            Ok(items) => return Ok(items),
            // Those who may not see all may see some.
            Err(status) if status.code == 403 && more && kind.is_namespaced => {}
            Err(status) => return Err(ClusterError::refused(&self.server, &everywhere, &status)),
        }
        let mut all = Vec::new();
        for namespace in namespaces {
            let path = kind.path(Some(namespace));
            all.extend(self.list_at(&path, &ask).await?.map_err(|status| ClusterError::refused(&self.server, &path, &status))?);
        }
        Ok(all)
    }

    pub(super) async fn list_at<T: Item>(
        &self,
        path: &str,
        ask: &impl Fn(&str) -> Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Result<Vec<T>, kube::core::Status>, ClusterError> {
        self.request_list(ask(path).map_err(|error| self.unaskable(path, error))?).await
    }

    pub(super) async fn get(&self, kind: &Kind, (namespace, name): &Key) -> Result<Option<Value>, ClusterError> {
        if !namespace.iter().chain([name]).all(|name| is_path_segment(name)) {
            return Ok(None);
        }
        let path = kind.path(namespace.as_deref());
        let request =
            kube::core::Request::new(path.as_str()).get(name, &GetParams::default()).map_err(|error| self.unaskable(&path, error))?;
        match self.request(request).await? {
            Ok(object) => Ok(Some(object)),
            Err(status) if status.code == 404 => Ok(None),
            Err(status) => Err(ClusterError::refused(&self.server, &format!("{path}/{name}"), &status)),
        }
    }

    /// Where an object stands; one that names no namespace is in the usual one.
    pub(super) fn key(&self, kind: &Kind, object: &Value) -> Key {
        let metadata = &object["metadata"];
        let namespace = metadata["namespace"].as_str().filter(|name| !name.is_empty()).unwrap_or(&self.namespace);
        (kind.is_namespaced.then(|| namespace.to_owned()), text(&metadata["name"]))
    }

    pub(super) fn unaskable(&self, path: &str, error: kube::core::request::Error) -> ClusterError {
        ClusterError::unreachable(&self.server, path, &kube::Error::BuildRequest(error))
    }
}

/// Everything that is wanted.
pub(super) fn all(wanted: &AllWanted) -> impl Iterator<Item = &Wanted> {
    wanted.values().flat_map(BTreeMap::values)
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether an object has the label of what kaito renders.
pub(super) fn is_labelled(object: &Value) -> bool {
    object["metadata"]["labels"][LABEL.0] == LABEL.1
}

/// The label by which a list finds these objects among others, if they all have it.
fn selector(objects: &[&mut Wanted]) -> Option<String> {
    if objects.iter().all(|wanted| is_labelled(&wanted.desired)) {
        return Some(format!("{}={}", LABEL.0, LABEL.1));
    }
    // Nodes, where the label is an annotation; those of the same Workspace that are called otherwise are looked for, too.
    NODE_LABELS
        .into_iter()
        .find(|name| {
            objects.iter().all(|wanted| wanted.desired.pointer("/metadata/labels").is_some_and(|labels| labels[*name].is_string()))
        })
        .map(ToOwned::to_owned)
}
