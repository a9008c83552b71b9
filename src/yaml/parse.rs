//! Files to documents, with every fault of their text in one run.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use super::document::Document;
use super::node::{Kind, Node};
use super::tree::{self, Limits};
use crate::diagnostic::{Diagnostic, SourceFile, next_document};
use crate::rule;

/// The documents of a file that are mappings; faults are added to `findings`, and a broken document leaves the others alone.
pub fn read(file: &Arc<SourceFile>, limits: Limits, findings: &mut Vec<Diagnostic>) -> Vec<Document> {
    read_part(file, 0..file.text.len(), limits, findings)
}

/// Stretches of a file that hold whole documents, so that a large file can be read in parallel. A file with more than a file may have is not
/// worth reading: there are none, and that is added to `findings`.
pub fn split(file: &Arc<SourceFile>, limits: Limits, findings: &mut Vec<Diagnostic>) -> Vec<Range<usize>> {
    let parts = parts(&file.text, limits.documents);
    if parts.len().max(1 + file.text.matches("\n---").count()) <= limits.documents {
        return parts;
    }
    let message = format!("the file has more than {} documents, which is the limit", limits.documents);
    findings.push(rule::YAML_SYNTAX.says(message).at(file, 0..0).help("split it into several files"));
    Vec::new()
}

fn parts(text: &str, most: usize) -> Vec<Range<usize>> {
    const ENOUGH: usize = 1 << 14;
    if text.trim_start().starts_with('{') {
        return json_parts(text, most);
    }
    let mut parts = Vec::new();
    let mut start = 0;
    // A directive belongs to the document behind its `---`; such files are rare, and read in one.
    if !text.contains("\n%") {
        while let Some(end) = next_document(text, start + ENOUGH) {
            parts.push(start..end);
            start = end;
        }
    }
    parts.push(start..text.len());
    parts
}

/// JSON objects one behind the other, as kubectl reads them, and one more if there are more than so many. What isn't JSON after all is left to
/// the YAML parser.
fn json_parts(text: &str, most: usize) -> Vec<Range<usize>> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let mut parts = Vec::new();
    let mut start = 0;
    while let Some(Ok(_)) = stream.next() {
        parts.push(start..stream.byte_offset());
        start = stream.byte_offset();
        if parts.len() > most {
            return parts;
        }
    }
    if !text[start..].trim().is_empty() || parts.is_empty() {
        return iter::once(0..text.len()).collect();
    }
    parts
}

/// The documents in a stretch of a file that [`split`] gave.
pub fn read_part(file: &Arc<SourceFile>, part: Range<usize>, limits: Limits, findings: &mut Vec<Diagnostic>) -> Vec<Document> {
    let documents = read_values(file, part, limits, findings);
    let is_mapping = |document: &Document| {
        let root = &document.root;
        let fits = matches!(root.kind, Kind::Mapping(_));
        if !fits {
            let finding = rule::NOT_AN_OBJECT.says(format!("a Kubernetes object is a mapping; found {}", root.describe()));
            findings.push(finding.at(file, root.span.clone()));
        }
        fits
    };
    documents.into_iter().filter(is_mapping).collect()
}

