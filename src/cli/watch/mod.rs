//! `kaito watch`: keep a cluster as files say.

mod args;
mod cluster;
mod listen;
mod planner;
mod source;
mod stopping;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::cluster::{Stop, Verb, unreachable};
use super::output::{self, Color, Exit};
use super::setup::Setup;
use crate::cluster::{Asked, Candidate, Election, Events, Leadership};
use crate::diagnostic::Diagnostic;
use crate::heap;
use crate::notify::Notifier;
use crate::server::Artifacts;
use crate::server::hook::{Hooks, Push, same_repository};
use crate::source::{Changes, Disk, read_file};
use crate::telemetry::{Metrics, Traces, level, start_logs};
use crate::watch::Readiness;
use crate::watch::config::WatchConfig;
use crate::yaml::{self, Limits};
pub(super) use args::{Args, SourceKind};
use source::{Shared, Source};
use stopping::Stopping;

/// What nothing was, if it can't begin.
const DONE: &str = "watched";

/// How long notifications have that wait when the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long passes that have begun may take when the process is told to stop.
const GRACE: Duration = Duration::from_secs(4);

/// What the process is told.
enum Told {
    Signal(i32),
    Leadership(Leadership),
    /// The file that says what is followed may be another one.
    Config,
    /// A source that isn't followed any more applies nothing any more.
    Stopped(String),
    /// A source is said to have something new.
    Push(String, Push),
}

/// Watches until it is told to stop.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    heap::share();
    let level = level(&args.process.log_level).unwrap_or(tracing::Level::INFO);
    // A second start in one process is only known to tests.
    _ = start_logs(args.process.log_format, level, SystemTime::now, output::log_line);
    let watch = || {
        let config = config(args).map_err(|findings| refused(findings, color))?;
        Watching::new(args, color)?.run(config).map_err(|finding| refused(vec![finding], color))
    };
    watch().unwrap_or_else(Exit::from)
}

/// Says why it can't begin or go on.
fn refused(findings: Vec<Diagnostic>, color: Color) -> Stop {
    output::findings(findings, color, DONE);
    Stop::Unrenderable
}

/// What is followed, by the flags or the file.
fn config(args: &Args) -> Result<WatchConfig, Vec<Diagnostic>> {
    let mut findings = Vec::new();
    let Some(path) = &args.source.watch_config else {
        let config = args.config();
        let faults = config.sources.iter().flat_map(|source| source.sets.iter().flat_map(|set| set.faults(source.git.as_ref())));
        findings.extend(faults.map(|(_, fault)| fault));
        return if findings.is_empty() { Ok(config) } else { Err(findings) };
    };
    let file = read_file(&Disk, path, &mut findings).ok_or_else(|| std::mem::take(&mut findings))?;
    let mut documents = yaml::read(&file, Limits::default(), &mut findings);
    let read = documents.pop().filter(|_| documents.is_empty()).and_then(|document| WatchConfig::read(&document, &mut findings));
    if read.is_none() && findings.is_empty() {
        findings.push(Diagnostic::error(format!("{} must hold one document", file.name)));
    }
    read.ok_or(findings)
}

/// The process.
struct Watching<'a> {
    args: &'a Args,
    shared: Shared<'a>,
    sources: BTreeMap<String, Source>,
    stopping: Stopping,
    is_leading: bool,
    /// What must be known for this process to be ready; what listens looks at it, too.
    ready: Arc<Mutex<Vec<Readiness>>>,
}

impl<'a> Watching<'a> {
    fn new(args: &'a Args, color: Color) -> Result<Self, Stop> {
        let traces = Traces::from_environment().map_err(|why| refused(vec![Diagnostic::error(why)], color))?.map(Arc::new);
        let metrics = Arc::new(Metrics::new());
        let counted = Arc::clone(&metrics);
        let count = move |asked: &Asked<'_>| counted.requested(asked.code, asked.method, asked.host, asked.took);
        let connection = args.cluster.connection(color, Verb { bare: "watch", done: DONE })?.observed_by(Arc::new(count));
        let cluster = connection.cluster().map_err(|error| unreachable(&error, color, DONE))?;
        let namespace = said_namespace(args).unwrap_or_else(|| cluster.namespace().to_owned());
        let events = Events::start(&connection, "kaito.sh/watch", &identity()).map_err(|error| unreachable(&error, color, DONE))?;
        let stopping = Stopping::new(namespace.clone());
        let fault = |error| refused(vec![Diagnostic::error(format!("there can't be another thread: {error}"))], color);
        let notifier = Notifier::start().map_err(fault)?;
        let shared = Shared {
            args,
            connection,
            namespace,
            metrics,
            traces,
            events: Arc::new(events),
            notifier,
            artifacts: Artifacts::new(),
            mirrors: BTreeMap::new(),
            cache: args.process.cache_dir.clone().unwrap_or_else(cache_dir),
        };
        Ok(Self { args, shared, sources: BTreeMap::new(), stopping, is_leading: false, ready: Arc::default() })
    }

