//! What watches have told of several kinds so far, as small as it is needed.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::Call;
use crate::cluster::{Change, ClusterError, Connection, Subject, Watch};
use crate::diagnostic::Diagnostic;
use crate::inventory::GroupKind;
use crate::manifest::ObjectRef;

/// Lists that a watch keeps true. Of each object there is what was made of it.
pub(super) struct Lists<T> {
    lists: Arc<Mutex<Vec<List<T>>>>,
    /// Its end is the end of the watch.
    _watch: Watch,
}

/// The objects of a subject.
struct List<T> {
    subject: Subject,
    objects: BTreeMap<ObjectRef, T>,
    /// Whether all were told once, or it was told that the server has none, as it doesn't know the kind.
    is_known: bool,
    /// Why nothing more is heard.
    trouble: Option<String>,
}

impl<T: PartialEq + Send + 'static> Lists<T> {
    /// Follows subjects. Of each object that is what `keep` makes of it, or nothing; whenever something is new, there is a call.
    ///
    /// # Errors
    /// The cluster's configuration can't be used.
    pub(super) fn follow(
        connection: &Connection,
        subjects: Vec<Subject>,
        keep: impl Fn(Value) -> Option<T> + Send + Sync + 'static,
        caller: Sender<Call>,
    ) -> Result<Self, ClusterError> {
        let lists: Vec<List<T>> = subjects.iter().cloned().map(List::new).collect();
        let lists = Arc::new(Mutex::new(lists));
        let shared = Arc::clone(&lists);
        let take = move |subject: &Subject, change| {
            let mut lists = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(list) = lists.iter_mut().find(|list| list.subject == *subject) else { return };
            if list.take(change, &keep) {
                // Whoever doesn't listen any more wants to know nothing.
                _ = caller.send(Call::Look);
            }
        };
        Ok(Self { lists, _watch: Watch::start(connection, subjects, take)? })
    }

    /// What there is, as it is at this moment.
    pub(super) fn look(&self) -> Look<'_, T> {
        Look(self.lists.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The lists as they are at a moment; nothing is taken note of as long as somebody looks.
pub(super) struct Look<'l, T>(MutexGuard<'l, Vec<List<T>>>);

impl<T> Look<'_, T> {
    /// Whether all objects of all kinds were told.
    pub(super) fn is_whole(&self) -> bool {
        self.0.iter().all(|list| list.is_known)
    }

    /// Whether the server doesn't know a kind.
    pub(super) fn is_unknown(&self, kind: &GroupKind) -> bool {
        self.0.iter().any(|list| list.subject.kind == *kind && list.trouble.as_deref() == Some(UNKNOWN))
    }

    /// Why nothing more is heard of a kind, if so.
    pub(super) fn trouble(&self) -> Option<Diagnostic> {
        // Of a kind that was never there nothing is missed.
        let is_missed = |list: &&List<T>| !(list.trouble.as_deref() == Some(UNKNOWN) && list.is_known && list.objects.is_empty());
        self.0.iter().filter(is_missed).find_map(|list| {
            let place = list.subject.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
            let message = format!("{} can't be followed{place}: {}", list.subject.kind, list.trouble.as_ref()?);
            Some(Diagnostic::error(message).help("what is known of it stays as it is; it is tried again"))
        })
    }

    /// Everything there is.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&ObjectRef, &T)> {
        self.0.iter().flat_map(|list| &list.objects)
    }
}

/// What is said of a kind that the server doesn't know.
const UNKNOWN: &str = "the server doesn't know this kind";

impl<T: PartialEq> List<T> {
    fn new(subject: Subject) -> Self {
        Self { subject, objects: BTreeMap::new(), is_known: false, trouble: None }
    }

