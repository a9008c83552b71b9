//! Reading: what YAML and JSON become, and where things stand.

use kaito::diagnostic::SourceFile;
use kaito::yaml::{self, Limits};
use serde_json::{Value, json};

fn read(text: &str) -> (Vec<Value>, Vec<String>) {
    let mut findings = Vec::new();
    let documents = yaml::read(&SourceFile::new("in.yaml", text), Limits::default(), &mut findings);
    (documents.iter().map(|document| document.root.to_value()).collect(), findings.into_iter().map(|finding| finding.message).collect())
}

#[test]
fn documents() {
    let table = [
        ("a: 1\n---\nb: 2\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("---\n\n---\na: 1\n...\n---\n# nothing\n", vec![json!({"a": 1})]),
        ("{\"a\": {\"b\": [1, true, null, \"x\"]}}", vec![json!({"a": {"b": [1, true, null, "x"]}})]),
        ("{\n\t\"a\": 1\n}\n", vec![json!({"a": 1})]),
        ("\u{feff}a: 1\n", vec![json!({"a": 1})]),
        ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", vec![json!({"a": 1, "b": "x\ny\n"})]),
        ("base: &b {x: 1, y: 2}\nc:\n  <<: *b\n  y: 3\n", vec![json!({"base": {"x": 1, "y": 2}, "c": {"x": 1, "y": 3}})]),
        (
            "a: 0644\nb: 1e3\nc: yes\nd: y\ne: ~\nf: '0644'\ng: 1_000\n",
            vec![json!({"a": 420, "b": 1000, "c": true, "d": "y", "e": null, "f": "0644", "g": 1000})],
        ),
        ("1: a\ntrue: b\n", vec![json!({"1": "a", "true": "b"})]),
        ("a: !!str 5\nb: !!int \"5\"\n", vec![json!({"a": "5", "b": "5"})]),
    ];
    for (text, want) in table {
        assert_eq!(read(text), (want, Vec::<String>::new()), "{text:?}");
    }
}

#[test]
fn a_broken_document_leaves_the_others() {
    let (documents, faults) = read("a: 1\n---\nb: c: d\n---\ne: [\n---\nf: 2\n");
    assert!(documents.contains(&json!({"a": 1})), "{documents:?}");
    assert!(documents.contains(&json!({"f": 2})), "{documents:?} {faults:?}");
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn emit_and_read_are_inverse() {
    let values = [
        json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "z": [], "y": {}, "x": [[1, [2]], {"a": {"b": null}}], "w": -1.5}),
        json!({"text": "a\nb\n", "tail": "a\n\n", "lead": "\n a", "spaces": "  a  ", "tab": "a\tb", "cr": "a\r\nb"}),
    ];
    for value in values {
        let mut text = String::new();
        yaml::to_yaml(&value, &mut text);
        assert_eq!(read(&text).0, [value], "{text}");
    }
}
