//! A source that runs: a thread that follows it, and one for each set that is applied from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::planner::Planner;
use super::{Args, cluster};
use crate::apply::DryRun;
use crate::cli::cluster::touched_namespaces;
use crate::cli::rendered_branch::command;
use crate::cluster::{Cluster, Connection, Events, User};
use crate::diagnostic::Diagnostic;
use crate::inventory::Parent;
use crate::notify::{self, Notifier, Notify};
use crate::quantity;
use crate::reconcile::{Settings, Workspaces};
use crate::server::Artifacts;
use crate::source::{Access, Disk, Head, Mirror, Reference, Tree, Values, Verifier, Verify, normal_url, shown_url};
use crate::telemetry::{Metrics, Traces};
use crate::watch::config::{GitConfig, SecretRef, SetConfig, SourceConfig, VerifyConfig};
use crate::watch::feed::{Audience, Call, Directory, Git};
use crate::watch::{At, Event, ExternalArtifactConfig, Publisher, PushConfig, Pusher, Readiness, Snapshot, Teller, Work, Worker};

/// How long to wait for something to be gone before what takes its place is made. What takes longer is gone on with later.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often a repository is asked, and files are read, should nobody have told of a change.
const POLL: Duration = Duration::from_secs(60);
const REREAD: Duration = Duration::from_secs(600);

/// What all sources share.
pub(super) struct Shared<'a> {
    pub args: &'a Args,
    pub connection: Connection,
    /// The namespace of sets that name none.
    pub namespace: String,
    pub metrics: Arc<Metrics>,
    pub traces: Option<Arc<Traces>>,
    pub events: Arc<Events>,
    pub notifier: Notifier,
    /// What Flux fetches.
    pub artifacts: Artifacts,
    /// The repositories that are followed and pushed to, each once, by directory and address.
    pub mirrors: BTreeMap<(PathBuf, String), Weak<Mirror>>,
    /// The directory in which they are kept.
    pub cache: PathBuf,
}

/// A source that runs.
pub(super) struct Source {
    pub config: SourceConfig,
    caller: Sender<Call>,
    /// What applies and pushes. What looks for files isn't waited for: it writes nothing, and may be asking a remote that doesn't answer.
    writers: Vec<JoinHandle<()>>,
    workers: Vec<(Sender<Event>, Readiness)>,
    /// What pushes and publishes.
    pushers: Vec<Sender<Event>>,
}

impl Source {
    /// Starts to follow a source, and to apply its sets.
    ///
    /// # Errors
    /// Why it can't be followed.
    pub(super) fn start(config: &SourceConfig, shared: &mut Shared<'_>) -> Result<Self, Diagnostic> {
        if config.cluster.is_some() && shared.args.process.shard.is_some() {
            // The status of a set tells of all its Workspaces.
            let finding = Diagnostic::error("what is declared in the cluster itself can't be shared by --shard");
            return Err(finding.help("give each process namespaces of its own with --namespaces"));
        }
        let (caller, calls) = channel();
        let mut source = Self { config: config.clone(), caller, writers: Vec::new(), workers: Vec::new(), pushers: Vec::new() };
        match source.begin(config, shared, calls) {
            Ok(()) => Ok(source),
            Err(fault) => {
                source.stop();
                Err(fault)
            }
        }
    }

