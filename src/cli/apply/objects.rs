//! Objects as kubectl prints them with `-o`.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::output::{self, Exit};
use crate::yaml;

/// How objects are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A List in JSON
    Json,
    /// A stream of YAML documents
    Yaml,
    /// Kind and name of each object
    Name,
}

/// Prints objects without what only servers care for, as kubectl does.
pub(super) fn print(mut objects: Vec<Value>, format: Format) -> Exit {
    for object in &mut objects {
        _ = object["metadata"].as_object_mut().and_then(|metadata| metadata.remove("managedFields"));
    }
    let mut text = String::new();
    if format == Format::Json {
        text = yaml::to_json(&json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects}));
        text.push('\n');
    } else {
        for object in &objects {
            text.push_str("---\n");
            yaml::to_yaml(object, &mut text);
        }
    }
    output::data(&text)
}
