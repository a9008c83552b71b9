//! Documents as they are sent to the API server.

use std::fs;
use std::path::{Path, PathBuf};

use kaito::diagnostic::SourceFile;
use kaito::yaml;
use serde_json::{Value, json};

use crate::support::names;

/// A document and where it stands.
pub(super) struct Manifest {
    pub file: String,
    /// YAML or JSON, as it stands there: what the server makes of it is the server's business.
    pub text: String,
    pub value: Value,
}

impl Manifest {
    /// The documents of a file.
    pub(super) fn read(path: &Path) -> Vec<Self> {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::all(&path.to_string_lossy(), &text)
    }

    /// The documents of a text.
    pub(super) fn all(name: &str, text: &str) -> Vec<Self> {
        let file = SourceFile::new(name, text);
        let mut faults = Vec::new();
        let documents = yaml::read(&file, yaml::Limits::default(), &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
        let manifest = |document: yaml::Document| Self {
            file: name.to_owned(),
            text: file.text[document.root.span.clone()].to_owned(),
            value: document.root.to_value(),
        };
        documents.into_iter().map(manifest).flat_map(Self::items).collect()
    }

    /// The objects of a list, each as an object of its own; anything else is one.
    fn items(self) -> Vec<Self> {
        let (Some(kind), Some(items)) = (self.kind().strip_suffix("List"), self.value.get("items")) else {
            return vec![self];
        };
        let item = |mut value: Value| {
            // Such a list says for all what they are.
            if value.get("kind").is_none() {
                value["apiVersion"] = json!(self.api_version());
                value["kind"] = json!(kind);
            }
            Self { file: self.file.clone(), text: value.to_string(), value }
        };
        items.as_array().into_iter().flatten().cloned().map(item).collect()
    }

    fn field(&self, path: &str) -> &str {
        self.value.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn api_version(&self) -> &str {
        self.field("/apiVersion")
    }

    pub(super) fn kind(&self) -> &str {
        self.field("/kind")
    }

    pub(super) fn name(&self) -> &str {
        self.field("/metadata/name")
    }

    /// Its namespace, if it says one.
    pub(super) fn namespace(&self) -> Option<&str> {
        Some(self.field("/metadata/namespace")).filter(|namespace| !namespace.is_empty())
    }

    /// What people call it: `Service/default/phi-4`.
    pub(super) fn title(&self) -> String {
        [Some(self.kind()), self.namespace(), Some(self.name())].into_iter().flatten().collect::<Vec<_>>().join("/")
    }
}

impl From<Value> for Manifest {
    fn from(value: Value) -> Self {
        Self { file: "(the test itself)".to_owned(), text: value.to_string(), value }
    }
}

/// The YAML files right in a directory.
pub(super) fn yaml_files(directory: &str) -> Vec<PathBuf> {
    let paths = names(directory).into_iter().map(|name| PathBuf::from(directory).join(name));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}