    fn begin(&mut self, config: &SourceConfig, shared: &mut Shared<'_>, calls: Receiver<Call>) -> Result<(), Diagnostic> {
        let mirror = config.git.as_ref().map(|git| shared.mirror(&git.url)).transpose()?;
        let caller = self.caller.clone();
        let beginning = Beginning { config, caller: &caller, mirror: mirror.as_ref() };
        let mut audience = Audience::default();
        let mut watched = Vec::new();
        let mut started = Vec::new();
        // What is pushed is the whole set, once.
        let pushes = shared.args.process.shard.is_none_or(|shard| shard.index() == 0);
        for set in &config.sets {
            let worker = if set.apply == Some(false) { None } else { Some(beginning.worker(set, shared, &mut watched)?) };
            let listener = worker.as_ref().map(|(_, (outbox, _))| outbox.clone());
            let pusher = set.push.as_ref().filter(|_| pushes).map(|push| beginning.pusher(set, push, listener, shared)).transpose()?;
            let publisher = set.external_artifact.as_ref().filter(|_| pushes);
            let publisher = publisher.map(|artifact| beginning.publisher(set, artifact, shared, &mut watched)).transpose()?;
            started.push((worker, pusher, publisher));
        }
        for (worker, pusher, publisher) in started {
            if let Some((worker, (outbox, inbox))) = worker {
                audience.add(outbox.clone());
                self.workers.push((outbox, worker.readiness()));
                self.writers.push(spawn("worker", move || worker.run(&inbox))?);
            }
            if let Some(pusher) = pusher {
                let (outbox, inbox) = channel();
                audience.add(outbox.clone());
                self.pushers.push(outbox);
                self.writers.push(spawn("pusher", move || pusher.run(&inbox))?);
            }
            if let Some(publisher) = publisher {
                let (outbox, inbox) = channel();
                audience.add(outbox.clone());
                self.pushers.push(outbox);
                self.writers.push(spawn("publisher", move || publisher.run(&inbox))?);
            }
        }
        let interval = config.interval.as_deref().and_then(quantity::nanoseconds).and_then(|interval| u64::try_from(interval).ok());
        let interval = interval.map(Duration::from_nanos);
        match (&config.cluster, config.git.as_ref().zip(mirror)) {
            (Some(cluster), _) => {
                let objects = cluster::objects(config, cluster, shared, audience, interval.unwrap_or(REREAD))?;
                self.follow(move |caller, calls| objects.run((caller, &calls)), calls)?;
            }
            (None, Some((git, mirror))) => {
                let feed = Git {
                    name: config.name.clone(),
                    mirror,
                    reference: reference(git)?,
                    access: shared.access(git),
                    submodules: git.recurse_submodules,
                    verify: shared.verify(git)?,
                    audience,
                    interval: interval.unwrap_or(POLL),
                };
                spawn("feed", move || feed.run(&calls))?;
            }
            (None, None) => {
                let directory = Directory { paths: watched, audience, interval: interval.unwrap_or(REREAD) };
                self.follow(move |caller, calls| directory.run((caller, &calls)), calls)?;
            }
        }
        Ok(())
    }

    fn follow(
        &self,
        feed: impl FnOnce(Sender<Call>, Receiver<Call>) -> Result<(), Diagnostic> + Send + 'static,
        calls: Receiver<Call>,
    ) -> Result<(), Diagnostic> {
        let (caller, name) = (self.caller.clone(), self.config.name.clone());
        let follow = move || {
            if let Err(finding) = feed(caller, calls) {
                tracing::error!(source = name, error = finding.message, help = finding.help.join("; "), "the source can't be followed");
            }
        };
        spawn("feed", follow).map(drop)
    }

    /// Somebody says that there is something new.
    pub(super) fn look(&self) {
        // Who has stopped looks no more.
        _ = self.caller.send(Call::Look);
    }

    /// Somebody wants everything to be looked at anew.
    pub(super) fn reconcile(&self) {
        let listeners = self.workers.iter().map(|(worker, _)| worker).chain(&self.pushers);
        listeners.for_each(|listener| _ = listener.send(Event::Reconcile));
        self.look();
    }

    /// Whether all that is live is known.
    pub(super) fn readiness(&self) -> impl Iterator<Item = Readiness> {
        self.workers.iter().map(|(_, readiness)| readiness.clone())
    }

    /// Stops, when the passes that have begun are at their end.
    pub(super) fn stop(self) {
        _ = self.caller.send(Call::Stop);
        self.workers.iter().for_each(|(worker, _)| _ = worker.send(Event::Stop));
        self.pushers.iter().for_each(|pusher| _ = pusher.send(Event::Stop));
        self.writers.into_iter().for_each(|writer| _ = writer.join());
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Diagnostic> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| Diagnostic::error(format!("there can't be another thread: {error}")))
}

