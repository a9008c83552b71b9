//! The objects and references of a repository: with `store` and `remote/local`, the files that name libgit2.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use git2::{ErrorCode, ObjectType};

use crate::source::tree::few;

/// The id of an object.
pub(super) use git2::Oid as Id;

/// The modes that git gives to what is in a directory.
const DIRECTORY: i32 = 0o040_000;
const LINK: i32 = 0o120_000;
const SUBMODULE: i32 = 0o160_000;

/// The most bytes of an entry of a directory: mode, the longest name that file systems have, and id.
const LARGEST_ENTRY: usize = 7 + 255 + 1 + 20;

/// A name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(Id),
    Directory(Id),
    Link(Id),
    /// A commit of another repository.
    Submodule(Id),
}

/// What is in a directory, by the bytes of the names.
pub(super) type Directory = BTreeMap<Vec<u8>, Entry>;

/// A revision that was found.
pub(super) struct Found {
    /// The commit; `None` if the revision is a directory rather than a commit.
    pub commit: Option<Id>,
    /// Its root directory.
    pub root: Id,
    /// An abbreviation of the id, as long as this repository needs.
    pub short: String,
}

/// Why there is no repository, or no such revision.
#[derive(Debug)]
pub(super) enum Missing {
    /// There is none.
    NotFound,
    /// Several objects have ids that begin so.
    Ambiguous,
    /// It is a file, or a directory within a commit.
    NoRoot,
    /// It is no way to write a revision.
    Invalid,
    /// Something else, in libgit2's words.
    Other(String),
}

impl From<git2::Error> for Missing {
    fn from(error: git2::Error) -> Self {
        match error.code() {
            ErrorCode::NotFound => Self::NotFound,
            ErrorCode::Ambiguous => Self::Ambiguous,
            ErrorCode::InvalidSpec => Self::Invalid,
            _ => Self::Other(error.message().to_owned()),
        }
    }
}

/// What a commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// Who has written it: `Name <address>`.
    pub author: String,
    /// When it was made, in seconds since 1970.
    pub at: i64,
    /// Its message.
    pub message: String,
}

/// Whether a branch may be called so.
pub fn is_branch(name: &str) -> bool {
    !name.starts_with('-') && git2::Reference::is_valid_name(&format!("refs/heads/{name}"))
}

/// A repository, for reading.
pub(super) struct Objects {
    /// Nobody needs it for long, so a lock is enough.
    repository: Mutex<git2::Repository>,
    /// Its working tree, if it has one.
    pub worktree: Option<PathBuf>,
    /// The directory that relative paths start at, without links.
    pub here: PathBuf,
    /// Whether it is a mirror of ours, for which no file was fetched that is too large to be read.
    is_mirror: bool,
    /// Whether the repository is ours, and goes with its last reader.
    is_last: AtomicBool,
}

