//! The watches of a set: which there are, and what of them has been listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Sender;

use super::Event;
use super::ledger::Ledger;
use super::sightings::{self, Sight};
use crate::cluster::{ClusterError, Connection, Subject, Watch};
use crate::inventory::{GroupKind, Parent};
use crate::manifest::ObjectRef;

/// What is followed of a set.
#[derive(Default)]
pub(super) struct Following {
    watch: Option<Watch>,
    /// Everything that was ever followed, by its number.
    subjects: Vec<Subject>,
    /// The numbers of what is followed.
    followed: BTreeSet<usize>,
    /// The numbers of what was listed.
    listed: BTreeSet<usize>,
    /// Of what nothing is heard, and why.
    unheard: BTreeMap<usize, String>,
}

/// What a sight does to what is known.
pub(super) enum News {
    /// Nothing that matters.
    None,
    /// There is something new about these objects.
    Objects(Vec<ObjectRef>),
    /// Everything was listed for the first time.
    Complete,
    /// A kind may be listed of which nothing was heard before; whether it is for the first time, and what is new of it.
    Heard { kind: GroupKind, is_first: bool, objects: Vec<ObjectRef> },
    /// Nothing is heard of a kind, and why; whether all others were listed already.
    Unheard { why: String, is_last: bool },
}

impl Following {
    /// Follows these, if they aren't followed already.
    ///
    /// # Errors
    /// The cluster's configuration can't be used.
    pub(super) fn follow(
        &mut self,
        connection: &Connection,
        (parent, manager): (&Parent, &str),
        wanted: Vec<Subject>,
        outbox: &Sender<Event>,
    ) -> Result<(), ClusterError> {
        let numbers: BTreeSet<usize> = wanted.iter().map(|subject| self.number(subject)).collect();
        if self.watch.is_some() && numbers.is_subset(&self.followed) {
            return Ok(());
        }
        // The old one ends first: what it told is told again.
        self.watch = None;
        self.listed.clear();
        self.followed = numbers;
        let subjects = self.subjects.clone();
        let (id, manager, outbox) = (parent.id(), manager.to_owned(), outbox.clone());
        let take = move |subject: &Subject, change| {
            let number = subjects.iter().position(|known| known == subject).unwrap_or_default();
            if let Some(sight) = sightings::sight(number, change, &id, &manager) {
                // Whoever doesn't listen any more wants to know nothing.
                _ = outbox.send(Event::Live(sight));
            }
        };
        self.watch = Some(Watch::start(connection, wanted, take)?);
        Ok(())
    }

    fn number(&mut self, subject: &Subject) -> usize {
        let known = self.subjects.iter().position(|known| known == subject);
        known.unwrap_or_else(|| {
            self.subjects.push(subject.clone());
            self.subjects.len() - 1
        })
    }

    /// Whether everything that is followed has been listed, or can't be.
    pub(super) fn is_complete(&self) -> bool {
        self.watch.is_some() && self.followed.iter().all(|number| self.listed.contains(number) || self.unheard.contains_key(number))
    }

    /// Takes note of what was seen.
    pub(super) fn take(&mut self, sight: Sight, ledger: &mut Ledger) -> News {
        match sight {
            Sight::Seen(number, sighting) => {
                let reference = sighting.reference().clone();
                // Of a kind that was listed once something is heard again.
                if self.listed.contains(&number) {
                    self.unheard.remove(&number);
                }
                if ledger.see(number, *sighting) { News::Objects(vec![reference]) } else { News::None }
            }
            Sight::Gone(reference) => match ledger.lose(&reference) {
                Some(_) => News::Objects(vec![reference]),
                None => News::None,
            },
            Sight::Listed(number, all) => {
                let was_complete = self.is_complete();
                let is_first = self.listed.insert(number);
                let was_unheard = self.unheard.remove(&number).is_some();
                let kind = self.subjects.get(number).map(|subject| subject.kind.clone());
                kind.iter().for_each(|kind| ledger.know(kind));
                let objects = ledger.retain(number, &all);
                match kind {
                    _ if self.is_complete() && !was_complete => News::Complete,
                    Some(kind) if was_unheard => News::Heard { kind, is_first, objects },
                    _ => News::Objects(objects),
                }
            }
            Sight::Unheard(number, why) => {
                let was_complete = self.is_complete();
                let kind = self.subjects.get(number).map(|subject| subject.kind.to_string()).unwrap_or_default();
                self.unheard.insert(number, why.clone());
                News::Unheard { why: format!("{kind}: {why}"), is_last: self.is_complete() && !was_complete }
            }
        }
    }
}
