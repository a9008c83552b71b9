//! What people apply in the cluster itself: Workspaces and the other kinds of `kaito.sh`, and what rendering them looks up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::time::Instant;

use super::declared::{Declared, Own};
use super::lists::Lists;
use super::{Audience, Call, until_quiet};
use crate::cluster::{Cluster, Connection, Subject};
use crate::diagnostic::Diagnostic;
use crate::inventory::GroupKind;
use crate::manifest::ObjectRef;
use crate::rbac::is_cluster_wide;
use crate::source::{Changes, Disk, Memory};
use crate::watch::{Backoff, Snapshot, jittered};

/// How long to wait before a ConfigMap that can't be read is tried again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// A namespace and a name.
type Key = (String, String);

/// Objects of the cluster, followed: each becomes a file `NAMESPACE/KIND-NAME.json`.
pub struct ClusterObjects {
    /// What people call the source.
    pub name: String,
    /// The cluster.
    pub connection: Connection,
    /// The namespaces that are looked into; none for all.
    pub namespaces: Option<BTreeSet<String>>,
    /// What is looked for.
    pub looks: Looks,
    /// Whose objects are not declared by people.
    pub own: Own,
    /// The directory that the files are below, which is no place on disk.
    pub root: PathBuf,
    /// Files on disk that are read besides: `kaito.yaml`, presets, templates, patches.
    pub besides: Vec<PathBuf>,
    /// Who is told.
    pub audience: Audience,
    /// How long to wait for changes before everything is looked at once more.
    pub interval: Duration,
}

/// The kinds that are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks {
    /// Those of `kaito.sh` that become something.
    pub declared: Vec<&'static str>,
    /// Whether nodes are there already, so that they are facts.
    pub nodes: bool,
    /// Whether the storage behind claims is, since weights are streamed from it.
    pub storage: bool,
}

impl Looks {
    fn subjects(&self, namespaces: Option<&BTreeSet<String>>) -> Vec<Subject> {
        let declared = self.declared.iter().map(|kind| GroupKind::new("kaito.sh", kind));
        let nodes = self.nodes.then(|| GroupKind::new("", "Node"));
        let storage = [GroupKind::new("", "PersistentVolume"), GroupKind::new("storage.k8s.io", "StorageClass")];
        let storage = storage.into_iter().filter(|_| self.storage);
        declared.chain(nodes).chain(storage).fold(Vec::new(), |mut subjects, kind| {
            let places = places(namespaces.filter(|_| !is_cluster_wide(&kind)));
            subjects.extend(places.into_iter().map(|namespace| Subject {
                kind: kind.clone(),
                namespace,
                selector: None,
                name: None,
                metadata_only: false,
            }));
            subjects
        })
    }
}

/// What is followed, and what was read of it.
struct Following<'f> {
    feed: &'f ClusterObjects,
    cluster: Cluster,
    caller: Sender<Call>,
    declared: Lists<Declared>,
    /// The versions of the ConfigMaps of some namespaces.
    versions: Option<(BTreeSet<String>, Lists<String>)>,
    /// The ConfigMaps that were read, with their versions.
    config_maps: BTreeMap<Key, (String, Arc<str>)>,
    /// What was said last to be wrong.
    told: Option<String>,
}

impl ClusterObjects {
    /// Tells of what people have declared once all of it is known, and then of each change, until it is called to stop.
    ///
    /// # Errors
    /// The cluster's configuration can't be used, or the system doesn't let files be watched.
    pub fn run(self, (caller, calls): (Sender<Call>, &Receiver<Call>)) -> Result<(), Diagnostic> {
        let tell = caller.clone();
        let _changes = Changes::watch(&self.besides, move || _ = tell.send(Call::Look))?;
        let mut following = Following::start(&self, caller)?;
        let mut backoff = RETRY;
        let mut wait = self.interval;
        loop {
            let call = calls.recv_timeout(wait);
            let noticed = Instant::now();
            match call {
                Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Call::Look) if !until_quiet(calls, noticed) => return Ok(()),
                Ok(Call::Look) | Err(RecvTimeoutError::Timeout) => {}
            }
            wait = match following.look(noticed) {
                Ok(()) => {
                    backoff.worked();
                    jittered(self.interval, &self.name)
                }
                Err(finding) => {
                    following.say(Some(&finding));
                    backoff.failed(&self.name)
                }
            };
        }
    }
}

impl<'f> Following<'f> {
    fn start(feed: &'f ClusterObjects, caller: Sender<Call>) -> Result<Self, Diagnostic> {
        let subjects = feed.looks.subjects(feed.namespaces.as_ref());
        let own = feed.own.clone();
        let declared = Lists::follow(&feed.connection, subjects, move |object| own.declared(object), caller.clone());
        Ok(Self {
            feed,
            cluster: feed.connection.cluster().map_err(|error| error.finding())?,
            caller,
            declared: declared.map_err(|error| error.finding())?,
            versions: None,
            config_maps: BTreeMap::new(),
            told: None,
        })
    }