    /// Takes note of a change; whether something is new.
    fn take(&mut self, change: Change, keep: impl Fn(Value) -> Option<T>) -> bool {
        match change {
            Change::Listing => {
                self.trouble = None;
                false
            }
            Change::Applied(object) => {
                self.trouble = None;
                let Ok(reference) = ObjectRef::of(&object) else { return false };
                match keep(object) {
                    Some(kept) if self.objects.get(&reference) == Some(&kept) => false,
                    Some(kept) => {
                        self.objects.insert(reference, kept);
                        true
                    }
                    None => self.objects.remove(&reference).is_some(),
                }
            }
            Change::Deleted(object) => ObjectRef::of(&object).is_ok_and(|reference| self.objects.remove(&reference).is_some()),
            Change::Listed(all) => {
                self.trouble = None;
                let before = self.objects.len();
                self.objects.retain(|reference, _| all.contains(reference));
                !std::mem::replace(&mut self.is_known, true) || self.objects.len() < before
            }
            Change::UnknownKind => {
                // A kind that was there is hardly gone for good: what is known of it is only forgotten when that is listed.
                self.is_known |= self.objects.is_empty();
                self.trouble = Some(UNKNOWN.to_owned());
                true
            }
            Change::Unreadable(why) | Change::Silent(why) => {
                self.trouble = Some(why);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Changes, which of them are news, what there is then, whether that is known to be all, and what is wrong.
    type Case = (&'static str, Vec<Change>, &'static [bool], &'static [&'static str], bool, Option<&'static str>);

    fn list() -> List<i64> {
        List::new(Subject {
            kind: GroupKind::new("", "Thing"),
            namespace: Some("n".to_owned()),
            selector: None,
            name: None,
            metadata_only: false,
        })
    }

    fn object(name: &str, count: i64) -> Value {
        json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": name, "namespace": "n"}, "count": count})
    }

    fn reference(name: &str) -> ObjectRef {
        ObjectRef::new("", "Thing", Some("n"), name)
    }

    /// What a list comes to, and whether each change was something new.
    fn told(changes: Vec<Change>) -> (Vec<bool>, List<i64>) {
        let mut list = list();
        let keep = |object: Value| object["count"].as_i64().filter(|count| *count != 0);
        let news = changes.into_iter().map(|change| list.take(change, keep)).collect();
        (news, list)
    }

    fn listed(names: &[&str]) -> Change {
        Change::Listed(names.iter().map(|name| reference(name)).collect())
    }

    #[test]
    fn what_changes_comes_to() {
        use Change::{Applied, Deleted, Listing, Silent, UnknownKind, Unreadable};
        let applied = |name, count| Applied(object(name, count));
        let forbidden = || Unreadable("forbidden".to_owned());
        let table: Vec<Case> = vec![
            ("not listed yet", vec![Listing, applied("a", 1)], &[false, true], &["a"], false, None),
            ("listed", vec![Listing, applied("a", 1), listed(&["a"])], &[false, true, true], &["a"], true, None),
            ("nothing is listed", vec![Listing, listed(&[])], &[false, true], &[], true, None),
            ("the same again", vec![applied("a", 1), listed(&["a"]), applied("a", 1)], &[true, true, false], &["a"], true, None),
            ("listed again", vec![applied("a", 1), listed(&["a"]), listed(&["a"])], &[true, true, false], &["a"], true, None),
            ("gone unseen", vec![applied("a", 1), listed(&["a"]), listed(&[])], &[true, true, true], &[], true, None),
            ("gone", vec![applied("a", 1), listed(&["a"]), Deleted(object("a", 1))], &[true, true, true], &[], true, None),
            ("no longer kept", vec![applied("a", 1), listed(&["a"]), applied("a", 0)], &[true, true, true], &[], true, None),
            ("never kept", vec![applied("a", 0), listed(&["a"])], &[false, true], &[], true, None),
            ("forbidden", vec![forbidden()], &[true], &[], false, Some("forbidden")),
            ("forbidden later", vec![applied("a", 1), listed(&["a"]), forbidden()], &[true, true, true], &["a"], true, Some("forbidden")),
            ("allowed again", vec![forbidden(), Listing, listed(&[])], &[true, false, true], &[], true, None),
            ("no answer", vec![Silent("silence".to_owned())], &[true], &[], false, Some("silence")),
            ("never there", vec![UnknownKind], &[true], &[], true, Some(UNKNOWN)),
            ("not there now", vec![applied("a", 1), listed(&["a"]), UnknownKind], &[true, true, true], &["a"], true, Some(UNKNOWN)),
        ];
        for (what, changes, news, there, is_known, trouble) in table {
            let (have, list) = told(changes);
            assert_eq!(have, news, "{what}");
            assert_eq!(
                list.objects.into_keys().collect::<Vec<_>>(),
                there.iter().map(|name| reference(name)).collect::<Vec<_>>(),
                "{what}"
            );
            assert_eq!((list.is_known, list.trouble.as_deref()), (is_known, trouble), "{what}");
        }
    }

    #[test]
    fn what_is_said_of_trouble() {
        let trouble = |changes| {
            let lists = Mutex::new(vec![told(changes).1]);
            let look = Look(lists.lock().unwrap());
            look.trouble().map(|finding| finding.message)
        };
        let some = || Change::Applied(object("a", 1));
        assert_eq!(trouble(vec![Change::UnknownKind]), None);
        assert_eq!(trouble(vec![Change::Unreadable("no".to_owned())]).unwrap(), "Thing can't be followed in namespace n: no");
        let gone = trouble(vec![some(), listed(&["a"]), Change::UnknownKind]);
        assert_eq!(gone.unwrap(), "Thing can't be followed in namespace n: the server doesn't know this kind");
    }
}
