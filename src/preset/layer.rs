//! The layers of presets: what is built in, then what the user adds.

use rust_embed::RustEmbed;

use std::sync::Arc;

use crate::diagnostic::SourceFile;

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
