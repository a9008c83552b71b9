//! What is there of objects that nobody names: lists by labels, and what keeps the sets that the objects are part of.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use kube::api::ListParams;
use kube::core::Status;
use serde_json::Value;

use super::Cluster;
use super::error::{ClusterError, words};
use super::kinds::{Kind, Kinds};
use super::look::AT_ONCE;
use crate::inventory::{self, GroupKind};
use crate::status::Search;

/// The lists that a server can answer, since it knows the kinds.
pub struct Survey(Vec<Known>);

/// A list, and where it is.
struct Known {
    search: Search,
    version: String,
    kind: Kind,
}

impl Survey {
    /// Whether the server knows any kind of a group that is looked for.
    pub fn has_group(&self, group: &str) -> bool {
        self.0.iter().any(|known| known.search.kind.group == group)
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// The objects, each once.
    pub objects: Vec<Value>,
    /// What keeps the sets that they are part of, with its metadata alone.
    pub parents: Vec<Value>,
    /// What the server doesn't let be read.
    pub unread: BTreeSet<Unread>,
}

/// A kind that can't be read, and why, in the server's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// The kind.
    pub kind: GroupKind,
    /// The server's words.
    pub why: String,
}

impl Cluster {
    /// Finds out which of these lists the server knows: one question for each group, and one for each of its versions.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn survey(&self, searches: Vec<Search>) -> Result<Survey, ClusterError> {
        let groups: BTreeSet<String> = searches.iter().map(|search| search.kind.group.clone()).collect();
        self.wait(async {
            let versions = stream::iter(groups).map(|group| async move { Ok((self.versions(&group).await?, group)) });
            let versions: Vec<(Vec<String>, String)> = versions.buffer_unordered(AT_ONCE).try_collect().await?;
            let kinds = self.kinds(versions.iter().flat_map(|(versions, _)| versions.iter().cloned()).collect()).await?;
            let by_group: BTreeMap<String, Vec<String>> = versions.into_iter().map(|(versions, group)| (group, versions)).collect();
            Ok(Survey(searches.into_iter().filter_map(|search| known(search, &kinds, &by_group)).collect()))
        })
    }

    /// Reads all lists of a survey. What the server refuses is told, and is no reason to stop.
    ///
    /// # Errors
    /// The server doesn't answer, or lets nothing be read.
    pub fn look_around(&self, survey: &Survey) -> Result<Seen, ClusterError> {
        self.wait(async {
            let lists = stream::iter(&survey.0).map(|known| async move { Ok((known, self.listed(known).await?)) });
            let lists: Vec<(&Known, Result<Vec<Value>, Status>)> = lists.buffered(AT_ONCE).try_collect().await?;
            if let Some((known, status)) = all_refused(&lists) {
                return Err(ClusterError::refused(&self.server, &known.kind.path(known.search.namespace.as_deref()), status));
            }
            let (mut seen, mut uids) = (Seen::default(), HashSet::new());
            for (known, list) in lists {
                match list {
                    // The items of a list don't say what they are.
                    Ok(items) => seen.objects.extend(items.into_iter().filter_map(|mut object| {
                        object["apiVersion"] = known.version.clone().into();
                        object["kind"] = known.search.kind.kind.clone().into();
                        uids.insert(object["metadata"]["uid"].to_string()).then_some(object)
                    })),
                    // Its definition has gone in the meantime.
                    Err(status) if status.code == 404 => {}
                    Err(status) => {
                        seen.unread.insert(Unread { kind: known.search.kind.clone(), why: words(&status) });
                    }
                }
            }
            let sets: BTreeSet<&str> = seen.objects.iter().filter_map(inventory::part_of).collect();
            if !sets.is_empty() {
                let (parents, unread) = self.parents(&sets).await?;
                seen.parents = parents;
                seen.unread.extend(unread);
            }
            Ok(seen)
        })
    }

    async fn listed(&self, known: &Known) -> Result<Result<Vec<Value>, Status>, ClusterError> {
        let Known { search, kind, .. } = known;
        let params = search.selector.iter().fold(ListParams::default(), |params, selector| params.labels(selector));
        let list = |path: &str| kube::core::Request::new(path).list(&params);
        let answer = self.list_at(&kind.path(search.namespace.as_deref()), &list).await?;
        match (&answer, &search.or_in) {
            // Those who may not see all may see some.
            (Err(status), Some(namespace)) if status.code == 403 && kind.is_namespaced => {
                self.list_at(&kind.path(Some(namespace)), &list).await
            }
            _ => Ok(answer),
        }
    }

    /// What keeps these sets, of any namespace, or of the usual one if not all may be read. Of Secrets no data are asked for.
    async fn parents(&self, sets: &BTreeSet<&str>) -> Result<(Vec<Value>, Vec<Unread>), ClusterError> {
        let params = ListParams::default().labels(inventory::ID);
        let list = |path: &str| kube::core::Request::new(path).list_metadata(&params);
        let (mut parents, mut unread) = (Vec::new(), Vec::new());
        for (name, plural) in [("Secret", "secrets"), ("ConfigMap", "configmaps")] {
            let kind = Kind::core(plural);
            let mut answer: Result<Vec<Value>, Status> = self.list_at(&kind.path(None), &list).await?;
            if answer.is_err() {
                answer = self.list_at(&kind.path(Some(&self.namespace)), &list).await?;
            }
            match answer {
                Ok(items) => parents.extend(items.into_iter().filter_map(|mut object| {
                    object["apiVersion"] = "v1".into();
                    object["kind"] = name.into();
                    let is_wanted = inventory::kept(&object).is_some_and(|(id, _)| sets.contains(id));
                    is_wanted.then_some(object)
                })),
                Err(status) => unread.push(Unread { kind: GroupKind::new("", name), why: words(&status) }),
            }
        }
        Ok((parents, unread))
    }

    /// Nodes, by their names; those that are gone are left out.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn nodes(&self, names: &BTreeSet<String>) -> Result<(Vec<Value>, Option<Unread>), ClusterError> {
        let mut kind = Kind::core("nodes");
        kind.is_namespaced = false;
        self.wait(async {
            let gets = stream::iter(names).map(|name| {
                let key = (None, name.clone());
                let kind = &kind;
                async move { self.get(kind, &key).await }
            });
            let nodes: Result<Vec<Option<Value>>, ClusterError> = gets.buffered(AT_ONCE).try_collect().await;
            match nodes {
                Ok(nodes) => Ok((nodes.into_iter().flatten().collect(), None)),
                Err(ClusterError::Refused { why, .. }) => Ok((Vec::new(), Some(Unread { kind: GroupKind::new("", "Node"), why }))),
                Err(error) => Err(error),
            }
        })
    }
}

/// Where a list is, in the first version of its group that has the kind.
fn known(search: Search, kinds: &Kinds, versions: &BTreeMap<String, Vec<String>>) -> Option<Known> {
    let versions = versions.get(&search.kind.group)?;
    let (version, kind) = versions.iter().find_map(|version| Some((version, kinds.get(version, &search.kind.kind)?)))?;
    Some(Known { version: version.clone(), kind: kind.clone(), search })
}

/// The first refusal, if there is nothing else.
fn all_refused<'l>(lists: &'l [(&'l Known, Result<Vec<Value>, Status>)]) -> Option<(&'l Known, &'l Status)> {
    let mut refusals = lists.iter().map(|(known, list)| Some((*known, list.as_ref().err()?)));
    let first = refusals.next()??;
    refusals.all(|refusal| refusal.is_some()).then_some(first)
}
