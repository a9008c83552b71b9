//! Whether a directory that is committed holds what would be written into it now.

use std::io;
use std::path::Path;

use super::{Files, LIST, list, listed};
use crate::source::{Kind, Tree};

/// The most bytes of a file that is looked at: of a longer one it is certain that it is another.
const MOST_BYTES: u64 = 64 << 20;

/// What is other than what would be written, by path below the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Files that would be new.
    pub missing: Vec<String>,
    /// Files with another content.
    pub different: Vec<String>,
    /// Files of an earlier run that would be removed.
    pub superfluous: Vec<String>,
}

impl Differences {
    /// All of them, a line each.
    pub fn lines(&self) -> Vec<String> {
        let kinds = [("missing", &self.missing), ("different", &self.different), ("superfluous", &self.superfluous)];
        kinds.into_iter().flat_map(|(kind, paths)| paths.iter().map(move |path| format!("{kind}: {path}"))).collect()
    }
}

impl Files {
    /// What a directory of a tree lacks, and has otherwise. What an earlier run hasn't written is nobody's business.
    ///
    /// # Errors
    /// A file that is there can't be read.
    pub fn differences(&self, tree: &dyn Tree, directory: &Path) -> io::Result<Differences> {
        let mut found = Differences::default();
        let list = list(self.0.keys().map(String::as_str));
        let wanted = self.0.iter().map(|(path, text)| (path.as_str(), text)).chain([(LIST, &list)]);
        for (path, text) in wanted {
            match read(tree, &directory.join(path))? {
                None => found.missing.push(path.to_owned()),
                Some(bytes) if bytes != text.as_bytes() => found.different.push(path.to_owned()),
                Some(_) => {}
            }
        }
        let earlier = read(tree, &directory.join(LIST))?.unwrap_or_default();
        let gone = listed(&String::from_utf8_lossy(&earlier)).into_iter().filter(|path| !self.0.contains_key(path));
        found.superfluous = gone.filter(|path| tree.kind(&directory.join(path)).is_some()).collect();
        Ok(found)
    }
}

/// The bytes of a file, if it is there; of one that is too long none.
fn read(tree: &dyn Tree, path: &Path) -> io::Result<Option<Vec<u8>>> {
    if tree.kind(path) != Some(Kind::File) || tree.is_link(path) {
        return Ok(None);
    }
    match tree.read(path, MOST_BYTES) {
        Ok(content) => Ok(Some(content.bytes)),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Some(Vec::new())),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::manifest::ObjectRef;
    use crate::source::{Disk, Memory};

    #[test]
    fn what_is_other_than_it_would_be() {
        let mut files = Files::default();
        for name in ["a", "b"] {
            files.add(&ObjectRef::new("", "ConfigMap", Some("default"), name), None, format!("{name}\n")).unwrap();
        }
        let paths: Vec<&str> = files.0.keys().map(String::as_str).collect();
        let (a, b) = (paths[0], paths[1]);
        let list = list(files.0.keys().map(String::as_str));
        let differences = |committed: &[(&str, &str)]| {
            let committed = committed.iter().map(|(path, text)| (PathBuf::from(path), Arc::from(*text)));
            let tree = Memory::new(Path::new("rendered"), committed.collect::<Vec<_>>(), Arc::new(Disk));
            files.differences(&tree, Path::new("rendered")).unwrap().lines()
        };
        let whole = [(a, "a\n"), (b, "b\n"), (LIST, list.as_str())];
        assert_eq!(differences(&whole), [] as [&str; 0]);
        assert_eq!(differences(&[]), [format!("missing: {a}"), format!("missing: {b}"), format!("missing: {LIST}")]);
        assert_eq!(differences(&[(a, "a\n"), (b, "c\n"), whole[2]]), [format!("different: {b}")]);
        assert_eq!(differences(&[&whole[..], &[("README.md", "mine")]].concat()), [] as [&str; 0]);
        let older = format!("{list}old.yaml\ngone.yaml\n../outside.yaml\n");
        let with_older = [(a, "a\n"), (b, "b\n"), (LIST, older.as_str()), ("old.yaml", "x")];
        assert_eq!(differences(&with_older), [format!("different: {LIST}"), "superfluous: old.yaml".to_owned()]);
    }
}
