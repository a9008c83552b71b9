//! What is still to be told to one receiver: in order, not twice in a row, and not without end.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::{Duration, Instant};

use super::channel::Channel;
use super::notice::Notice;
use super::request::Request;

/// How many requests wait at most. Of more, the oldest is dropped: the newest says how things are.
const MOST_WAITING: usize = 100;
/// How many subjects are remembered, about which something was told.
const MOST_SUBJECTS: usize = 1000;
/// For how long a message isn't repeated. Source: the rate limit of Flux' notification-controller.
const REPEATED_AFTER: Duration = Duration::from_secs(300);
/// How long to wait before a request is sent again, at first and at most; twice as long each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The longest wait that a receiver may ask for.
const MOST_PATIENCE: Duration = Duration::from_secs(3600);
/// How often a request is sent at most: for about half an hour.
const MOST_TRIES: u32 = 12;

/// A request, and what it is about.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub request: Request,
    /// The set that it is about, for logs.
    pub set: String,
}

/// What is still to be told to one receiver.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Letter>,
    /// What was told last about each subject, and when.
    told: BTreeMap<String, (u64, Instant)>,
    tries: u32,
    not_before: Option<Instant>,
    /// When something was sent last.
    pub(super) used: Option<Instant>,
}

/// What becomes of a letter that was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Again(Duration),
    GivenUp,
}

impl Outbox {
    /// Takes a notice, if the channel wants it and it says something new; a letter that had to go for it.
    pub(super) fn take(&mut self, channel: &Channel, notice: &Notice, now: Instant) -> Option<Letter> {
        let request = channel.request(notice)?;
        let set = format!("{}/{}", notice.set.namespace, notice.set.name);
        let mut hasher = DefaultHasher::new();
        let status = channel.subject(notice);
        match &status {
            Some(_) => request.body.to_string().hash(&mut hasher),
            None => (notice.revision.as_ref(), notice.event, &notice.summary, &notice.details).hash(&mut hasher),
        }
        let hash = hasher.finish();
        let is_fresh = |at: Instant| status.is_some() || now.saturating_duration_since(at) < REPEATED_AFTER;
        let subject = status.clone().unwrap_or_else(|| set.clone());
        if self.told.get(&subject).is_some_and(|(told, at)| *told == hash && is_fresh(*at)) {
            return None;
        }
        if self.told.len() >= MOST_SUBJECTS {
            self.told.clear();
        }
        self.told.insert(subject, (hash, now));
        self.waiting.push_back(Letter { request, set });
        if self.waiting.len() > MOST_WAITING { self.waiting.pop_front() } else { None }
    }

    /// When the next letter is to be sent; none if there is none.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.not_before.unwrap_or(now))
    }

    /// The letter to be sent next.
    pub(super) fn first(&self) -> Option<&Letter> {
        self.waiting.front()
    }

    /// The first letter was taken, or never will be.
    pub(super) fn done(&mut self) {
        self.waiting.pop_front();
        self.tries = 0;
        self.not_before = None;
    }

    /// The first letter was not taken; how long the receiver wants not to be asked again, if it says so.
    pub(super) fn failed(&mut self, asked: Option<Duration>, now: Instant) -> Next {
        self.tries += 1;
        if self.tries >= MOST_TRIES {
            self.done();
            return Next::GivenUp;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << (self.tries - 1)).min(LONGEST_WAIT);
        let wait = asked.map_or(wait, |asked| asked.max(FIRST_WAIT).min(MOST_PATIENCE));
        self.not_before = Some(now + wait);
        Next::Again(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Provider, Repository};
    use super::super::notice::Event;
    use super::super::notice::tests::notice;
    use super::*;

    fn channel(provider: Provider) -> Channel {
        let repository = Repository { site: "https://github.com".to_owned(), path: "org/models".to_owned() };
        Channel { repository: Some(repository), ..Channel::new(provider) }
    }

    /// What is waiting, by the word that says it.
    fn waiting(outbox: &Outbox, word: &str) -> Vec<String> {
        outbox.waiting.iter().map(|letter| letter.request.body[word].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let now = Instant::now();
        let (github, generic) = (channel(Provider::GitHub), channel(Provider::Generic));
        let (mut statuses, mut messages) = (Outbox::default(), Outbox::default());
        let later = now + REPEATED_AFTER;
        for (event, at) in [
            (Event::Progressing, now),
            (Event::Succeeded, now),
            (Event::Succeeded, now),
            (Event::Succeeded, later),
            (Event::Failed, later),
            (Event::Succeeded, later),
        ] {
            statuses.take(&github, &notice(event, "so it is"), at);
            messages.take(&generic, &notice(event, "so it is"), at);
        }
        assert_eq!(waiting(&statuses, "state"), ["pending", "success", "failure", "success"]);
        assert_eq!(waiting(&messages, "reason"), ["Succeeded", "Succeeded", "Failed", "Succeeded"]);
    }

    #[test]
    fn the_oldest_goes() {
        let (now, generic) = (Instant::now(), channel(Provider::Generic));
        let mut outbox = Outbox::default();
        let gone = (0..MOST_WAITING + 3).filter_map(|number| outbox.take(&generic, &notice(Event::Failed, &number.to_string()), now));
        assert_eq!(gone.count(), 3);
        assert_eq!(outbox.waiting.len(), MOST_WAITING);
        assert!(waiting(&outbox, "message")[0].starts_with("3\n"));
    }

    #[test]
    fn waits_double_and_end() {
        let (mut now, generic) = (Instant::now(), channel(Provider::Generic));
        let mut outbox = Outbox::default();
        assert_eq!(outbox.due(now), None);
        outbox.take(&generic, &notice(Event::Failed, "first"), now);
        outbox.take(&generic, &notice(Event::Failed, "second"), now);
        assert_eq!(outbox.due(now), Some(now));
        let asked = Duration::from_secs(42);
        assert_eq!(outbox.failed(Some(asked), now), Next::Again(asked));
        assert_eq!(outbox.failed(Some(Duration::MAX), now), Next::Again(MOST_PATIENCE));
        for seconds in [4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(outbox.failed(None, now), Next::Again(Duration::from_secs(seconds)));
            assert_eq!(outbox.due(now), Some(now + Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
        }
        assert_eq!(outbox.failed(None, now), Next::GivenUp);
        assert_eq!(outbox.due(now), Some(now), "the second is not held up any longer");
        assert!(outbox.first().unwrap().request.body["message"].as_str().unwrap().starts_with("second"));
    }
}
