//! Where texts come from: files, directories and standard input.

mod dir;

pub use dir::{Inputs, config_for, preset_layer, read_config, template_overrides};
