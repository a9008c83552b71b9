//! YAML and JSON in, YAML out: the only module that names a YAML crate.
//!
//! Reading follows what kubectl reads (Go's YAML 1.1 meaning of plain scalars) and keeps the place of every node, so that
//! each fault can be shown where it is. Writing quotes every string that Go would read as something else.

mod emit;
mod node;
mod parse;
mod scalar;

pub use emit::{scalar_to_yaml, to_json, to_yaml};
pub use node::{Document, Entry, Kind, Move, Node, Step};
pub use parse::{Limits, read, read_part, read_values, split};
