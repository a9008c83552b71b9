//! What threads and runtimes are replaced by: tasks that can be held, and workers of which one at a time goes on, when it is told to.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kaito::cluster::{Host, Work};
use kaito::watch::Event;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// Where one process runs.
pub(crate) struct Machine {
    handle: Handle,
    gate: Arc<Gate>,
    tasks: Mutex<Vec<AbortHandle>>,
    worker: Mutex<Option<Turns>>,
}

/// Whether a process is stopped for a while, and who is to be woken when it goes on.
#[derive(Default)]
struct Gate {
    is_shut: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

/// The worker's end of taking turns.
struct Turns {
    said: SyncSender<Said>,
    go: Receiver<Go>,
}

/// What a worker is told when it is its turn.
pub(crate) enum Go {
    /// To go on with what it waited for.
    On,
    /// To take note of these events, and to do what is to be done.
    Work(Vec<Event>),
    /// To be gone, wherever it is.
    Die,
}

/// What a worker says when its turn is over.
pub(crate) enum Said {
    /// It waits for an answer.
    Waits(Arc<Woken>),
    /// There is nothing to do for so long.
    Idle(Duration),
    /// It has ended.
    Ended,
    /// It has panicked.
    Panicked(String),
}

/// Whether what is waited for may be there.
pub(crate) struct Woken(AtomicBool);

impl Woken {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The end of a thread whose process was killed.
struct Killed;

/// The other end: who says when the worker goes on.
pub(crate) struct Worker {
    going: SyncSender<Go>,
    says: Receiver<Said>,
    /// What it said last.
    pub said: Said,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Lets it go on, until its turn is over.
    pub(crate) fn go(&mut self, go: Go) {
        _ = self.going.send(go);
        self.said = self.says.recv().unwrap_or(Said::Ended);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        _ = self.going.try_send(Go::Die);
        _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Machine {
    pub(crate) fn new(handle: Handle) -> Arc<Self> {
        Arc::new(Self { handle, gate: Arc::default(), tasks: Mutex::default(), worker: Mutex::default() })
    }

    /// Stops all of it, until it is told to go on.
    pub(crate) fn hold(&self) {
        self.gate.is_shut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn go_on(&self) {
        self.gate.is_shut.store(false, Ordering::Relaxed);
        self.gate.waiting.lock().unwrap().drain(..).for_each(Waker::wake);
    }

    pub(crate) fn is_held(&self) -> bool {
        self.gate.is_shut.load(Ordering::Relaxed)
    }

    /// Starts its worker, which has its first turn when it is told to.
    pub(crate) fn start(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) -> Worker {
        let (said, says) = sync_channel(1);
        let (going, go) = sync_channel(1);
        *self.worker.lock().unwrap() = Some(Turns { said: said.clone(), go });
        let handle = self.handle.clone();
        let run = move || {
            let _inside = handle.enter();
            let ended = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(()) => Said::Ended,
                Err(payload) if payload.is::<Killed>() => Said::Ended,
                Err(payload) => {
                    let text = payload.downcast_ref::<String>().cloned();
                    Said::Panicked(text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
                }
            };
            _ = said.send(ended);
        };
        let thread = thread::spawn(run);
        let first = says.recv().unwrap_or(Said::Ended);
        Worker { going, says, said: first, thread: Some(thread) }
    }

    /// Ends its tasks where they are.
    pub(crate) fn kill(&self) {
        self.tasks.lock().unwrap().drain(..).for_each(|task| task.abort());
    }

    /// A worker's turn is over; what it is told when it has another one.
    fn turn(&self, said: Said) -> Go {
        let turns = self.worker.lock().unwrap();
        let turns = turns.as_ref().expect("only a worker waits");
        _ = turns.said.send(said);
        match turns.go.recv() {
            Ok(Go::Die) | Err(_) => resume_unwind(Box::new(Killed)),
            Ok(go) => go,
        }
    }

    /// Nothing is to be done for so long; the events that there are when something is.
    pub(crate) fn idle(&self, patience: Duration) -> Vec<Event> {
        match self.turn(Said::Idle(patience)) {
            Go::Work(events) => events,
            Go::On | Go::Die => Vec::new(),
        }
    }
}

impl Host for Machine {
    fn wait(&self, poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            woken.0.store(false, Ordering::Relaxed);
            if poll(&mut Context::from_waker(&waker)).is_ready() {
                return;
            }
            if !woken.is_set() {
                _ = self.turn(Said::Waits(Arc::clone(&woken)));
            }
        }
    }

    fn spawn(&self, _name: &str, mut work: Work) -> io::Result<()> {
        let gate = Arc::clone(&self.gate);
        let held = poll_fn(move |context| {
            if gate.is_shut.load(Ordering::Relaxed) {
                gate.waiting.lock().unwrap().push(context.waker().clone());
                return Poll::Pending;
            }
            work.as_mut().poll(context)
        });
        let task = self.handle.spawn(held);
        self.tasks.lock().unwrap().push(task.abort_handle());
        Ok(())
    }
}
