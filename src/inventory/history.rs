//! What was applied before: the last five renderings of a set, as an annotation of its parent.
//!
//! The names are those of Flux' `status.history`. Which objects there are is not kept there, nor anywhere else: annotations of an object
//! take 256 KiB, which the names of 5,000 objects don't fit into; every one that comes or goes would rewrite them all; and the label
//! of each member tells it already, and is right even after a crash.

use serde::{Deserialize, Serialize};

/// How many renderings are remembered.
const LENGTH: usize = 5;

/// The status of what was applied whole, as Flux calls it.
pub const SUCCEEDED: &str = "ReconciliationSucceeded";

/// The status of what some of those who share a set have applied, and others not yet, as Flux calls it.
const PROGRESSING: &str = "Progressing";

/// The last renderings, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct History(Vec<Entry>);

/// A rendering that was applied, or that somebody has tried to apply.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The revision of git that it was rendered from last, if it came from git.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The digest of what was rendered, `sha256:...`; none if it could not be rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// When that began, as RFC 3339 has it.
    pub first_reconciled: String,
    /// When anything of it changed last: a pass that changes nothing is none.
    pub last_reconciled: String,
    /// What came of it: [`SUCCEEDED`], or the reason of a condition.
    pub last_reconciled_status: String,
}

impl History {
    /// Reads the annotation. What can't be read is forgotten: nothing depends on it but a way back.
    pub(super) fn read(text: &str) -> Self {
        let entries: Vec<serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
        Self(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).take(LENGTH).collect())
    }

    /// The annotation; none without entries.
    pub(super) fn text(&self) -> Option<String> {
        serde_json::to_string(&self.0).ok().filter(|_| !self.0.is_empty())
    }

    /// The renderings, the newest first.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Notes what came of a pass; whether that is any news. The same rendering is the same entry, whatever commit it is from.
    pub fn note(&mut self, revision: Option<&str>, digest: Option<&str>, status: &str, now: &str) -> bool {
        let revision = revision.map(ToOwned::to_owned);
        let digest = digest.map(ToOwned::to_owned);
        let is_it = |entry: &Entry| entry.digest == digest && (digest.is_some() || entry.revision == revision);
        match self.0.first_mut().filter(|entry| is_it(entry)) {
            Some(entry) if entry.revision == revision && entry.last_reconciled_status == status => return false,
            Some(entry) => {
                entry.revision = revision;
                now.clone_into(&mut entry.last_reconciled);
                status.clone_into(&mut entry.last_reconciled_status);
            }
            None => {
                let (first_reconciled, last_reconciled) = (now.to_owned(), now.to_owned());
                self.0.insert(0, Entry { revision, digest, first_reconciled, last_reconciled, last_reconciled_status: status.to_owned() });
                self.0.truncate(LENGTH);
            }
        }
        true
    }

    /// Notes that a part of a rendering was applied; what is known of it already is said no worse and no better.
    pub fn note_part(&mut self, revision: Option<&str>, digest: &str, now: &str) {
        let is_it = |entry: &Entry| entry.digest.as_deref() == Some(digest) && entry.revision.as_deref() == revision;
        if !self.0.first().is_some_and(is_it) {
            self.note(revision, Some(digest), PROGRESSING, now);
        }
    }

    /// Notes that the rest of the newest rendering was applied, too.
    pub fn note_rest(&mut self, revision: &str) {
        let is_it = |entry: &&mut Entry| entry.revision.as_deref() == Some(revision) && entry.last_reconciled_status == PROGRESSING;
        if let Some(entry) = self.0.first_mut().filter(is_it) {
            SUCCEEDED.clone_into(&mut entry.last_reconciled_status);
        }
    }

    /// The newest rendering that was applied, at least in part: what was refused or couldn't be rendered has no digest.
    pub(super) fn applied(&self) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.digest.is_some())
    }

    /// The rendering to go back to: the newest that was applied whole, and is another one than the newest.
    pub fn previous(&self) -> Option<&Entry> {
        let newest = self.0.first()?;
        let is_good = |entry: &&Entry| entry.last_reconciled_status == SUCCEEDED && entry.digest != newest.digest;
        self.0.iter().skip(1).find(is_good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is noted of a pass: revision, digest, status.
    type Note<'n> = (&'n str, Option<&'n str>, &'n str);

    /// The history after these notes, and which of them were news.
    fn noted(notes: &[Note<'_>]) -> (Vec<bool>, History) {
        let mut history = History::default();
        let mut note = |(minute, (revision, digest, status)): (usize, &Note<'_>)| {
            history.note(Some(revision), *digest, status, &format!("2026-03-02T08:{minute:02}:00Z"))
        };
        (notes.iter().enumerate().map(&mut note).collect(), history)
    }

    fn told(history: &History) -> Vec<String> {
        let minute = |time: &str| time[14..16].to_owned();
        let tell = |entry: &Entry| {
            let (first, last) = (minute(&entry.first_reconciled), minute(&entry.last_reconciled));
            let digest = entry.digest.as_deref().unwrap_or("-");
            format!("{} {digest} {first}-{last} {}", entry.revision.as_deref().unwrap_or("-"), entry.last_reconciled_status)
        };
        history.entries().iter().map(tell).collect()
    }

    #[test]
    fn a_rendering_in_parts() {
        let now = "2026-03-02T08:00:00Z";
        let mut history = History::default();
        let status = |history: &History| history.0[0].last_reconciled_status.clone();
        history.note_part(Some("a"), "1", now);
        history.note_rest("b");
        assert_eq!(status(&history), PROGRESSING, "another one is whole");
        history.note_rest("a");
        assert_eq!(status(&history), SUCCEEDED);
        history.note_part(Some("a"), "1", now);
        assert_eq!(status(&history), SUCCEEDED, "it was whole before");
        history.note(Some("b"), Some("2"), "ReconciliationFailed", now);
        history.note_part(Some("b"), "2", now);
        history.note_rest("b");
        assert_eq!((status(&history).as_str(), history.0.len()), ("ReconciliationFailed", 2), "another part is not applied");
    }

    #[test]
    fn what_is_remembered() {
        let good = SUCCEEDED;
        let table: [(&[Note<'_>], &[bool], &[&str]); 6] = [
            (&[], &[], &[]),
            (&[("a", Some("1"), good), ("a", Some("1"), good)], &[true, false], &["a 1 00-00 ReconciliationSucceeded"]),
            // A commit that renders to the same.
            (&[("a", Some("1"), good), ("b", Some("1"), good)], &[true, true], &["b 1 00-01 ReconciliationSucceeded"]),
            // One that is tried again until it is applied.
            (
                &[("a", Some("1"), "ReconciliationFailed"), ("a", Some("1"), "ReconciliationFailed"), ("a", Some("1"), good)],
                &[true, false, true],
                &["a 1 00-02 ReconciliationSucceeded"],
            ),
            // Two that can't be rendered.
            (
                &[("a", None, "BuildFailed"), ("a", None, "BuildFailed"), ("b", None, "BuildFailed")],
                &[true, false, true],
                &["b - 02-02 BuildFailed", "a - 00-00 BuildFailed"],
            ),
            // There and back again.
            (
                &[("a", Some("1"), good), ("b", Some("2"), good), ("c", Some("1"), good)],
                &[true; 3],
                &["c 1 02-02 ReconciliationSucceeded", "b 2 01-01 ReconciliationSucceeded", "a 1 00-00 ReconciliationSucceeded"],
            ),
        ];
        for (notes, news, want) in table {
            let (is_news, history) = noted(notes);
            assert_eq!(is_news, news, "{notes:?}");
            assert_eq!(told(&history), want, "{notes:?}");
            assert_eq!(history.text().map(|text| History::read(&text)), Some(history).filter(|history| !history.0.is_empty()));
        }
    }

    #[test]
    fn five_are_remembered() {
        let mut history = History::default();
        for number in 0..9 {
            assert!(history.note(None, Some(&number.to_string()), SUCCEEDED, "2026-03-02T08:00:00Z"));
        }
        assert_eq!(history.entries().len(), LENGTH);
        assert_eq!(history.entries()[0].digest.as_deref(), Some("8"));
        // Small enough for an annotation, with names of revisions as they are.
        assert!(history.text().unwrap().len() < 2048);
    }

    #[test]
    fn what_to_go_back_to() {
        let good = SUCCEEDED;
        let table: [(&[Note<'_>], Option<&str>); 5] = [
            (&[], None),
            (&[("a", Some("1"), good)], None),
            (&[("a", Some("1"), good), ("b", Some("2"), good)], Some("a")),
            (&[("a", Some("1"), good), ("b", Some("2"), "ReconciliationFailed"), ("c", None, "BuildFailed")], Some("a")),
            (&[("a", Some("1"), good), ("b", Some("2"), good), ("c", Some("1"), good)], Some("b")),
        ];
        for (notes, want) in table {
            let (_, history) = noted(notes);
            assert_eq!(history.previous().and_then(|entry| entry.revision.as_deref()), want, "{notes:?}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_forgotten() {
        let entry = r#"{"digest":"1","firstReconciled":"x","lastReconciled":"y","lastReconciledStatus":"z","later":1}"#;
        let table = [
            (String::new(), 0),
            ("{".to_owned(), 0),
            ("{}".to_owned(), 0),
            ("[1, null, {}]".to_owned(), 0),
            (format!("[{entry}]"), 1),
            (format!("[{entry},{{\"digest\":1}},{entry}]"), 2),
            (format!("[{}]", [entry; 9].join(",")), LENGTH),
        ];
        for (text, want) in table {
            assert_eq!(History::read(&text).entries().len(), want, "{text}");
        }
    }
}
