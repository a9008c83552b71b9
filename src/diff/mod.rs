//! What a change does: which objects change and how, what restarts, which nodes come and go.
//!
//! Two sides are planned, what can differ is rendered on both, and the objects are compared field by field. Everything that is
//! shown is made from the [`Report`], in which secrets are hidden already.

mod disruption;
mod fields;
mod flags;
mod format;
pub mod live;
mod report;
mod secrets;
mod side;
mod summary;
mod totals;

pub use disruption::{Disruption, NODES, is_node};
pub use fields::{FieldChange, Part, Path, changes};
pub use flags::{FlagChange, flag_changes};
pub(crate) use format::markdown::{inline, rows};
pub use format::{ObjectFile, files, github, html, json, markdown, markdown_within, name, text, unified};
pub use report::{Broken, Change, Field, ObjectChange, OwnerChange, Report, compare, object_change};
pub use side::{Objects, Owner, Side};
pub use summary::{Summary, words};
pub use totals::{Cost, Count, Prices, Totals};
