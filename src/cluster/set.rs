//! The set of what was applied: the object that keeps it, its members, and those that go.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use kube::api::{DeleteParams, ListParams, PatchParams};
use rayon::prelude::*;
use serde_json::Value;

use super::Cluster;
use super::error::{ClusterError, words};
use super::kinds::{Kind, Kinds};
use super::look::AT_ONCE;
use crate::apply::DryRun;
use crate::inventory::{self, Contents, GroupKind, Member, PART_OF, Parent, Record};
use crate::manifest::ObjectRef;
use crate::raw_object::{RawObject, TypeMeta};

/// Why the object that keeps a set was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// Somebody else has written it meanwhile.
    Changed,
    /// Its namespace isn't there.
    NoNamespace,
    /// The server refuses, in its words.
    Refused(String),
}

/// How much of objects is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What identifies them, and their `metadata`.
    Metadata,
    /// Everything.
    Whole,
}

/// The members of a set, as far as they may be read.
pub struct Members {
    /// The members.
    pub members: Vec<Member>,
    /// The kinds that the server knows of those in which there may be any.
    pub kinds: Kinds,
    /// Where there may be others.
    pub unlisted: Vec<Unlisted>,
}

/// A kind that the server doesn't let be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// The kind.
    pub kind: GroupKind,
    /// The namespace in which it may not be; none of a kind that has no namespaces.
    pub namespace: Option<String>,
    /// Why, in the server's words.
    pub why: String,
}

/// What became of an object that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone, or will be.
    Deleted,
    /// It isn't gone yet, since these finalizers keep it.
    Kept(Vec<String>),
    /// The server refuses, in its words.
    Refused(String),
}

impl Cluster {
    /// The live object that keeps a set, if it is there.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let it be read.
    pub fn parent(&self, parent: &Parent) -> Result<Option<Value>, ClusterError> {
        self.wait(self.get(&kind_of(parent), &(Some(parent.namespace.clone()), parent.name.clone())))
    }