    fn run(mut self, mut config: WatchConfig) -> Result<Exit, Diagnostic> {
        let (tell, told) = channel();
        signals(tell.clone())?;
        let hooks = listen::hooks(tell.clone(), &self.shared.metrics);
        hooks.set_receivers(listen::receivers(&config)?);
        let _servers = listen::start(&self.args.process, &self.shared.metrics, &self.ready, (&hooks, &self.shared.artifacts))?;
        let _changes = self.config_changes(tell.clone())?;
        let candidate = self.stand(&tell)?;
        if let Some(candidate) = &candidate {
            // Who was stopped and goes on when another one leads already must not end what it had begun.
            self.shared.connection = self.shared.connection.clone().writing_while(candidate.asks());
        }
        while let Ok(told) = told.recv() {
            match told {
                Told::Signal(SIGHUP) => {
                    self.reload(&mut config, (&hooks, &tell));
                    self.sources.values().for_each(Source::reconcile);
                }
                Told::Signal(_) => break,
                Told::Config => self.reload(&mut config, (&hooks, &tell)),
                Told::Stopped(name) => {
                    self.stopping.stopped(&name);
                    self.go_on(&config, &tell);
                }
                Told::Leadership(Leadership::Gained) => {
                    self.is_leading = true;
                    self.shared.metrics.leader(true);
                    self.follow(&config, &tell)?;
                }
                Told::Leadership(Leadership::Lost) => {
                    // Nothing is waited for: what another process may do already must end at once, however far it is.
                    tracing::error!("another process may lead: this one ends");
                    return Ok(Exit::Unreachable);
                }
                Told::Push(source, push) => self.pushed(&source, &push),
            }
        }
        let is_done = self.stop();
        self.shared.notifier.stop(FAREWELL);
        self.shared.traces.iter().for_each(|traces| traces.stop(FAREWELL));
        // Only when nothing is done any more another process may do it.
        if is_done && let Some(candidate) = candidate {
            candidate.release();
        }
        Ok(Exit::Done)
    }

    /// Follows what a configuration says: what is the same goes on, what isn't there any more or is another one stops. What takes the place of
    /// something that stops begins after that. A source that can't be followed keeps no other from it; if none can, there is nothing to do.
    fn follow(&mut self, config: &WatchConfig, tell: &Sender<Told>) -> Result<(), Diagnostic> {
        let is_same = |source: &Source| config.sources.contains(&source.config);
        let gone: Vec<String> = self.sources.iter().filter(|(_, source)| !is_same(source)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some(source) = self.sources.remove(&name) {
                tracing::info!(source = name, "no longer followed");
                let tell = tell.clone();
                self.stopping.stop(source, move || _ = tell.send(Told::Stopped(name)));
            }
        }
        let mut faults = Vec::new();
        for source in &config.sources {
            if !self.sources.contains_key(&source.name) && !self.stopping.holds_up(source) {
                match Source::start(source, &mut self.shared) {
                    Ok(started) => _ = self.sources.insert(source.name.clone(), started),
                    Err(finding) => faults.push((&source.name, finding)),
                }
            }
        }
        if self.sources.is_empty()
            && let Some((_, finding)) = faults.pop()
        {
            return Err(finding);
        }
        for (source, finding) in faults {
            tracing::error!(source, error = finding.message, help = finding.help.join("; "), "the source can't be followed");
        }
        let ready = self.sources.values().flat_map(Source::readiness).collect();
        *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = ready;
        Ok(())
    }

