//! A remote repository that is followed: what it has now, and what was fetched of it, in a bare repository of ours.
//!
//! A mirror is a directory with a lock and numbered repositories, usually one. When later packs hold more than the first, all is
//! fetched anew into the next one, and the old one goes when nobody reads from it any more.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::Side;
use super::objects::{Commit, Id};
use super::reference::{Head, Reference, short};
use super::remote::{Access, Remote, RemoteError, Wanted, is_id};
use super::revision::Revision;
use super::store::Store;
use super::submodules;
use crate::diagnostic::Diagnostic;
use crate::hex::hex;

/// The end of the name of a repository that is being made.
const UNFINISHED: &str = ".unfinished";

/// A remote repository that is followed, for any number of paths in it. It is for one thread at a time; others wait.
pub struct Mirror {
    /// The address, without secrets.
    url: String,
    directory: PathBuf,
    remote: Mutex<Remote>,
    store: Mutex<Arc<Store>>,
    /// Held by who pushes.
    pub(super) pushing: Mutex<()>,
    /// Held for as long as this is.
    _lock: File,
}

/// How much history comes with a commit.
#[derive(Clone, Copy)]
pub(super) enum History {
    None,
    /// Down to commits that are here; in a new repository all of it.
    SinceKept,
    All,
}

impl Mirror {
    /// The mirror of a remote repository, which stands in a directory of its own below the given one. It is made if there is
    /// none, and made anew if it is damaged. The remote isn't asked.
    ///
    /// # Errors
    ///
    /// If the address is none or holds a secret, the directory can't be written, or somebody else has this mirror.
    pub fn open(directory: &Path, url: &str) -> Result<Self, RemoteError> {
        let remote = Remote::new(url)?;
        let url = remote.url();
        let directory = directory.join(name_of(&url));
        let fault = |why: &dyn ToString| cache(&url, &directory, why);
        fs::create_dir_all(&directory).map_err(|error| fault(&error))?;
        let lock = File::create(directory.join("lock")).map_err(|error| fault(&error))?;
        take(&lock).map_err(|error| match error {
            TryLockError::WouldBlock => fault(&"somebody else uses it already"),
            TryLockError::Error(error) => fault(&error),
        })?;
        let store = newest(&directory, &url).map_or_else(|| make(&directory, &url, |_| Ok(())), Ok)?;
        remove_others(&directory, &store.path);
        Ok(Self { directory, remote: Mutex::new(remote), store: Mutex::new(Arc::new(store)), pushing: Mutex::default(), _lock: lock, url })
    }

    /// The address that is followed. It holds no secret.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The commit that is meant now. The remote lists what can be meant, and nothing is fetched; for a commit it isn't asked at
    /// all.
    ///
    /// # Errors
    ///
    /// If the remote can't be asked, or has no such reference.
    pub fn resolve(&self, reference: &Reference, access: &Access) -> Result<Head, RemoteError> {
        let prefixes = reference.prefixes();
        let mut remote = self.lock_remote();
        let listed = if prefixes.is_empty() { Vec::new() } else { remote.list(&prefixes, access)? };
        match reference.choose(&listed).filter(|head| is_id(&head.commit)) {
            Some(head) => Ok(head),
            None if prefixes.is_empty() => Err(RemoteError::Address {
                url: self.url.clone(),
                why: format!("has no {reference}, which is no id of a commit"),
                help: "write all its 40 hexadecimal digits".to_owned(),
            }),
            None => {
                let known = remote.list(&[reference.kin().to_owned()], access)?;
                let names: Vec<String> = known.iter().map(|listed| short(&listed.name)).collect();
                Err(RemoteError::no_reference(&self.url, reference, &names))
            }
        }
    }

    /// Fetches a commit with all its files, without its history. Nothing is asked if it is here. If it fails, what was here
    /// before still is.
    ///
    /// # Errors
    ///
    /// If the remote can't be asked, no longer has the commit, or the directory can't be written.
    pub fn fetch(&self, head: &Head, access: &Access) -> Result<(), RemoteError> {
        if self.current().has(&head.commit) {
            return Ok(());
        }
        self.bring(head, History::None, access)
    }

    /// Fetches a commit, and its history down to commits that were fetched before; all of it if there were none.
    ///
    /// # Errors
    ///
    /// As for [`Self::fetch`].
    pub fn fetch_with_history(&self, head: &Head, access: &Access) -> Result<(), RemoteError> {
        self.bring(head, History::SinceKept, access)
    }

    /// Fetches a commit with all its history, though much of it may be here: one that was fetched alone before hides from the remote
    /// that what it comes from isn't.
    pub(super) fn fetch_all(&self, head: &Head, access: &Access) -> Result<(), RemoteError> {
        self.bring(head, History::All, access)
    }

