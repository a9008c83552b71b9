//! Exit codes, files, and what is compared with what.

use std::fs;

use serde_json::{Value, json};

use super::forge::{Forge, TOKEN};
use super::job::{Job, fill, pull_request, render, workspace};
use crate::git::Repo;

#[test]
fn exit_codes() {
    let repo = Repo::new();
    fill(&repo);
    repo.git(&["checkout", "-q", "feature"]);
    let against_main = ["--base", "main", "-f", "prod"];
    let elsewhere = tempfile::tempdir().unwrap();
    let is_github = |job: Job| job.with("GITHUB_ACTIONS", "true");
    let here = || Job::plain(&repo.path);
    let table: [(Job, &[&str], i32, &str); 13] = [
        (here(), &[&against_main[..], &["--rendered", "rendered"]].concat(), 0, "serves phi-4 with vllm -> serves phi-4-mini-instruct"),
        (here(), &[&against_main[..], &["--max-gpus", "1"]].concat(), 5, "refused: 2 GPUs, and --max-gpus allows 1"),
        (here(), &[&against_main[..], &["--fail-on", "node,replace"]].concat(), 5, "which --fail-on replace refuses"),
        (here(), &["-f", "prod"], 0, "nothing is compared, as this job is about no change"),
        // Limits hold for what is there, though nothing is compared.
        (here(), &["-f", "prod", "--max-gpus", "1"], 5, "refused: 2 GPUs, and --max-gpus allows 1"),
        (here(), &["-f", "prod", "--rendered", "elsewhere"], 1, "files in elsewhere are not what is rendered now"),
        (here(), &["-f", "nowhere"], 3, "nowhere"),
        (here(), &["--base", "nowhere", "-f", "prod"], 4, "there is no remote called origin to fetch from"),
        (Job::plain(elsewhere.path()), &["-f", "prod"], 4, "there is no git repository here"),
        (here(), &["--fail-on", "everything"], 2, "there is no class"),
        (here(), &["--include-workspace"], 2, "--rendered"),
        (is_github(here()).with("GITHUB_EVENT_PATH", "/nowhere/event.json"), &["-f", "prod"], 2, "GITHUB_EVENT_PATH"),
        (here(), &[&against_main[..], &["--summary", "prod/a.yaml/x"]].concat(), 1, "prod/a.yaml"),
    ];
    for (job, args, code, said) in table {
        let run = job.ci(args);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, code, "{args:?}: {text}");
        assert!(text.contains(said), "{args:?}: {text}");
    }
    // A name in other letters than the catalog's is worth a note.
    repo.write("prod/t.yaml", workspace("t", "Phi-4")).commit("a note");
    for (level, code) in [("error", 0), ("note", 1)] {
        let run = here().ci(&[&against_main[..], &["--lint-fail-on", level]].concat());
        assert_eq!(run.code, code, "{level}: {}{}", run.stdout, run.stderr);
    }
    assert_eq!(here().ci(&[&against_main[..], &["--lint-fail-on", "note", "--disable", "preset-spelling"]].concat()).code, 0);
}

