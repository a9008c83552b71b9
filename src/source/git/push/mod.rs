//! Rendered manifests as commits on a branch of a remote repository. Only ever on top of what is there: if somebody else was faster, it
//! is fetched and built upon. Nothing is checked out, and no program is run.

mod draft;
mod error;

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

pub use error::PushError;

use super::mirror::Mirror;
use super::objects::Commit;
use super::reference::Head;
use super::remote::{Access, Move, RemoteError};
use super::signature::SigningKey;
use crate::rendered_branch::{DryCommit, Layout, Manifest, NOTES, Rendering};
use draft::{Draft, Unmade};

/// How often it is tried again, if somebody else is faster.
const ATTEMPTS: u32 = 12;

/// How long to wait before that, at first and at most.
const WAIT: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// How often it is tried again, if the server speaks as if somebody else were faster, and nothing has moved.
const UNMOVED: u32 = 3;

/// Somebody in whose name commits are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    name: String,
    address: String,
}

impl Default for Person {
    fn default() -> Self {
        Self { name: "kaito".to_owned(), address: "kaito@localhost".to_owned() }
    }
}

impl std::str::FromStr for Person {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.strip_suffix('>').and_then(|text| text.split_once('<')).map(|(name, address)| (name.trim(), address.trim()));
        let is_good = |part: &str| !part.is_empty() && !part.contains(['<', '>']) && !part.chars().any(char::is_control);
        match parts.filter(|(name, address)| is_good(name) && is_good(address)) {
            Some((name, address)) => Ok(Self { name: name.to_owned(), address: address.to_owned() }),
            None => Err("write a name and an address, as in 'Robot <robot@example.com>'".to_owned()),
        }
    }
}

/// A branch of rendered manifests, and how commits get there.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The branch. If it isn't there, it is made, and holds nothing else.
    pub branch: String,
    /// The directory of the manifests, as [`rendered_branch::directory`](crate::rendered_branch::directory) writes it.
    pub directory: String,
    /// Into which files they go.
    pub layout: Layout,
    /// With which credentials.
    pub access: Access,
    /// Who is told to have written the commit.
    pub author: Person,
    /// Who is told to have made it.
    pub committer: Person,
    /// The key that signs it, if it is to be signed.
    pub key: Option<SigningKey>,
    /// Whether what an older commit is rendered to may take the place of what a newer one is.
    pub goes_back: bool,
}

impl Destination {
    /// What is to be there.
    pub fn rendering(&self, manifests: Vec<Manifest>, command: &str, dry: DryCommit) -> Rendering {
        Rendering { directory: self.directory.clone(), layout: self.layout, manifests, command: command.to_owned(), dry }
    }
}

impl Commit {
    /// As one that was rendered.
    pub fn dry(self, repo_url: &str) -> DryCommit {
        let date = jiff::Timestamp::from_second(self.at).map_or_else(|_| String::new(), |at| at.to_string());
        DryCommit { repo_url: repo_url.to_owned(), sha: self.id, author: self.author, date, message: self.message }
    }
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The id of the commit that holds the manifests.
    pub commit: String,
    /// Whether it was made just now; otherwise the branch held them already.
    pub is_new: bool,
    /// How many files were written.
    pub written: usize,
    /// How many files of earlier commits were removed.
    pub removed: usize,
}

/// Where the references of a remote repository are.
#[derive(PartialEq, Eq)]
struct Tips {
    branch: Option<String>,
    notes: Option<String>,
}

/// Makes a draft on top of what is in a bare repository.
type Make<'m> = &'m dyn Fn(&Path, Tips) -> Result<Draft, Unmade>;

impl Mirror {
    /// Makes a branch of the remote repository hold these manifests, if it doesn't yet, and says in a note which commit they were rendered
    /// from.
    ///
    /// # Errors
    /// The remote can't be asked or doesn't take it, the key can't be used, or there is something else where the manifests are to be.
    pub fn push(&self, to: &Destination, rendering: &Rendering) -> Result<Pushed, PushError> {
        self.push_while(to, rendering, &|| true)
    }

    /// The same, where nothing is sent unless `may` says at that moment that it may be.
    ///
    /// # Errors
    /// As for [`Self::push`], or it may not be sent.
    pub fn push_while(&self, to: &Destination, rendering: &Rendering, may: &dyn Fn() -> bool) -> Result<Pushed, PushError> {
        self.send(to, &|store, tips| draft::draft(store, tips, to, rendering), may)
    }

    /// Says in a note that a commit which the branch still holds, and which was pushed before, is what this one is rendered to, too.
    ///
    /// # Errors
    /// As for [`Self::push_while`], or the branch holds another commit by now.
    pub fn note_while(&self, to: &Destination, commit: &str, dry: &DryCommit, may: &dyn Fn() -> bool) -> Result<Pushed, PushError> {
        self.send(to, &|store, tips| draft::note(store, tips, to, commit, dry), may)
    }

