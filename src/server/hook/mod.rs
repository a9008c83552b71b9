//! Webhooks: whether a request comes from where a receiver expects it, and what it says.
//!
//! Nothing of a body is looked at before it is known who sent it. Who sent nothing good learns nothing: the answer is the same
//! whether there is no such receiver, no token or another signature. The log says which.

mod deliveries;
mod event;
mod receiver;
mod repository;
mod signature;

use std::sync::{Mutex, PoisonError, RwLock};

use http::StatusCode;

use self::deliveries::Deliveries;
use self::event::Meaning;
use super::{Request, Response, answer};

pub use event::Push;
pub use receiver::{Kind, Receiver, Token, flux_path};
pub use repository::same_repository;
pub use signature::Refusal;

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something was pushed.
    Push(Push),
    /// A provider tries whether anybody answers.
    Ping,
    /// An event that changes no repository.
    Other,
    /// A delivery that was heard before.
    Repeated,
    /// What is said can't be read, though it comes from the right one.
    Unreadable,
    /// It doesn't come from the right one.
    Refused(Refusal),
}

impl Heard {
    /// A word for it, for metrics: one of six.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Push(_) => "push",
            Self::Ping => "ping",
            Self::Other => "ignored",
            Self::Repeated => "repeated",
            Self::Unreadable => "unreadable",
            Self::Refused(_) => "refused",
        }
    }
}

type Tell = Box<dyn Fn(&str, &Heard) + Send + Sync>;

/// The receivers of a server, and who wants to know what they hear.
pub struct Hooks {
    receivers: RwLock<Vec<Receiver>>,
    deliveries: Mutex<Deliveries>,
    tell: Tell,
}

impl Hooks {
    /// No receiver yet. `tell` is called with the name of a receiver, empty if there is none such, and what it heard; the answer
    /// waits for it, so it should only note what is to be done.
    pub fn new(tell: impl Fn(&str, &Heard) + Send + Sync + 'static) -> Self {
        Self { receivers: RwLock::default(), deliveries: Mutex::default(), tell: Box::new(tell) }
    }

    /// Has these receivers from now on, and no others.
    pub fn set_receivers(&self, receivers: Vec<Receiver>) {
        *self.receivers.write().unwrap_or_else(PoisonError::into_inner) = receivers;
    }

    /// Hears a request to `/hook/...` at a moment, in seconds since 1970.
    pub fn answer(&self, request: &Request, now: u64) -> Response {
        let path = request.uri().path().trim_start_matches("/hook/");
        let receivers = self.receivers.read().unwrap_or_else(PoisonError::into_inner);
        let (name, heard) = match receiver::find(&receivers, path) {
            Some(found) => (found.receiver.name.as_str(), self.hear(&found, request, now)),
            None => ("", Heard::Refused(Refusal::UnknownReceiver)),
        };
        log(name, &heard);
        (self.tell)(name, &heard);
        match heard {
            Heard::Push(_) => answer(StatusCode::ACCEPTED, "accepted"),
            Heard::Ping => answer(StatusCode::OK, "ok"),
            Heard::Other => answer(StatusCode::ACCEPTED, "nothing to do"),
            Heard::Repeated => answer(StatusCode::ACCEPTED, "known already"),
            Heard::Unreadable => answer(StatusCode::BAD_REQUEST, "the body is not the JSON of an event"),
            Heard::Refused(_) => answer(StatusCode::UNAUTHORIZED, "unauthorized"),
        }
    }

    fn hear(&self, found: &receiver::Found, request: &Request, now: u64) -> Heard {
        if let Err(refusal) = found.verify(request, now) {
            return Heard::Refused(refusal);
        }
        let Some(meaning) = event::read(found.receiver.kind, request) else { return Heard::Unreadable };
        match meaning {
            Meaning::Ping => Heard::Ping,
            Meaning::Other => Heard::Other,
            Meaning::Push(push) if self.is_known(&found.receiver.name, &push) => Heard::Repeated,
            Meaning::Push(push) => Heard::Push(push),
        }
    }

    fn is_known(&self, receiver: &str, push: &Push) -> bool {
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        push.delivery.as_ref().is_some_and(|delivery| !deliveries.is_new(receiver, delivery))
    }
}

fn log(receiver: &str, heard: &Heard) {
    match heard {
        Heard::Push(push) => tracing::info!(
            receiver,
            reference = push.reference.as_deref().unwrap_or_default(),
            commit = push.commit.as_deref().unwrap_or_default(),
            delivery = push.delivery.as_deref().unwrap_or_default(),
            "webhook: push"
        ),
        Heard::Refused(why) => tracing::warn!(receiver, reason = %why, "webhook refused"),
        Heard::Unreadable => tracing::warn!(receiver, "webhook with a body that is not the JSON of an event"),
        Heard::Ping | Heard::Other | Heard::Repeated => tracing::debug!(receiver, "webhook: {}", heard.word()),
    }
}
