//! Where texts come from: files, directories, standard input, and for presets the hub.

mod dir;
mod http;
mod hub;
mod listing;

pub use dir::{Inputs, config_for, is_whole, preset_layer, read_config, read_file, template_overrides};
pub use hub::Hub;
pub use listing::repository_in;