    /// Writes what a parent keeps, if it still has this `resourceVersion`; gives back what is there then.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn write_parent(&self, parent: &Parent, record: &Record, version: Option<&str>) -> Result<Result<Value, Unwritten>, ClusterError> {
        let mut object = parent.object(record);
        if let Some(version) = version {
            object["metadata"]["resourceVersion"] = version.into();
        }
        let params = PatchParams { force: true, ..PatchParams::apply(inventory::FIELD_MANAGER) };
        let answer = self.wait(self.apply_object(&kind_of(parent), &object, &params))?;
        Ok(answer.map_err(|status| match status.code {
            409 => Unwritten::Changed,
            404 => Unwritten::NoNamespace,
            _ => Unwritten::Refused(words(&status)),
        }))
    }

    /// Deletes the object that keeps a set.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn delete_parent(&self, parent: &Parent, live: &Value) -> Result<Result<(), String>, ClusterError> {
        let answer = self.wait(self.delete_object(&kind_of(parent), live, DeleteParams::background()))?;
        Ok(answer.map_err(|status| words(&status)))
    }

    /// The members of a set, and the kinds that the server knows of those in which there may be any.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let them be read.
    pub fn members(&self, parent: &Parent, contents: &Contents, extent: Extent) -> Result<(Vec<Member>, Kinds), ClusterError> {
        self.find_members(parent, contents, extent, false).map(|found| (found.members, found.kinds))
    }

    /// The members of a set, as far as they may be read.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn readable_members(&self, parent: &Parent, contents: &Contents, extent: Extent) -> Result<Members, ClusterError> {
        self.find_members(parent, contents, extent, true)
    }

    fn find_members(&self, parent: &Parent, contents: &Contents, extent: Extent, lenient: bool) -> Result<Members, ClusterError> {
        let id = parent.id();
        let mut namespaces = contents.namespaces.clone();
        namespaces.insert(parent.namespace.clone());
        let namespaces: BTreeSet<&str> = namespaces.iter().map(String::as_str).collect();
        self.wait(async {
            let kinds = self.kinds_of_groups(contents.group_kinds.iter().map(|kind| kind.group.clone()).collect()).await?;
            let known = contents.group_kinds.iter().filter_map(|kind| Some((kind, kinds.of_group_kind(kind)?)));
            let lists = stream::iter(known).map(|(group_kind, known)| {
                let (id, namespaces) = (&id, &namespaces);
                async move {
                    match self.members_of(group_kind, known, id, namespaces, extent).await {
                        Err(ClusterError::Refused { why, .. }) if lenient => {
                            self.readable_members_of(group_kind, known, id, namespaces, extent, why).await
                        }
                        found => found.map(|found| (found, Vec::new())),
                    }
                }
            });
            let found: Vec<(Vec<Member>, Vec<Unlisted>)> = lists.buffered(AT_ONCE).try_collect().await?;
            let (members, unlisted): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            let (members, unlisted) = (members.into_iter().flatten().collect(), unlisted.into_iter().flatten().collect());
            Ok(Members { members, kinds, unlisted })
        })
    }

    /// The members of a kind in each namespace by itself, where it may be listed; it may not be in all of them, and why.
    async fn readable_members_of(
        &self,
        group_kind: &GroupKind,
        (version, kind): (&str, &Kind),
        id: &str,
        namespaces: &BTreeSet<&str>,
        extent: Extent,
        why: String,
    ) -> Result<(Vec<Member>, Vec<Unlisted>), ClusterError> {
        let unread = |namespace: Option<&str>, why| Unlisted { kind: group_kind.clone(), namespace: namespace.map(ToOwned::to_owned), why };
        if !kind.is_namespaced {
            return Ok((Vec::new(), vec![unread(None, why)]));
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for namespace in namespaces {
            match self.members_of(group_kind, (version, kind), id, &[*namespace].into(), extent).await {
                Ok(members) => found.extend(members),
                Err(ClusterError::Refused { why, .. }) => missing.push(unread(Some(namespace), why)),
                Err(error) => return Err(error),
            }
        }
        Ok((found, missing))
    }

    /// Members with everything, not with their metadata alone; without those that are gone since.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let them be read.
    pub fn whole(&self, kinds: &Kinds, members: Vec<Value>) -> Result<Vec<Value>, ClusterError> {
        self.wait(async {
            let gets = stream::iter(members).map(|member| async move {
                let Some(kind) = kinds.of(&member) else { return Ok(None) };
                self.get(kind, &self.key(kind, &member)).await
            });
            let found: Vec<Option<Value>> = gets.buffered(AT_ONCE).try_collect().await?;
            Ok(found.into_iter().flatten().collect())
        })
    }

    async fn members_of(
        &self,
        group_kind: &GroupKind,
        (version, kind): (&str, &Kind),
        id: &str,
        namespaces: &BTreeSet<&str>,
        extent: Extent,
    ) -> Result<Vec<Member>, ClusterError> {
        let params = if inventory::is_marked_by_annotation(group_kind) {
            ListParams::default()
        } else {
            ListParams::default().labels(&format!("{PART_OF}={id}"))
        };
        let ask = |path: &str| match extent {
            Extent::Metadata => kube::core::Request::new(path).list_metadata(&params),
            Extent::Whole => kube::core::Request::new(path).list(&params),
        };
        let found: Vec<RawObject> = self.list_in(kind, namespaces, ask).await?;
        let type_meta = Arc::new(TypeMeta { api_version: version.to_owned(), kind: group_kind.kind.clone() });
        let members = found.into_par_iter().with_min_len(16).filter_map(|object| Member::of(object.of_kind(&type_meta), id));
        // A list of the whole cluster has copies of members, too, that somebody has made elsewhere.
        let is_in_set = |member: &Member| member.reference.namespace.as_deref().is_none_or(|namespace| namespaces.contains(namespace));
        Ok(members.filter(is_in_set).collect())
    }

    /// Deletes objects with all that belongs to them, those of one stage at a time and in the order in which they are given, and passes on
    /// what became of each. With patience it waits for those of a stage to be gone before the next.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn delete(
        &self,
        kinds: &mut Kinds,
        objects: &[Value],
        dry_run: DryRun,
        patience: Option<Duration>,
        take: &mut dyn FnMut(&Value, Deletion),
    ) -> Result<(), ClusterError> {
        self.wait(async {
            // What is of a kind that isn't known would be taken for gone.
            self.learn(kinds, objects).await?;
            let (kinds, has_failed) = (&*kinds, &Cell::new(false));
            let stage = |object: &Value| ObjectRef::of(object).map(|reference| reference.stage()).ok();
            for objects in objects.chunk_by(|one, other| stage(one) == stage(other)) {
                let work = |object: Value| async move {
                    if has_failed.get() {
                        return None;
                    }
                    let deletion = self.delete_one(kinds, &object, dry_run, patience).await;
                    has_failed.set(has_failed.get() || deletion.is_err());
                    Some(deletion.map(|deletion| (object, deletion)))
                };
                // What was asked is waited for, though another one fails: it would delete what may be wanted by the time that it comes.
                let mut ended = Ok(());
                let mut results = stream::iter(objects.to_vec()).map(work).buffered(AT_ONCE);
                while let Some(result) = results.next().await {
                    match result {
                        Some(Ok((object, deletion))) => take(&object, deletion),
                        Some(Err(error)) => ended = ended.and(Err(error)),
                        None => {}
                    }
                }
                ended?;
            }
            Ok(())
        })
    }

    async fn delete_one(
        &self,
        kinds: &Kinds,
        object: &Value,
        dry_run: DryRun,
        patience: Option<Duration>,
    ) -> Result<Deletion, ClusterError> {
        let Some(kind) = kinds.of(object).filter(|_| dry_run != DryRun::Client) else { return Ok(Deletion::Deleted) };
        let params = DeleteParams { dry_run: dry_run == DryRun::Server, ..DeleteParams::background() };
        if let Err(status) = self.delete_object(kind, object, params).await? {
            return Ok(Deletion::Refused(words(&status)));
        }
        let Some(patience) = patience.filter(|_| dry_run == DryRun::None) else { return Ok(Deletion::Deleted) };
        Ok(self.until_gone(kind, object, patience).await?.map_or(Deletion::Deleted, Deletion::Kept))
    }

    /// The kinds of groups, in every version that the server has.
    async fn kinds_of_groups(&self, groups: BTreeSet<String>) -> Result<Kinds, ClusterError> {
        let versions = stream::iter(groups).map(|group| async move { self.versions(&group).await });
        let versions: Vec<Vec<String>> = versions.buffer_unordered(AT_ONCE).try_collect().await?;
        self.kinds(versions.into_iter().flatten().collect()).await
    }
}

fn kind_of(parent: &Parent) -> Kind {
    Kind::core(&format!("{}s", parent.kind.name().to_lowercase()))
}
