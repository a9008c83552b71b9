//! What waits for a server's answers, and follows it meanwhile: threads, each with a runtime of its own, or whatever takes their place.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use tokio::runtime::{Builder, Runtime};

/// Work that goes on by itself.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What waits for a server's answers, and follows it meanwhile. Who gives another one than threads decides what happens after what.
pub trait Host: Send + Sync {
    /// Polls until it is ready. Who returns before that is called again.
    fn wait(&self, poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>);

    /// Does something in the background, to its end.
    ///
    /// # Errors
    /// There can't be another thread.
    fn spawn(&self, name: &str, work: Work) -> io::Result<()>;
}

/// A runtime for whoever waits, and a thread of its own for all that goes on in the background.
pub(super) struct Threads(Arc<Runtime>);

impl Threads {
    /// # Errors
    /// The system doesn't let this process wait for anything.
    pub(super) fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(|runtime| Self(Arc::new(runtime)))
    }

    /// The runtime.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.0
    }
}

impl Host for Threads {
    fn wait(&self, poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) {
        self.0.block_on(poll_fn(poll));
    }

    fn spawn(&self, name: &str, work: Work) -> io::Result<()> {
        let runtime = Arc::clone(&self.0);
        thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(work)).map(drop)
    }
}

/// Waits for something to be done, and gives back what comes of it.
pub(super) fn wait_for<T>(host: &dyn Host, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut answer = None;
    loop {
        host.wait(&mut |context| work.as_mut().poll(context).map(|done| answer = Some(done)));
        if let Some(answer) = answer.take() {
            return answer;
        }
    }
}
