//! Follows what is live: every change of objects of several kinds is passed on as it comes, for as long as somebody wants it.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{join_all, select};
use futures_util::{Stream, StreamExt};
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Config, DefaultBackoff, Event, watcher};
use kube::{Api, Error, Resource};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::error::{ClusterError, chain, words};
use super::kinds::Kind;
use super::{Cluster, Connection};
use crate::inventory::GroupKind;
use crate::manifest::ObjectRef;

/// How many objects of a list are asked for at a time, so that not all of them are in memory at once.
const PAGE: u32 = 100;

/// What is followed. Two that have the same kind tell what they see each for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The kind. The version is the one that the server likes best.
    pub kind: GroupKind,
    /// The namespace; none for all.
    pub namespace: Option<String>,
    /// The labels; none for all objects of the kind.
    pub selector: Option<String>,
    /// The one object of this name alone, which somebody may be allowed to watch who may not watch the others; none for all.
    pub name: Option<String>,
    /// Whether of each object only the metadata are told, which costs everybody less.
    pub metadata_only: bool,
}

/// What happens to the objects of a [`Subject`].
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A list begins: at first, and whenever so much was missed that the server can't tell it. One that isn't at its end when another
    /// one begins counts for nothing.
    Listing,
    /// An object as it is, listed or changed, with its `apiVersion` and `kind`.
    Applied(Value),
    /// An object that is gone, as it was in the end.
    Deleted(Value),
    /// A list is at its end. What isn't among these is gone, though no [`Change::Deleted`] told so.
    Listed(BTreeSet<ObjectRef>),
    /// The server doesn't know the kind. It is tried again, and this isn't said twice in a row.
    UnknownKind,
    /// The server doesn't let the kind be read, in these words. It is tried again, and this isn't said twice in a row.
    Unreadable(String),
    /// The server doesn't answer, since. It is tried again, and this isn't said twice in a row. Afterwards changes go on where they were,
    /// or with a list.
    Silent(String),
}

/// Follows subjects in a thread of its own, until it is dropped. A change that is being passed on then is the last one.
pub struct Watch {
    /// Its end is what the thread waits for.
    _stop: oneshot::Sender<()>,
}

impl Watch {
    /// Begins to follow these. `take` is called in the other thread, one change at a time; as long as it takes, nothing more is read.
    ///
    /// # Errors
    /// The cluster's configuration can't be used, or there can't be another thread. A cluster that doesn't answer is no error but a
    /// [`Change::Silent`].
    pub fn start(
        connection: &Connection,
        subjects: Vec<Subject>,
        take: impl Fn(&Subject, Change) + Send + Sync + 'static,
    ) -> Result<Self, ClusterError> {
        let cluster = connection.for_watching().cluster()?;
        let (stop, stopped) = oneshot::channel();
        let host = Arc::clone(&cluster.host);
        let follow = async move {
            let followers = subjects.iter().map(|subject| Follower { cluster: &cluster, subject, take: &take, trouble: None }.follow());
            select(pin!(join_all(followers)), stopped).await;
        };
        host.spawn("watch", Box::pin(follow)).map_err(ClusterError::Runtime)?;
        Ok(Self { _stop: stop })
    }
}

/// Follows one subject.
struct Follower<'w, T> {
    cluster: &'w Cluster,
    subject: &'w Subject,
    take: &'w T,
    /// What was told last of why nothing is heard, until something is.
    trouble: Option<Trouble>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    UnknownKind,
    Unreadable,
    Silent,
}

