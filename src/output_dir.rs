//! Manifests into a directory: one folder a Workspace, files of an earlier run that are no longer wanted removed.
//!
//! A list in the directory (`.kaito-render`) names the files that kaito has written. Only those are ever replaced or removed.
//! Each file is written beside its place and moved into it; the list is written with old and new names first and with the new
//! ones last, so that a killed run leaves nothing that the next one doesn't know. One run at a time holds the directory.

mod committed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::manifest::ObjectRef;
pub use committed::Differences;

/// The name of the list.
const LIST: &str = ".kaito-render";

/// What the names of unfinished files begin with.
const UNFINISHED: &str = ".kaito-render-";

/// Why a directory could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputDirError {
    /// The file system said no.
    #[error("{}: {}", path.display(), why(source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file that kaito has not written stands where one is wanted.
    #[error("{} is there already and was not written by kaito; move it away, or choose another directory", .0.display())]
    Foreign(PathBuf),
    /// A link stands where a folder or file is wanted.
    #[error("{} is a link; kaito writes only below the directory it was given", .0.display())]
    Link(PathBuf),
    /// A file stands where the directory is wanted.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// Another run holds the directory.
    #[error("another kaito is writing into {}; try again when it is done", .0.display())]
    Busy(PathBuf),
    /// Two objects want one file.
    #[error("two objects would be written to {0}")]
    Twice(String),
}

/// What the file system said, without the names of unfinished files that its own words may hold.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "there is no permission to write here".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "there is no space left".to_owned(),
        _ => error.to_string(),
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that were new or different.
    pub written: usize,
    /// Files that were as wanted.
    pub unchanged: usize,
    /// Files of an earlier run that were removed.
    pub removed: usize,
}

/// The files of one run, by path below the directory.
#[derive(Default)]
pub struct Files(BTreeMap<String, String>);

