//! The GitHub Action and the GitLab template: they are read, and their steps are run by the shells that run them there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use kaito::diagnostic::SourceFile;
use kaito::yaml::{self, Limits};
use serde_json::Value;

use super::forge::Forge;
use super::job::{Job, fill, pull_request};
use crate::git::Repo;
use crate::support::{Run, finish};

const ACTION: &str = "deploy/github/action.yml";
const TEMPLATE: &str = "deploy/gitlab/kaito.gitlab-ci.yml";

fn documents(path: &str) -> Vec<Value> {
    let file = SourceFile::new(path, fs::read_to_string(path).unwrap());
    let mut findings = Vec::new();
    let documents = yaml::read(&file, Limits::default(), &mut findings).iter().map(|document| document.root.to_value()).collect();
    assert!(findings.is_empty(), "{findings:?}");
    documents
}

/// The inputs that a text uses, between `open` and `close`.
fn used<'t>(text: &'t str, open: &str, close: &str) -> BTreeSet<&'t str> {
    let expressions = text.split(open).skip(1).filter_map(|rest| rest.split(close).next());
    let names = expressions.flat_map(|expression| expression.split("inputs.").skip(1));
    names.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap()).collect()
}

/// The declared inputs, with their defaults.
fn inputs(declared: &Value) -> BTreeMap<String, String> {
    declared.as_object().unwrap().iter().map(|(name, input)| (name.clone(), input["default"].as_str().unwrap().to_owned())).collect()
}

/// A directory with a program that builds kaito as cargo does, and notes what it was asked to.
fn cargo(home: &Path) {
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>{home}/asked\nwhile [ $# -gt 1 ]; do [ \"$1\" = --root ] && root=$2; shift; done\nroot=${{root:-$CARGO_HOME}}\n\
         mkdir -p \"$root/bin\"\ncp {kaito} \"$root/bin/kaito\"\n",
        home = home.display(),
        kaito = env!("CARGO_BIN_EXE_kaito"),
    );
    fs::create_dir(home.join("bin")).unwrap();
    fs::write(home.join("bin/cargo"), script).unwrap();
    fs::set_permissions(home.join("bin/cargo"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn path(first: &Path) -> String {
    format!("{}:{}", first.display(), std::env::var("PATH").unwrap())
}

#[test]
fn every_input_is_declared_and_used() {
    let action = documents(ACTION).remove(0);
    let declared = inputs(&action["inputs"]);
    let text = fs::read_to_string(ACTION).unwrap();
    assert_eq!(
        used(&text, "${{", "}}").into_iter().chain(used(&text, "if:", "\n")).collect::<BTreeSet<_>>(),
        declared.keys().map(String::as_str).collect()
    );
    for step in action["runs"]["steps"].as_array().unwrap() {
        // What somebody writes is never part of a script.
        assert!(step["run"].as_str().is_none_or(|run| !run.contains("${{") && step["shell"] == "bash"), "{step}");
        let is_commit = |at: &str| at.len() == 40 && at.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_pinned = |uses: &str| uses.split_once('@').is_some_and(|(_, at)| is_commit(at));
        assert!(step["uses"].as_str().is_none_or(is_pinned), "{step}");
    }
    let template = documents(TEMPLATE);
    let declared = inputs(&template[0]["spec"]["inputs"]);
    let text = fs::read_to_string(TEMPLATE).unwrap();
    assert_eq!(used(&text, "$[[", "]]"), declared.keys().map(String::as_str).collect());
    assert!(template[1]["kaito"]["script"].as_array().unwrap().iter().all(|line| !line.as_str().unwrap().contains("$[[")));
}

/// Runs the steps of the action with some inputs, in a job.
fn run_action(job: &Job, given: &[(&str, &str)], home: &Path) -> (Run, BTreeMap<String, String>) {
    let action = documents(ACTION).remove(0);
    let mut values = inputs(&action["inputs"]);
    values.extend(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    values.insert("token".to_owned(), super::forge::TOKEN.to_owned());
    let mut outputs: BTreeMap<String, String> = BTreeMap::new();
    let mut programs = path(&home.join("bin"));
    let mut last = None;
    for step in action["runs"]["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str() else { continue };
        let is_wanted = step["if"].as_str().is_none_or(|_| outputs.get("installed").is_some_and(|installed| installed == "false"));
        if !is_wanted {
            continue;
        }
        let mut shell = Command::new("bash");
        shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).env_clear();
        let mut shell = job.command(shell);
        shell.env("PATH", &programs).env("RUNNER_TEMP", home).env("HOME", home);
        shell.env("GITHUB_OUTPUT", home.join("output")).env("GITHUB_PATH", home.join("path"));
        shell.env("GITHUB_ACTION_PATH", fs::canonicalize("deploy/github").unwrap());
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            let input = value.as_str().unwrap().trim_start_matches("${{ inputs.").trim_end_matches(" }}");
            shell.env(name, &values[input]);
        }
        let run = finish(&mut shell);
        let lines = fs::read_to_string(home.join("output")).unwrap_or_default();
        outputs.extend(lines.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())));
        if let Ok(added) = fs::read_to_string(home.join("path")) {
            programs = added.lines().fold(path(&home.join("bin")), |path, line| format!("{line}:{path}"));
        }
        let failed = run.code != 0;
        last = Some(run);
        if failed {
            break;
        }
    }
    (last.unwrap(), outputs)
}

