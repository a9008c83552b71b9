//! The presets that are part of the binary: a table that the build makes of `presets/`, whose entries are JSON until somebody asks for one.

use serde::de::DeserializeOwned;

/// A file below `presets/` that is part of the binary.
#[derive(Debug)]
pub struct File {
    /// Its path, as `0.12/sizing.yaml`.
    pub path: &'static str,
    entries: &'static [Entry],
}

/// An entry of a list, or the whole of a file that is no list.
#[derive(Debug)]
struct Entry {
    /// `models`, `presets` or `skus`; empty for the whole of a file.
    list: &'static str,
    name: &'static str,
    /// Other names of a model.
    aliases: &'static [&'static str],
    /// Where it stands, from 1.
    line: usize,
    json: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// An entry and the file in which it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct BuiltIn {
    file: &'static File,
    entry: &'static Entry,
}

impl BuiltIn {
    /// The list that it is an entry of; empty for the whole of a file.
    pub(super) fn list(self) -> &'static str {
        self.entry.list
    }

    /// Its name in the list.
    pub(super) fn name(self) -> &'static str {
        self.entry.name
    }

    /// Other names of a model.
    pub(super) fn aliases(self) -> &'static [&'static str] {
        self.entry.aliases
    }

    /// Where it comes from, as `presets/0.12/models/qwen.yaml:3 (embedded)`.
    pub(super) fn origin(self) -> String {
        format!("presets/{}:{} (embedded)", self.file.path, self.entry.line)
    }

    /// Reads it.
    ///
    /// # Panics
    /// If it isn't right, which the tests see.
    pub(super) fn read<T: DeserializeOwned>(self) -> T {
        serde_json::from_str(self.entry.json).expect("what is built in is right")
    }
}

impl File {
    /// What stands in it.
    pub(super) fn entries(&'static self) -> impl Iterator<Item = BuiltIn> {
        self.entries.iter().map(move |entry| BuiltIn { file: self, entry })
    }
}

/// The files of a Kaito version, with the SKU tables.
pub(super) fn files(version: &str) -> impl Iterator<Item = &'static File> {
    let is_of = move |file: &&File| file.path.split('/').next().is_some_and(|first| first == version || first == "skus");
    FILES.iter().filter(is_of)
}

/// The Kaito versions whose rendering is part of the binary, newest first.
pub fn embedded_versions() -> Vec<String> {
    let folders = FILES.iter().filter_map(|file| file.path.split('/').next()).filter(|first| *first != "skus");
    let mut versions: Vec<&str> = folders.collect();
    versions.dedup();
    versions.sort_by_key(|version| std::cmp::Reverse(version.split('.').filter_map(|part| part.parse::<u32>().ok()).collect::<Vec<_>>()));
    versions.into_iter().map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rust_embed::RustEmbed;
    use serde_json::Value;

    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::yaml::{self, Kind};

    #[derive(RustEmbed)]
    #[folder = "presets/"]
    struct Texts;

    #[test]
    fn the_build_has_read_what_the_files_say() {
        assert_eq!(
            FILES.iter().map(|file| file.path).collect::<HashSet<_>>(),
            Texts::iter().collect::<Vec<_>>().iter().map(|path| &**path).collect()
        );
        for built_in in FILES.iter().flat_map(File::entries) {
            let text = Texts::get(built_in.file.path).unwrap().data;
            let file = SourceFile::new("", std::str::from_utf8(&text).unwrap());
            let document = yaml::read(&file, yaml::Limits::default(), &mut Vec::new()).remove(0);
            let Some(list) = document.root.get(built_in.list()) else {
                assert_eq!(built_in.read::<Value>(), document.root.to_value(), "{built_in:?}");
                assert_eq!(built_in.entry.line, file.line_column(document.place(&[]).span.start).0, "{built_in:?}");
                continue;
            };
            let Kind::Sequence(items) = &list.kind else { panic!("{built_in:?}") };
            let is_it =
                |item: &&yaml::Node| ["id", "name"].iter().any(|key| item.get(key).and_then(yaml::Node::as_str) == Some(built_in.name()));
            let item = items.iter().find(is_it).unwrap();
            assert_eq!(built_in.read::<Value>(), item.to_value(), "{built_in:?}");
            assert_eq!(built_in.entry.line, file.line_column(item.span.start).0, "{built_in:?}");
            let aliases = item.to_value()["aliases"].as_array().cloned().unwrap_or_default();
            assert_eq!(built_in.aliases(), aliases, "{built_in:?}");
        }
    }

    #[test]
    fn no_entry_is_there_twice() {
        for version in embedded_versions() {
            let mut seen = HashSet::new();
            for (file, entry) in files(&version).flat_map(|file| file.entries.iter().map(move |entry| (file, entry))) {
                let folder = file.path.rsplit_once('/').map(|(folder, _)| folder).unwrap();
                let whole = if entry.list.is_empty() || entry.list == "skus" { file.path } else { folder };
                assert!(seen.insert((whole, entry.list, entry.name.to_lowercase())), "{} {}", file.path, entry.name);
            }
            assert!(seen.len() > 5, "{version}");
        }
    }
}
