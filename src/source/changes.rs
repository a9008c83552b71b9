//! Tells when files on disk change.

use std::path::{Path, PathBuf};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::diagnostic::Diagnostic;

/// Watches files and directories, until it is dropped.
pub struct Changes {
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// Watches these with all below them, and calls `tell` for each change of what they hold. One that isn't there is watched for in the
    /// directory above it.
    ///
    /// # Errors
    /// The system doesn't let one be watched.
    pub fn watch(paths: &[PathBuf], tell: impl Fn() + Send + 'static) -> Result<Self, Diagnostic> {
        let take = move |event: notify::Result<Event>| {
            // What is only read doesn't change. What went wrong may be that something was missed.
            if event.map_or(true, |event| !event.kind.is_access()) {
                tell();
            }
        };
        let mut watcher = notify::recommended_watcher(take).map_err(|error| refused(Path::new("."), &error))?;
        for path in paths {
            let (place, mode) =
                if path.is_dir() { (path.as_path(), RecursiveMode::Recursive) } else { (above(path), RecursiveMode::NonRecursive) };
            watcher.watch(place, mode).map_err(|error| refused(place, &error))?;
        }
        Ok(Self { _watcher: watcher })
    }
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
    use std::fs;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

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
