//! A commit that isn't anywhere yet: made in memory on top of what was fetched, and a pack of what is new in it.

use std::path::Path;

use git2::{Index, IndexEntry, IndexTime, ObjectType, Oid, PackBuilder, Repository, Signature, Time, Tree};

use super::{Destination, Person, Pushed, Tips};
use crate::rendered_branch::{Changes, DryCommit, Foreign, Rendering};

/// The modes of a file and of a link in a tree.
const FILE: u32 = 0o100_644;
const LINK: i32 = 0o120_000;

/// Before all places on disk.
const FIRST: i32 = 1000;

/// The message of commits of notes.
const NOTE: &str = "Note which commit was rendered\n";

/// A commit that isn't anywhere yet.
pub(super) struct Draft {
    pub(super) tips: Tips,
    pub(super) pushed: Pushed,
    /// The commit of all notes, if there is a new one.
    pub(super) notes: Option<String>,
    /// All that is new.
    pub(super) pack: Vec<u8>,
}

/// Why there is no commit.
pub(super) enum Unmade {
    Foreign(String),
    /// What is there was rendered from this newer commit.
    Newer(String),
    Key {
        file: String,
        why: String,
        help: String,
    },
    Git(String),
}

impl From<git2::Error> for Unmade {
    fn from(error: git2::Error) -> Self {
        Self::Git(error.message().to_owned())
    }
}

impl From<Foreign> for Unmade {
    fn from(Foreign(path): Foreign) -> Self {
        Self::Foreign(path)
    }
}

/// Makes a commit and its note, on top of what is in a bare repository. Nothing is written there.
pub(super) fn draft(repository: &Path, tips: Tips, to: &Destination, rendering: &Rendering) -> Result<Draft, Unmade> {
    make(repository, tips, to, |making, tips| {
        let pushed = making.commit(tips.branch.as_deref(), rendering)?;
        let notes = making.note(tips.notes.as_deref(), &pushed.commit, &rendering.dry.note())?;
        Ok((pushed, notes))
    })
}

/// Makes a note alone, for a commit that the branch holds.
pub(super) fn note(repository: &Path, tips: Tips, to: &Destination, commit: &str, dry: &DryCommit) -> Result<Draft, Unmade> {
    make(repository, tips, to, |making, tips| {
        if tips.branch.as_deref() != Some(commit) {
            return Err(Unmade::Git(format!("the branch no longer holds {commit}")));
        }
        let notes = making.note(tips.notes.as_deref(), commit, &dry.note())?;
        Ok((Pushed { commit: commit.to_owned(), is_new: false, written: 0, removed: 0 }, notes))
    })
}

fn make(
    repository: &Path,
    tips: Tips,
    to: &Destination,
    how: impl FnOnce(&mut Making<'_>, &Tips) -> Result<(Pushed, Option<String>), Unmade>,
) -> Result<Draft, Unmade> {
    let repository = Repository::open_bare(repository)?;
    let objects = repository.odb()?;
    // What is made is sent and then forgotten: it is fetched like everything else if it is needed.
    let _memory = objects.add_new_mempack_backend(FIRST)?;
    let mut making = Making { repository: &repository, to, pack: repository.packbuilder()?, at: jiff::Timestamp::now().as_second() };
    let (pushed, notes) = how(&mut making, &tips)?;
    let mut pack = git2::Buf::new();
    making.pack.write_buf(&mut pack)?;
    Ok(Draft { tips, pushed, notes, pack: pack.to_vec() })
}

struct Making<'r> {
    repository: &'r Repository,
    to: &'r Destination,
    pack: PackBuilder<'r>,
    at: i64,
}

impl<'r> Making<'r> {
    /// The commit with the manifests: a new one, or the tip if that has them.
    fn commit(&mut self, tip: Option<&str>, rendering: &Rendering) -> Result<Pushed, Unmade> {
        let parent = tip.map(|id| self.repository.find_commit(Oid::from_str(id)?)).transpose()?;
        let before = parent.as_ref().map(git2::Commit::tree).transpose()?;
        let read = |path: &str| self.read(before.as_ref()?, path);
        if let Some(newer) = rendering.newer_there(&read).filter(|_| !self.to.goes_back) {
            return Err(Unmade::Newer(newer));
        }
        let changes = rendering.changes(&read)?;
        let changes = match (tip, changes) {
            (Some(tip), None) => return Ok(Pushed { commit: tip.to_owned(), is_new: false, written: 0, removed: 0 }),
            (_, changes) => changes.unwrap_or_default(),
        };
        if let Some(path) = before.as_ref().and_then(|before| in_the_way(before, &changes)) {
            return Err(Unmade::Foreign(path));
        }
        let after = self.tree(before.as_ref(), &changes)?;
        let (author, committer) = (self.signature(&self.to.author)?, self.signature(&self.to.committer)?);
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let text = self.repository.commit_create_buffer(&author, &committer, &rendering.message(), &after, &parents)?;
        let id = match &self.to.key {
            None => self.repository.odb()?.write(ObjectType::Commit, &text)?,
            Some(key) => {
                let signature = key.sign(&text).map_err(|(why, help)| Unmade::Key { file: key.file(), why, help })?;
                self.repository.commit_signed(text.as_str()?, &signature, None)?
            }
        };
        self.add(id, before.as_ref(), &after)?;
        Ok(Pushed { commit: id.to_string(), is_new: true, written: changes.written.len(), removed: changes.removed.len() })
    }

