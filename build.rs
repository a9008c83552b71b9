//! Reads the built-in presets when kaito is built, so that no start of it has to: they become a table of JSON texts, of which a run reads those
//! that it needs.

#![allow(dead_code, unreachable_pub, reason = "these modules are kaito's, and the build needs a part of them")]

#[path = "src/yaml/json.rs"]
mod json;
#[path = "src/yaml/node.rs"]
mod node;
#[path = "src/yaml/scalar.rs"]
mod scalar;
#[path = "src/yaml/tree.rs"]
mod tree;

use std::path::{Path, PathBuf};
use std::{env, fs};

use node::{Kind, Node};

/// The lists of entries that a preset file may hold, each with the field that names an entry.
const LISTS: [(&str, &str); 3] = [("models", "id"), ("presets", "name"), ("skus", "name")];

fn main() {
    println!("cargo::rerun-if-changed=presets");
    println!("cargo::rerun-if-changed=src/yaml");
    let mut files = Vec::new();
    find(Path::new("presets"), &mut files);
    files.sort();
    let files: Vec<String> = files.iter().map(|path| format!("File {{ path: {:?}, entries: &[{}] }}", name(path), entries(path))).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where")).join("presets.rs");
    fs::write(out, format!("static FILES: &[File] = &[{}];\n", files.join(",\n"))).expect("it can be written");
}

fn find(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("presets can be listed") {
        let path = entry.expect("presets can be listed").path();
        if path.is_dir() { find(&path, files) } else { files.push(path) }
    }
}

/// The path below `presets`.
fn name(file: &Path) -> String {
    let parts = file.iter().skip(1).map(|part| part.to_str().expect("its name is UTF-8"));
    parts.collect::<Vec<_>>().join("/")
}

/// The entries of a file, as Rust: those of its list, or the whole of it.
fn entries(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("presets can be read");
    let mut faults = Vec::new();
    let (roots, _) = tree::read(&text, 0..text.len(), tree::Limits::default(), &mut faults);
    let line = |at: usize| 1 + text[..at].matches('\n').count();
    if let Some(fault) = faults.first() {
        panic!("{}:{}: {}", file.display(), line(fault.span.start), fault.message);
    }
    let [root] = roots.as_slice() else { panic!("{} holds {} documents; one is wanted", file.display(), roots.len()) };
    let list = LISTS.iter().find_map(|(list, key)| Some((*list, *key, root.get(list)?)));
    let Some((list, key, Node { kind: Kind::Sequence(items), .. })) = list else {
        return entry("", "", &[], line(root.span_of(&[]).0.start), root);
    };
    let of_list = |item: &Node| {
        let name = item.get(key).and_then(Node::as_str).unwrap_or_else(|| panic!("{}: an entry has no {key}", file.display()));
        let aliases: Vec<&str> = match item.get("aliases").map(|aliases| &aliases.kind) {
            Some(Kind::Sequence(aliases)) => aliases.iter().filter_map(Node::as_str).collect(),
            _ => Vec::new(),
        };
        entry(list, name, &aliases, line(item.span.start), item)
    };
    items.iter().map(of_list).collect::<Vec<_>>().join(", ")
}

fn entry(list: &str, name: &str, aliases: &[&str], line: usize, node: &Node) -> String {
    let json = node.to_value().to_string();
    format!("Entry {{ list: {list:?}, name: {name:?}, aliases: &{aliases:?}, line: {line}, json: {json:?} }}")
}
