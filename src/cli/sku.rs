//! `kaito sku list`.

use clap::Subcommand;

use super::output::{self, Color, Exit};
use super::setup::{CatalogArgs, catalog_only, clouds};
use crate::options::Cloud;

/// Look into the tables of node sizes.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the sizes that clouds offer
    List(ListArgs),
}

/// `kaito sku list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito sku list --cloud aws")]
pub(super) struct ListArgs {
    /// Only the sizes of this cloud
    #[arg(long, value_parser = clouds(), value_name = "NAME")]
    cloud: Option<Cloud>,
    #[command(flatten)]
    catalog: CatalogArgs,
}

/// Lists.
pub(super) fn run(command: &Command, color: Color) -> Exit {
    let Command::List(args) = command;
    let mut findings = Vec::new();
    let Some(catalog) = catalog_only(&args.catalog, &mut findings) else {
        output::findings(findings, color, "shown");
        return Exit::Invalid;
    };
    let mut rows = vec![["CLOUD", "NAME", "GPUS", "MEMORY", "MODEL", "CAPABILITY", "NVME", "KAITO"].map(ToOwned::to_owned).to_vec()];
    let clouds = args.cloud.map_or_else(|| Cloud::ALL.to_vec(), |cloud| vec![cloud]);
    for cloud in clouds {
        for found in catalog.skus(cloud) {
            let sku = &found.value;
            rows.push(vec![
                cloud.name().to_owned(),
                sku.name.clone(),
                sku.gpus.to_string(),
                sku.memory.clone().into(),
                sku.model.clone(),
                sku.compute_capability.clone().unwrap_or_else(|| "-".to_owned()),
                if sku.nvme { "yes" } else { "-" }.to_owned(),
                if sku.kaito.is_empty() { "-".to_owned() } else { sku.kaito.join(",") },
            ]);
        }
    }
    output::data(&output::table(&rows))
}
