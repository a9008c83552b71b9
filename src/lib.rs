//! Kaito's Workspaces as the manifests they stand for.
//!
//! One line of data, and the modules in its order:
//!
//! ```text
//! files -> yaml -> spec (Workspaces) -> admission -> plan -> render -> manifest -> text
//!                        ^                            ^        ^
//!                     options                 preset, sku   templates/
//! ```
//!
//! Everything above `source` is a pure function of values and text in memory: no files, network, clock, environment or
//! randomness. `source` and `output_dir` read and write files, `source` those of git's revisions too; the one part of `source` that
//! asks a network is for `kaito preset import`. `cluster` asks an API server, for the verbs that work on one. `server` is asked over
//! HTTP, and `telemetry` tells how the process is doing; `notify` tells others what became of a revision. `cli` is the
//! door: the only place that prints.

pub mod diagnostic;
mod hex;
mod parallel;
pub mod quantity;
pub mod rule;
pub mod yaml;

pub mod config;
pub mod image;
pub mod model_streaming;
pub mod node_pool;
pub mod options;
pub mod schema;
pub mod secrets;
pub mod shard;
pub mod sku;
pub mod spec;

pub mod crd;
pub mod preset;

pub mod admission;
pub mod plan;

pub mod argocd;
pub mod krm;
pub mod lint;
pub mod manifest;
pub mod patch;
pub mod raw_object;
pub mod render;
pub mod selector;
pub mod session;

pub mod apply;
pub mod chat;
pub mod ci;
pub mod conditions;
pub mod diff;
pub mod drift;
pub mod flux;
mod github;
pub mod health;
pub mod rendered_branch;
pub mod status;
pub mod why;

pub mod delete;
pub mod import;
pub mod init;
pub mod install;
pub mod inventory;
pub mod pause;
pub mod prune;
pub mod rbac;

pub mod heap;

pub mod cluster;
pub mod notify;
pub mod output_dir;
mod pem;
pub mod server;
pub mod source;
pub mod telemetry;

pub mod reconcile;
pub mod watch;

pub mod cli;