impl Files {
    /// Adds an object that belongs to a Workspace, or to none. Its file is named by kind and name, and by its group too where
    /// another group has the same.
    ///
    /// # Errors
    /// Another object has that path.
    pub fn add(&mut self, reference: &ObjectRef, workspace: Option<(&str, &str)>, text: String) -> Result<(), OutputDirError> {
        let mut path = reference.file_path(workspace, false);
        if self.0.contains_key(&path) && !reference.group.is_empty() {
            path = reference.file_path(workspace, true);
        }
        match self.0.insert(path.clone(), text) {
            None => Ok(()),
            Some(_) => Err(OutputDirError::Twice(path)),
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// The file system's, or something in the way; nothing foreign is touched.
    pub fn write(&self, directory: &Path) -> Result<Written, OutputDirError> {
        if directory.exists() && !directory.is_dir() {
            return Err(OutputDirError::NotADirectory(directory.to_owned()));
        }
        create_dir(directory)?;
        let _held = hold(directory)?;
        let earlier = read_list(directory)?;
        for path in earlier.iter().chain(self.0.keys()) {
            check_links(directory, path)?;
        }
        sweep(directory, &earlier)?;
        for path in self.0.keys() {
            check_way(directory, path, &earlier)?;
        }
        let all: BTreeSet<&str> = earlier.iter().map(String::as_str).chain(self.0.keys().map(String::as_str)).collect();
        write_list(directory, &all)?;
        let mut done = Written::default();
        for (path, text) in &self.0 {
            let target = directory.join(path);
            if fs::read(&target).is_ok_and(|have| have == text.as_bytes()) {
                done.unchanged += 1;
                continue;
            }
            target.parent().map_or(Ok(()), create_dir)?;
            replace(&target, text.as_bytes())?;
            done.written += 1;
        }
        for path in earlier.iter().filter(|path| !self.0.contains_key(*path)) {
            done.removed += usize::from(remove(directory, path)?);
        }
        write_list(directory, &self.0.keys().map(String::as_str).collect())?;
        Ok(done)
    }
}

/// Keeps other runs out of the directory until the handle is dropped, or the process is gone.
fn hold(directory: &Path) -> Result<Option<File>, OutputDirError> {
    // Only Unix opens directories as files.
    if !cfg!(unix) {
        return Ok(None);
    }
    let handle = File::open(directory).map_err(io_error(directory))?;
    match handle.try_lock() {
        Ok(()) => Ok(Some(handle)),
        Err(fs::TryLockError::WouldBlock) => Err(OutputDirError::Busy(directory.to_owned())),
        // A file system without locks, as some network shares are, is written to all the same.
        Err(fs::TryLockError::Error(_)) => Ok(None),
    }
}

/// Removes the unfinished files of a run that was killed; it had its list written before them.
fn sweep(directory: &Path, earlier: &BTreeSet<String>) -> Result<(), OutputDirError> {
    let folders: BTreeSet<PathBuf> = earlier.iter().filter_map(|path| directory.join(path).parent().map(Path::to_owned)).collect();
    for folder in folders.iter().map(PathBuf::as_path).chain([directory]) {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let is_unfinished = |entry: &fs::DirEntry| {
            entry.file_name().to_string_lossy().starts_with(UNFINISHED) && entry.file_type().is_ok_and(|kind| kind.is_file())
        };
        for entry in entries.filter_map(Result::ok).filter(is_unfinished) {
            fs::remove_file(entry.path()).map_err(io_error(&entry.path()))?;
        }
    }
    Ok(())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OutputDirError {
    let path = path.to_owned();
    move |source| OutputDirError::Io { path, source }
}

fn create_dir(path: &Path) -> Result<(), OutputDirError> {
    fs::create_dir_all(path).map_err(io_error(path))
}

/// No link on the way, which would lead out of the directory.
fn check_links(directory: &Path, path: &str) -> Result<(), OutputDirError> {
    let mut at = directory.to_owned();
    for part in path.split('/') {
        at.push(part);
        if at.is_symlink() {
            return Err(OutputDirError::Link(at));
        }
    }
    Ok(())
}

/// Nothing foreign on the way or at its end.
fn check_way(directory: &Path, path: &str, earlier: &BTreeSet<String>) -> Result<(), OutputDirError> {
    let mut at = directory.to_owned();
    for part in path.split('/') {
        // What is no directory can't hold the rest of the way.
        if at.exists() && !at.is_dir() {
            return Err(OutputDirError::Foreign(at));
        }
        at.push(part);
    }
    if at.is_dir() || at.exists() && !earlier.contains(path) { Err(OutputDirError::Foreign(at)) } else { Ok(()) }
}

fn read_list(directory: &Path) -> Result<BTreeSet<String>, OutputDirError> {
    let path = directory.join(LIST);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(listed(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(source) => Err(OutputDirError::Io { path, source }),
    }
}

/// The files that a list names.
fn listed(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    // A list that somebody has edited must not lead out of the directory.
    let is_below = |line: &&str| Path::new(line).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    lines.filter(is_below).map(ToOwned::to_owned).collect()
}

/// A list that names these files.
fn list<'p>(paths: impl Iterator<Item = &'p str>) -> String {
    let head = "# The files that `kaito render --output-dir` has written here, and may replace and remove.\n";
    paths.fold(head.to_owned(), |text, path| text + path + "\n")
}

fn write_list(directory: &Path, paths: &BTreeSet<&str>) -> Result<(), OutputDirError> {
    let text = list(paths.iter().copied());
    let target = directory.join(LIST);
    if fs::read(&target).is_ok_and(|have| have == text.as_bytes()) { Ok(()) } else { replace(&target, text.as_bytes()) }
}

/// Puts a whole file in its place at once.
fn replace(target: &Path, bytes: &[u8]) -> Result<(), OutputDirError> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(io_error(folder))?;
    file.write_all(bytes).map_err(io_error(target))?;
    file.persist(target).map_err(|error| OutputDirError::Io { path: target.to_owned(), source: error.error })?;
    Ok(())
}

/// Writes one file at once, with the folders above it. A file that is as wanted isn't touched; a link is written through.
///
/// # Errors
/// The file system's.
pub fn write_file(target: &Path, text: &str) -> Result<(), OutputDirError> {
    if fs::read(target).is_ok_and(|have| have == text.as_bytes()) {
        return Ok(());
    }
    let target = &fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(Ok(()), create_dir)?;
    replace(target, text.as_bytes())
}

/// Removes a file of an earlier run, and the folders that it leaves empty.
fn remove(directory: &Path, path: &str) -> Result<bool, OutputDirError> {
    let target = directory.join(path);
    let removed = match fs::remove_file(&target) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => return Err(OutputDirError::Io { path: target, source }),
    };
    let mut folder = target.parent();
    while let Some(empty) = folder.filter(|folder| *folder != directory && fs::remove_dir(folder).is_ok()) {
        folder = empty.parent();
    }
    Ok(removed)
}
