//! Texts in memory as a tree of files, beside another tree.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tree::{Content, Kind, Tree, read_whole};

/// Texts by their paths below a root. What isn't below the root is in another tree.
pub struct Memory {
    root: PathBuf,
    texts: BTreeMap<PathBuf, Arc<str>>,
    beside: Arc<dyn Tree>,
}

impl Memory {
    /// A tree with these texts, whose paths start at the root.
    pub fn new(root: &Path, texts: impl IntoIterator<Item = (PathBuf, Arc<str>)>, beside: Arc<dyn Tree>) -> Self {
        let texts = texts.into_iter().map(|(path, text)| (root.join(path), text)).collect();
        Self { root: root.to_owned(), texts, beside }
    }

    fn is_here(&self, path: &Path) -> bool {
        path.starts_with(&self.root)
    }

    /// Everything at a path and below it.
    fn below<'t>(&'t self, path: &'t Path) -> impl Iterator<Item = (&'t PathBuf, &'t Arc<str>)> {
        self.texts.range(path.to_owned()..).take_while(move |(other, _)| other.starts_with(path))
    }
}

impl Tree for Memory {
    fn kind(&self, path: &Path) -> Option<Kind> {
        if !self.is_here(path) {
            return self.beside.kind(path);
        }
        match self.below(path).next() {
            Some((other, _)) if other == path => Some(Kind::File),
            Some(_) => Some(Kind::Directory),
            // The root is there with nothing in it, too.
            None => (path == self.root).then_some(Kind::Directory),
        }
    }

    fn is_link(&self, path: &Path) -> bool {
        !self.is_here(path) && self.beside.is_link(path)
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        if !self.is_here(path) {
            return self.beside.real(path);
        }
        self.kind(path).map(|_| path.to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        if !self.is_here(directory) {
            return self.beside.entries(directory);
        }
        match self.kind(directory) {
            None => return Err(io::ErrorKind::NotFound.into()),
            Some(Kind::Directory) => {}
            Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
        }
        let names = self.below(directory).filter_map(|(path, _)| path.strip_prefix(directory).ok()?.components().next());
        let mut entries: Vec<PathBuf> = names.map(|name| directory.join(name)).collect();
        entries.dedup();
        Ok(entries)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Content> {
        if !self.is_here(path) {
            return self.beside.read(path, limit);
        }
        let text = self.texts.get(path).ok_or(io::ErrorKind::NotFound)?;
        read_whole(text.as_bytes(), text.len() as u64, limit)
    }

    fn name(&self, path: &Path) -> String {
        match path.strip_prefix(&self.root) {
            Ok(rest) => rest.to_string_lossy().into_owned(),
            Err(_) => self.beside.name(path),
        }
    }

    fn is_root(&self, directory: &Path) -> bool {
        if self.is_here(directory) { directory == self.root } else { self.beside.is_root(directory) }
    }

    fn id(&self, path: &Path) -> Option<String> {
        if !self.is_here(path) {
            return self.beside.id(path);
        }
        self.kind(path)?;
        let mut hasher = DefaultHasher::new();
        self.below(path).for_each(|entry| entry.hash(&mut hasher));
        Some(format!("{:016x}", hasher.finish()))
    }

    fn has_stdin(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Disk;

    fn memory(texts: &[(&str, &str)]) -> Memory {
        Memory::new(Path::new("mem:"), texts.iter().map(|(path, text)| (path.into(), (*text).into())), Arc::new(Disk))
    }

    #[test]
    fn what_is_where() {
        let tree = memory(&[("b/x.json", "1"), ("a/x.json", "2"), ("a/y.json", "3"), ("a.json", "4")]);
        let table: [(&str, Option<Kind>); 7] = [
            ("mem:", Some(Kind::Directory)),
            ("mem:/a", Some(Kind::Directory)),
            ("mem:/a/x.json", Some(Kind::File)),
            ("mem:/a/x", None),
            ("mem:/c", None),
            ("src", Some(Kind::Directory)),
            ("Cargo.toml", Some(Kind::File)),
        ];
        for (path, want) in table {
            assert_eq!(tree.kind(Path::new(path)), want, "{path}");
            assert_eq!(tree.real(Path::new(path)).is_ok(), want.is_some(), "{path}");
        }
        let entries = |path: &str| tree.entries(Path::new(path)).map_err(|error| error.kind());
        assert_eq!(entries("mem:").unwrap(), ["mem:/a", "mem:/a.json", "mem:/b"].map(PathBuf::from));
        assert_eq!(entries("mem:/a").unwrap(), ["mem:/a/x.json", "mem:/a/y.json"].map(PathBuf::from));
        assert_eq!(entries("mem:/c"), Err(io::ErrorKind::NotFound));
        assert_eq!(entries("mem:/a.json"), Err(io::ErrorKind::NotADirectory));
        assert_eq!(memory(&[]).entries(Path::new("mem:")).unwrap(), [] as [PathBuf; 0]);
        let read = |path: &str, limit| tree.read(Path::new(path), limit).map(|content| content.bytes).map_err(|error| error.kind());
        assert_eq!(read("mem:/a/x.json", 9), Ok(b"2".to_vec()));
        assert_eq!(read("mem:/a/x.json", 0), Err(io::ErrorKind::FileTooLarge));
        assert_eq!(read("mem:/a", 9), Err(io::ErrorKind::NotFound));
        assert!(read("Cargo.toml", 1 << 20).is_ok());
        assert_eq!(tree.name(Path::new("mem:/a/x.json")), "a/x.json");
    }

    #[test]
    fn what_is_the_same_has_the_same_id() {
        let id = |texts: &[(&str, &str)], path: &str| memory(texts).id(Path::new(path));
        let one = [("a/x.json", "1"), ("b/x.json", "2")];
        assert_eq!(id(&one, "mem:"), id(&[one[1], one[0]], "mem:"));
        assert_ne!(id(&one, "mem:"), id(&[("a/x.json", "1"), ("b/x.json", "3")], "mem:"));
        assert_ne!(id(&one, "mem:"), id(&[("a/x.json", "1"), ("b/y.json", "2")], "mem:"));
        assert_ne!(id(&one, "mem:"), id(&one[..1], "mem:"));
        assert_eq!(id(&one, "mem:/a"), id(&one[..1], "mem:/a"));
        assert!(id(&[], "mem:").is_some());
        assert_eq!(id(&one, "mem:/c"), None);
        assert_eq!(id(&one, "Cargo.toml"), None, "the disk has no ids");
    }
}
