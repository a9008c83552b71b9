//! The layers of presets: what is built in, then what the user adds.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use rust_embed::RustEmbed;

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::yaml::{self, Document, Node};

/// Preset files of one origin, by their path below `presets/<version>` (or `skus/`).
pub struct Layer {
    /// Whether it is part of the binary, and so known to be right.
    pub is_embedded: bool,
    /// The files.
    pub files: Vec<Arc<SourceFile>>,
}

#[derive(RustEmbed)]
#[folder = "presets/"]
struct Embedded;

/// The files of [`Embedded`] by their paths, each as the trees of its documents, which the build has read.
static READ: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/presets"));

impl Layer {
    /// The presets of a Kaito version that are part of the binary, with the SKU tables.
    pub fn embedded(version: &str) -> Self {
        let own = format!("{version}/");
        let paths = Embedded::iter().filter(|path| path.starts_with(&own) || path.starts_with("skus/"));
        let files = paths.filter_map(|path| {
            let text = String::from_utf8(Embedded::get(&path)?.data.into_owned()).ok()?;
            Some(SourceFile::new(format!("presets/{path}"), text))
        });
        Self { is_embedded: true, files: files.collect() }
    }

    /// The documents of these files of the layer, each with what is wrong with it.
    pub(super) fn read<'f>(&self, files: &[&'f Arc<SourceFile>]) -> Vec<(&'f Arc<SourceFile>, Vec<Document>, Vec<Diagnostic>)> {
        let known: HashMap<&str, &[u8]> = if self.is_embedded { postcard::from_bytes(READ).unwrap_or_default() } else { HashMap::new() };
        let read = |file: &&'f Arc<SourceFile>| {
            let trees = file.name.strip_prefix("presets/").and_then(|path| known.get(path));
            if let Some(roots) = trees.and_then(|trees| postcard::from_bytes::<Vec<Node>>(trees).ok()) {
                return (*file, roots.into_iter().map(|root| Document::new(file, root)).collect(), Vec::new());
            }
            let mut findings = Vec::new();
            (*file, yaml::read(file, yaml::Limits::default(), &mut findings), findings)
        };
        files.par_iter().map(read).collect()
    }
}

/// The Kaito versions whose rendering is part of the binary, newest first.
pub fn embedded_versions() -> Vec<String> {
    let mut versions: Vec<String> = Embedded::iter()
        .filter_map(|path| path.split_once('/').map(|(first, _)| first.to_owned()))
        .filter(|first| first != "skus")
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.split('.').filter_map(|part| part.parse::<u32>().ok()).collect::<Vec<_>>()));
    versions.dedup();
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_has_read_what_the_files_say() {
        for version in embedded_versions() {
            let layer = Layer::embedded(&version);
            assert!(layer.files.len() > 5, "{version}");
            for (file, documents, _) in layer.read(&layer.files.iter().collect::<Vec<_>>()) {
                let mut findings = Vec::new();
                let want = yaml::read(file, yaml::Limits::default(), &mut findings);
                assert_eq!(format!("{documents:?} []"), format!("{want:?} {findings:?}"), "{}", file.name);
            }
        }
    }

    #[test]
    fn the_build_has_read_every_file() {
        let known: HashMap<&str, &[u8]> = postcard::from_bytes(READ).unwrap();
        let all: Vec<_> = Embedded::iter().collect();
        assert_eq!(known.len(), all.len());
        for path in all {
            let trees = postcard::from_bytes::<Vec<Node>>(known[&*path]).expect(&path);
            assert_eq!(trees.len(), 1, "{path}");
        }
    }
}
