//! The files of a revision as a tree, read from the object database.

use std::collections::{HashMap, VecDeque};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use super::objects::{Directory, Entry, Id, Objects};
use crate::source::tree::{Content, Kind, Tree};

/// How many links one path may go through, as Linux has it.
const MOST_LINKS: usize = 40;

/// How many names one path may have with those of its links.
const MOST_STEPS: usize = 1000;

/// The longest path that a link may lead to, in bytes, as Linux has it.
const LONGEST_LINK: u64 = 4096;

/// The files of a revision.
pub(super) struct Revision {
    objects: Arc<Objects>,
    root: Id,
    /// The revision as findings show it before a path, as in `main~1:clusters/prod/phi.yaml`.
    label: String,
    /// Where the root directory stands on disk, or would stand.
    base: PathBuf,
    /// The current directory, if that is below the base; else the base.
    here: PathBuf,
    /// Whether submodules whose commits are here are read as directories.
    with_submodules: bool,
    /// The directories that were read.
    directories: Mutex<HashMap<Id, Arc<Directory>>>,
    /// The directory that was asked about the last time, by the path by which it was: mostly the next name is in it, too.
    last: Mutex<Option<(PathBuf, Arc<Directory>)>>,
    /// What was found the last time behind a link, by the path: it is asked for several times in a row.
    last_linked: Mutex<Option<(PathBuf, Found)>>,
}

/// What a path leads to, and the way there from the root, without links.
#[derive(Clone)]
struct Found {
    names: Vec<Vec<u8>>,
    entry: Entry,
    /// Whether there were any links.
    is_linked: bool,
}

impl Revision {
    /// The files below a root directory.
    pub(super) fn new(objects: Arc<Objects>, root: Id, label: String) -> Self {
        let base = objects.worktree.clone().unwrap_or_else(|| objects.directory_on_disk());
        let base = fs::canonicalize(&base).unwrap_or(base);
        // Within a bare repository there is nothing to be relative to but its root.
        let is_below = objects.worktree.is_some() && objects.here.starts_with(&base);
        let here = if is_below { objects.here.clone() } else { base.clone() };
        Self {
            objects,
            root,
            label,
            base,
            here,
            with_submodules: false,
            directories: Mutex::default(),
            last: Mutex::default(),
            last_linked: Mutex::default(),
        }
    }

    /// With the files of submodules, as far as they are here.
    pub(super) fn with_submodules(self) -> Self {
        Self { with_submodules: true, ..self }
    }

    fn directory(&self, id: Id) -> io::Result<Arc<Directory>> {
        let mut known = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = known.get(&id) {
            return Ok(Arc::clone(directory));
        }
        let directory = Arc::new(self.objects.directory(id)?);
        known.insert(id, Arc::clone(&directory));
        Ok(directory)
    }

    /// What a path leads to; its last name is followed too if it is a link and `follow` says so.
    fn entry(&self, path: &Path, follow: bool) -> io::Result<Entry> {
        let directory = path.parent().and_then(|parent| self.asked_about(parent));
        match directory.zip(path.file_name()).and_then(|(directory, name)| directory.get(name.as_encoded_bytes()).copied()) {
            Some(entry @ (Entry::File(_) | Entry::Directory(_))) => Ok(entry),
            Some(entry @ Entry::Link(_)) if !follow => Ok(entry),
            _ => Ok(self.find(path, follow)?.entry),
        }
    }