    /// Fetches the tag that led to a commit, which is here; nothing if none did.
    pub(super) fn fetch_tag(&self, head: &Head, access: &Access) -> Result<(), RemoteError> {
        let Some(tag) = head.tag.as_deref().filter(|tag| is_id(tag)) else { return Ok(()) };
        let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        let store = self.current();
        if Id::from_str(tag).is_ok_and(|id| store.objects.has(id)) {
            return Ok(());
        }
        let haves = store.kept().map_err(|why| cache(&self.url, &store.path, &why))?;
        let wanted = Wanted { commit: tag, haves: &haves, shallow: &store.shallow(), newest_only: true };
        // Its commit and all files are here already, so that there is nothing else to remember.
        remote.fetch(&wanted, access, &store).map(drop)
    }

    /// Whether a commit is here with all its files.
    pub(super) fn has(&self, head: &Head) -> bool {
        self.current().has(&head.commit)
    }

    /// The objects that were fetched.
    pub(super) fn objects(&self) -> Arc<super::objects::Objects> {
        Arc::clone(&self.current().objects)
    }

    /// Fetches a commit and its submodules, and theirs, as [`Self::side_with_submodules`] reads them. Other hosts than that of the
    /// repository are asked without credentials.
    ///
    /// # Errors
    ///
    /// As for [`Self::fetch`], of any of them.
    pub fn fetch_with_submodules(&self, head: &Head, access: &Access) -> Result<(), RemoteError> {
        self.fetch(head, access)?;
        submodules::fetch(&self.current(), &self.url, head, access)
    }

    fn bring(&self, head: &Head, history: History, access: &Access) -> Result<(), RemoteError> {
        let mut remote = self.lock_remote();
        let store = self.current();
        if store.is_overgrown() {
            if self.bring_anew(&mut remote, head, history, access).is_ok() {
                return Ok(());
            }
            store.put_up_with_more();
        }
        let brought = bring_into(&mut remote, &store, head, history, access);
        // Somebody may clear caches away that were not used for long.
        let is_there = || Store::open(&store.path, &self.url).is_ok_and(|store| store.is_sound());
        if matches!(brought, Err(RemoteError::Cache { .. })) && !is_there() {
            return self.bring_anew(&mut remote, head, history, access);
        }
        brought
    }

    /// Fetches a commit into another repository. The old one serves for as long as there is no new one.
    fn bring_anew(&self, remote: &mut Remote, head: &Head, history: History, access: &Access) -> Result<(), RemoteError> {
        let made = make(&self.directory, &self.url, |store| bring_into(remote, store, head, history, access))?;
        let old = std::mem::replace(&mut *self.lock_store(), Arc::new(made));
        old.objects.remove_when_unused();
        Ok(())
    }

    /// The files of a commit that was fetched. Findings name them as git does: `main@3f9c2ab:clusters/prod/phi.yaml`.
    ///
    /// # Errors
    ///
    /// If it isn't here.
    pub fn side(&self, head: &Head) -> Result<Side, Diagnostic> {
        self.read(head, |revision| revision)
    }

    /// The same, with the files of submodules.
    ///
    /// # Errors
    ///
    /// If it isn't here.
    pub fn side_with_submodules(&self, head: &Head) -> Result<Side, Diagnostic> {
        self.read(head, Revision::with_submodules)
    }

    fn read(&self, head: &Head, how: impl FnOnce(Revision) -> Revision) -> Result<Side, Diagnostic> {
        const SHORT: usize = 7;
        let objects = Arc::clone(&self.current().objects);
        let found = objects.find(&head.commit).map_err(|_| {
            Diagnostic::error(format!("the commit {} of {} isn't here", head.commit, self.url)).help("it is fetched before it is read")
        })?;
        let id = head.commit.get(..SHORT).unwrap_or(&head.commit);
        let (name, label) = match &head.pointer {
            // A colon ends the name of a revision.
            Some(pointer) if !pointer.contains(':') => (format!("{pointer} ({id})"), format!("{pointer}@{id}")),
            _ => (id.to_owned(), id.to_owned()),
        };
        let tree = Arc::new(how(Revision::new(objects, found.root, label)));
        Ok(Side { name, commit: Some(head.commit.clone()), tree })
    }

    /// What a commit that was fetched says of itself.
    pub fn commit(&self, head: &Head) -> Option<Commit> {
        self.current().objects.described(&head.commit)
    }

    pub(super) fn lock_remote(&self) -> MutexGuard<'_, Remote> {
        self.remote.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn current(&self) -> Arc<Store> {
        Arc::clone(&self.lock_store())
    }

