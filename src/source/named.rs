//! Names of files that are the same wherever a repository is.

use std::fs;
use std::path::{Path, PathBuf};

/// The path of a file or directory from the root of its repository; `None` if it is in none.
pub fn from_repository(path: &Path) -> Option<PathBuf> {
    // The file itself may be a link, which is what the repository has.
    let name = path.file_name().filter(|_| !path.is_dir());
    let directory = if name.is_some() { path.parent()? } else { path };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let directory = fs::canonicalize(directory).ok()?;
    let root = directory.ancestors().find(|above| above.join(".git").exists())?;
    let below = directory.strip_prefix(root).ok()?;
    Some(name.map_or_else(|| below.to_owned(), |name| below.join(name)))
}

/// A name for a path that is the same in every clone of its repository; outside of one, on this machine.
pub fn named_alike(path: &Path) -> String {
    let found = from_repository(path).or_else(|| fs::canonicalize(path).ok()).unwrap_or_else(|| path.to_owned());
    let name = found.to_string_lossy().replace('\\', "/");
    if name.is_empty() { ".".to_owned() } else { name }
}
