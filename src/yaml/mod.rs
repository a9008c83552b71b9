//! YAML and JSON in, YAML out: the only module that names a YAML crate (the build reads presets with a part of it).
//!
//! Reading follows what kubectl reads (Go's YAML 1.1 meaning of plain scalars) and keeps the place of every node, so that
//! each fault can be shown where it is. Writing quotes every string that Go would read as something else.

mod de;
mod document;
mod emit;
mod json;
mod layout;
mod node;
mod parse;
mod scalar;
mod tree;

pub use document::{Document, Move};
pub use emit::{scalar_to_yaml, text_to_yaml, to_json, to_yaml};
pub use node::{Entry, Kind, Node, Step};
pub use parse::{read, read_part, read_values, split};
pub use tree::Limits;
