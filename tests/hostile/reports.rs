//! Values that try to leave their place in what is shown: every report has the shape that it has of a plain word.

use std::collections::BTreeSet;
use std::fs;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};

use crate::support::{Run, run};

/// What means something in HTML, Markdown, XML, patches, terminals, or the log of a CI job.
const MARKUP: [&str; 24] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><a href=\"https://example.com\">x</a>",
    "' onmouseover='alert(1)",
    "</pre></details></table><h1>x</h1>",
    "&lt;script&gt;&#60;b&#62;",
    "<!-- kaito-diff -->",
    "--> x <!--",
    "```\n</details>\n<b>x</b>",
    "~~~~\n# x",
    "`x` **x** _x_ ~~x~~",
    "[x](https://example.com) ![x](https://example.com/x.png)",
    "| x | x |\n|---|---|",
    "@everyone #1 GH-1",
    "]]></failure><testcase name=\"x\"/><failure><![CDATA[",
    "<!DOCTYPE x [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>&x;",
    "::error file=x,line=1::x",
    "x\n::stop-commands::x\n",
    "x%0A::warning::x",
    "##[error]x\n::add-mask::x",
    "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-x\n+y",
    "diff --git a/x b/x\nrename from x",
    "\u{1b}]8;;https://example.com\u{7}x\u{1b}]8;;\u{7}\u{1b}[2J",
    "\u{202e}x\u{2066}\r\n\u{2028}",
];

/// Both sides of a comparison, in which the text stands wherever it may, and the reports in every format.
fn reports(text: &str) -> Vec<(&'static str, Run)> {
    let home = tempfile::tempdir().unwrap();
    let path = |side: &str| home.path().join(side).display().to_string();
    for (side, value) in [("before", "before"), ("after", text)] {
        let objects = [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"a": value}}, "data": {"a": value, value: "b"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": value}}),
            json!({"apiVersion": "example.com/v1", "kind": value, "metadata": {"name": "k", "namespace": value}}),
            json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "w", "annotations": {"x": value}},
                "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}},
                "inference": {"template": {"spec": {"containers": [{"name": "c", "image": value, "command": [value]}]}}}}),
        ];
        fs::create_dir(home.path().join(side)).unwrap();
        let text = objects.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        fs::write(home.path().join(side).join("in.json"), text).unwrap();
    }
    let wrong = json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": text}, text: text,
        "resource": {"instanceType": text}, "inference": {"preset": {"name": text}}});
    fs::create_dir(home.path().join("wrong")).unwrap();
    fs::write(home.path().join("wrong").join("in.json"), wrong.to_string()).unwrap();
    let diff = ["text", "unified", "markdown", "github", "json", "html", "name"];
    let diff = diff.map(|format| (format, run(&["diff", &path("before"), &path("after"), "-o", format])));
    let lint = [("lint text", "text"), ("lint json", "json"), ("sarif", "sarif"), ("junit", "junit"), ("lint github", "github")];
    let lint = lint.map(|(name, format)| (name, run(&["lint", "-f", &path("wrong"), "-o", format])));
    diff.into_iter().chain(lint).collect()
}

/// What a report is made of besides its words.
fn shape(format: &str, text: &str) -> BTreeSet<String> {
    let starts = |marks: &[&str]| {
        let counts = marks.iter().map(|mark| format!("{} {mark}", text.lines().filter(|line| line.starts_with(mark)).count()));
        counts.collect()
    };
    match format {
        "html" => tags(text),
        "markdown" => {
            let prose = without_fences(text);
            assert!(!prose.replace("\\]", "").contains("]("), "a link in\n{prose}");
            tags(&prose)
        }
        "github" | "lint github" => starts(&["::", "##["]),
        "unified" => starts(&["--- ", "+++ ", "diff ", "rename "]),
        "json" | "lint json" | "sarif" => {
            let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{format}: {error}: {text}"));
            value.as_object().unwrap().keys().cloned().collect()
        }
        "junit" => elements(text),
        _ => BTreeSet::new(),
    }
}

/// The tags, with all that is in them.
fn tags(text: &str) -> BTreeSet<String> {
    text.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default().to_owned()).collect()
}

/// Markdown without what stands between fences.
fn without_fences(text: &str) -> String {
    let mut prose = String::new();
    let mut open: Option<&str> = None;
    for line in text.lines() {
        let fence = line.len() - line.trim_start_matches('`').len();
        match open {
            None if fence >= 3 => open = Some(&line[..fence]),
            None => prose = prose + line + "\n",
            Some(begun) if line == begun => open = None,
            Some(begun) => assert!(fence < begun.len(), "{line:?} ends a fence of\n{text}"),
        }
    }
    assert!(open.is_none(), "a fence is open at the end of\n{text}");
    prose
}

/// The elements and their attributes, by name.
fn elements(text: &str) -> BTreeSet<String> {
    let mut reader = Reader::from_str(text);
    let mut found = BTreeSet::new();
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
            Event::Start(element) | Event::Empty(element) => {
                let names = element.attributes().map(|attribute| attribute.unwrap().key.as_ref().to_owned());
                found.insert(format!("{} {:?}", element.name().as_ref(), names.collect::<Vec<_>>()));
            }
            Event::CData(_) | Event::DocType(_) | Event::PI(_) | Event::Comment(_) => panic!("more than elements in\n{text}"),
            Event::Eof => return found,
            _ => {}
        }
    }
}

#[test]
fn no_value_leaves_its_place() {
    // As wrong as any other, where names are looked at.
    let plain = reports("Plain");
    for text in MARKUP {
        for ((format, have), (_, want)) in reports(text).into_iter().zip(&plain) {
            assert!(have.code == want.code && !have.stderr.contains("panicked"), "{format} of {text:?}: {}", have.stderr);
            let (had, wanted) = (shape(format, &have.stdout), shape(format, &want.stdout));
            // A comment in Markdown is what keeps a word from calling somebody.
            let more: Vec<&String> = had.difference(&wanted).filter(|tag| *tag != "!-- --").collect();
            assert!(more.is_empty(), "{format} of {text:?} has {more:?} besides\n{}", have.stdout);
            let moves =
                |c: char| c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            // JSON is for programs, and tells what is there; a patch is what it is.
            let is_shown = !["json", "lint json", "sarif", "unified"].contains(&format);
            assert!(!is_shown || !have.stdout.contains(moves), "{format} of {text:?}: {:?}", have.stdout);
            assert!(!have.stderr.contains(moves), "{format} of {text:?}: {:?}", have.stderr);
        }
    }
}
