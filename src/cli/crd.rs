//! `kaito crd`.

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};

use super::output::{self, Exit};
use crate::crd::{KINDS, Kind};
use crate::yaml;

/// Print the CRDs of the kinds that kaito reads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito crd | kubectl apply --server-side -f -
  kaito crd workspaces -o json")]
pub(super) struct Args {
    /// Kinds, as kubectl names them; all of them by default
    #[arg(value_parser = kinds(), ignore_case = true, value_name = "NAME")]
    names: Vec<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// YAML documents
    #[default]
    Yaml,
    /// One JSON object; a List if there are several
    Json,
}

/// The plurals, and the other names for completion to leave out.
fn kinds() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(KINDS.iter().map(|kind| {
        let names = [kind.singular(), format!("{}.kaito.sh", kind.plural)];
        PossibleValue::new(kind.plural).aliases(names).aliases(kind.short_names)
    }))
}

/// Prints the definitions.
pub(super) fn run(args: &Args) -> Exit {
    let named: Vec<&str> = args.names.iter().filter_map(|name| Kind::find(name)).map(|kind| kind.name).collect();
    let definitions = KINDS.iter().filter(|kind| named.is_empty() || named.contains(&kind.name)).map(Kind::definition);
    output::data(&match args.output {
        Format::Yaml => yaml_documents(definitions),
        Format::Json => json_text(definitions.collect()),
    })
}

/// Objects as the documents of one file.
pub(super) fn yaml_documents(objects: impl Iterator<Item = Value>) -> String {
    let texts: Vec<String> = objects
        .map(|object| {
            let mut text = String::new();
            yaml::to_yaml(&object, &mut text);
            text
        })
        .collect();
    texts.join("---\n")
}

fn json_text(mut objects: Vec<Value>) -> String {
    let value = if objects.len() == 1 { objects.remove(0) } else { json!({"apiVersion": "v1", "kind": "List", "items": objects}) };
    format!("{}\n", yaml::to_json(&value))
}