impl Shared<'_> {
    /// The cluster, as the account of a set.
    pub(super) fn connection(&self, set: &SetConfig, namespace: &str) -> Connection {
        let account = set.service_account_name.as_ref().map(|account| format!("system:serviceaccount:{namespace}:{account}"));
        self.connection.clone().acting_as(User { name: account, groups: Vec::new() })
    }

    /// With which credentials a repository is asked, and over which proxy.
    fn access(&self, git: &GitConfig) -> Access {
        let values = |path: &Option<String>, secret: &Option<SecretRef>| {
            let directory = path.as_ref().map(|path| Values::Directory(Path::new(path).to_owned()));
            directory.or_else(|| secret.as_ref().map(|secret| self.secret(&secret.name)))
        };
        let access = values(&git.credentials, &git.secret_ref).map_or_else(Access::anonymous, |values| Access::anonymous().with(values));
        match values(&git.proxy, &git.proxy_secret_ref) {
            Some(values) => access.over_proxy(values),
            None => access,
        }
    }

    /// What must be signed of a repository, and by whom; nothing must without it.
    fn verify(&self, git: &GitConfig) -> Result<Option<Verify>, Diagnostic> {
        let Some(VerifyConfig { mode, keys, secret_ref, since }) = &git.verify else { return Ok(None) };
        let mode = mode.parse().map_err(|message| Diagnostic::error(format!("verify: {message}")))?;
        let secret = secret_ref.as_ref().map(|secret| self.secret(&secret.name));
        let keys = secret.unwrap_or_else(|| Values::Directory(keys.as_deref().unwrap_or_default().into()));
        Ok(Some(Verify { mode, keys, since: since.clone() }))
    }

    /// The values of a Secret in the namespace of this process, as they are whenever they are asked for.
    fn secret(&self, name: &str) -> Values {
        let called = format!("Secret {}/{name}", self.namespace);
        let (connection, namespace, name) = (self.connection.clone(), self.namespace.clone(), name.to_owned());
        let kept: Mutex<Option<Cluster>> = Mutex::new(None);
        let read = move || {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let cluster = match kept.take() {
                Some(cluster) => cluster,
                None => connection.cluster().map_err(|error| error.to_string())?,
            };
            let read = kept.insert(cluster).secret(&namespace, &name);
            read.map_err(|error| error.to_string())?
        };
        Values::Kept(called, Arc::new(read))
    }

    /// The repository at an address: the one that another source follows, too, if there is one.
    fn mirror(&mut self, url: &str) -> Result<Arc<Mirror>, Diagnostic> {
        self.mirror_in(self.cache.clone(), url)
    }

    /// The repository at an address, to be pushed to. It has a directory of its own: each push brings commits, and of many all but the newest
    /// are forgotten, which must not be one that is rendered.
    fn pushed_mirror(&mut self, url: &str) -> Result<Arc<Mirror>, Diagnostic> {
        self.mirror_in(self.cache.join("pushed"), url)
    }

    fn mirror_in(&mut self, directory: PathBuf, url: &str) -> Result<Arc<Mirror>, Diagnostic> {
        let key = (directory, normal_url(url).map_err(|error| error.finding())?);
        if let Some(mirror) = self.mirrors.get(&key).and_then(Weak::upgrade) {
            return Ok(mirror);
        }
        let mirror = Arc::new(Mirror::open(&key.0, url).map_err(|error| error.finding())?);
        self.mirrors.insert(key, Arc::downgrade(&mirror));
        Ok(mirror)
    }
}

/// How a worker is told something, and how it hears that.
type Told = (Sender<Event>, Receiver<Event>);

/// A source that begins.
struct Beginning<'b> {
    config: &'b SourceConfig,
    caller: &'b Sender<Call>,
    mirror: Option<&'b Arc<Mirror>>,
}