    /// Follows what can be followed of a configuration, if this process leads.
    fn go_on(&mut self, config: &WatchConfig, tell: &Sender<Told>) {
        if self.is_leading
            && let Err(finding) = self.follow(config, tell)
        {
            tracing::error!(error = finding.message, help = finding.help.join("; "), "nothing can be followed");
        }
    }

    /// Reads the configuration again. One that is wrong changes nothing.
    fn reload(&mut self, config: &mut WatchConfig, (hooks, tell): (&Hooks, &Sender<Told>)) {
        let read = self::config(self.args).and_then(|read| Ok((listen::receivers(&read).map_err(|finding| vec![finding])?, read)));
        match read {
            // What couldn't be followed is tried again, should it be only the world that has changed.
            Ok((_, read)) if read == *config => self.go_on(config, tell),
            Ok((receivers, read)) => {
                tracing::info!(sources = read.sources.len(), "the configuration is another one");
                hooks.set_receivers(receivers);
                *config = read;
                self.go_on(config, tell);
            }
            Err(findings) => findings.iter().for_each(|finding| {
                tracing::error!(
                    error = finding.title(),
                    help = finding.help.join("; "),
                    "the configuration is wrong: the one before goes on"
                );
            }),
        }
    }

    /// Somebody says that a source has something new.
    fn pushed(&self, name: &str, push: &Push) {
        let Some(source) = self.sources.get(name) else { return };
        let url = source.config.git.as_ref().map(|git| git.url.as_str()).unwrap_or_default();
        if push.repositories.is_empty() || push.repositories.iter().any(|repository| same_repository(repository, url)) {
            source.look();
        } else {
            tracing::warn!(source = name, "a webhook tells of another repository, and is left alone");
        }
    }

    /// Stops everything; whether it has stopped in time. What hasn't ends with the process, and is gone on with by the next.
    fn stop(&mut self) -> bool {
        std::mem::take(&mut self.sources).into_values().for_each(|source| self.stopping.stop(source, || {}));
        self.stopping.wait(GRACE)
    }

    /// Stands for election, if there are several processes; otherwise this one leads.
    fn stand(&self, tell: &Sender<Told>) -> Result<Option<Candidate>, Diagnostic> {
        let args = &self.args.process;
        if !args.leader_elect {
            _ = tell.send(Told::Leadership(Leadership::Gained));
            return Ok(None);
        }
        let duration = args.lease_duration;
        let election = Election {
            namespace: self.shared.namespace.clone(),
            name: args.shard.map_or_else(|| args.lease.clone(), |shard| shard.lease(&args.lease)),
            identity: identity(),
            duration,
            renew_deadline: duration * 2 / 3,
            retry_period: duration / 8,
        };
        if let Some(fault) = election.fault() {
            return Err(Diagnostic::error(format!("--lease-duration: {fault}")));
        }
        let tell = tell.clone();
        let candidate = election.stand(&self.shared.connection, move |leadership| _ = tell.send(Told::Leadership(leadership)));
        candidate.map(Some).map_err(|error| error.finding())
    }

    fn config_changes(&self, tell: Sender<Told>) -> Result<Option<Changes>, Diagnostic> {
        let path = self.args.source.watch_config.as_ref();
        path.map(|path| Changes::watch(std::slice::from_ref(path), move || _ = tell.send(Told::Config))).transpose()
    }
}

/// The namespace that flags or a `kaito.yaml` on disk say.
fn said_namespace(args: &Args) -> Option<String> {
    let inputs: &[PathBuf] = if args.source.url.is_some() { &[] } else { &args.source.filename };
    let setup = Setup::at(Arc::new(Disk), &args.rendering, inputs, &mut Vec::new())?;
    setup.says_namespace.then(|| setup.options.namespace.clone())
}

/// Passes signals on.
fn signals(tell: Sender<Told>) -> Result<(), Diagnostic> {
    let fault = |error: std::io::Error| Diagnostic::error(format!("signals can't be waited for: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(fault)?;
    let wait = move || {
        for signal in signals.forever() {
            if tell.send(Told::Signal(signal)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop).map_err(fault)
}

/// Who this process is: the pod, and a number that no other process of it has.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    format!("{}_{}", host.as_deref().map_or("kaito", str::trim), std::process::id())
}

/// Where repositories are kept unless a flag says otherwise.
fn cache_dir() -> PathBuf {
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    base.unwrap_or_else(|| Path::new("/tmp").to_owned()).join("kaito/mirrors")
}
