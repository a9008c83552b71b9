//! What a change does: `golden/diff/NAME/before` and `after` are compared, with the flags in `args`, if there are any.
//!
//! `expected.txt` is what is said, and the exit code; `expected.json` is the report. A scenario that has another `expected.*` is
//! compared in that format too: `md`, `patch`, `html`, `github`, `name`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Run, expect, finish, kaito, names, run, run_with_input};

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
            let sides = ["(before)", "(after)", "_before", "_after"];
            all.iter().map(|text| sides.iter().fold(text.clone(), |text, side| text.replace(side, ""))).collect::<Vec<_>>()
        };
        assert_eq!(objects(&there, "before", "after"), objects(&back, "after", "before"), "{name}");
        assert_eq!(there["totals"]["before"], back["totals"]["after"], "{name}");
        let same = report(&sides[0], &sides[0]);
        let is_broken = same["broken"] != Value::Array(Vec::new());
        assert_eq!((&same["isSame"], &same["owners"]), (&Value::Bool(!is_broken), &Value::Array(Vec::new())), "{name}");
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

/// git and patch make of the files that the older side is rendered to those of the newer one.
#[test]
fn a_unified_diff_applies() {
    let mut applied = 0;
    for name in names("golden/diff") {
        let sides = ["before", "after"].map(|side| format!("golden/diff/{name}/{side}"));
        let patch = run(&["diff", &sides[0], &sides[1], "-o", "unified", "--show-secrets"]).stdout;
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let rendered = ["before", "after"].iter().zip(&sides).all(|(side, from)| {
            let ran = run(&["render", "-f", from, "--allow-empty", "--output-dir", path(side).to_str().unwrap()]);
            _ = fs::remove_file(path(side).join(".kaito-render"));
            ran.code == 0
        });
        if !rendered || patch.is_empty() {
            continue;
        }
        fs::write(path("diff"), &patch).unwrap();
        let programs: [&[&str]; 2] = [&["git", "apply", "--whitespace=nowarn", "../diff"], &["patch", "-s", "-p1", "-i", "../diff"]];
        for program in programs.into_iter().filter(|program| is_installed(program[0])) {
            run_in(home.path(), &["cp", "-R", "before", program[0]]);
            run_in(&path(program[0]), program);
            assert_eq!(tree(&path(program[0])), tree(&path("after")), "{name}: {program:?}");
        }
        applied += 1;
    }
    assert!(applied > 20, "{applied}");
}

/// Not every machine has patch.
fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn run_in(directory: &Path, program: &[&str]) {
    let ran = Command::new(program[0]).args(&program[1..]).current_dir(directory).output().unwrap();
    assert!(ran.status.success(), "{program:?}: {}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}

/// Whatever the format, without --show-secrets no secret is in it.
#[test]
fn no_format_shows_a_secret() {
    let secrets = ["hunter2", "correct-horse", "hf_abcdefghijklmnop", "hf_ponmlkjihgfedcba"];
    for name in ["everything", "secret-changed", "token-changed", "secrets-in-texts"] {
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

/// What nobody could read is no difference.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut kaito = kaito();
    let status = kaito.args(["diff", "golden/diff/added/before", "golden/diff/added/after"]).stdout(full).stderr(Stdio::null()).status();
    assert_eq!(status.unwrap().code(), Some(2));
}

#[test]
fn standard_input_is_a_side() {
    let (before, after) = ("golden/diff/bigger-instance-type/before", "golden/diff/bigger-instance-type/after");
    let want = run(&["diff", before, after, "-o", "unified"]);
    let input = fs::read_to_string(Path::new(before).join("workspace.yaml")).unwrap();
    let have = run_with_input(&["diff", "-", after, "-o", "unified"], &input);
    assert_eq!((have.code, have.stdout), (want.code, want.stdout), "{}", have.stderr);
    let twice = run_with_input(&["diff", "-", "-"], &input);
    assert_eq!(twice.code, 2, "{}", twice.stderr);
}

/// The summary of a GitHub job is added to, beside the annotations.
#[test]
fn the_summary_of_a_job_is_written() {
    let home = tempfile::tempdir().unwrap();
    let summary = home.path().join("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let args = ["diff", "golden/diff/added/before", "golden/diff/added/after", "-o"];
    let of = |format: &str, to: &Path| finish(kaito().args(args).arg(format).env("GITHUB_STEP_SUMMARY", to));
    let markdown = of("markdown", &summary).stdout;
    let github = of("github", &summary);
    assert_eq!((github.code, fs::read_to_string(&summary).unwrap()), (1, format!("before\n{markdown}")));
    let nowhere = of("github", &home.path().join("no/summary.md"));
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("GITHUB_STEP_SUMMARY"), "{}", nowhere.stderr);
}
