//! Reads the built-in presets when kaito is built, so that no start of it has to: YAML takes ten times as long to read as what is written here.

#![allow(dead_code, unreachable_pub, reason = "these modules are kaito's, and the build needs a part of them")]

#[path = "src/yaml/node.rs"]
mod node;
#[path = "src/yaml/scalar.rs"]
mod scalar;
#[path = "src/yaml/tree.rs"]
mod tree;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=presets");
    println!("cargo::rerun-if-changed=src/yaml");
    let mut files = Vec::new();
    find(Path::new("presets"), &mut files);
    files.sort();
    let read: Vec<(String, Vec<u8>)> = files.iter().map(|file| (name(file), trees(file))).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where")).join("presets");
    fs::write(out, postcard::to_stdvec(&read).expect("it can be written")).expect("it can be written");
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

fn trees(file: &Path) -> Vec<u8> {
    let text = fs::read_to_string(file).expect("presets can be read");
    let mut faults = Vec::new();
    let roots = tree::read(&text, 0..text.len(), tree::Limits::default(), &mut faults);
    if let Some(fault) = faults.first() {
        let line = 1 + text[..fault.span.start].matches('\n').count();
        panic!("{}:{line}: {}", file.display(), fault.message);
    }
    postcard::to_stdvec(&roots).expect("it can be written")
}
