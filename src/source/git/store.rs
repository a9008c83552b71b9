//! The bare repository in which a mirror keeps what it fetched. Here it is written; `objects` reads it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, str};

use git2::{Oid, Repository, RepositoryInitOptions};

use super::objects::{Missing, Objects};
use super::remote::{Cuts, RemoteError};

/// Where it is said which commits are here with all their files.
const KEPT: &str = "refs/kaito/";

/// The key in the configuration that says what is followed here.
const URL: &str = "kaito.url";

/// The most packs before all is fetched anew.
const MOST_PACKS: u64 = 100;

/// What later packs may hold before all is fetched anew, in bytes; more if the first one holds more.
const MOST_BYTES: u64 = 4 << 20;

/// How many times as much is put up with in the end.
const MOST_PATIENCE: u64 = 16;

/// The most bytes of a pack.
pub(super) const MOST_PACKED: u64 = 8 << 30;

/// A bare repository of ours.
pub(super) struct Store {
    /// For writing. Sides are read from `objects` at the same time.
    repository: Mutex<Repository>,
    pub(super) objects: Arc<Objects>,
    pub(super) path: PathBuf,
    /// How many times as much is put up with, since all couldn't be fetched anew.
    patience: AtomicU64,
}

impl Store {
    /// Makes an empty repository.
    pub(super) fn create(path: &Path, url: &str) -> Result<Self, String> {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false);
        let repository = Repository::init_opts(path, &options).map_err(said)?;
        repository.config().and_then(|mut config| config.set_str(URL, url)).map_err(said)?;
        drop(repository);
        Self::open(path, url)
    }

    /// Opens a repository that was made for this address.
    pub(super) fn open(path: &Path, url: &str) -> Result<Self, String> {
        let repository = Repository::open_bare(path).map_err(said)?;
        let known = repository.config().and_then(|config| config.get_string(URL)).map_err(said)?;
        if known != url {
            return Err("it follows another repository".to_owned());
        }
        repository.find_reference("HEAD").map_err(said)?;
        let objects = Objects::bare(path).map_err(|missing| match missing {
            Missing::Other(why) => why,
            other => format!("{other:?}"),
        })?;
        let (repository, objects) = (Mutex::new(repository), Arc::new(objects));
        Ok(Self { repository, objects, path: path.to_owned(), patience: AtomicU64::new(1) })
    }

    /// Whether all commits that should be here are here.
    pub(super) fn is_sound(&self) -> bool {
        self.kept().is_ok_and(|kept| kept.iter().all(|commit| self.has(commit)))
    }

    /// The commits that are here with all their files.
    pub(super) fn kept(&self) -> Result<Vec<String>, String> {
        let repository = self.repository.lock().unwrap_or_else(PoisonError::into_inner);
        let mut references = repository.references_glob(&format!("{KEPT}*")).map_err(said)?;
        let names = references.names().map(|name| name.map(|name| name.trim_start_matches(KEPT).to_owned()).map_err(said));
        names.collect()
    }

    /// Whether a commit is here with all its files.
    pub(super) fn has(&self, commit: &str) -> bool {
        let repository = self.repository.lock().unwrap_or_else(PoisonError::into_inner);
        let found = repository.find_reference(&format!("{KEPT}{commit}")).and_then(|reference| reference.peel_to_tree());
        found.is_ok()
    }

    /// Commits whose parents are not here.
    pub(super) fn shallow(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path.join("shallow")).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }

    /// Takes a pack, whole or not at all.
    pub(super) fn receive(
        &self,
        url: &dyn ToString,
        send: impl FnOnce(&mut dyn Write) -> Result<Cuts, RemoteError>,
    ) -> Result<Cuts, RemoteError> {
        let fault = |error: git2::Error| self.fault(url, &said(error));
        let repository = self.repository.lock().unwrap_or_else(PoisonError::into_inner);
        let objects = repository.odb().map_err(fault)?;
        let mut pack = objects.packwriter().map_err(fault)?;
        let cuts = send(&mut Pack { pack: &mut pack, bytes: 0 })?;
        pack.commit().map_err(fault)?;
        Ok(cuts)
    }

    /// Remembers that a commit is here with all its files, after its pack was received.
    pub(super) fn keep(&self, url: &dyn ToString, commit: &str, cuts: Cuts) -> Result<(), RemoteError> {
        let repository = self.repository.lock().unwrap_or_else(PoisonError::into_inner);
        let id = Oid::from_str(commit).map_err(|error| self.fault(url, &said(error)))?;
        if repository.find_commit(id).and_then(|commit| commit.tree()).is_err() {
            let why = format!("it sends a pack without the commit {commit}");
            return Err(RemoteError::Answer { url: url.to_string(), why, broke_off: false });
        }
        let mut shallow: BTreeSet<String> = self.shallow().into_iter().chain(cuts.shallow).collect();
        cuts.unshallow.iter().for_each(|id| _ = shallow.remove(id));
        shallow.retain(|id| lacks_parents(&repository, id));
        self.write_shallow(&shallow).map_err(|error| self.fault(url, &error.to_string()))?;
        repository.reference(&format!("{KEPT}{commit}"), id, true, "fetched").map_err(|error| self.fault(url, &said(error)))?;
        Ok(())
    }

    fn write_shallow(&self, commits: &BTreeSet<String>) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
        commits.iter().try_for_each(|commit| writeln!(file, "{commit}"))?;
        file.persist(self.path.join("shallow"))?;
        Ok(())
    }

    /// Whether later packs hold more than is worth keeping.
    pub(super) fn is_overgrown(&self) -> bool {
        let Ok(entries) = fs::read_dir(self.path.join("objects/pack")) else { return false };
        let packs = entries.filter_map(Result::ok).filter(|entry| entry.path().extension().is_some_and(|ending| ending == "pack"));
        let sizes: Vec<u64> = packs.filter_map(|entry| Some(entry.metadata().ok()?.len())).collect();
        let first = sizes.iter().max().copied().unwrap_or_default();
        let patience = self.patience.load(Ordering::Relaxed);
        sizes.len() as u64 > MOST_PACKS * patience || sizes.iter().sum::<u64>() - first > first.max(MOST_BYTES) * patience
    }

    /// Puts up with more, so that not every fetch tries in vain to fetch all.
    pub(super) fn put_up_with_more(&self) {
        let patience = self.patience.load(Ordering::Relaxed);
        self.patience.store(patience.saturating_mul(2).min(MOST_PATIENCE), Ordering::Relaxed);
    }

    fn fault(&self, url: &dyn ToString, why: &str) -> RemoteError {
        RemoteError::Cache { url: url.to_string(), directory: self.path.display().to_string(), why: why.to_owned() }
    }
}

/// A pack that is not too large, and whose errors say what is wrong.
struct Pack<'a, 'odb> {
    pack: &'a mut git2::OdbPackwriter<'odb>,
    bytes: u64,
}

impl Write for Pack<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MOST_PACKED {
            return Err(io::Error::other(format!("the pack has more than {} GiB, which is the limit", MOST_PACKED >> 30)));
        }
        self.pack.write(bytes).map_err(|_| io::Error::other(said(git2::Error::last_error(-1))))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pack.flush()
    }
}

/// Whether a commit has parents that are not here. As libgit2 hides these from whoever asks for a commit, its text is read.
fn lacks_parents(repository: &Repository, commit: &str) -> bool {
    let Ok(objects) = repository.odb() else { return false };
    let Some(object) = Oid::from_str(commit).ok().and_then(|id| objects.read(id).ok()) else { return false };
    let lines = object.data().split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let parents = lines.filter_map(|line| Oid::from_str(str::from_utf8(line.strip_prefix(b"parent ")?).ok()?).ok());
    parents.into_iter().any(|parent| !objects.exists(parent))
}

#[expect(clippy::needless_pass_by_value, reason = "this is for map_err")]
fn said(error: git2::Error) -> String {
    error.message().to_owned()
}
