//! What files are read from: the disk, or something that holds files as a disk does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most files and directories in one directory, and below all that is read at once: more are hardly meant to be searched.
pub(super) const MOST_ENTRIES: usize = 100_000;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A submodule of a git repository, whose files are in another repository.
    Submodule,
    /// A device, a pipe, or the like.
    Other,
}

/// The bytes of a file.
pub struct Content {
    /// All of them.
    pub bytes: Vec<u8>,
    /// Their id in git's object database, if they come from there.
    pub blob: Option<String>,
}

/// Files and directories by their paths. A relative path starts at the current directory, wherever the files are.
pub trait Tree: Send + Sync {
    /// What a path leads to, links followed; `None` if that isn't there.
    fn kind(&self, path: &Path) -> Option<Kind>;

    /// Whether the path itself is a symbolic link.
    fn is_link(&self, path: &Path) -> bool;

    /// The absolute path without links.
    ///
    /// # Errors
    ///
    /// `Unsupported` if it leads out of the tree; `NotFound` and the like as for a file system.
    fn real(&self, path: &Path) -> io::Result<PathBuf>;

    /// The paths of what is in a directory, sorted.
    ///
    /// # Errors
    ///
    /// If there is no such directory, it can't be read, or there are more than `MOST_ENTRIES`.
    fn entries(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// The content of a file.
    ///
    /// # Errors
    ///
    /// `FileTooLarge` if it has more bytes than `limit`; else if there is no such file, or it can't be read.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Content>;

    /// The path as findings show it.
    fn name(&self, path: &Path) -> String;

    /// Whether a directory, without links in its path, is the root of its repository.
    fn is_root(&self, directory: &Path) -> bool;

    /// The id of a file or a directory, as in git's object database, if it has one: with the same id, all in it is the same.
    fn id(&self, path: &Path) -> Option<String>;

    /// Whether standard input belongs to it.
    fn has_stdin(&self) -> bool;
}

/// The disk.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Tree for Disk {
    fn kind(&self, path: &Path) -> Option<Kind> {
        let metadata = fs::metadata(path).ok()?;
        Some(match metadata {
            metadata if metadata.is_dir() => Kind::Directory,
            metadata if metadata.is_file() => Kind::File,
            _ => Kind::Other,
        })
    }

    fn is_link(&self, path: &Path) -> bool {
        path.is_symlink()
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(directory)?.filter_map(Result::ok).take(MOST_ENTRIES + 1);
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        few(names.len())?;
        names.sort();
        Ok(names.into_iter().map(|name| directory.join(name)).collect())
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Content> {
        let file = File::open(path)?;
        // As much as the file has, rather than twice as much.
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        if size > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        read_whole(file, size, limit)
    }

    fn name(&self, path: &Path) -> String {
        path.to_string_lossy().into_owned()
    }

    fn is_root(&self, directory: &Path) -> bool {
        directory.join(".git").exists()
    }

    fn id(&self, _: &Path) -> Option<String> {
        None
    }

    fn has_stdin(&self) -> bool {
        true
    }
}

/// That there are no more than `MOST_ENTRIES` in a directory.
pub(super) fn few(entries: usize) -> io::Result<()> {
    if entries <= MOST_ENTRIES {
        return Ok(());
    }
    Err(io::Error::other(format!("there are more than {MOST_ENTRIES} files in this directory, which is the limit")))
}

/// All that there is to read, which is thought to be so many bytes and may be `limit`.
pub(super) fn read_whole(from: impl Read, size: u64, limit: u64) -> io::Result<Content> {
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit) + 1).unwrap_or(0));
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Content { bytes, blob: None })
}