    fn send(&self, to: &Destination, make: Make<'_>, may: &dyn Fn() -> bool) -> Result<Pushed, PushError> {
        // Those who share this mirror would only be in each other's way.
        let _one_at_a_time = self.pushing.lock().unwrap_or_else(PoisonError::into_inner);
        let branch = format!("refs/heads/{}", to.branch);
        let mut before: Option<(Tips, String, String)> = None;
        let mut unmoved = 0;
        for attempt in 0..ATTEMPTS {
            thread::sleep(wait(attempt));
            let Some(draft) = self.draft(to, make, &branch)? else { continue };
            let moves = draft.moves(&branch);
            if moves.is_empty() {
                return Ok(draft.pushed);
            }
            if let Some((tips, refused, why)) = before.take() {
                unmoved = if tips == draft.tips { unmoved + 1 } else { 0 };
                if unmoved >= UNMOVED {
                    return Err(PushError::Rejected { url: self.url().to_owned(), reference: refused, why });
                }
            }
            if !may() {
                return Err(PushError::NotLeading);
            }
            let report = self.lock_remote().push(&moves, &draft.pack, &to.access)?;
            let with_words = |why: &String| if report.words.is_empty() { why.clone() } else { format!("{why}: {}", report.words) };
            if let Some((name, why)) = report.refused.first() {
                return Err(PushError::Rejected { url: self.url().to_owned(), reference: name.clone(), why: with_words(why) });
            }
            let Some((name, why)) = report.stale.first() else { return Ok(draft.pushed) };
            before = Some((draft.tips, name.clone(), with_words(why)));
        }
        Err(PushError::Contended { url: self.url().to_owned(), branch: to.branch.clone() })
    }

    /// A commit on top of what the branch holds now; none if that was gone before it could be read.
    fn draft(&self, to: &Destination, make: Make<'_>, branch: &str) -> Result<Option<Draft>, PushError> {
        let listed = self.lock_remote().list(&[branch.to_owned(), NOTES.to_owned()], &to.access)?;
        let tip = |name: &str| listed.iter().find(|listed| listed.name == name).map(|listed| listed.id.clone());
        let tips = Tips { branch: tip(branch), notes: tip(NOTES) };
        for commit in [&tips.branch, &tips.notes].into_iter().flatten() {
            match self.fetch(&Head { commit: commit.clone(), ..Head::default() }, &to.access) {
                Ok(()) => {}
                Err(RemoteError::NoReference { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        let store = self.current();
        // Somebody else may have begun another store since.
        if [&tips.branch, &tips.notes].into_iter().flatten().any(|commit| !store.has(commit)) {
            return Ok(None);
        }
        make(&store.path, tips).map(Some).map_err(|unmade| match unmade {
            Unmade::Foreign(path) => PushError::Foreign { url: self.url().to_owned(), branch: to.branch.clone(), path },
            Unmade::Newer(commit) => PushError::Newer { url: self.url().to_owned(), branch: to.branch.clone(), commit },
            Unmade::Key { file, why, help } => PushError::Key { file, why, help },
            Unmade::Git(why) => PushError::Unmade { url: self.url().to_owned(), why },
        })
    }
}

/// How long to wait before an attempt. Who is in each other's way waits for times of their own.
fn wait(attempt: u32) -> Duration {
    let longest = (WAIT * attempt * attempt).min(LONGEST);
    let share = RandomState::new().hash_one(attempt) % 100;
    longest / 2 + longest / 200 * u32::try_from(share).unwrap_or_default()
}

impl Draft {
    /// What is to be moved: the branch, if there is a new commit, and the notes, if there is a new one.
    fn moves(&self, branch: &str) -> Vec<Move> {
        let commit =
            self.pushed.is_new.then(|| Move { name: branch.to_owned(), old: self.tips.branch.clone(), new: self.pushed.commit.clone() });
        let note = self.notes.as_ref().map(|new| Move { name: NOTES.to_owned(), old: self.tips.notes.clone(), new: new.clone() });
        commit.into_iter().chain(note).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ATTEMPTS, LONGEST, Person, WAIT, wait};

    #[test]
    fn waits_are_longer_each_time_and_differ() {
        assert_eq!(wait(0), Duration::ZERO);
        for attempt in 1..ATTEMPTS {
            let longest = (WAIT * attempt * attempt).min(LONGEST);
            let waits: Vec<Duration> = (0..20).map(|_| wait(attempt)).collect();
            assert!(waits.iter().all(|wait| (longest / 2..=longest).contains(wait)), "{attempt}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{attempt}: {waits:?}");
        }
    }

    #[test]
    fn people() {
        let good: Person = "A. B  <a@b>".parse().unwrap();
        assert_eq!((good.name.as_str(), good.address.as_str()), ("A. B", "a@b"));
        for text in ["", "A", "a@b", "<a@b>", "A <>", "A <a@b", "A <a@b> c", "A\nB <a@b>", "A <a@<b>>"] {
            assert!(text.parse::<Person>().is_err(), "{text}");
        }
    }
}