    /// Tells of everything, if everything is known.
    ///
    /// # Errors
    /// Something that is named can't be read.
    fn look(&mut self, noticed: Instant) -> Result<(), Diagnostic> {
        let (objects, trouble) = {
            let look = self.declared.look();
            // Where nobody knows what a Workspace is, it isn't known either that there is none.
            let is_unknown = look.is_unknown(&GroupKind::new("kaito.sh", "Workspace"));
            let trouble = if is_unknown { Some(unknown()) } else { look.trouble() };
            let objects = look.objects().map(|(reference, declared)| (reference.clone(), declared.clone()));
            ((look.is_whole() && !is_unknown).then(|| objects.collect::<Vec<_>>()), trouble)
        };
        self.say(trouble.as_ref());
        let Some(objects) = objects else { return Ok(()) };
        let reading = Instant::now();
        if !self.read_config_maps(&objects)? {
            return Ok(());
        }
        let fetching = reading.elapsed();
        let files = objects.iter().map(|(reference, declared)| (file(reference), Arc::clone(&declared.text)));
        let config_maps = self.config_maps.iter().map(|((namespace, name), (_, text))| {
            let reference = ObjectRef::new("", "ConfigMap", Some(namespace), name);
            (file(&reference), Arc::clone(text))
        });
        let tree = Memory::new(&self.feed.root, files.chain(config_maps), Arc::new(Disk));
        let resolving = reading.saturating_duration_since(noticed);
        self.feed.audience.snapshot(&Snapshot { revision: None, commit: None, tree: Arc::new(tree), noticed, resolving, fetching });
        Ok(())
    }

    /// Reads the ConfigMaps that are named, as far as they aren't known; whether all are known now.
    fn read_config_maps(&mut self, objects: &[(ObjectRef, Declared)]) -> Result<bool, Diagnostic> {
        let named: BTreeSet<Key> = objects.iter().flat_map(|(reference, declared)| named_by(reference, declared)).collect();
        let places: BTreeSet<String> = named.iter().map(|(namespace, _)| namespace.clone()).collect();
        self.config_maps.retain(|key, _| named.contains(key));
        let Some(versions) = self.versions_in(places)? else { return Ok(named.is_empty()) };
        for key in named {
            let version = versions.get(&key);
            let known = self.config_maps.get(&key).map(|(version, _)| version);
            if version == known {
                continue;
            }
            let (namespace, name) = &key;
            let found = match version {
                Some(_) => self.cluster.config_map(namespace, name).map_err(|error| error.finding())?,
                None => None,
            };
            // What it says belongs to the version that was read, which may be newer than the one that was told.
            let version = found.as_ref().and_then(version_of);
            match found.and_then(|object| self.feed.own.declared(object)).zip(version) {
                Some((declared, version)) => _ = self.config_maps.insert(key, (version, declared.text)),
                None => _ = self.config_maps.remove(&key),
            }
        }
        Ok(true)
    }

    /// The versions of all ConfigMaps of some namespaces; none as long as they aren't known.
    fn versions_in(&mut self, places: BTreeSet<String>) -> Result<Option<BTreeMap<Key, String>>, Diagnostic> {
        if places.is_empty() {
            self.versions = None;
            return Ok(None);
        }
        if !self.versions.as_ref().is_some_and(|(followed, _)| places.is_subset(followed)) {
            let subjects = places.iter().map(|place| Subject {
                kind: GroupKind::new("", "ConfigMap"),
                namespace: Some(place.clone()),
                selector: None,
                name: None,
                metadata_only: true,
            });
            let own = self.feed.own.clone();
            let keep = move |object| version_of(&object).filter(|_| !own.has_applied(&object));
            let lists = Lists::follow(&self.feed.connection, subjects.collect(), keep, self.caller.clone());
            self.versions = Some((places, lists.map_err(|error| error.finding())?));
        }
        let Some((_, lists)) = &self.versions else { return Ok(None) };
        let look = lists.look();
        if let Some(finding) = look.trouble() {
            return Err(finding);
        }
        let versions = look.objects().filter_map(|(reference, version)| Some((key(reference)?, version.clone())));
        Ok(look.is_whole().then(|| versions.collect()))
    }

    /// Says what is wrong, once.
    fn say(&mut self, finding: Option<&Diagnostic>) {
        let message = finding.map(|finding| finding.message.clone());
        if let Some(finding) = finding.filter(|_| message != self.told) {
            self.feed.audience.failed(finding);
        }
        self.told = message;
    }
}

fn unknown() -> Diagnostic {
    let finding = Diagnostic::error("the cluster doesn't know what a Workspace is");
    finding.help("install Kaito's CustomResourceDefinitions: kaito crd | kubectl apply --server-side -f -")
}

fn places(namespaces: Option<&BTreeSet<String>>) -> Vec<Option<String>> {
    namespaces.map_or_else(|| vec![None], |namespaces| namespaces.iter().cloned().map(Some).collect())
}

fn named_by(reference: &ObjectRef, declared: &Declared) -> impl Iterator<Item = Key> {
    let namespace = reference.namespace.as_deref().unwrap_or_default().to_owned();
    declared.config_maps.iter().map(move |name| (namespace.clone(), name.clone()))
}

fn version_of(object: &serde_json::Value) -> Option<String> {
    object["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned)
}

fn key(reference: &ObjectRef) -> Option<Key> {
    Some((reference.namespace.as_ref()?.to_string(), reference.name.to_string()))
}

/// Where an object stands.
fn file(reference: &ObjectRef) -> PathBuf {
    let folder = reference.namespace.as_deref().unwrap_or("_cluster");
    PathBuf::from(folder).join(format!("{}-{}.json", reference.kind.to_lowercase(), reference.name))
}