/// What mends a base that can't be rendered must be able to get in; what breaks it must not.
#[test]
fn a_base_at_fault_is_no_fault_of_the_change() {
    let repo = Repo::new();
    fill(&repo);
    repo.write("prod/b.yaml", workspace("b", "no-such-model"));
    repo.commit("broken");
    repo.git(&["checkout", "-q", "-b", "mended"]);
    repo.write("prod/b.yaml", workspace("b", "mistral-7b-instruct"));
    repo.commit("mended");
    let run = Job::plain(&repo.path).ci(&["--base", "main", "-f", "prod"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("no-such-model") && run.stderr.contains("it can't be rendered at the base"), "{}", run.stderr);
    assert!(run.stdout.contains("Workspace default/b: not compared"), "{}", run.stdout);
}

#[test]
fn events_without_a_pull_request() {
    let (repo, forge) = (Repo::new(), Forge::start());
    let commits = fill(&repo);
    let zeros = "0".repeat(40);
    let differs = "default/b: serves phi-4 with vllm -> serves mistral-7b-instruct";
    let table: [(Value, &str, &str); 5] = [
        (json!({"before": commits.parted, "after": commits.main}), &commits.main, differs),
        (json!({"before": zeros, "after": commits.main}), &commits.main, "nothing is compared"),
        (json!({"merge_group": {"head_sha": commits.main, "base_sha": commits.parted}}), &commits.main, differs),
        (json!({"schedule": "0 0 * * *"}), &commits.main, "nothing is compared"),
        // A comment on a pull request says nothing of its commits.
        (json!({"issue": {"number": 7}}), &commits.main, "nothing is compared"),
    ];
    for (event, checked_out, said) in table {
        repo.git(&["checkout", "-q", "--detach", checked_out]);
        let job = Job::github(&repo.path, &forge, &event);
        let run = job.ci(&["-f", "prod"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{event}: {}", run.stdout);
        let text = format!("{}{}", run.stdout, job.summary()).replace('→', "->");
        assert!(text.contains(said.split(": ").last().unwrap()), "{event}: {text}");
    }
    let pipeline = Job::gitlab(&repo.path, &forge, &commits).with("CI_MERGE_REQUEST_IID", "").with("CI_MERGE_REQUEST_DIFF_BASE_SHA", "");
    let run = pipeline.with("CI_COMMIT_BEFORE_SHA", &commits.parted).ci(&["-f", "prod"]);
    assert!(run.code == 0 && run.stdout.contains(differs), "{}{}", run.stdout, run.stderr);
    assert!(forge.asked().is_empty(), "nobody is told");
}

#[test]
fn files_that_are_written() {
    let (repo, forge) = (Repo::new(), Forge::start());
    let commits = fill(&repo);
    repo.git(&["checkout", "-q", "feature"]);
    repo.write("prod/a.yaml", format!("{}    nmae: phi-4\n", workspace("a", "phi-4")));
    let head = repo.commit("a fault");
    let job = Job::github(&repo.path.join("prod"), &forge, &pull_request(&super::job::Commits { head, ..commits }));
    let files = ["s.md", "k.sarif", "j.xml", "d.html"].map(|name| job.file(name).to_str().unwrap().to_owned());
    let run = job.ci(&["-f", ".", "--summary", &files[0], "--sarif", &files[1], "--junit", &files[2], "--html", &files[3]]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    let texts = files.map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(texts[0], job.summary());
    assert!(texts[0].starts_with("<!-- kaito-diff:prod -->\n"), "from the root of the repository: {}", texts[0]);
    let sarif: Value = serde_json::from_str(&texts[1]).unwrap();
    let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "prod/a.yaml", "{sarif}");
    assert!(run.stdout.contains("::error file=prod/a.yaml,line="), "{}", run.stdout);
    assert!(texts[2].starts_with("<?xml") && texts[2].contains("prod/a.yaml"));
    assert!(texts[3].to_lowercase().starts_with("<!doctype html>"), "{}", &texts[3][..100]);
    let comment = forge.comments().remove(0).body;
    assert!(texts.iter().all(|text| !text.contains(TOKEN)) && !comment.contains(TOKEN), "{comment}");
}

/// The files on disk are nobody's business: neither what isn't committed, nor what is rendered within the input.
#[test]
fn commits_are_looked_at() {
    let repo = Repo::new();
    fill(&repo);
    repo.git(&["checkout", "-q", "feature"]);
    repo.write("prod/dirty.yaml", "kind: [").write("rendered/mine.txt", "a remark");
    let whole = ["--base", "main", "--rendered", "rendered", "--disable", "misplaced-config"];
    let run = Job::plain(&repo.path).ci(&whole);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("phi-4-mini-instruct") && !run.stdout.contains("dirty"), "{}", run.stdout);
    // A file of an earlier run that nobody has removed.
    fs::remove_file(repo.path.join("prod/dirty.yaml")).unwrap();
    repo.git(&["mv", "prod/a.yaml", "prod/z.yaml"]);
    repo.write("prod/z.yaml", workspace("z", "phi-4-mini-instruct"));
    repo.commit("another name");
    let run = Job::plain(&repo.path).ci(&whole);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    for part in ["missing: default/z/", "superfluous: default/a/", "different: .kaito-render", "kaito render -R -f . --output-dir rendered"]
    {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    render(&repo);
}