impl Beginning<'_> {
    /// The worker for a set, and both ends of what it is told by. What it reads on disk is added to what is watched.
    fn worker(&self, set: &SetConfig, shared: &Shared<'_>, watched: &mut Vec<PathBuf>) -> Result<(Worker, Told), Diagnostic> {
        let namespace = set.namespace.clone().unwrap_or_else(|| shared.namespace.clone());
        let planner = match &self.config.cluster {
            Some(config) => cluster::planner(config, shared, &namespace)?,
            None => planner(set, shared, &namespace),
        };
        if self.config.git.is_none() && self.config.cluster.is_none() {
            let disk: Arc<dyn Tree> = Arc::new(Disk);
            watched.extend(planner.watched(&disk));
        }
        let connection = shared.connection(set, &namespace);
        let declared = if self.config.cluster.is_some() { cluster::declared(&planner)? } else { Vec::new() };
        let work = self.work(set, &namespace, declared, shared)?;
        let (outbox, inbox) = channel();
        let worker = Worker::new(work, connection, Arc::new(planner), outbox.clone()).map_err(|error| error.finding())?;
        Ok((worker, (outbox, inbox)))
    }

    /// What commits the manifests of a set to a branch; `worker` is told what becomes of it, if the set is applied, too.
    fn pusher(
        &self,
        set: &SetConfig,
        push: &PushConfig,
        worker: Option<Sender<Event>>,
        shared: &mut Shared<'_>,
    ) -> Result<Pusher, Diagnostic> {
        let (Some(source), Some(git)) = (self.mirror, &self.config.git) else {
            return Err(Diagnostic::error("only what comes from a git repository is pushed").help("follow a git repository"));
        };
        let namespace = set.namespace.clone().unwrap_or_else(|| shared.namespace.clone());
        let parent = Parent::parse(&set.applyset, &namespace).map_err(Diagnostic::error)?;
        let name = format!("{namespace}/{}", parent.name);
        let planner = planner(set, shared, &namespace);
        let repository = push.repository(git);
        let teller = match worker {
            Some(worker) => Teller::Worker(worker),
            None => Teller::Notified {
                notify: self.notify(&shared.notifier),
                set: notify::Set { kind: parent.reference().kind.into(), namespace, name: parent.name, shard: None },
                source: self.config.name.clone(),
            },
        };
        let (mirror, reference, access) = (Arc::clone(source), reference(git)?, shared.access(git));
        let is_wanted = move |revision: &str| mirror.resolve(&reference, &access).is_ok_and(|head| head.to_string() == revision);
        Ok(Pusher {
            name,
            may_push: shared.connection.may_write(),
            is_wanted: Box::new(is_wanted),
            source: source.url().to_owned(),
            command: command(&planner.paths, planner.recursive, &planner.rendering, None, push.include_workspace),
            planner: Arc::new(planner),
            include_workspace: push.include_workspace,
            mirror: shared.pushed_mirror(&repository.url)?,
            to: push.destination(shared.access(&repository)),
            teller,
        })
    }

    /// What publishes the manifests of a set for Flux. What it reads on disk is added to what is watched.
    fn publisher(
        &self,
        set: &SetConfig,
        artifact: &ExternalArtifactConfig,
        shared: &Shared<'_>,
        watched: &mut Vec<PathBuf>,
    ) -> Result<Publisher, Diagnostic> {
        if self.config.cluster.is_some() {
            let finding = Diagnostic::error("what people declare in the cluster itself isn't published for Flux");
            return Err(finding.help("follow a git repository, or files"));
        }
        let namespace = set.namespace.clone().unwrap_or_else(|| shared.namespace.clone());
        let parent = Parent::parse(&set.applyset, &namespace).map_err(Diagnostic::error)?;
        let mut planner = planner(set, shared, &namespace);
        planner.rendering.flux = planner.rendering.flux.or(Some(true));
        if self.config.git.is_none() {
            let disk: Arc<dyn Tree> = Arc::new(Disk);
            watched.extend(planner.watched(&disk));
        }
        Ok(Publisher {
            name: format!("{namespace}/{}", parent.name),
            parent: parent.reference(),
            config: artifact.clone(),
            source: self.mirror.map(|mirror| shown_url(mirror.url())),
            planner: Arc::new(planner),
            cluster: shared.connection(set, &namespace).cluster().map_err(|error| error.finding())?,
            namespace,
            manager: shared.args.set.field_manager.clone(),
            artifacts: shared.artifacts.clone(),
            url: shared.args.process.artifacts_at()?,
        })
    }

    fn work(&self, set: &SetConfig, namespace: &str, declared: Vec<&'static str>, shared: &Shared<'_>) -> Result<Work, Diagnostic> {
        let wrong = |what: &str, message: String| Diagnostic::error(format!("{what} of set {}: {message}", set.applyset));
        let parent = Parent::parse(&set.applyset, namespace).map_err(|message| wrong("applyset", message))?;
        let allowed = set.prune_allow.iter().map(|kind| kind.parse()).collect::<Result<_, _>>();
        let caller = Mutex::new(self.caller.clone());
        let look = move || _ = caller.lock().unwrap_or_else(PoisonError::into_inner).send(Call::Look);
        Ok(Work {
            name: format!("{namespace}/{}", parent.name),
            source: self.config.name.clone(),
            parent,
            shard: shared.args.process.shard,
            declared,
            settings: cluster::allowed(self.config, settings(shared.args, set, namespace)),
            prune: set.prune.unwrap_or(true),
            max_prune: set.max_prune.as_deref().map(str::parse).transpose().map_err(|message| wrong("maxPrune", message))?,
            allowed: allowed.map_err(|message| wrong("pruneAllow", message))?,
            metrics: Arc::clone(&shared.metrics),
            traces: shared.traces.clone(),
            events: Arc::clone(&shared.events),
            notify: self.notify(&shared.notifier),
            look: Arc::new(look),
            at: self.at(shared)?,
            now: jiff::Timestamp::now,
        })
    }

    /// Who is notified, if anybody is.
    fn notify(&self, notifier: &Notifier) -> Option<Arc<dyn Notify>> {
        let channels: Vec<_> = self.config.notifications.iter().map(|config| config.channel(self.config.git.as_ref())).collect();
        (!channels.is_empty()).then(|| notifier.desk(channels))
    }

    /// How the files of another revision are had.
    fn at(&self, shared: &Shared<'_>) -> Result<At, Diagnostic> {
        let Some((mirror, git)) = self.mirror.zip(self.config.git.as_ref()) else {
            return Ok(Arc::new(|_| {
                Err(Diagnostic::error("these files have no revisions to stay at").help("follow a git repository, or resume the set"))
            }));
        };
        let (mirror, access, submodules) = (Arc::clone(mirror), shared.access(git), git.recurse_submodules);
        let verify = shared.verify(git)?;
        Ok(Arc::new(move |revision| at_revision(&mirror, &access, submodules, verify.as_ref(), revision)))
    }
}

