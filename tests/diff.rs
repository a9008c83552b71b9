//! What a change does: `golden/diff/NAME/before` and `after` are compared, with the flags in `args`, if there are any.
//!
//! `expected.txt` is what is said, and the exit code; `expected.json` is the report. A scenario that has another `expected.*` is
//! compared in that format too: `md`, `patch`, `html`, `github`, `name`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Run, expect, names, run};

const FORMATS: [(&str, &str); 6] =
    [("json", "json"), ("markdown", "md"), ("unified", "patch"), ("html", "html"), ("github", "github"), ("name", "name")];

fn diff(name: &str, format: &str) -> Run {
    let directory = format!("golden/diff/{name}");
    let flags = fs::read_to_string(format!("{directory}/args")).unwrap_or_default();
    let sides = [format!("{directory}/before"), format!("{directory}/after")];
    let args: Vec<&str> = ["diff", &sides[0], &sides[1], "-o", format].into_iter().chain(flags.split_whitespace()).collect();
    run(&args)
}

#[test]
fn scenarios() {
    let mut faults = Vec::new();
    for name in names("golden/diff") {
        let directory = Path::new("golden/diff").join(&name);
        let text = diff(&name, "text");
        let said = format!("{}{}exit code {}\n", text.stdout, text.stderr, text.code);
        faults.extend(expect(&directory.join("expected.txt"), &said).err());
        for (format, extension) in FORMATS {
            let file = directory.join(format!("expected.{extension}"));
            let shown = diff(&name, format);
            assert_eq!((shown.code, &shown.stderr), (text.code, &text.stderr), "{name}: {format}");
            if extension == "json" || file.exists() {
                // An empty file says that nothing is to be said.
                if shown.stdout.is_empty() {
                    assert_eq!(fs::read_to_string(&file).unwrap(), "", "{}", file.display());
                } else {
                    faults.extend(expect(&file, &shown.stdout).err());
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    for (_, extension) in FORMATS {
        assert!(Path::new("golden/diff/everything").join(format!("expected.{extension}")).exists(), "{extension}");
    }
}

/// The other way round, what was added is removed; a side beside itself is the same.
#[test]
fn turned_around_what_was_added_is_removed() {
    for name in names("golden/diff") {
        let sides = [format!("golden/diff/{name}/before"), format!("golden/diff/{name}/after")];
        let report =
            |before: &str, after: &str| -> Value { serde_json::from_str(&run(&["diff", before, after, "-o", "json"]).stdout).unwrap() };
        let (there, back) = (report(&sides[0], &sides[1]), report(&sides[1], &sides[0]));
        let objects = |report: &Value, before: &str, after: &str| {
            let owners = report["owners"].as_array().unwrap().iter();
            let all = owners.flat_map(|owner| owner["objects"].as_array().unwrap().clone());
            let mut all: Vec<String> =
                all.map(|object| format!("{}/{}: {} {}", object["kind"], object["name"], object[before], object[after])).collect();
            all.sort();
            // What is masked says on which side it stood.
            all.iter().map(|text| text.replace("(before)", "").replace("(after)", "")).collect::<Vec<_>>()
        };
        assert_eq!(objects(&there, "before", "after"), objects(&back, "after", "before"), "{name}");
        assert_eq!(there["totals"]["before"], back["totals"]["after"], "{name}");
        let same = report(&sides[0], &sides[0]);
        let is_broken = same["broken"] != Value::Array(Vec::new());
        assert_eq!((&same["isSame"], &same["owners"]), (&Value::Bool(!is_broken), &Value::Array(Vec::new())), "{name}");
    }
}

/// The files of one side, as a patch means them.
fn write(objects: &[Value], side: &str, to: &Path) {
    for object in objects.iter().filter(|object| !object[side].is_null()) {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let kind = if text("group").is_empty() { text("kind").to_owned() } else { format!("{}.{}", text("kind"), text("group")) };
        let folder = to.join(object["namespace"].as_str().unwrap_or("_")).join(kind.to_lowercase());
        fs::create_dir_all(&folder).unwrap();
        let mut yaml = String::new();
        kaito::yaml::to_yaml(&object[side], &mut yaml);
        fs::write(folder.join(format!("{}.yaml", text("name"))), yaml).unwrap();
    }
}

fn tree(of: &Path) -> Vec<(String, String)> {
    let mut open = vec![of.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push((path.strip_prefix(of).unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// git makes the one side of the other.
#[test]
fn a_unified_diff_applies() {
    let mut applied = 0;
    for name in names("golden/diff") {
        let patch = diff(&name, "unified").stdout;
        let report: Value = serde_json::from_str(&diff(&name, "json").stdout).unwrap();
        let owners = report["owners"].as_array().unwrap();
        let objects: Vec<Value> = owners.iter().flat_map(|owner| owner["objects"].as_array().unwrap().clone()).collect();
        assert_eq!(objects.len(), patch.lines().filter(|line| line.starts_with("diff --git ")).count(), "{name}");
        if objects.is_empty() {
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for side in ["before", "after"] {
            fs::create_dir(path(side)).unwrap();
            write(&objects, side, &path(side));
        }
        fs::write(path("patch"), &patch).unwrap();
        let ran = Command::new("git").args(["apply", "--whitespace=nowarn", "../patch"]).current_dir(path("before")).output().unwrap();
        assert!(ran.status.success(), "{name}: {}\n{patch}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(tree(&path("before")), tree(&path("after")), "{name}");
        applied += 1;
    }
    assert!(applied > 20);
}

/// Whatever the format, without --show-secrets no secret is in it.
#[test]
fn no_format_shows_a_secret() {
    let secrets = ["hunter2", "correct-horse", "hf_abcdefghijklmnop", "hf_ponmlkjihgfedcba"];
    for name in ["everything", "secret-changed", "token-changed"] {
        for format in ["text", "unified", "markdown", "github", "json", "html", "name"] {
            let run = diff(name, format);
            for secret in secrets {
                assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{name}: {format} shows {secret}");
            }
        }
    }
    let shown = run(&["diff", "golden/diff/token-changed/before", "golden/diff/token-changed/after", "--show-secrets", "-o", "unified"]);
    assert!(shown.stdout.contains("hf_ponmlkjihgfedcba"), "{}", shown.stdout);
}

/// The exit codes of `--exit-code` and `--detailed-exitcode`, in every format.
#[test]
fn exit_codes() {
    let table: [(&str, &[&str], i32); 12] = [
        ("comments-only", &[], 0),
        ("comments-only", &["--detailed-exitcode"], 0),
        ("added", &[], 1),
        ("added", &["--exit-code=false"], 0),
        ("added", &["--detailed-exitcode"], 2),
        ("broken-after", &[], 3),
        ("broken-after", &["--exit-code=false"], 3),
        ("broken-after", &["--detailed-exitcode"], 1),
        ("bigger-instance-type", &["--fail-on", "node"], 5),
        ("bigger-instance-type", &["--fail-on", "data"], 1),
        ("bigger-instance-type", &["--max-gpus", "1", "--detailed-exitcode"], 1),
        ("bigger-instance-type", &["--fail-on", "nodes"], 2),
    ];
    for (name, flags, code) in table {
        let sides = [format!("golden/diff/{name}/before"), format!("golden/diff/{name}/after")];
        for format in ["text", "unified", "markdown", "github", "json", "html", "name"] {
            let run = run(&[&["diff", &sides[0], &sides[1], "-o", format], flags].concat());
            assert_eq!(run.code, code, "{name} {flags:?} {format}: {}", run.stderr);
        }
    }
}
