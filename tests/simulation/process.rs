//! A process of kaito, as `kaito watch` starts one: it stands for election, and works while it leads.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use kaito::apply::{Adopt, DryRun};
use kaito::cluster::{Candidate, Connection, Election, Events, Host, Leadership};
use kaito::diagnostic::Diagnostic;
use kaito::inventory::Parent;
use kaito::reconcile::{Settings, Workspaces};
use kaito::telemetry::Metrics;
use kaito::watch::{self, Event, Work};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::host::{Go, Machine, Said, Worker};
use crate::net::{self, Net};
use crate::repository::{Memorised, NAMESPACE, content_of, contents, snapshot};

/// What keeps the set.
pub(crate) const SET: &str = "fleet";

/// How long others leave the lease alone; how long who has it leads without renewing it; how often it is renewed.
const LEASE: Duration = Duration::from_secs(120);
const DEADLINE: Duration = Duration::from_secs(100);
const RETRY: Duration = Duration::from_secs(30);

/// A life of a process, from its start to its end.
pub(crate) struct Process {
    /// The number of this life. No two have the same.
    pub life: usize,
    pub name: String,
    is_forceful: bool,
    pub machine: Arc<Machine>,
    pub worker: Option<Worker>,
    /// Since when the worker has had nothing to do.
    idle_since: Instant,
    candidate: Option<Candidate>,
    leadership: Receiver<Leadership>,
    /// What it was told about who leads, and hasn't heeded yet.
    unheeded: VecDeque<Leadership>,
    connection: Connection,
    events: Arc<Events>,
    outbox: Sender<Event>,
    inbox: Receiver<Event>,
    waiting: VecDeque<Event>,
    /// The revision that its feed told last.
    pub told: Option<String>,
    /// The content that the worker has in hand, and the last one in which there was anything to read.
    pub in_hand: Option<usize>,
    pub readable: Option<usize>,
    /// Whether it is to end by itself.
    pub is_stopping: bool,
}

impl Process {
    /// Starts one.
    pub(crate) fn start(handle: &Handle, net: &Arc<Mutex<Net>>, life: usize, is_forceful: bool) -> Self {
        let machine = Machine::new(handle.clone());
        let host: Arc<dyn Host> = Arc::clone(&machine) as Arc<dyn Host>;
        let connection = Connection::to(net::service(net, life), host, NAMESPACE);
        let name = format!("kaito-{life}");
        let events = Events::start(&connection, "kaito.sh/watch", &name).expect("a task can always be spawned");
        let election = Election {
            namespace: NAMESPACE.to_owned(),
            name: "kaito".to_owned(),
            identity: name.clone(),
            duration: LEASE,
            renew_deadline: DEADLINE,
            retry_period: RETRY,
        };
        let (tell, leadership) = channel();
        let candidate = election.stand(&connection, move |leadership| _ = tell.send(leadership)).expect("a task can always be spawned");
        let connection = connection.writing_while(candidate.asks());
        let (outbox, inbox) = channel();
        Self {
            life,
            name,
            is_forceful,
            machine,
            worker: None,
            idle_since: Instant::now(),
            candidate: Some(candidate),
            leadership,
            unheeded: VecDeque::new(),
            connection,
            events: Arc::new(events),
            outbox,
            inbox,
            waiting: VecDeque::new(),
            told: None,
            in_hand: None,
            readable: None,
            is_stopping: false,
        }
    }

    /// Whether it was told that it begins or ceases to lead.
    pub(crate) fn is_told_to_heed(&mut self) -> bool {
        self.unheeded.extend(self.leadership.try_iter());
        !self.unheeded.is_empty() && !self.machine.is_held()
    }

    /// Does what the process does when it begins or ceases to lead; whether it goes on.
    pub(crate) fn heed_leadership(&mut self) -> bool {
        self.unheeded.extend(self.leadership.try_iter());
        while let Some(told) = self.unheeded.pop_front() {
            match told {
                Leadership::Gained => self.work(),
                Leadership::Lost => return false,
            }
        }
        true
    }

    fn work(&mut self) {
        let work = work(Arc::clone(&self.events), self.is_forceful);
        let (machine, connection, outbox) = (Arc::clone(&self.machine), self.connection.clone(), self.outbox.clone());
        let candidate = self.candidate.take();
        let run = move || {
            let mut worker = watch::Worker::new(work, connection, Arc::new(Memorised), outbox).expect("a client can always be made");
            loop {
                let mut events = machine.idle(worker.patience()).into_iter();
                if !events.all(|event| worker.take(event)) {
                    break;
                }
                worker.work();
            }
            drop(worker);
            // Only when nothing is done any more another process may do it.
            candidate.into_iter().for_each(Candidate::release);
        };
        self.worker = Some(self.machine.start(run));
        self.idle_since = Instant::now();
    }