    fn lock_store(&self) -> MutexGuard<'_, Arc<Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn bring_into(remote: &mut Remote, store: &Store, head: &Head, history: History, access: &Access) -> Result<(), RemoteError> {
    let url = remote.url();
    let mut haves = store.kept().map_err(|why| cache(&url, &store.path, &why))?;
    // One that is here alone and is wanted with its history: who has it is not sent what it follows.
    haves.retain(|have| *have != head.commit);
    let mut shallow: Vec<String> = store.shallow().into_iter().filter(|id| *id != head.commit).collect();
    if matches!(history, History::All) {
        (haves, shallow) = (Vec::new(), Vec::new());
    }
    let newest_only = matches!(history, History::None);
    let wanted = Wanted { commit: &head.commit, haves: &haves, shallow: &shallow, newest_only };
    let cuts = remote.fetch(&wanted, access, store)?;
    store.keep(&url, &head.commit, cuts)
}

/// How long somebody may take to let go of a mirror, who has ended just now.
const LETTING_GO: Duration = Duration::from_secs(2);

/// Takes a lock. A process that another one has started inherits it, until it has become its own program.
fn take(lock: &File) -> Result<(), TryLockError> {
    let start = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if start.elapsed() < LETTING_GO => thread::sleep(Duration::from_millis(20)),
            taken => return taken,
        }
    }
}

/// The newest repository that is sound.
fn newest(directory: &Path, url: &str) -> Option<Store> {
    let mut numbers: Vec<u64> = numbered(directory).map(|(number, _)| number).collect();
    numbers.sort_unstable();
    let stores = numbers.iter().rev().filter_map(|number| Store::open(&directory.join(number.to_string()), url).ok());
    stores.into_iter().find(Store::is_sound)
}

/// Makes a repository, which is in its place when it is filled.
fn make(directory: &Path, url: &str, fill: impl FnOnce(&Store) -> Result<(), RemoteError>) -> Result<Store, RemoteError> {
    let fault = |why: &dyn ToString| cache(url, directory, why);
    let number = numbered(directory).map(|(number, _)| number).max().unwrap_or_default() + 1;
    let (path, unfinished) = (directory.join(number.to_string()), directory.join(format!("{number}{UNFINISHED}")));
    _ = fs::remove_dir_all(&unfinished);
    let store = Store::create(&unfinished, url).map_err(|why| fault(&why))?;
    let filled = fill(&store);
    drop(store);
    if let Err(error) = filled {
        _ = fs::remove_dir_all(&unfinished);
        return Err(error);
    }
    fs::rename(&unfinished, &path).map_err(|error| fault(&error))?;
    Store::open(&path, url).map_err(|why| fault(&why))
}

/// Removes what is left of earlier repositories, of fetches that were killed, and of what was damaged.
fn remove_others(directory: &Path, current: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().trim_end_matches(UNFINISHED).to_owned());
        path != current && name.is_some_and(|name| name.parse::<u64>().is_ok())
    };
    entries.filter(is_ours).for_each(|path| _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)));
    let below = |folder: &str| fs::read_dir(current.join(folder)).into_iter().flatten().filter_map(Result::ok);
    let unfinished = below("objects/pack").filter(|entry| !entry.file_name().to_string_lossy().starts_with("pack-"));
    // Nobody else works here, so that whoever wrote the file that such a one locks was killed.
    let locks =
        ["", "refs", "refs/kaito"].into_iter().flat_map(below).filter(|entry| entry.path().extension().is_some_and(|end| end == "lock"));
    unfinished.chain(locks).for_each(|entry| _ = fs::remove_file(entry.path()));
}

fn numbered(directory: &Path) -> impl Iterator<Item = (u64, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    entries.filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path)))
}

/// The directory of a mirror: for reading, the end of its address, and so that there are no two of a name, a digest of it.
fn name_of(url: &str) -> String {
    let end = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default().trim_end_matches(".git");
    let end: String = end.chars().filter(|character| character.is_ascii_alphanumeric() || "-_".contains(*character)).take(40).collect();
    format!("{end}-{}", hex(&Sha256::digest(url)[..8]))
}

fn cache(url: &str, directory: &Path, why: &dyn ToString) -> RemoteError {
    RemoteError::Cache { url: url.to_owned(), directory: directory.display().to_string(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{Mirror, name_of};

    #[test]
    fn mirrors_are_for_any_thread() {
        fn shared<T: Send + Sync>() {}
        shared::<Mirror>();
    }

    #[test]
    fn mirrors_have_names_of_their_own() {
        let names = ["https://a/b/models.git", "https://a/c/models.git", "ssh://git@a/../..", "/"].map(name_of);
        assert!(names[0].starts_with("models-") && names[1].starts_with("models-") && names[0] != names[1], "{names:?}");
        assert!(names.iter().all(|name| !name.contains(['/', '.'])), "{names:?}");
    }
}
