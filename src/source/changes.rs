//! Tells when files on disk change.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf, absolute};
use std::time::SystemTime;
use std::{fs, io};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::diagnostic::Diagnostic;

/// Watches files and directories, until it is dropped.
pub struct Changes {
    watcher: RecommendedWatcher,
    /// What is watched, and which directory that was.
    directories: Vec<(PathBuf, Option<Identity>)>,
}

/// What makes a directory another one: where it really is, its number, which may be used again, and since when it is there.
type Identity = (PathBuf, u64, Option<SystemTime>);

/// What of the events is told.
#[derive(Default)]
struct Heed {
    /// The directories of which everything is.
    directories: Vec<PathBuf>,
    /// Where the others stand, of which no neighbours are.
    above: BTreeSet<PathBuf>,
}

impl Changes {
    /// Watches these with all below them, and calls `tell` for each change of what they hold. One that isn't there is watched for in the
    /// directory above it.
    ///
    /// # Errors
    /// The system doesn't let one be watched.
    pub fn watch(paths: &[PathBuf], tell: impl Fn() + Send + 'static) -> Result<Self, Diagnostic> {
        let (directories, others): (Vec<&PathBuf>, Vec<&PathBuf>) = paths.iter().partition(|path| path.is_dir());
        let heed = Heed::new(&directories, &others).map_err(|error| refused(Path::new("."), &notify::Error::io(error)))?;
        let parents: Vec<PathBuf> = heed.above.iter().cloned().collect();
        let take = move |event: notify::Result<Event>| {
            // What is only read doesn't change. What went wrong may be that something was missed.
            if event.map_or(true, |event| !event.kind.is_access() && heed.is_told(&event.paths)) {
                tell();
            }
        };
        let mut watcher = notify::recommended_watcher(take).map_err(|error| refused(Path::new("."), &error))?;
        for place in others.iter().map(|path| above(path)) {
            watcher.watch(place, RecursiveMode::NonRecursive).map_err(|error| refused(place, &error))?;
        }
        // Where it can't be seen whether a directory is another one, only what is in it is.
        parents.iter().for_each(|parent| _ = watcher.watch(parent, RecursiveMode::NonRecursive));
        let directories = directories.into_iter().map(|path| (path.clone(), None)).collect();
        let mut changes = Self { watcher, directories };
        changes.renew()?;
        Ok(changes)
    }

    /// Watches directories that are others than before, such as those that are removed and made again, or whose name is a link. Some that
    /// aren't there are waited for.
    ///
    /// # Errors
    /// The system doesn't let one be watched.
    pub fn renew(&mut self) -> Result<(), Diagnostic> {
        for (path, known) in &mut self.directories {
            let Some(found) = identity(path) else {
                *known = None;
                continue;
            };
            if known.replace(found.clone()) != Some(found) {
                // There may be nothing to forget.
                _ = self.watcher.unwatch(path);
                self.watcher.watch(path, RecursiveMode::Recursive).map_err(|error| refused(path, &error))?;
            }
        }
        Ok(())
    }
}

impl Heed {
    fn new(directories: &[&PathBuf], others: &[&PathBuf]) -> io::Result<Self> {
        let directories = directories.iter().map(absolute).collect::<io::Result<Vec<PathBuf>>>()?;
        let beside = others.iter().map(|path| absolute(above(path))).collect::<io::Result<BTreeSet<PathBuf>>>()?;
        let above = directories.iter().filter_map(|path| path.parent()).map(Path::to_owned);
        let above = above.filter(|path| !beside.contains(path)).collect();
        Ok(Self { directories, above })
    }

    fn is_told(&self, paths: &[PathBuf]) -> bool {
        let is_neighbour = |path: &PathBuf| {
            let stands_above = path.parent().is_some_and(|parent| self.above.contains(parent)) || self.above.contains(path);
            stands_above && !self.directories.iter().any(|directory| path.starts_with(directory))
        };
        paths.is_empty() || !paths.iter().all(is_neighbour)
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let place = fs::canonicalize(path).ok()?;
    let metadata = fs::metadata(&place).ok().filter(fs::Metadata::is_dir)?;
    Some((place, metadata.ino(), metadata.created().ok()))
}

/// Where a file's name stands: who replaces a file often makes another one.
fn above(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refused(path: &Path, error: &notify::Error) -> Diagnostic {
    let finding = Diagnostic::error(format!("{} can't be watched: {error}", path.display()));
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            finding.help("raise the system's limit: sysctl fs.inotify.max_user_watches and fs.inotify.max_user_instances")
        }
        notify::ErrorKind::PathNotFound => finding.help("name a file or directory that is there"),
        _ => finding,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_directory_may_become_another_one() {
        let home = tempfile::tempdir().unwrap();
        let (set, next) = (home.path().join("set"), home.path().join("next"));
        fs::create_dir(&set).unwrap();
        let (sender, told) = channel();
        let mut changes = Changes::watch(std::slice::from_ref(&set), move || _ = sender.send(())).unwrap();
        let mut step = |what: &str, change: &dyn Fn()| {
            change();
            assert!(told.recv_timeout(Duration::from_secs(60)).is_ok(), "{what}");
            while told.recv_timeout(Duration::from_millis(50)).is_ok() {}
            changes.renew().unwrap();
        };
        step("removed", &|| fs::remove_dir(&set).unwrap());
        step("made again", &|| fs::create_dir(&set).unwrap());
        step("changed", &|| fs::write(set.join("a.yaml"), "a: 1").unwrap());
        step("exchanged", &|| {
            // A neighbour is nobody's business.
            fs::create_dir(&next).unwrap();
            assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "a neighbour");
            fs::rename(&set, home.path().join("old")).unwrap();
            std::os::unix::fs::symlink(&next, &set).unwrap();
        });
        step("changed behind a link", &|| fs::write(next.join("a.yaml"), "a: 1").unwrap());
    }

    #[test]
    fn changes_are_told_and_reading_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.yaml");
        fs::write(&file, "a: 1").unwrap();
        let (sender, told) = channel();
        let changes = Changes::watch(&[directory.path().to_owned()], move || _ = sender.send(())).unwrap();
        let steps: [(&str, &dyn Fn()); 4] = [
            ("changed", &|| fs::write(&file, "a: 2").unwrap()),
            ("new below", &|| fs::create_dir(directory.path().join("b")).unwrap()),
            ("moved", &|| fs::rename(&file, directory.path().join("c.yaml")).unwrap()),
            ("removed", &|| fs::remove_file(directory.path().join("c.yaml")).unwrap()),
        ];
        for (what, step) in steps {
            step();
            assert!(told.recv_timeout(Duration::from_secs(60)).is_ok(), "{what}");
            while told.recv_timeout(Duration::from_millis(50)).is_ok() {}
        }
        drop(changes);
        fs::write(&file, "a: 3").unwrap();
        assert!(told.recv().is_err(), "nobody tells any more");
        assert!(Changes::watch(&[PathBuf::from("/nowhere/at/all")], || {}).is_err());
    }
}
