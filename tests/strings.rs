//! Tricky strings in every field that takes one: kubectl (Go's `sigs.k8s.io/yaml`, really run) reads back what was meant, and
//! nothing leaves its field.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use serde_json::{Value, json};

use crate::support::{examples, run, run_with_input};

/// Strings that some YAML reader, template engine or shell takes for something else.
fn tricky() -> Vec<String> {
    let text = std::fs::read_to_string("tests/data/strings.json").unwrap();
    let mut all: Vec<String> = serde_json::from_str(&text).unwrap();
    all.extend(["x".repeat(5000), "word ".repeat(200), "a\n".repeat(300)]);
    all
}

/// What Go reads from YAML documents.
fn go_reads(stream: &str) -> Vec<Value> {
    static READER: OnceLock<tempfile::TempPath> = OnceLock::new();
    let reader = READER.get_or_init(|| {
        let path = tempfile::Builder::new().prefix("go-yaml").tempfile().expect("a file can be made").into_temp_path();
        let built = Command::new("go").args(["build", "-o"]).arg(&path).arg(".").current_dir("tests/go-yaml").status();
        assert!(built.is_ok_and(|status| status.success()), "Go is needed to read what was written as kubectl reads it");
        path
    });
    let mut child = Command::new(&**reader).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stream = stream.to_owned();
    let writer = thread::spawn(move || stdin.write_all(stream.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A Workspace with the string wherever anything may stand, and a ConfigMap and a Secret with it.
fn free_fields(index: usize, text: &str) -> Vec<Value> {
    let template = json!({
        "metadata": {"annotations": {"a": text}},
        "spec": {
            "containers": [{"name": "c", "image": text, "command": [text, "-c"], "args": [text], "env": [{"name": "E", "value": text}], "workingDir": text}],
            "nodeSelector": {"k": text}, "tolerations": [{"key": text}], "volumes": [{"name": "v", "hostPath": {"path": text}}], text: text,
        },
    });
    let name = format!("w{index}");
    vec![
        json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": name, "annotations": {"x": text}},
            "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}}, "inference": {"template": template}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": text, text: "v"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": text}}),
    ]
}

#[test]
fn go_reads_what_was_meant() {
    let strings = tricky();
    assert!(strings.len() >= 200, "{} strings", strings.len());
    let documents: Vec<Value> = strings.iter().enumerate().flat_map(|(index, text)| free_fields(index, text)).collect();
    // JSON may hold DEL as it is, YAML only escaped.
    let input: String = documents.iter().map(|document| format!("---\n{document}\n").replace('\u{7f}', "\\u007f")).collect();
    let yaml = run_with_input(&["render", "-f", "-"], &input);
    assert_eq!(yaml.code, 0, "{}", yaml.stderr);
    let json: Value = serde_json::from_str(&run_with_input(&["render", "-f", "-", "-o", "json"], &input).stdout).unwrap();
    let want = json["items"].as_array().unwrap();
    let have = go_reads(&yaml.stdout);
    assert_eq!(have.len(), want.len());
    for (have, want) in have.iter().zip(want) {
        assert_eq!(have, want, "Go reads something else");
    }
    for (index, text) in strings.iter().enumerate() {
        let object =
            |kind: &str| want.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == format!("w{index}")).unwrap();
        assert_eq!(object("ConfigMap")["data"], json!({"k": text, text: "v"}), "{text:?}");
        assert_eq!(object("Secret")["stringData"]["k"], json!(text));
        let pod = &object("StatefulSet")["spec"]["template"];
        let meant = &free_fields(index, text)[0]["inference"]["template"];
        assert_eq!(pod["metadata"]["annotations"], meant["metadata"]["annotations"], "{text:?}");
        for field in ["containers", "nodeSelector", "volumes", text.as_str()] {
            assert_eq!(pod["spec"][field], meant["spec"][field], "{text:?} in {field}");
        }
        assert_eq!(pod["spec"]["tolerations"].as_array().unwrap().len(), 4, "{text:?}");
    }
}

/// Fields with rules: a string is refused, or it is there as it was meant, in a pod that has the shape of every other.
#[test]
fn nothing_leaves_a_field_with_rules() {
    let place = |text: &str| {
        json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace",
            "metadata": {"name": "w", "labels": {"inferenceset.kaito.sh/created-by": text}},
            "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": text}}},
            "inference": {"preset": {"name": "phi-4", "presetOptions": {"modelAccessSecret": text}}, "adapters": [
                {"source": {"name": "one", "volumeSource": {"hostPath": {"path": text}}}},
                {"source": {"name": "two", "image": format!("r.io/{text}:1"), "imagePullSecrets": [text]}}]}})
    };
    let plain = place("x").to_string();
    let want: Value = serde_json::from_str(&run_with_input(&["render", "-f", "-", "-o", "json"], &plain).stdout).unwrap();
    let mut accepted = 0;
    for text in tricky() {
        let run = run_with_input(&["render", "-f", "-", "-o", "json"], &place(&text).to_string());
        assert!(!run.stderr.contains("panicked"), "{text:?}: {}", run.stderr);
        if run.code != 0 {
            assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{text:?}");
            continue;
        }
        accepted += 1;
        let have: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(shape(&have), shape(&want), "{text:?} changes the shape");
    }
    assert!(accepted > 10, "{accepted} were accepted");
}

/// A value with its strings blotted out.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => json!("*"),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect()),
        other => other.clone(),
    }
}

#[test]
fn go_reads_every_example_as_json_has_it() {
    for name in examples() {
        let directory = format!("examples/{name}");
        let json: Value = serde_json::from_str(&run(&["render", "-f", &directory, "-o", "json"]).stdout).unwrap();
        assert_eq!(&go_reads(&run(&["render", "-f", &directory]).stdout), json["items"].as_array().unwrap(), "{name}");
    }
}