impl Objects {
    /// The repository around a directory; without one, the repository that the current directory is in, or that `GIT_DIR` and
    /// the like name, as for git itself.
    pub(super) fn open(around: Option<&Path>) -> Result<Self, Missing> {
        let here = around.unwrap_or(Path::new("."));
        let here = fs::canonicalize(here).map_err(|error| Missing::Other(format!("{}: {error}", here.display())))?;
        let opened = match around {
            None => git2::Repository::open_from_env(),
            Some(_) => git2::Repository::open_ext(&here, git2::RepositoryOpenFlags::empty(), NO_CEILING),
        };
        let (repository, worktree) = match opened {
            Ok(repository) => {
                let worktree = repository.workdir().map(Path::to_owned);
                (repository, worktree)
            }
            // git refuses the repository of another user, for its configuration may name programs to run. None is run here, and in a
            // container files often belong to somebody else.
            Err(error) if error.code() == ErrorCode::Owner => {
                let named = std::env::var_os("GIT_DIR").filter(|_| around.is_none()).map(PathBuf::from);
                let found = named.map_or_else(|| git2::Repository::discover_path(&here, NO_CEILING), Ok)?;
                (git2::Repository::open_bare(&found)?, worktree_around(&here, &found))
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { repository: Mutex::new(repository), worktree, here, is_mirror: false, is_last: AtomicBool::new(false) })
    }

    /// A bare repository of ours.
    pub(super) fn bare(path: &Path) -> Result<Self, Missing> {
        let repository = Mutex::new(git2::Repository::open_bare(path)?);
        Ok(Self { repository, worktree: None, here: path.to_owned(), is_mirror: true, is_last: AtomicBool::new(false) })
    }

    /// Removes the repository from disk, when nobody reads from it any more.
    pub(super) fn remove_when_unused(&self) {
        self.is_last.store(true, Ordering::Relaxed);
    }

    /// Whether there is such an object.
    pub(super) fn has(&self, id: Id) -> bool {
        self.lock().odb().is_ok_and(|objects| objects.exists(id))
    }

    fn lock(&self) -> MutexGuard<'_, git2::Repository> {
        self.repository.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory of the repository itself, usually `.git`.
    pub(super) fn directory_on_disk(&self) -> PathBuf {
        self.lock().path().to_owned()
    }

    /// Whether the history is cut off.
    pub(super) fn is_shallow(&self) -> bool {
        self.lock().is_shallow()
    }

    /// The names of branches and tags, as one would type them.
    pub(super) fn references(&self) -> Vec<String> {
        let repository = self.lock();
        let Ok(references) = repository.references() else { return Vec::new() };
        let known = references.filter_map(Result::ok).filter(|found| found.is_branch() || found.is_tag() || found.is_remote());
        known.filter_map(|found| found.shorthand().ok().map(ToOwned::to_owned)).collect()
    }

    /// The branch or tag that a revision is called by: that which it names, or for `HEAD` the branch that it stands for.
    pub(super) fn pointer(&self, revision: &str) -> Option<String> {
        let repository = self.lock();
        let named = repository.resolve_reference_from_short_name(revision).ok()?;
        let named = if revision == "HEAD" { repository.head().ok()? } else { named };
        (named.is_branch() || named.is_tag()).then(|| named.shorthand().ok().map(ToOwned::to_owned))?
    }

    /// What a revision such as `main~1` or `v1.0` means.
    pub(super) fn find(&self, revision: &str) -> Result<Found, Missing> {
        let repository = self.lock();
        let object = repository.revparse_single(revision)?;
        let commit = object.peel_to_commit().ok();
        if commit.is_none() && revision.contains(':') {
            return Err(Missing::NoRoot);
        }
        // That of a commit isn't read yet: it may be very large.
        let root = commit.as_ref().map_or_else(|| object.peel_to_tree().map(|root| root.id()), |commit| Ok(commit.tree_id()));
        let root = root.map_err(|error| match error.code() {
            ErrorCode::InvalidSpec | ErrorCode::Peel => Missing::NoRoot,
            _ => error.into(),
        })?;
        let short = commit.as_ref().map_or(&object, |commit| commit.as_object()).short_id()?.as_str().unwrap_or_default().to_owned();
        Ok(Found { commit: commit.map(|commit| commit.id()), root, short })
    }

    /// The best common ancestors of two commits.
    pub(super) fn merge_bases(&self, a: Id, b: Id) -> Result<Vec<Id>, Missing> {
        Ok(self.lock().merge_bases(a, b)?.to_vec())
    }

    /// What a commit says of itself, by its whole id, if it is here.
    pub(super) fn described(&self, id: &str) -> Option<Commit> {
        let repository = self.lock();
        let commit = repository.find_commit(Id::from_str(id).ok()?).ok()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let author = commit.author();
        Some(Commit {
            id: id.to_owned(),
            author: format!("{} <{}>", text(author.name_bytes()), text(author.email_bytes())),
            at: commit.time().seconds(),
            message: text(commit.message_bytes()),
        })
    }

    /// The address of the remote repository that is called `origin`.
    pub(super) fn origin(&self) -> Option<String> {
        self.lock().find_remote("origin").ok()?.url().ok().map(ToOwned::to_owned)
    }

    /// The values of the keys of the configuration that match a pattern of libgit2, by key.
    pub(super) fn configured(&self, pattern: &str) -> Vec<(String, String)> {
        let Ok(config) = self.lock().config() else { return Vec::new() };
        let Ok(mut entries) = config.entries(Some(pattern)) else { return Vec::new() };
        let mut found = Vec::new();
        while let Some(Ok(entry)) = entries.next() {
            found.extend(entry.name().ok().zip(entry.value().ok()).map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        found
    }

    /// Reads the objects of another repository too, without anything being written.
    pub(super) fn borrow(&self, from: &Self) -> Result<(), Missing> {
        let directory = from.directory_on_disk().join("objects");
        Ok(self.lock().odb()?.add_disk_alternate(&directory.to_string_lossy())?)
    }

    /// The root directory of a commit, if it is here.
    pub(super) fn root_of(&self, commit: Id) -> Option<Id> {
        self.lock().find_commit(commit).ok().map(|commit| commit.tree_id())
    }

    /// The file at a path below a root directory; a link is none.
    pub(super) fn file_at(&self, root: Id, path: &Path) -> Option<Id> {
        self.at(root, path).filter(|(_, mode)| ![DIRECTORY, LINK, SUBMODULE].contains(mode)).map(|(id, _)| id)
    }

    /// The commit of the submodule at a path below a root directory.
    pub(super) fn submodule_at(&self, root: Id, path: &Path) -> Option<Id> {
        self.at(root, path).filter(|(_, mode)| *mode == SUBMODULE).map(|(id, _)| id)
    }

    fn at(&self, root: Id, path: &Path) -> Option<(Id, i32)> {
        let repository = self.lock();
        let entry = repository.find_tree(root).and_then(|tree| tree.get_path(path)).ok()?;
        Some((entry.id(), entry.filemode_raw()))
    }

    /// What is in a directory.
    pub(super) fn directory(&self, id: Id) -> io::Result<Directory> {
        let repository = self.lock();
        let (bytes, _) = repository.odb().and_then(|objects| objects.read_header(id)).map_err(|error| unreadable(&error))?;
        // One that is very large isn't even read.
        few(bytes / LARGEST_ENTRY)?;
        let tree = repository.find_tree(id).map_err(|error| unreadable(&error))?;
        few(tree.len())?;
        let entry = |entry: git2::TreeEntry<'_>| {
            let kind = match entry.filemode_raw() {
                DIRECTORY => Entry::Directory(entry.id()),
                LINK => Entry::Link(entry.id()),
                SUBMODULE => Entry::Submodule(entry.id()),
                _ => Entry::File(entry.id()),
            };
            (entry.name_bytes().to_vec(), kind)
        };
        let directory: Directory = tree.iter().map(entry).collect();
        // git makes none of these, and nobody who looks at the repository sees where they lead.
        if directory.len() < tree.len() || !directory.keys().all(|name| is_name(name)) {
            return Err(io::Error::other(
                "there are names here that no files can have, or two files of one name: the repository is damaged",
            ));
        }
        Ok(directory)
    }

    /// Whether git leaves out what stands at a path from the root of the working tree: it is ignored, and nothing of it committed.
    pub(super) fn is_ignored(&self, path: &Path) -> bool {
        let repository = self.lock();
        if !repository.is_path_ignored(path).unwrap_or(false) {
            return false;
        }
        let Ok(index) = repository.index() else { return true };
        // Looked up, as somebody may ignore all of very many files.
        index.get_path(path, 0).is_none() && index.find_prefix(path.join("")).is_err()
    }

    /// The text of a commit, as it is signed and hashed.
    pub(super) fn commit(&self, id: Id) -> io::Result<Vec<u8>> {
        self.text(id, ObjectType::Commit)
    }

    /// The text of a tag.
    pub(super) fn tag(&self, id: Id) -> io::Result<Vec<u8>> {
        self.text(id, ObjectType::Tag)
    }

    fn text(&self, id: Id, kind: ObjectType) -> io::Result<Vec<u8>> {
        let repository = self.lock();
        let objects = repository.odb().map_err(|error| unreadable(&error))?;
        let object = objects.read(id).map_err(|error| unreadable(&error))?;
        if object.kind() != kind {
            return Err(io::Error::other(format!("the object {id} is no {kind}")));
        }
        Ok(object.data().to_vec())
    }

    /// The content of a file; the error is `FileTooLarge` if it has more bytes than `limit`.
    pub(super) fn blob(&self, id: Id, limit: u64) -> io::Result<Vec<u8>> {
        let repository = self.lock();
        let objects = repository.odb().map_err(|error| unreadable(&error))?;
        let (size, kind) = objects.read_header(id).map_err(|error| match error.code() {
            ErrorCode::NotFound if self.is_mirror => io::ErrorKind::FileTooLarge.into(),
            _ => unreadable(&error),
        })?;
        if kind != ObjectType::Blob {
            return Err(io::Error::other(format!("the object {id} is no file: the repository is damaged")));
        }
        if size as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(objects.read(id).map_err(|error| unreadable(&error))?.data().to_vec())
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        if self.is_last.load(Ordering::Relaxed) {
            // What can't be removed now is removed when the mirror is opened again.
            _ = fs::remove_dir_all(&self.here);
        }
    }
}

/// Whether something in a directory may be called so.
fn is_name(name: &[u8]) -> bool {
    !name.contains(&b'/') && ![b"".as_slice(), b".", b".."].contains(&name)
}

/// What stops the search for a repository on its way up: nothing.
const NO_CEILING: [&str; 0] = [];

/// The working tree around a directory, of a repository that was found from there.
fn worktree_around(here: &Path, repository: &Path) -> Option<PathBuf> {
    let is_inside = fs::canonicalize(repository).is_ok_and(|repository| here.starts_with(repository));
    here.ancestors().find(|directory| !is_inside && directory.join(".git").exists()).map(Path::to_owned)
}

fn unreadable(error: &git2::Error) -> io::Error {
    io::Error::other(match error.code() {
        // A clone with --filter gets files when git itself first asks for them.
        ErrorCode::NotFound => {
            "git has no content for it here; if this is a partial clone, `git fetch --refetch --no-filter` gets it".to_owned()
        }
        _ => error.message().to_owned(),
    })
}