/// The files of a revision as Flux writes it: `main@sha1:COMMIT`, if it is signed as it must be.
fn at_revision(
    mirror: &Mirror,
    access: &Access,
    submodules: bool,
    verify: Option<&Verify>,
    revision: &str,
) -> Result<Snapshot, Diagnostic> {
    let noticed = Instant::now();
    let (pointer, commit) = match revision.rsplit_once("sha1:") {
        Some((pointer, commit)) => (pointer.strip_suffix('@').filter(|pointer| !pointer.is_empty()), commit),
        None => (None, revision),
    };
    let mut head = Head { pointer: pointer.map(ToOwned::to_owned), commit: commit.to_owned(), tag: None };
    match verify {
        Some(verify) => {
            if verify.mode.is_of_tags()
                && let Some(name) = pointer
            {
                // Which tag is the one with the signature, only the remote knows.
                let tagged = mirror.resolve(&Reference::Tag(name.to_owned()), access).map_err(|error| error.finding())?;
                head.tag = tagged.tag.filter(|_| tagged.commit == head.commit);
            }
            Verifier::new(verify.clone()).fetch(mirror, &head, access).map_err(|error| error.finding())?;
        }
        None => mirror.fetch(&head, access).map_err(|error| error.finding())?,
    }
    if submodules {
        mirror.fetch_with_submodules(&head, access).map_err(|error| error.finding())?;
    }
    let tree = if submodules { mirror.side_with_submodules(&head)? } else { mirror.side(&head)? }.tree;
    let commit = mirror.commit(&head);
    Ok(Snapshot {
        revision: Some(head.to_string()),
        commit,
        tree,
        noticed: noticed.into(),
        resolving: Duration::ZERO,
        fetching: noticed.elapsed(),
    })
}

fn planner(set: &SetConfig, shared: &Shared<'_>, namespace: &str) -> Planner {
    let recursive = set.recursive.unwrap_or(true);
    Planner {
        paths: set.paths.iter().map(PathBuf::from).collect(),
        recursive,
        rendering: shared.args.rendering.clone(),
        namespace: namespace.to_owned(),
        inputs: format!("{}{}", set.paths.join(","), if recursive { " and all below" } else { "" }),
        is_cluster: false,
    }
}

fn settings(args: &Args, set: &SetConfig, namespace: &str) -> Settings {
    Settings {
        manager: args.set.field_manager.clone(),
        dry_run: DryRun::None,
        force_conflicts: set.force_conflicts,
        adopt: args.set.adopt,
        replace: set.replace,
        namespaces: touched_namespaces(&set.namespaces, namespace),
        workspaces: if set.include_workspace.unwrap_or(true) { Workspaces::IncludedIfKnown } else { Workspaces::Left },
        concurrency: args.set.concurrency.into(),
        patience: PATIENCE,
        overrides: args.set.override_managers.clone(),
        honours_pauses: true,
    }
}

fn reference(git: &GitConfig) -> Result<Reference, Diagnostic> {
    let GitConfig { branch, tag, semver, commit, name, .. } = git;
    Ok(match (commit, semver, tag, branch, name) {
        (Some(id), ..) => Reference::Commit { id: id.clone(), branch: branch.clone() },
        (_, Some(range), ..) => Reference::SemVer(range.parse().map_err(|error| Diagnostic::error(format!("semver: {error}")))?),
        (_, _, Some(tag), ..) => Reference::Tag(tag.clone()),
        (.., Some(branch), _) => Reference::Branch(branch.clone()),
        (.., Some(name)) => Reference::Name(name.clone()),
        _ => Reference::Default,
    })
}
