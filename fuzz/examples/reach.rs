//! Tries the inputs of some directories on one target, without libFuzzer: built to count lines, it tells which of kaito's they reach.

use std::path::Path;
use std::{env, fs};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (name, directories) = arguments.split_first().expect("a target and directories");
    let (_, holds) = kaito_fuzz::TARGETS.into_iter().find(|(target, _)| target == name).expect("a target");
    for directory in directories {
        for entry in fs::read_dir(Path::new(directory)).expect("a directory") {
            holds(&fs::read(entry.expect("an entry").path()).expect("an input"));
        }
    }
}
