//! `kaito lint`: a case that fires and one that is quiet for every rule, and one for each format.
//!
//! `golden/lint/RULE/` holds `fires.yaml` and `quiet.yaml` (or directories of these names), flags in `args` if there are any, and
//! in `fires.txt` what is said. What is quiet is quiet about everything.

use std::fs;
use std::path::{Path, PathBuf};

use kaito::rule;
use serde_json::Value;

use crate::support::{expect, names, run, run_with_input};

/// The file, or the directory, of a case.
fn input(directory: &Path, name: &str) -> PathBuf {
    let file = directory.join(format!("{name}.yaml"));
    if file.exists() { file } else { directory.join(name) }
}

#[test]
fn every_rule_fires_and_is_quiet() {
    let mut faults = Vec::new();
    for rule in rule::ALL {
        let directory = Path::new("golden/lint").join(rule.id);
        let flags = fs::read_to_string(directory.join("args")).unwrap_or_default();
        let lint = |name: &str, format: &str| {
            let path = input(&directory, name);
            assert!(path.exists(), "the rule {} lacks {}", rule.id, path.display());
            let mut args = vec!["lint", "-f", path.to_str().unwrap(), "--fail-on=note", "-o", format];
            args.extend(flags.split_whitespace());
            run(&args)
        };
        let fires: Value = serde_json::from_str(&lint("fires", "json").stdout).unwrap();
        let levels: Vec<&str> = fires["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["rule"] == rule.id)
            .map(|finding| finding["level"].as_str().unwrap())
            .collect();
        if levels.is_empty() || levels.iter().any(|level| *level != rule.level.name()) {
            faults.push(format!("{}: fires at {levels:?}", directory.display()));
        }
        let text = lint("fires", "text");
        assert_eq!((text.code, text.stderr.as_str()), (1, ""), "{}", rule.id);
        faults.extend(expect(&directory.join("fires.txt"), &text.stdout).err());
        let quiet = lint("quiet", "text");
        if quiet.code != 0 || !quiet.stdout.starts_with("no findings in ") {
            faults.push(format!("{}: isn't quiet\n{}", directory.display(), quiet.stdout));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    for name in names("golden/lint") {
        assert!(rule::Rule::by_id(&name).is_some(), "golden/lint/{name} is for no rule");
    }
}

/// All faults of one input in one run, in every format.
#[test]
fn formats() {
    let mut faults = Vec::new();
    for (format, file) in
        [("text", "text.txt"), ("json", "json.json"), ("sarif", "sarif.json"), ("junit", "junit.xml"), ("github", "github.txt")]
    {
        let run = run(&["lint", "-f", "golden/reports/input.yaml", "-o", format]);
        assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{format}");
        faults.extend(expect(&Path::new("golden/reports").join(file), &run.stdout).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What GitHub's code scanning asks of a file, wherever the input lies.
#[test]
fn sarif_says_where_and_by_which_rule() {
    let here = std::env::current_dir().unwrap().join("golden/reports");
    let run =
        run(&["lint", "-f", here.to_str().unwrap(), "-f", "./golden//lint/unknown-preset/fires.yaml", "-f", "nowhere", "-o", "sarif"]);
    let log: Value = serde_json::from_str(&run.stdout).unwrap();
    let rules = &log["runs"][0]["tool"]["driver"]["rules"];
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() > 5);
    // GitHub refuses a result without a place.
    let said = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert_eq!(said, "nowhere: there is no such file or directory");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], rules[index]["id"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().starts_with("golden/"), "{place}");
        let number = |name: &str| place["region"][name].as_u64().unwrap();
        assert!((number("startLine"), number("startColumn")) <= (number("endLine"), number("endColumn")), "{place}");
    }
}

#[test]
fn exit_codes_and_levels() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let workspace = fs::read_to_string("golden/lint/count-ignored/fires.yaml").unwrap();
    fs::write(path("w.yaml"), &workspace).unwrap();
    let config = |lint: &str| {
        let text = format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nlint: {lint}\n");
        fs::write(path("kaito.yaml"), text).unwrap();
    };
    let table: [(&str, &[&str], i32, &str); 14] = [
        ("{}", &[], 0, "1 note in 1 file"),
        ("{}", &["--fail-on", "warning"], 0, "1 note in 1 file"),
        ("{}", &["--fail-on", "note"], 1, "1 note in 1 file"),
        ("{failOn: note}", &[], 1, "1 note in 1 file"),
        ("{failOn: note}", &["--fail-on", "error"], 0, "1 note in 1 file"),
        ("{rules: {count-ignored: error}}", &[], 1, "1 error in 1 file"),
        ("{rules: {count-ignored: warning}}", &["--fail-on", "warning"], 1, "1 warning in 1 file"),
        ("{rules: {count-ignored: off}}", &[], 0, "no findings in 1 file"),
        ("{rules: {count-ignored: \"off\"}}", &[], 0, "no findings in 1 file"),
        ("{rules: {count-ignored: error}}", &["--disable", "old-gpu,count-ignored"], 0, "no findings in 1 file"),
        ("{rules: {count-ignored: no}}", &[], 1, "1 error"),
        ("{rules: {count: off}}", &[], 1, "1 error"),
        ("{}", &["--disable", "count"], 2, ""),
        ("{}", &["--fail-on", "never"], 2, ""),
    ];
    for (lint, flags, code, last) in table {
        config(lint);
        for verb in ["lint", "validate"] {
            let run = run(&[&[verb, "-f", home.path().to_str().unwrap()], flags].concat());
            assert_eq!((run.code, run.stdout.lines().last().unwrap_or_default()), (code, last), "{lint} {flags:?}: {}", run.stderr);
        }
    }
    let rules = run(&["lint", "--rules"]);
    assert_eq!((rules.code, rules.stdout.lines().count()), (0, 1 + rule::ALL.len()));
    for (args, code) in
        [(["lint", "-f", "docs"], 1), (["lint", "-f", "nowhere"], 1), (["lint", "--rules", "-R"], 2), (["lint", "-o", "xml"], 2)]
    {
        assert_eq!(run(&args).code, code, "{args:?}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let input = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: hunter2\n  a: hunter3\n  b: 1234\n";
    for format in ["text", "json", "sarif", "junit", "github"] {
        let run = run_with_input(&["lint", "-f", "-", "-o", format], input);
        assert!(run.code == 1 && run.stdout.contains("non-string-data"), "{format}: {}", run.stdout);
        assert!(!run.stdout.contains("hunter") && !run.stdout.contains("1234"), "{format}: {}", run.stdout);
    }
}

/// What rendering refuses is an error for lint, and what it warns of a warning.
#[test]
fn lint_says_what_rendering_says() {
    for name in names("golden/cases") {
        let directory = Path::new("golden/cases").join(&name);
        let said = fs::read_to_string(directory.join("expected.txt")).unwrap_or_default();
        let flags = fs::read_to_string(directory.join("args")).unwrap_or_default();
        let unknown = ["-o", "--explain", "--include-workspace", "--allow-empty", "-l", "--passthrough"];
        if flags.split_whitespace().any(|flag| unknown.iter().any(|unknown| flag.starts_with(unknown))) {
            continue;
        }
        let input = directory.join("input.yaml");
        let mut args = vec!["lint", "-f", input.to_str().unwrap(), "-o", "json"];
        args.extend(flags.split_whitespace());
        let linted: Value = serde_json::from_str(&run(&args).stdout).unwrap();
        let found: Vec<String> = linted["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
                let field = text("field");
                format!("{}: {}{}", text("level"), if field.is_empty() { field } else { field + ": " }, text("message"))
            })
            .collect();
        for line in said.lines().filter(|line| ["error: ", "warning: ", "note: "].iter().any(|level| line.starts_with(level))) {
            let is_said = found.iter().any(|found| found == line) || line.starts_with("error: there is nothing to render");
            assert!(is_said || line.len() > 400, "{name}: lint doesn't say\n{line}\nbut\n{}", found.join("\n"));
        }
    }
}

/// Each rule of the table is described, with its level.
#[test]
fn every_rule_is_documented() {
    let page = fs::read_to_string("docs/lint.md").unwrap();
    for rule in rule::ALL {
        let row = format!("| `{}` | {} | {} |", rule.id, rule.level.name(), rule.summary);
        assert!(page.contains(&row), "docs/lint.md lacks\n{row}");
    }
}