    /// A commit of notes with one for this commit; none if that is there already.
    fn note(&mut self, tip: Option<&str>, commit: &str, note: &str) -> Result<Option<String>, Unmade> {
        let parent = tip.map(|id| self.repository.find_commit(Oid::from_str(id)?)).transpose()?;
        let before = parent.as_ref().map(git2::Commit::tree).transpose()?;
        let path = match &before {
            Some(before) => self.path_of_note(before.id(), commit)?,
            None => commit.to_owned(),
        };
        if before.as_ref().and_then(|before| self.read(before, &path)).is_some_and(|known| known.trim() == note.trim()) {
            return Ok(None);
        }
        let changes = Changes { written: [(path, note.to_owned())].into(), ..Changes::default() };
        let after = self.tree(before.as_ref(), &changes)?;
        let (author, committer) = (self.signature(&self.to.author)?, self.signature(&self.to.committer)?);
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let id = self.repository.commit(None, &author, &committer, NOTE, &after, &parents)?;
        self.add(id, before.as_ref(), &after)?;
        Ok(Some(id.to_string()))
    }

    /// Where the note for a commit is: once there are many, git puts them into directories by the first digits.
    fn path_of_note(&self, root: Oid, commit: &str) -> Result<String, git2::Error> {
        let (mut tree, mut path, mut rest) = (self.repository.find_tree(root)?, String::new(), commit);
        while let Some((digits, more)) = rest.split_at_checked(2) {
            let entry = tree.get_name(digits).filter(|entry| entry.kind() == Some(ObjectType::Tree)).map(|entry| entry.id());
            let Some(id) = entry else { break };
            path = path + digits + "/";
            (tree, rest) = (self.repository.find_tree(id)?, more);
        }
        Ok(path + rest)
    }

    fn read(&self, root: &Tree<'_>, path: &str) -> Option<String> {
        let blob = self.repository.find_blob(root.get_path(Path::new(path)).ok()?.id()).ok()?;
        Some(String::from_utf8_lossy(blob.content()).into_owned())
    }

    /// A tree with changes. Directories in which nothing is left go.
    fn tree(&self, before: Option<&Tree<'_>>, changes: &Changes) -> Result<Tree<'r>, git2::Error> {
        let mut index = Index::new()?;
        before.map(|before| index.read_tree(before)).transpose()?;
        changes.removed.iter().try_for_each(|path| index.remove(Path::new(path), 0))?;
        for (path, text) in &changes.written {
            index.add(&entry(path, self.repository.blob(text.as_bytes())?))?;
        }
        self.repository.find_tree(index.write_tree_to(self.repository)?)
    }

    fn signature(&self, person: &Person) -> Result<Signature<'static>, git2::Error> {
        Signature::new(&person.name, &person.address, &Time::new(self.at, 0))
    }

    /// Adds a commit to the pack, with what its tree has and the one before hasn't.
    fn add(&mut self, commit: Oid, before: Option<&Tree<'_>>, after: &Tree<'_>) -> Result<(), git2::Error> {
        self.pack.insert_object(commit, None)?;
        let mut open = vec![(before.map(Tree::id), after.id())];
        while let Some((before, after)) = open.pop() {
            if before == Some(after) {
                continue;
            }
            self.pack.insert_object(after, None)?;
            let before = before.map(|id| self.repository.find_tree(id)).transpose()?;
            for entry in &self.repository.find_tree(after)? {
                let known = before.as_ref().and_then(|before| before.get_name_bytes(entry.name_bytes()).map(|entry| entry.to_owned()));
                match entry.kind() {
                    Some(ObjectType::Tree) => {
                        let known = known.filter(|known| known.kind() == Some(ObjectType::Tree));
                        open.push((known.map(|known| known.id()), entry.id()));
                    }
                    Some(ObjectType::Blob) if known.is_none_or(|known| known.id() != entry.id()) => {
                        self.pack.insert_object(entry.id(), None)?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// A file, link or submodule where a directory is wanted, or a directory where a file is.
fn in_the_way(before: &Tree<'_>, changes: &Changes) -> Option<String> {
    let kind = |path: &Path| before.get_path(path).ok().map(|entry| (entry.kind(), entry.filemode_raw()));
    changes.written.keys().find_map(|path| {
        let mut above = Path::new(path).ancestors().skip(1).filter(|above| *above != Path::new(""));
        let blocked = above.find(|above| kind(above).is_some_and(|(kind, _)| kind != Some(ObjectType::Tree)));
        let is_no_file = |(kind, mode): (Option<ObjectType>, i32)| kind != Some(ObjectType::Blob) || mode == LINK;
        let blocked = blocked.or_else(|| Some(Path::new(path)).filter(|path| kind(path).is_some_and(is_no_file)));
        blocked.map(|path| path.display().to_string())
    })
}

fn entry(path: &str, id: Oid) -> IndexEntry {
    let never = IndexTime::new(0, 0);
    IndexEntry {
        ctime: never,
        mtime: never,
        dev: 0,
        ino: 0,
        mode: FILE,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}