impl<T: Fn(&Subject, Change)> Follower<'_, T> {
    async fn follow(mut self) {
        let mut backoff = DefaultBackoff::default();
        loop {
            match self.cluster.locate(&self.subject.kind).await {
                Ok(Some((version, kind))) => self.follow_kind(&version, &kind, &mut backoff).await,
                Ok(None) => self.tell_trouble(Trouble::UnknownKind, "the server doesn't know this kind".to_owned()),
                Err(ClusterError::Refused { why, .. }) => self.tell_trouble(Trouble::Unreadable, why),
                Err(error) => self.tell_trouble(Trouble::Silent, error.to_string()),
            }
            pause(&mut backoff).await;
        }
    }

    /// Follows objects of a kind until the server no longer knows it, or what has happened to them since.
    async fn follow_kind(&mut self, version: &str, kind: &Kind, backoff: &mut DefaultBackoff) {
        let Subject { kind: GroupKind { kind: kind_name, .. }, namespace, selector, name, metadata_only } = self.subject;
        let namespace = namespace.as_deref().filter(|_| kind.is_namespaced);
        let (client, resource) = (self.cluster.client.clone(), kind.resource(version, kind_name));
        let field_selector = name.as_ref().map(|name| format!("metadata.name={name}"));
        let config = Config { label_selector: selector.clone(), field_selector, page_size: Some(PAGE), ..Config::default() };
        if *metadata_only {
            let api: Api<PartialObjectMeta<DynamicObject>> = match namespace {
                Some(namespace) => Api::namespaced_with(client, namespace, &resource),
                None => Api::all_with(client, &resource),
            };
            self.pass_on(version, watcher(api, config), backoff).await;
        } else {
            let api: Api<DynamicObject> = match namespace {
                Some(namespace) => Api::namespaced_with(client, namespace, &resource),
                None => Api::all_with(client, &resource),
            };
            self.pass_on(version, watcher(api, config), backoff).await;
        }
    }

    async fn pass_on<K: Resource + Serialize>(
        &mut self,
        version: &str,
        events: impl Stream<Item = watcher::Result<Event<K>>>,
        backoff: &mut DefaultBackoff,
    ) {
        let mut events = pin!(events);
        // What the list that is being read has so far.
        let mut listed: Option<BTreeSet<ObjectRef>> = None;
        while let Some(event) = events.next().await {
            match event {
                // Nothing is asked yet, and a list that can't be read isn't one that has begun.
                Ok(Event::Init) => listed = None,
                Ok(Event::InitApply(object)) => {
                    let object = whole(&object, version, &self.subject.kind);
                    self.listed(&mut listed).extend(ObjectRef::of(&object));
                    self.tell(Change::Applied(object));
                    backoff.reset();
                }
                Ok(Event::InitDone) => {
                    let all = std::mem::take(self.listed(&mut listed));
                    listed = None;
                    self.tell(Change::Listed(all));
                    backoff.reset();
                }
                Ok(Event::Apply(object)) => {
                    self.tell(Change::Applied(whole(&object, version, &self.subject.kind)));
                    backoff.reset();
                }
                Ok(Event::Delete(object)) => {
                    self.tell(Change::Deleted(whole(&object, version, &self.subject.kind)));
                    backoff.reset();
                }
                Err(error) => {
                    match code(&error) {
                        // The kind is gone, at least in this version, or too much was missed: from the start.
                        Some(404 | 410) => return,
                        Some(403) => self.tell_trouble(Trouble::Unreadable, reason(&error)),
                        _ => self.tell_trouble(Trouble::Silent, reason(&error)),
                    }
                    pause(backoff).await;
                }
            }
        }
    }

    /// The list that is being read, which begins with this if it hasn't yet.
    fn listed<'l>(&mut self, listed: &'l mut Option<BTreeSet<ObjectRef>>) -> &'l mut BTreeSet<ObjectRef> {
        if listed.is_none() {
            self.tell(Change::Listing);
        }
        listed.get_or_insert_default()
    }

    fn tell(&mut self, change: Change) {
        self.trouble = None;
        (self.take)(self.subject, change);
    }

    fn tell_trouble(&mut self, trouble: Trouble, why: String) {
        tracing::debug!(kind = %self.subject.kind, why, "a watch has to wait");
        if self.trouble.replace(trouble) != Some(trouble) {
            let change = match trouble {
                Trouble::UnknownKind => Change::UnknownKind,
                Trouble::Unreadable => Change::Unreadable(why),
                Trouble::Silent => Change::Silent(why),
            };
            (self.take)(self.subject, change);
        }
    }
}

/// An object with what the items of a list don't say.
fn whole(object: &impl Serialize, version: &str, kind: &GroupKind) -> Value {
    // What was JSON a moment ago can be JSON again.
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["apiVersion"] = version.into();
    value["kind"] = kind.kind.clone().into();
    value
}

async fn pause(backoff: &mut DefaultBackoff) {
    sleep(backoff.next().unwrap_or_default()).await;
}

/// The status with which the server refuses, if it does.
fn code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(Error::Api(status))
        | watcher::Error::WatchStartFailed(Error::Api(status))
        | watcher::Error::WatchFailed(Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

fn reason(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(Error::Api(status))
        | watcher::Error::WatchStartFailed(Error::Api(status))
        | watcher::Error::WatchFailed(Error::Api(status))
        | watcher::Error::WatchError(status) => words(status),
        error => chain(error),
    }
}
