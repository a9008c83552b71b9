//! Every object that kaito renders, and every example of what it reads, as a server-side apply of it would end.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use kaito::diagnostic::SourceFile;
use kaito::yaml;
use serde_json::Value;

use super::client::Object;
use super::cluster;
use crate::support::names;

/// What the server refuses though Kaito renders it so: the file, the object, a part of the message, and why it stays.
const REFUSED: [(&str, &str, &str, &str); 2] = [
    ("golden/cases/strings-that-are-none/expected.yaml", "ConfigMap/c", ".data.number: expected string", PASSES),
    ("golden/cases/strings-that-are-none/expected.yaml", "Secret/s", ".stringData.pin: expected string", PASSES),
];

const PASSES: &str = "the input's own object, which passes through as it is, with a warning";

/// A document in a file.
struct Sent {
    file: String,
    text: String,
    value: Value,
}

impl Sent {
    fn field(&self, path: &str) -> Option<&str> {
        self.value.pointer(path).and_then(Value::as_str)
    }

    fn object(&self) -> Object<'_> {
        Object {
            api_version: self.field("/apiVersion").unwrap_or_default(),
            kind: self.field("/kind").unwrap_or_default(),
            namespace: self.field("/metadata/namespace"),
            name: self.field("/metadata/name").unwrap_or_default(),
            text: &self.text,
        }
    }

    /// As people write it: `Service/default/phi-4`.
    fn title(&self) -> String {
        let object = self.object();
        [Some(object.kind), object.namespace, Some(object.name)].into_iter().flatten().collect::<Vec<_>>().join("/")
    }
}

/// The documents of a file, each as the very text that stands there.
fn documents(path: &PathBuf) -> Vec<Sent> {
    let file = SourceFile::new(path.to_string_lossy(), fs::read_to_string(path).unwrap());
    let documents = yaml::read(&file, yaml::Limits::default(), &mut Vec::new());
    let sent = documents.into_iter().map(|document| Sent {
        file: file.name.clone(),
        text: file.text[document.root.span.clone()].to_owned(),
        value: document.root.to_value(),
    });
    sent.collect()
}

/// The YAML files right in a directory.
fn yaml_files(directory: &str) -> Vec<PathBuf> {
    names(directory).into_iter().filter(|name| name.ends_with(".yaml")).map(|name| PathBuf::from(directory).join(name)).collect()
}

/// Asks for each document whether the server would take it, and compares with what is expected.
fn ask(documents: &[Sent]) {
    let client = &cluster().client;
    let namespaces: BTreeSet<&str> = documents.iter().filter_map(|sent| sent.object().namespace).collect();
    for name in namespaces {
        let text = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
        client.apply(&Object { api_version: "v1", kind: "Namespace", namespace: None, name, text: &text }, "").unwrap();
    }
    let mut faults = String::new();
    for sent in documents {
        let title = sent.title();
        let expected = REFUSED.iter().find(|(file, object, ..)| *file == sent.file && *object == title);
        match (client.apply(&sent.object(), "&dryRun=All"), expected) {
            (Ok(_), None) => {}
            (Err(message), Some((_, _, part, _))) if message.contains(part) => {}
            (Ok(_), Some(_)) => _ = writeln!(faults, "{}\n    {title}\n    is accepted, but listed as refused", sent.file),
            (Err(message), _) => _ = writeln!(faults, "{}\n    {title}\n    {message}", sent.file),
        }
    }
    assert!(faults.is_empty(), "the API server refuses what it should take\n{faults}");
}

#[test]
fn everything_rendered_is_accepted() {
    let mut files = yaml_files("golden/examples");
    let cases = names("golden/cases").into_iter().map(|case| PathBuf::from("golden/cases").join(case).join("expected.yaml"));
    files.extend(cases.filter(|path| path.exists()));
    let documents: Vec<Sent> = files.iter().flat_map(documents).collect();
    assert!(documents.len() > 200, "{} objects", documents.len());
    ask(&documents);
}
