//! The thread that sends what is to be told.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::Notify;
use super::channel::Channel;
use super::notice::Notice;
use super::outbox::{Letter, Next, Outbox};
use super::post::{self, Failure};

/// How many receivers are remembered that have nothing to be told.
const MOST_CHANNELS: usize = 256;

/// Sends notices in a thread of its own. Nobody waits for it, and no receiver for another one that fails.
pub struct Notifier(Arc<Office>);

/// What the thread and those who tell it something share.
#[derive(Default)]
struct Office {
    outboxes: Mutex<Outboxes>,
    stirred: Condvar,
}

#[derive(Default)]
struct Outboxes {
    by_channel: BTreeMap<Channel, Outbox>,
    is_stopping: bool,
    has_stopped: bool,
}

/// Takes the notices of a source for some channels.
struct Desk {
    office: Arc<Office>,
    channels: Vec<Channel>,
}

impl Notifier {
    /// Starts the thread. What it logs goes where the logs of this thread go.
    ///
    /// # Errors
    /// There can't be another thread.
    pub fn start() -> io::Result<Self> {
        let office = Arc::new(Office::default());
        let (working, logs) = (Arc::clone(&office), tracing::dispatcher::get_default(Clone::clone));
        let work = move || tracing::dispatcher::with_default(&logs, || working.work());
        thread::Builder::new().name("notifier".to_owned()).spawn(work)?;
        Ok(Self(office))
    }

    /// What takes notices for some channels.
    pub fn desk(&self, channels: Vec<Channel>) -> Arc<dyn Notify> {
        let mut outboxes = self.0.lock();
        if outboxes.by_channel.len() > MOST_CHANNELS {
            outboxes.by_channel.retain(|_, outbox| outbox.first().is_some());
        }
        Arc::new(Desk { office: Arc::clone(&self.0), channels })
    }

    /// Sends what is due, and stops; what takes longer than `patience` is left.
    pub fn stop(&self, patience: Duration) {
        let mut outboxes = self.0.lock();
        outboxes.is_stopping = true;
        self.0.stirred.notify_all();
        // It is no fault if it takes longer.
        drop(self.0.stirred.wait_timeout_while(outboxes, patience, |outboxes| !outboxes.has_stopped));
    }
}

impl Notify for Desk {
    fn notify(&self, notice: Notice) {
        let mut outboxes = self.office.lock();
        for channel in &self.channels {
            let outbox = outboxes.by_channel.entry(channel.clone()).or_default();
            if let Some(gone) = outbox.take(channel, &notice, Instant::now()) {
                tracing::warn!(
                    set = gone.set,
                    provider = channel.provider.name(),
                    receiver = channel.place(),
                    "too many notifications wait: the oldest is dropped"
                );
            }
        }
        self.office.stirred.notify_all();
    }
}

impl Office {
    fn lock(&self) -> MutexGuard<'_, Outboxes> {
        self.outboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut outboxes = self.lock();
        loop {
            let now = Instant::now();
            if let Some((channel, letter)) = outboxes.due(now) {
                drop(outboxes);
                let sent = post::send(&channel, &letter.request);
                outboxes = self.lock();
                outboxes.sent(&channel, &letter, sent);
            } else if outboxes.is_stopping {
                break;
            } else {
                let wait = outboxes.next(now).map(|next| next.saturating_duration_since(now));
                outboxes = match wait {
                    Some(wait) => self.stirred.wait_timeout(outboxes, wait).unwrap_or_else(PoisonError::into_inner).0,
                    None => self.stirred.wait(outboxes).unwrap_or_else(PoisonError::into_inner),
                };
            }
        }
        outboxes.has_stopped = true;
        self.stirred.notify_all();
    }
}

impl Outboxes {
    /// What is to be sent by now, of the receiver that was sent something the longest ago.
    fn due(&self, now: Instant) -> Option<(Channel, Letter)> {
        let due = self.by_channel.iter().filter(|(_, outbox)| outbox.due(now).is_some_and(|at| at <= now));
        let (channel, outbox) = due.min_by_key(|(_, outbox)| outbox.used)?;
        Some((channel.clone(), outbox.first()?.clone()))
    }

    /// When something is to be sent next.
    fn next(&self, now: Instant) -> Option<Instant> {
        self.by_channel.values().filter_map(|outbox| outbox.due(now)).min()
    }

    fn sent(&mut self, channel: &Channel, letter: &Letter, sent: Result<(), Failure>) {
        let now = Instant::now();
        let Some(outbox) = self.by_channel.get_mut(channel) else { return };
        outbox.used = Some(now);
        let (set, provider, receiver) = (letter.set.as_str(), channel.provider.name(), channel.place());
        match sent {
            Ok(()) => {
                outbox.done();
                tracing::debug!(set, provider, receiver, "notified");
            }
            Err(Failure::Never(why)) => {
                outbox.done();
                tracing::error!(set, provider, receiver, why, "a notification is not taken");
            }
            Err(Failure::Later(why, asked)) => match outbox.failed(asked, now) {
                Next::Again(wait) => {
                    tracing::warn!(set, provider, receiver, why, retry_in_ms = wait.as_millis(), "a notification is not taken");
                }
                Next::GivenUp => tracing::error!(set, provider, receiver, why, "a notification is given up"),
            },
        }
    }
}
