//! The files on disk as git sees them: without what it ignores, and without other repositories within this one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::objects::Objects;
use crate::source::tree::{Content, Disk, Kind, Tree};

/// The working tree of a repository.
pub(super) struct WorkingTree {
    objects: Arc<Objects>,
    /// Its root, without links.
    root: PathBuf,
}

impl WorkingTree {
    pub(super) fn new(objects: Arc<Objects>, root: &Path) -> Self {
        Self { objects, root: Disk.real(root).unwrap_or_else(|_| root.to_owned()) }
    }
}

impl Tree for WorkingTree {
    fn kind(&self, path: &Path) -> Option<Kind> {
        let kind = Disk.kind(path)?;
        let is_other = kind == Kind::Directory && Disk.is_root(path) && Disk.real(path).is_ok_and(|path| path != self.root);
        Some(if is_other { Kind::Submodule } else { kind })
    }

    fn is_link(&self, path: &Path) -> bool {
        Disk.is_link(path)
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        Disk.real(path)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut entries = Disk.entries(directory)?;
        let directory = Disk.real(directory)?;
        if let Ok(below) = directory.strip_prefix(&self.root) {
            entries.retain(|entry| entry.file_name().is_none_or(|name| !self.objects.is_ignored(&below.join(name))));
        }
        Ok(entries)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Content> {
        Disk.read(path, limit)
    }

    fn name(&self, path: &Path) -> String {
        Disk.name(path)
    }

    fn is_root(&self, directory: &Path) -> bool {
        Disk.is_root(directory)
    }

    fn id(&self, path: &Path) -> Option<String> {
        Disk.id(path)
    }

    fn has_stdin(&self) -> bool {
        Disk.has_stdin()
    }
}