    /// Whether its feed would find a newer revision than the one that it told last.
    pub(crate) fn is_behind(&self, head: &str) -> bool {
        self.worker.is_some() && self.told.as_deref() != Some(head)
    }

    /// Its feed looks at the repository, whose newest revision this is; whether it has anything to tell.
    pub(crate) fn look(&mut self, head: &str) -> bool {
        if !self.is_behind(head) {
            return false;
        }
        self.told = Some(head.to_owned());
        _ = self.outbox.send(Event::Snapshot(snapshot(head.to_owned()).expect("this is a revision")));
        true
    }

    /// Its feed can't get at the repository.
    pub(crate) fn fail_to_look(&mut self) {
        if self.worker.is_some() {
            _ = self.outbox.send(Event::SourceFailed(Diagnostic::error("simulated: the repository doesn't answer")));
        }
    }

    /// It is told to stop, when what has begun is at its end.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
        _ = self.outbox.send(Event::Stop);
    }

    /// Whether the worker can go on.
    pub(crate) fn can_go_on(&mut self) -> bool {
        self.waiting.extend(self.inbox.try_iter());
        if self.machine.is_held() {
            return false;
        }
        match self.worker.as_ref().map(|worker| &worker.said) {
            Some(Said::Waits(woken)) => woken.is_set(),
            Some(Said::Idle(patience)) => !self.waiting.is_empty() || self.idle_since.elapsed() >= *patience,
            Some(Said::Ended | Said::Panicked(_)) | None => false,
        }
    }

    /// Whether the worker has nothing to do but to wait.
    pub(crate) fn is_idle(&self) -> bool {
        self.worker.as_ref().is_none_or(|worker| matches!(worker.said, Said::Idle(_)))
    }

    /// Whether its worker has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.worker.as_ref().is_some_and(|worker| matches!(worker.said, Said::Ended))
    }

    /// Lets the worker go on, with the first events of those that wait; whether something new begins with that.
    pub(crate) fn go_on(&mut self, most_events: usize) -> bool {
        let Some(worker) = &mut self.worker else { return false };
        let begins = matches!(worker.said, Said::Idle(_));
        let go = if begins {
            let events: Vec<Event> = self.waiting.drain(..most_events.min(self.waiting.len())).collect();
            for event in &events {
                if let Event::Snapshot(snapshot) = event {
                    self.in_hand = snapshot.revision.as_deref().and_then(content_of);
                }
            }
            if let Some(content) = self.in_hand.filter(|content| !contents()[*content].is_unreadable) {
                self.readable = Some(content);
            }
            Go::Work(events)
        } else {
            Go::On
        };
        worker.go(go);
        self.idle_since = Instant::now();
        begins
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.machine.kill();
    }
}

/// What time it is for people, after what has passed of the simulated time.
pub(crate) fn wall_clock() -> Timestamp {
    thread_local!(static START: Instant = Instant::now());
    let passed = START.with(Instant::elapsed);
    Timestamp::from_second(1_767_225_600 + i64::try_from(passed.as_secs()).unwrap_or_default()).unwrap_or_default()
}

fn work(events: Arc<Events>, is_forceful: bool) -> Work {
    static METRICS: OnceLock<Arc<Metrics>> = OnceLock::new();
    Work {
        name: SET.to_owned(),
        source: "simulated".to_owned(),
        parent: Parent::parse(SET, NAMESPACE).expect("this is a name"),
        shard: None,
        settings: Settings {
            manager: "kaito".to_owned(),
            dry_run: DryRun::None,
            force_conflicts: is_forceful,
            adopt: Adopt::IfNoOwner,
            replace: false,
            namespaces: Some(BTreeSet::from([NAMESPACE.to_owned()])),
            workspaces: Workspaces::IncludedIfKnown,
            concurrency: 4,
            patience: Duration::from_secs(3),
            overrides: vec!["kubectl".to_owned()],
            honours_pauses: true,
        },
        declared: Vec::new(),
        prune: true,
        max_prune: None,
        allowed: Vec::new(),
        metrics: Arc::clone(METRICS.get_or_init(|| Arc::new(Metrics::new()))),
        traces: None,
        events,
        notify: None,
        look: Arc::new(|| {}),
        at: Arc::new(|revision| snapshot(revision.to_owned()).ok_or_else(|| Diagnostic::error("there is no such revision"))),
        now: wall_clock,
    }
}