/// The documents in a stretch of a file, whatever their roots are; those that hold nothing are left out.
pub fn read_values(file: &Arc<SourceFile>, part: Range<usize>, limits: Limits, findings: &mut Vec<Diagnostic>) -> Vec<Document> {
    if file.text.len() > limits.bytes {
        let message = format!("the file has {} bytes; the limit is {}", file.text.len(), limits.bytes);
        findings.push(rule::YAML_SYNTAX.says(message).at(file, 0..0).help("split it into several files"));
        return Vec::new();
    }
    let mut faults = Vec::new();
    let (mut roots, mut start) = (Vec::new(), Some(part.start));
    while let Some(from) = start {
        let (some, excess) = tree::read(&file.text, from..part.end, limits, &mut faults);
        roots.extend(some);
        start = excess.and_then(|at| next_document(&file.text[..part.end], at));
    }
    let mut faulty: Vec<usize> = faults.iter().map(|fault| fault.span.start).collect();
    faulty.sort_unstable();
    let is_whole = |root: &Node| faulty.get(faulty.partition_point(|at| *at < root.span.start)).is_none_or(|at| *at > root.span.end);
    findings.extend(faults.into_iter().map(|fault| {
        let first = fault.first.map(|at| format!("; it is already on line {}", file.line_column(at).0)).unwrap_or_default();
        rule::YAML_SYNTAX.says(fault.message + &first).at(file, fault.span)
    }));
    roots.into_iter().map(|root| Document { is_whole: is_whole(&root), ..Document::new(file, root) }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What has too much of something isn't read to its end, and what is behind it is read.
    #[test]
    fn too_much_leaves_others_alone() {
        let table = [
            format!("a: [{}]\n", "1, ".repeat(Limits::default().nodes)),
            format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(20)),
            format!("a:\n{}", "- !x y\n".repeat(2000)),
        ];
        for text in table {
            let file = SourceFile::new("file", format!("b: 1\n---\n{text}---\n{text}---\nb: 2\n"));
            let mut findings = Vec::new();
            let documents = read(&file, Limits::default(), &mut findings);
            let values: Vec<String> =
                documents.iter().filter_map(|document| Some(document.root.get("b")?.to_value().to_string())).collect();
            assert_eq!(values, ["1", "2"], "{}", &text[..20]);
            assert!(findings.len() == 2 || findings.len() == 2000, "{} findings", findings.len());
        }
    }

    /// JSON may hold, as they are, characters that YAML has nowhere; what is behind them is where it was.
    #[test]
    fn json_is_read_as_json() {
        type Fault = (usize, usize, &'static str);
        let table: [(&str, Result<Value, Fault>); 9] = [
            ("{\"a\": \"\u{7f}é\u{9f}\u{ffff}\"}", Ok(json!({"a": "\u{7f}é\u{9f}\u{ffff}"}))),
            ("\n [{\"\u{80}\": \"\\\\\u{fffe}\\\"\"}]\n", Ok(json!([{"\u{80}": "\\\u{fffe}\""}]))),
            ("{\"a\": \"\u{7f}\", \"b\": 1, \"b\": 2}", Err((1, 20, "the key \"b\" stands here again; it is already on line 1"))),
            (
                "{\"a\": \"\u{85}\u{86}\",\n\"\u{87}\": 1, \"\u{87}\": 2}",
                Err((2, 9, "the key \"\\u{87}\" stands here again; it is already on line 2")),
            ),
            ("{\"a\": \"\u{7f}\", \"b\": [[[[[]]]]]}", Err((1, 21, "this isn't well-formed YAML: recursion limit"))),
            // No JSON, where they may mean something else.
            ("{a: \"\u{7f}\"}", Err((1, 6, "this isn't well-formed YAML: unexpected character"))),
            ("{'a': \"\u{7f}\"}", Err((1, 8, "this isn't well-formed YAML: unexpected character"))),
            ("{\"a\": 1} # \u{7f}", Err((1, 12, "this isn't well-formed YAML: unexpected character"))),
            ("a: \"\u{7f}\"", Err((1, 5, "this isn't well-formed YAML: unexpected character"))),
        ];
        let limits = Limits { depth: 5, ..Limits::default() };
        for (text, want) in table {
            let (file, mut findings) = (SourceFile::new("a.json", text), Vec::new());
            let documents = read_values(&file, 0..text.len(), limits, &mut findings);
            let place = findings.first().map(|finding| (finding.place.as_ref().unwrap(), finding.message.as_str()));
            let have = place.map(|(place, message)| (file.line_column(place.span.start), message));
            match want {
                Ok(value) => assert_eq!((documents[0].root.to_value(), have), (value, None), "{text:?}"),
                Err((line, column, said)) => {
                    let (at, message) = have.unwrap();
                    assert!(at == (line, column) && message.starts_with(said), "{text:?}: {at:?} {message}");
                }
            }
        }
    }
}