#[test]
fn the_action_builds_and_runs_kaito() {
    let (repo, forge, home) = (Repo::new(), Forge::start(), tempfile::tempdir().unwrap());
    let commits = fill(&repo);
    repo.git(&["checkout", "-q", "--detach", &commits.merge]);
    cargo(home.path());
    let job = Job::github(&repo.path, &forge, &pull_request(&commits)).with("GITHUB_TOKEN", "");
    let given = [("paths", "prod/a.yaml\nprod/b.yaml\n"), ("rendered", "rendered"), ("fail-on", "data")];
    let (run, outputs) = run_action(&job, &given, home.path());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("was added"), "the token is that of the input: {}", run.stderr);
    assert!(forge.comments()[0].body.starts_with("<!-- kaito-diff:prod/a.yaml,prod/b.yaml -->"));
    assert_eq!((outputs["exit-code"].as_str(), outputs["installed"].as_str(), outputs["source"].len()), ("0", "false", 40));
    assert!(fs::read_to_string(&outputs["sarif"]).unwrap().contains("\"2.1.0\""));
    let asked = fs::read_to_string(home.path().join("asked")).unwrap();
    assert!(asked.starts_with("install --locked --path ") && asked.contains("/deploy/github/../.. --root "), "{asked}");
    // The next step finds it installed; a gate fails the step, and everything is told all the same.
    fs::copy(home.path().join("kaito/bin/kaito"), home.path().join("bin/kaito")).unwrap();
    fs::remove_file(home.path().join("asked")).unwrap();
    let hostile = "--summary\n$(touch hacked) `touch hacked`; \"x.md";
    let given = [("paths", "prod"), ("max-gpus", "1"), ("comment", "false"), ("args", hostile)];
    let (run, outputs) = run_action(&job, &given, home.path());
    assert_eq!((run.code, outputs["exit-code"].as_str()), (5, "5"), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("::error title=kaito ci%3A refused::2 GPUs, and --max-gpus allows 1\n"), "{}", run.stdout);
    assert!(!home.path().join("asked").exists() && !repo.path.join("hacked").exists());
    assert!(repo.path.join("$(touch hacked) `touch hacked`; \"x.md").exists(), "an argument is an argument");
}

#[test]
fn the_template_builds_and_runs_kaito() {
    let (repo, forge, home) = (Repo::new(), Forge::start(), tempfile::tempdir().unwrap());
    let commits = fill(&repo);
    repo.git(&["checkout", "-q", "--detach", &commits.head]);
    cargo(home.path());
    let template = documents(TEMPLATE);
    let job_of_template = &template[1]["kaito"];
    let run = |given: &[(&str, &str)]| {
        let mut values = inputs(&template[0]["spec"]["inputs"]);
        values.extend(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let script: Vec<&str> = job_of_template["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &script.join("\n")]).env_clear();
        let mut shell = Job::gitlab(&repo.path, &forge, &commits).command(shell);
        shell.env("PATH", path(&home.path().join("bin")));
        for (name, value) in job_of_template["variables"].as_object().unwrap() {
            let value = value.as_str().unwrap().replace("$CI_PROJECT_DIR", home.path().to_str().unwrap());
            let value = values.iter().fold(value, |value, (input, given)| value.replace(&format!("$[[ inputs.{input} ]]"), given));
            shell.env(name, value);
        }
        finish(&mut shell)
    };
    let unnamed = run(&[]);
    assert!(unnamed.code != 0 && unnamed.stderr.contains("name the repository with the input source"), "{}", unnamed.stderr);
    let source = [("source", "https://git.example.com/kaito.git"), ("revision", "0f3c5a1"), ("paths", "prod"), ("rendered", "rendered")];
    let first = run(&source);
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    assert!(first.stderr.contains("was added") && first.stdout.contains("phi-4-mini-instruct"), "{}{}", first.stdout, first.stderr);
    let asked = fs::read_to_string(home.path().join("asked")).unwrap();
    assert_eq!(asked, "install --locked --git https://git.example.com/kaito.git --rev 0f3c5a1 kaito\n");
    let artifacts = [
        &job_of_template["artifacts"]["paths"][0],
        &job_of_template["artifacts"]["paths"][1],
        &job_of_template["artifacts"]["reports"]["junit"],
    ];
    assert!(artifacts.iter().all(|file| repo.path.join(file.as_str().unwrap()).exists()), "{artifacts:?}");
    // A gate, and kaito from the cache.
    let second = run(&[&source[..], &[("max-nodes", "1"), ("fail-on", "data,node")]].concat());
    assert_eq!(second.code, 5, "{}{}", second.stdout, second.stderr);
    assert!(second.stdout.contains("refused: 2 nodes, and --max-nodes allows 1"), "{}", second.stdout);
    assert_eq!(fs::read_to_string(home.path().join("asked")).unwrap(), asked);
}
