//! The edge that tells people and other programs what became of a revision: commit statuses at GitHub, GitLab, Gitea and Bitbucket,
//! and webhooks; and what a pull request would do, in a comment on it.
//!
//! A [`Notice`] is turned into requests by pure functions ([`Channel::request`]). One thread sends them ([`Notifier`]), so that nobody
//! waits for a receiver. Tokens are read from files whenever one is needed, and are in nothing that is logged.

mod channel;
mod comment;
mod commit_status;
mod forge;
mod notice;
mod notifier;
mod outbox;
mod post;
mod request;
mod webhook;

pub use channel::{Channel, Provider, Repository};
pub use comment::{Commented, Conversation, Uncommented};
pub use notice::{Event, Notice, Set};
pub use notifier::Notifier;
pub use post::is_acceptable;
pub use request::Request;

/// Takes notices, without waiting for anybody.
pub trait Notify: Send + Sync {
    /// Something is to be told.
    fn notify(&self, notice: Notice);
}
