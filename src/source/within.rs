//! The disk below a directory, and nothing else of it.

use std::io;
use std::path::{Path, PathBuf};

use super::tree::{Content, Disk, Kind, Tree};

/// The files of a directory, for input of somebody who may not read anything else here. Links that lead out of it, and paths with
/// too many `..`, lead nowhere.
#[derive(Clone, Debug)]
pub struct Within(PathBuf);

impl Within {
    /// The files below a root.
    ///
    /// # Errors
    /// If there is no such directory.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self(Disk.real(root)?))
    }

    fn holds(&self, path: &Path) -> bool {
        self.real(path).is_ok()
    }
}

impl Tree for Within {
    fn kind(&self, path: &Path) -> Option<Kind> {
        self.holds(path).then(|| Disk.kind(path)).flatten()
    }

    fn is_link(&self, path: &Path) -> bool {
        Disk.is_link(path)
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let real = Disk.real(path)?;
        if real.starts_with(&self.0) {
            return Ok(real);
        }
        Err(io::Error::new(io::ErrorKind::Unsupported, "this is outside of the repository"))
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.real(directory)?;
        Disk.entries(directory)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Content> {
        self.real(path)?;
        Disk.read(path, limit)
    }

    fn name(&self, path: &Path) -> String {
        // Where the root is tells nobody anything.
        Disk.name(path.strip_prefix(&self.0).ok().filter(|below| !below.as_os_str().is_empty()).unwrap_or(path))
    }

    fn is_root(&self, directory: &Path) -> bool {
        directory == self.0 || Disk.is_root(directory)
    }

    fn id(&self, path: &Path) -> Option<String> {
        Disk.id(path)
    }

    fn has_stdin(&self) -> bool {
        Disk.has_stdin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_is_read() {
        let tree = Within::new(Path::new("src/source")).unwrap();
        let table = [
            ("src/source/tree.rs", true),
            ("src/source", true),
            ("src/lib.rs", false),
            ("src/source/../lib.rs", false),
            ("/etc/hosts", false),
        ];
        for (path, want) in table {
            let path = Path::new(path);
            assert_eq!((tree.kind(path).is_some(), tree.real(path).is_ok()), (want, want), "{}", path.display());
            assert_eq!(tree.read(path, 1 << 20).is_ok(), want && path.is_file(), "{}", path.display());
        }
        assert!(tree.entries(Path::new("src")).is_err());
        assert!(tree.is_root(&Disk.real(Path::new("src/source")).unwrap()));
    }
}
