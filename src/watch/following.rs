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
                let was_unheard = self.listed.contains(&number) && self.unheard.remove(&number).is_some();
                let objects = if ledger.see(number, *sighting) { vec![reference] } else { Vec::new() };
                match self.subjects.get(number) {
                    Some(subject) if was_unheard => News::Heard { kind: subject.kind.clone(), is_first: false, objects },
                    _ if objects.is_empty() => News::None,
                    _ => News::Objects(objects),
                }
            }
            Sight::Gone(reference, version) => match ledger.deleted(&reference, version) {
                Some(_) => News::Objects(vec![reference]),
                None => News::None,
            },
            Sight::Listed(number, all) => {
                let was_complete = self.is_complete();
                let is_first = self.listed.insert(number);
                let was_unheard = self.unheard.remove(&number).is_some();
                let subject = self.subjects.get(number);
                let kind = subject.map(|subject| subject.kind.clone());
                kind.iter().for_each(|kind| ledger.know(kind));
                let mut objects = ledger.retain(number, &all);
                objects.extend(subject.into_iter().flat_map(|subject| ledger.doubt(subject, &all)));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::watch::Sighting;

    /// What is followed is one kind, by the number 0.
    fn following() -> Following {
        let kind = GroupKind::new("", "Service");
        let subject = Subject { kind, namespace: Some("n".to_owned()), selector: None, name: None, metadata_only: false };
        Following { subjects: vec![subject], followed: [0].into(), ..Following::default() }
    }

    fn seen(version: &str) -> Sight {
        let metadata = json!({"name": "phi", "namespace": "n", "uid": "1", "resourceVersion": version});
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata});
        Sight::Seen(0, Box::new(Sighting::of(object, "kaito").unwrap()))
    }

    fn listed() -> Sight {
        Sight::Listed(0, [ObjectRef::new("", "Service", Some("n"), "phi")].into())
    }

    fn unheard() -> Sight {
        Sight::Unheard(0, "forbidden".to_owned())
    }

    fn word(news: &News) -> &'static str {
        match news {
            News::None => "none",
            News::Objects(_) => "objects",
            News::Complete => "complete",
            News::Heard { is_first: true, .. } => "heard first",
            News::Heard { is_first: false, .. } => "heard again",
            News::Unheard { .. } => "unheard",
        }
    }

    #[test]
    fn a_kind_may_be_read_again() {
        let table: [(&str, Vec<Sight>, &str); 5] = [
            ("never read before", vec![unheard(), seen("1"), listed()], "heard first"),
            ("listed again", vec![listed(), unheard(), listed()], "heard again"),
            ("the watch just goes on", vec![listed(), unheard(), seen("2")], "heard again"),
            ("that is said once", vec![listed(), unheard(), seen("2"), seen("3")], "none"),
            ("nothing was wrong", vec![listed(), seen("2")], "objects"),
        ];
        for (what, sights, want) in table {
            let (mut following, mut ledger) = (following(), Ledger::default());
            let mut last = News::None;
            sights.into_iter().for_each(|sight| last = following.take(sight, &mut ledger));
            assert_eq!(word(&last), want, "{what}");
        }
    }
}