    /// The directory at a path, if there is one.
    fn asked_about(&self, path: &Path) -> Option<Arc<Directory>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, directory)) = last.as_ref().filter(|(known, _)| known.as_os_str() == path.as_os_str()) {
            return Some(Arc::clone(directory));
        }
        let Entry::Directory(id) = self.find(path, true).ok()?.entry else { return None };
        let directory = self.directory(id).ok()?;
        *last = Some((path.to_owned(), Arc::clone(&directory)));
        Some(directory)
    }

    /// A path as one below the base; an absolute one may go through links on disk.
    fn below_base(&self, path: &Path) -> io::Result<PathBuf> {
        // The current directory need not be in the revision for `..` to lead out of it.
        let ups = path.components().take_while(|component| matches!(component, Component::ParentDir | Component::CurDir));
        let levels = ups.clone().filter(|component| *component == Component::ParentDir).count();
        let start = self.here.ancestors().nth(levels).ok_or_else(outside)?;
        let path = start.join(path.components().skip(ups.count()).collect::<PathBuf>());
        if let Ok(below) = path.strip_prefix(&self.base) {
            return Ok(below.to_owned());
        }
        let real = path.ancestors().find_map(|above| Some(fs::canonicalize(above).ok()?.join(path.strip_prefix(above).ok()?)));
        real.and_then(|real| Some(real.strip_prefix(&self.base).ok()?.to_owned())).ok_or_else(outside)
    }

    /// What a path leads to, and the way there; its last name is followed too if it is a link and `follow` says so.
    fn find(&self, path: &Path, follow: bool) -> io::Result<Found> {
        let last = || self.last_linked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = last().as_ref().filter(|(known, _)| follow && known.as_os_str() == path.as_os_str()) {
            return Ok(found.clone());
        }
        let found = self.walk(path, follow)?;
        if follow && found.is_linked {
            *last() = Some((path.to_owned(), found.clone()));
        }
        Ok(found)
    }

    fn walk(&self, path: &Path, follow: bool) -> io::Result<Found> {
        let below = self.below_base(path)?;
        let mut open: VecDeque<Vec<u8>> = steps(&below).collect();
        let mut way: Vec<(Vec<u8>, Entry)> = Vec::new();
        let (mut links, mut walked) = (0, 0);
        while let Some(step) = open.pop_front() {
            walked += 1;
            if walked > MOST_STEPS {
                return Err(io::Error::other("it leads through too many directories and links"));
            }
            let directory = match way.last().map_or(Entry::Directory(self.root), |(_, entry)| *entry) {
                Entry::Directory(id) => self.directory(id)?,
                Entry::Submodule(_) => return Err(in_submodule()),
                Entry::File(_) | Entry::Link(_) => return Err(io::ErrorKind::NotADirectory.into()),
            };
            if step == b".." {
                way.pop().ok_or_else(outside)?;
                continue;
            }
            match *directory.get(&step).ok_or(io::ErrorKind::NotFound)? {
                Entry::Link(id) if follow || !open.is_empty() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(io::Error::other("its links go round in a circle"));
                    }
                    let target = path_of(self.objects.blob(id, LONGEST_LINK)?);
                    if target.as_os_str().is_empty() {
                        return Err(io::ErrorKind::NotFound.into());
                    }
                    if target.has_root() {
                        return Err(outside());
                    }
                    steps(&target).rev().for_each(|step| open.push_front(step));
                }
                Entry::Submodule(commit) if self.with_submodules => {
                    let root = self.objects.root_of(commit);
                    way.push((step, root.map_or(Entry::Submodule(commit), Entry::Directory)));
                }
                entry => way.push((step, entry)),
            }
        }
        let entry = way.last().map_or(Entry::Directory(self.root), |(_, entry)| *entry);
        Ok(Found { names: way.into_iter().map(|(name, _)| name).collect(), entry, is_linked: links > 0 })
    }
}

impl Tree for Revision {
    fn kind(&self, path: &Path) -> Option<Kind> {
        Some(match self.entry(path, true).ok()? {
            Entry::File(_) => Kind::File,
            Entry::Directory(_) => Kind::Directory,
            Entry::Submodule(_) => Kind::Submodule,
            Entry::Link(_) => Kind::Other,
        })
    }

    fn is_link(&self, path: &Path) -> bool {
        self.entry(path, false).is_ok_and(|entry| matches!(entry, Entry::Link(_)))
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let names = self.find(path, true)?.names;
        // Not `join` for each: the root itself shall not end in a slash.
        Ok(self.base.components().chain(names.into_iter().map(path_of).collect::<PathBuf>().components()).collect())
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        match self.entry(directory, true)? {
            Entry::Directory(id) => {
                // They are sorted, as git's names are.
                Ok(self.directory(id)?.keys().map(|name| directory.join(path_of(name.clone()))).collect())
            }
            Entry::Submodule(_) => Err(in_submodule()),
            Entry::File(_) | Entry::Link(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Content> {
        match self.entry(path, true)? {
            Entry::File(id) => Ok(Content { bytes: self.objects.blob(id, limit)?, blob: Some(id.to_string()) }),
            Entry::Submodule(_) => Err(in_submodule()),
            Entry::Directory(_) | Entry::Link(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// As git itself names it, from the root: `main~1:clusters/prod/phi.yaml`.
    fn name(&self, path: &Path) -> String {
        let Ok(below) = self.below_base(path) else { return path.to_string_lossy().into_owned() };
        let mut names: Vec<String> = Vec::new();
        for step in steps(&below).map(|step| String::from_utf8_lossy(&step).into_owned()) {
            if step != ".." || names.pop().is_none() {
                names.push(step);
            }
        }
        format!("{}:{}", self.label, names.join("/"))
    }

    fn is_root(&self, directory: &Path) -> bool {
        directory == self.base
    }

    fn id(&self, path: &Path) -> Option<String> {
        match self.entry(path, true).ok()? {
            Entry::File(id) | Entry::Directory(id) => Some(id.to_string()),
            Entry::Link(_) | Entry::Submodule(_) => None,
        }
    }

    fn has_stdin(&self) -> bool {
        false
    }
}

/// The names in a path that lead somewhere, as bytes; `..` among them.
fn steps(path: &Path) -> impl DoubleEndedIterator<Item = Vec<u8>> {
    let names = path.components().filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir));
    names.map(|component| component.as_os_str().as_encoded_bytes().to_vec())
}

/// The name that git has as bytes, as a path of this system.
#[cfg(unix)]
fn path_of(name: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    PathBuf::from(std::ffi::OsString::from_vec(name))
}

#[cfg(not(unix))]
fn path_of(name: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&name).into_owned())
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this is outside of the git repository whose revision is read")
}

fn in_submodule() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this is in a submodule, whose files are in another repository")
}
