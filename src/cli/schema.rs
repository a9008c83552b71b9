//! `kaito schema`.

use clap::ValueEnum;

use super::output::{self, Exit};
use crate::config::RenderConfig;
use crate::preset::{ImagePreset, Model};
use crate::schema;
use crate::sku::Sku;
use crate::spec::Workspace;
use crate::watch::config::WatchConfig;
use crate::yaml;

/// Print the JSON schema of kaito.yaml, or of another file that kaito reads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito schema > kaito.schema.json
  kaito schema workspace > workspace.schema.json")]
pub(super) struct Args {
    /// What the schema is of
    #[arg(value_enum, default_value_t)]
    of: Of,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Of {
    /// kaito.yaml
    #[default]
    Config,
    /// What kaito watch follows, for --watch-config
    Watch,
    /// A Workspace
    Workspace,
    /// An entry of `models` in a preset file
    Model,
    /// An entry of `skus` in a preset file
    Sku,
    /// An entry of `presets` in a preset file of Kaito 0.3
    Preset,
}

/// Prints the schema.
pub(super) fn run(args: &Args) -> Exit {
    let schema = match args.of {
        Of::Config => schema::of::<RenderConfig>(),
        Of::Watch => schema::of::<WatchConfig>(),
        Of::Workspace => schema::of::<Workspace>(),
        Of::Model => schema::of::<Model>(),
        Of::Sku => schema::of::<Sku>(),
        Of::Preset => schema::of::<ImagePreset>(),
    };
    output::data(&format!("{}\n", yaml::to_json(&schema)))
}
