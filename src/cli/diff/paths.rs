//! How files are called from the root of their repository, which is what GitHub wants to be told.

use std::path::{Component, Path, PathBuf};

use crate::diagnostic::SourceFile;
use crate::source::from_repository;

/// The path of a file from the root of its repository; as it was given if it is in none.
pub(in crate::cli) fn in_repository(file: &SourceFile) -> String {
    // A file of a revision is called REVISION:PATH.
    let of_revision = file.blob.as_ref().and_then(|_| file.name.split_once(':'));
    let path = of_revision.map_or_else(|| on_disk(Path::new(&file.name)), |(_, path)| path.to_owned());
    path.replace('\\', "/")
}

fn on_disk(path: &Path) -> String {
    let plain = || path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
    from_repository(path).unwrap_or_else(plain).to_string_lossy().into_owned()
}
