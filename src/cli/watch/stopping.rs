//! Sources that aren't followed any more, and may be at their last pass. Nobody waits for them but what takes their place.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::source::Source;
use crate::inventory::Parent;
use crate::watch::config::{SetConfig, SourceConfig};

/// Sources that stop, by their names.
pub(super) struct Stopping {
    /// The namespace of sets that name none.
    namespace: String,
    sources: BTreeMap<String, Last>,
}

/// One of them.
struct Last {
    sets: Vec<Parent>,
    /// Hangs up when nothing is applied any more; none if nobody can wait for that.
    end: Option<Receiver<()>>,
}

impl Stopping {
    /// None yet.
    pub(super) fn new(namespace: String) -> Self {
        Self { namespace, sources: BTreeMap::new() }
    }

    /// Stops a source by a thread of its own, which says so when it applies nothing any more.
    pub(super) fn stop(&mut self, source: Source, stopped: impl FnOnce() + Send + 'static) {
        let (name, sets) = (source.config.name.clone(), self.sets(&source.config));
        let (open, end): (Sender<()>, _) = channel();
        let stop = move || {
            source.stop();
            drop(open);
            stopped();
        };
        let thread = thread::Builder::new().name("stop".to_owned()).spawn(stop);
        self.sources.insert(name, Last { sets, end: thread.is_ok().then_some(end) });
    }

    /// A source applies nothing any more.
    pub(super) fn stopped(&mut self, name: &str) {
        self.sources.remove(name);
    }

    /// Whether a source has to wait, as one that stops may still be at the same: two at once would undo each other's work.
    pub(super) fn holds_up(&self, config: &SourceConfig) -> bool {
        let sets = self.sets(config);
        self.sources.iter().any(|(name, last)| *name == config.name || last.sets.iter().any(|set| sets.contains(set)))
    }

    /// Waits so long until nothing is applied any more; whether that is so.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let has_stopped = |end: &Receiver<()>| {
            let ended = end.recv_timeout(until.saturating_duration_since(Instant::now()));
            ended == Err(RecvTimeoutError::Disconnected)
        };
        self.sources.values().all(|last| last.end.as_ref().is_some_and(has_stopped))
    }

    fn sets(&self, config: &SourceConfig) -> Vec<Parent> {
        let parse = |set: &SetConfig| Parent::parse(&set.applyset, set.namespace.as_deref().unwrap_or(&self.namespace)).ok();
        config.sets.iter().filter_map(parse).collect()
    }
}
