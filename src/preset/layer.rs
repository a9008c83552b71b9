//! The layers of presets: what is built in, then what the user adds.

use std::sync::Arc;

use super::embedded::{self, File};
use crate::diagnostic::SourceFile;

/// Preset files of one origin.
pub enum Layer {
    /// Files that are part of the binary, and so known to be right.
    BuiltIn(Vec<&'static File>),
    /// Files of the user's own.
    Own(Vec<Arc<SourceFile>>),
}

impl Layer {
    /// The presets of a Kaito version that are part of the binary, with the SKU tables.
    pub fn embedded(version: &str) -> Self {
        Self::BuiltIn(embedded::files(version).collect())
    }

    /// The files, if they are the user's own.
    pub fn own(&self) -> &[Arc<SourceFile>] {
        match self {
            Self::BuiltIn(_) => &[],
            Self::Own(files) => files,
        }
    }
}
