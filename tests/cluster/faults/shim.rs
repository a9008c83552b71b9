//! Functions of the C library in whose place others are put, for processes that are started so.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a source for `LD_PRELOAD`, into a directory.
pub(super) fn compiled(source: &str, into: &Path) -> PathBuf {
    let library = into.join("libshim.so");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc).args(["--edition", "2024", "--crate-type", "cdylib", "-o"]).arg(&library).arg(source).status();
    assert!(built.is_ok_and(|status| status.success()), "{source} can't be compiled");
    library
}
