//! One test binary; each module is a table of inputs and what is expected of them.
//!
//! `KAITO_BLESS=1 cargo test` rewrites the expected files: review the difference before it is committed.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod apply;
mod architecture;
mod argocd;
mod catalog;
mod chart;
mod ci;
mod cli;
mod cluster;
mod conditions;
mod determinism;
mod diff;
mod diff_external;
mod diff_revisions;
mod docs;
mod docs_commands;
mod flux;
mod fuzz;
mod git;
mod git_remote;
mod golden;
mod health;
mod hostile;
mod image;
mod images;
mod init;
mod input;
mod install;
mod krm;
mod lint;
mod notify;
mod output_dir;
mod patch;
mod preset_import;
mod properties;
mod prune;
mod rbac;
mod reference;
mod rendered_branch;
mod repositories;
mod security;
mod server;
mod strings;
mod support;
mod verify;
mod why;

use std::fs;

/// A file under tests/ that is no module here would never run.
#[test]
fn no_test_file_is_forgotten() {
    let this = fs::read_to_string("tests/main.rs").unwrap();
    for entry in fs::read_dir("tests").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(this.contains(&format!("mod {module};")), "tests/{name} is not listed in tests/main.rs");
        }
    }
}
