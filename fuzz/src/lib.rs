//! What holds for any bytes: one module for each part of kaito that reads what others have written, each with one function `holds` that
//! panics if it doesn't. libFuzzer makes up bytes for them (`fuzz_targets`); `cargo test` tries what was kept of those (`corpus`).

pub mod config;
pub mod diff;
pub mod git;
pub mod patch;
pub mod quantity;
pub mod references;
pub mod selector;
pub mod template;
pub mod webhook;
pub mod workspace;
mod world;

/// Something that must hold for any bytes.
pub type Holds = fn(&[u8]);

/// Every one by the name of its target, which is that of its corpus too.
pub const TARGETS: [(&str, Holds); 10] = [
    ("config", config::holds),
    ("diff", diff::holds),
    ("git", git::holds),
    ("patch", patch::holds),
    ("quantity", quantity::holds),
    ("references", references::holds),
    ("selector", selector::holds),
    ("template", template::holds),
    ("webhook", webhook::holds),
    ("workspace", workspace::holds),
];
