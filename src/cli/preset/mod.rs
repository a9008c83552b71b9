//! `kaito preset`: the catalog of models looked into, added to and checked.

mod check;
mod import;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::completion::values;
use super::output::{self, Color, Exit};
use super::setup::{CatalogArgs, catalog_only};
use crate::diagnostic::Diagnostic;
use crate::preset::{Catalog, Found, ImagePreset, Model};
use crate::yaml;

/// Look into the catalog of models, and add to it.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the models
    List(ListArgs),
    /// Show all of one model: what its file says, what follows from it, and where it comes from
    Show(ShowArgs),
    /// Write a preset file for any model of Hugging Face
    Import(import::Args),
    /// Check preset files of your own
    Check(check::Args),
}

/// `kaito preset list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito preset list
  kaito preset list -o wide --presets presets")]
pub(super) struct ListArgs {
    #[command(flatten)]
    catalog: CatalogArgs,
    /// More columns (wide), or only the names (name)
    #[arg(short, long, value_parser = ["name", "wide"], value_name = "FORMAT")]
    output: Option<String>,
}

/// `kaito preset show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito preset show phi-4
  kaito preset show meta-llama/Llama-3.3-70B-Instruct")]
pub(super) struct ShowArgs {
    /// Alias or Hugging Face id, in any case
    #[arg(add = values::presets())]
    name: String,
    #[command(flatten)]
    catalog: CatalogArgs,
}

/// Lists, shows, imports or checks.
pub(super) fn run(command: &Command, color: Color) -> Exit {
    match command {
        Command::List(args) => look_into(&args.catalog, color, |catalog| {
            let format = args.output.as_deref();
            Ok(if catalog.is_v0_3() { list_images(catalog.image_presets(), format) } else { list(catalog.models(), format) })
        }),
        Command::Show(args) => look_into(&args.catalog, color, |catalog| {
            let shown = if catalog.is_v0_3() {
                catalog.image_preset(&args.name).map(show_entry)
            } else {
                catalog.model(&args.name).map(|found| show(catalog, found))
            };
            shown.map_err(|unknown| unknown.finding(&args.name))
        }),
        Command::Import(args) => import::run(args, color),
        Command::Check(args) => check::run(args, color),
    }
}

fn look_into(args: &CatalogArgs, color: Color, text: impl FnOnce(&Catalog) -> Result<String, Diagnostic>) -> Exit {
    let mut findings = Vec::new();
    let text = catalog_only(args, &mut findings).and_then(|catalog| text(&catalog).map_err(|finding| findings.push(finding)).ok());
    if let Some(text) = text {
        return output::data(&text);
    }
    output::findings(findings, color, "shown");
    Exit::Invalid
}

/// The presets of Kaito 0.3.
fn list_images<'a>(presets: impl Iterator<Item = &'a Found<ImagePreset>>, format: Option<&str>) -> String {
    if format == Some("name") {
        return presets.flat_map(|preset| [preset.value.name.as_str(), "\n"]).collect();
    }
    let wide = format == Some("wide");
    let mut rows = vec![["NAME", "TAG", "GPUS", "GPU MEMORY", "DISK", "WORKLOAD", "TUNING"].map(ToOwned::to_owned).to_vec()];
    if wide {
        rows[0].extend(["WEIGHTS", "FROM"].map(ToOwned::to_owned));
    }
    for Found { value: preset, origin } in presets {
        let mut row = vec![
            preset.name.clone(),
            preset.tag.clone().unwrap_or_else(|| "private".to_owned()),
            preset.gpus.to_string(),
            preset.gpu_memory.clone().into(),
            preset.disk.clone().into(),
            if preset.distributed { "StatefulSet" } else { "Deployment" }.to_owned(),
            if preset.tuning.is_some() { "yes" } else { "-" }.to_owned(),
        ];
        if wide {
            row.extend([preset.weights.clone().unwrap_or_else(|| "-".to_owned()), origin.clone()]);
        }
        rows.push(row);
    }
    output::table(&rows)
}

/// An entry as its file has it, and where that is.
fn show_entry<T: Serialize>(found: &Found<T>) -> String {
    let mut text = format!("# {}\n", found.origin);
    yaml::to_yaml(&serde_json::to_value(&found.value).unwrap_or_default(), &mut text);
    text
}

fn list<'a>(models: impl Iterator<Item = &'a Found<Model>>, format: Option<&str>) -> String {
    if format == Some("name") {
        return models.flat_map(|model| [model.value.id.as_str(), "\n"]).collect();
    }
    let wide = format == Some("wide");
    let mut rows = vec![["NAME", "ALIASES", "WEIGHTS", "CONTEXT", "RUNTIMES"].map(ToOwned::to_owned).to_vec()];
    if wide {
        rows[0].extend(["ARCHITECTURE", "QUANTIZATION", "LICENSE", "FROM"].map(ToOwned::to_owned));
    }
    for Found { value: model, origin } in models {
        let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let runtimes = if model.transformers.is_some() { "vllm,transformers" } else { "vllm" };
        let mut row = vec![
            model.id.clone(),
            dash(model.aliases.join(",")),
            model.weights.clone().into(),
            model.context_limit.to_string(),
            runtimes.to_owned(),
        ];
        if wide {
            let quantization = model.quantization.as_ref().map(|quantization| quantization.method.clone());
            row.extend([
                model.architectures.join(","),
                dash(quantization.unwrap_or_default()),
                dash(model.license.clone().unwrap_or_default()),
                origin.clone(),
            ]);
        }
        rows.push(row);
    }
    output::table(&rows)
}

fn show(catalog: &Catalog, found: &Found<Model>) -> String {
    let model = &found.value;
    let derived = json!({
        "name": model.name(),
        "attention": model.attention().name(),
        "kvBytesPerToken": model.kv_bytes_per_token(),
        "disk": format!("{}Gi", catalog.sizing.disk_gib(model)),
    });
    let mut text = show_entry(found);
    text.push_str("# what follows from it\n");
    yaml::to_yaml(&json!({ "derived": derived }), &mut text);
    text
}
