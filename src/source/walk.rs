//! A search through directories, which has an end however much there is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dir::{limit, read_file, unreadable};
use super::tree::{MOST_ENTRIES, Tree};
use crate::diagnostic::{Diagnostic, SourceFile};

/// How many directories may be in one another below one that is read.
const MOST_LEVELS: usize = 100;

/// How many links are followed: each may lead through a thousand names.
const MOST_LINKS: usize = 10_000;

/// What was found so far.
#[derive(Default)]
pub(super) struct Walk {
    /// The files and directories.
    found: usize,
    /// The links among them.
    links: usize,
    /// The bytes of the files that were read.
    bytes: u64,
}

impl Walk {
    /// What is in a directory at or below a root; nothing, with the reason among the findings, if that is too much.
    pub(super) fn entries(&mut self, tree: &dyn Tree, path: &Path, root: &Path, findings: &mut Vec<Diagnostic>) -> Option<Vec<PathBuf>> {
        if self.found > MOST_ENTRIES {
            return None;
        }
        let below = path.strip_prefix(root).unwrap_or(path);
        if below.components().count() > MOST_LEVELS {
            let place = tree.name(&root.join(below.components().take(3).collect::<PathBuf>()));
            findings.push(too_much(format!("below {place}, more than {MOST_LEVELS} directories are in one another, which is the limit")));
            return None;
        }
        let entries = tree.entries(path).map_err(|error| findings.push(unreadable(&tree.name(path), &error))).ok()?;
        self.found += entries.len();
        if self.found > MOST_ENTRIES {
            findings.push(too_much(format!("below {}, there are more than {MOST_ENTRIES} files, which is the limit", tree.name(root))));
            return None;
        }
        Some(entries)
    }

    /// Whether one more link below a root may be followed; that there are too many is said once.
    pub(super) fn link(&mut self, tree: &dyn Tree, root: &Path, findings: &mut Vec<Diagnostic>) -> bool {
        self.links += 1;
        if self.links == MOST_LINKS + 1 {
            let finding = too_much(format!("below {}, there are more than {MOST_LINKS} links, which is the limit", tree.name(root)));
            findings.push(finding);
        }
        self.links <= MOST_LINKS
    }

    /// Reads a file, unless all of them have too much; that is said once.
    pub(super) fn read(&mut self, tree: &dyn Tree, path: &Path, findings: &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>> {
        if self.bytes > limit() {
            return None;
        }
        let file = read_file(tree, path, findings)?;
        self.bytes += file.text.len() as u64;
        if self.bytes > limit() {
            findings.push(too_much(format!("with {}, all files together have more than {} bytes, which is the limit", file.name, limit())));
            return None;
        }
        Some(file)
    }
}

fn too_much(message: String) -> Diagnostic {
    Diagnostic::error(message).help("name the files and directories with manifests with -f")
}
