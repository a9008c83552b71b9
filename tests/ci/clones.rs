//! Clones that lack what is compared: it is fetched over HTTP with the credentials that the job has, and the clone stays as it is.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::forge::{Forge, TOKEN};
use super::job::{Commits, Job, fill, pull_request};
use crate::git::git;
use crate::git_remote::server::Served;
use crate::support::{Run, kaito};

const ARGS: [&str; 6] = ["-f", "prod", "--rendered", "rendered", "--fail-on", "data"];
const DIFFERS: &str = "serves phi-4 with vllm → serves phi-4-mini-instruct with vllm";

/// A repository behind a login, at `org/fleet` of its server.
struct Remote {
    served: Served,
    commits: Commits,
    clones: tempfile::TempDir,
}

impl Remote {
    fn new() -> Self {
        let served = Served::new();
        let commits = fill(&served.repo);
        served.repo.git(&["update-ref", "refs/pull/7/head", &commits.head]);
        let bare = served.root().join("org/fleet");
        served.repo.git(&["clone", "-q", "--mirror", ".", bare.to_str().unwrap()]);
        let remote = Self { served, commits, clones: tempfile::tempdir().unwrap() };
        remote.served.rules(&json!({"Username": "x-access-token", "Password": TOKEN}));
        remote
    }

    fn server(&self) -> String {
        format!("http://{}", self.served.server.listens.http)
    }

    fn url(&self) -> String {
        format!("{}/org/fleet", self.server())
    }

    /// Checks out a commit without its history, as actions/checkout does: its header stays in the configuration if `is_kept`.
    fn checkout(&self, name: &str, commit: &str, is_kept: bool) -> PathBuf {
        let directory = self.clones.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        let header = format!("AUTHORIZATION: basic {}", BASE64_STANDARD.encode(format!("x-access-token:{TOKEN}")));
        let key = format!("http.{}/.extraheader", self.server());
        git(&directory, &["init", "-q"]);
        git(&directory, &["remote", "add", "origin", &self.url()]);
        git(&directory, &["config", "--local", &key, &header]);
        git(
            &directory,
            &[
                "-c",
                "protocol.version=2",
                "fetch",
                "-q",
                "--no-tags",
                "--depth=1",
                "origin",
                &format!("+{commit}:refs/remotes/pull/7/merge"),
            ],
        );
        git(&directory, &["checkout", "-q", "--force", "--detach", "refs/remotes/pull/7/merge"]);
        if !is_kept {
            git(&directory, &["config", "--local", "--unset-all", &key]);
        }
        directory
    }

    /// A job of GitHub in a checkout, whose comments are in `forge`.
    fn github(&self, directory: &Path, forge: &Forge) -> Job {
        Job::github(directory, forge, &pull_request(&self.commits)).with("GITHUB_SERVER_URL", &self.server())
    }

    /// The commits that were asked for.
    fn posts(&self) -> usize {
        self.served.asked().iter().filter(|asked| asked.what.starts_with("POST")).count()
    }
}

fn objects(directory: &Path) -> String {
    git(directory, &["count-objects", "-v"]) + &git(directory, &["for-each-ref"])
}

fn assert_compared(run: &Run, forge: &Forge) {
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let text = forge.comments().pop().unwrap().body;
    assert!(text.contains(DIFFERS) && !text.contains("default/b"), "{text}");
}

/// What a merge would make is checked out alone: its first parent is fetched, and nothing more.
#[test]
fn a_checkout_of_one_commit() {
    let remote = Remote::new();
    for (name, is_kept) in [("kept", true), ("by-token", false)] {
        let forge = Forge::start();
        let directory = remote.checkout(name, &remote.commits.merge, is_kept);
        let before = objects(&directory);
        remote.posts();
        let job = remote.github(&directory, &forge);
        let run = if is_kept { job.with("GITHUB_TOKEN", "").ci(&ARGS) } else { job.ci(&ARGS) };
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(&format!("fetched {} from {}\n", remote.commits.main, remote.url())), "{}", run.stderr);
        assert_eq!(remote.posts(), 1, "one commit is asked for, and no list");
        assert!(run.stdout.contains("prod/a.yaml"), "{}", run.stdout);
        assert_eq!(objects(&directory), before, "the clone is as it was");
        if !is_kept {
            assert_compared(&run, &forge);
        }
    }
}

/// The branch itself is checked out: where it has left main isn't known without the history.
#[test]
fn a_checkout_of_the_branch() {
    let (remote, forge) = (Remote::new(), Forge::start());
    let directory = remote.checkout("head", &remote.commits.head, true);
    let run = remote.github(&directory, &forge).ci(&ARGS);
    assert!(run.stderr.contains("fetched the history of"), "{}", run.stderr);
    assert_compared(&run, &forge);
    // A branch that is named, and isn't here.
    let run = Job::plain(&directory).ci(&["--base", "origin/main", "-f", "prod"]);
    assert!(
        run.code == 0 && run.stdout.contains("phi-4-mini-instruct") && !run.stdout.contains("default/b"),
        "{}{}",
        run.stdout,
        run.stderr
    );
}

/// For `pull_request_target` the base is checked out, and the change is fetched. Nothing of it is run.
#[test]
fn a_checkout_of_the_base() {
    let (remote, forge) = (Remote::new(), Forge::start());
    let directory = remote.checkout("base", &remote.commits.main, false);
    let run = remote.github(&directory, &forge).ci(&ARGS);
    assert!(run.stderr.contains(&format!("fetched {} from", remote.commits.head)), "{}", run.stderr);
    assert_compared(&run, &forge);
}

/// Without the files that aren't in the cone, and without what git would fetch when it needs it.
#[test]
fn a_sparse_and_partial_clone() {
    let (remote, forge) = (Remote::new(), Forge::start());
    let bare = remote.served.root().join("org/fleet");
    git(&bare, &["config", "uploadpack.allowFilter", "true"]);
    let directory = remote.clones.path().join("sparse");
    remote.served.rules(&json!({}));
    let clone = ["clone", "-q", "--no-checkout", "--depth=1", "--filter=blob:none", "--branch", "feature"];
    git(remote.clones.path(), &[&clone[..], &[&remote.url(), directory.to_str().unwrap()]].concat());
    git(&directory, &["sparse-checkout", "set", "docs"]);
    git(&directory, &["checkout", "-q", "feature"]);
    assert!(!directory.join("prod").exists());
    let run = remote.github(&directory, &forge).ci(&ARGS);
    assert_compared(&run, &forge);
}

/// A runner of GitLab has its token in the address of origin.
#[test]
fn a_clone_of_gitlab() {
    let (remote, forge) = (Remote::new(), Forge::start());
    remote.served.rules(&json!({"Username": "gitlab-ci-token", "Password": TOKEN}));
    let with_token = remote.url().replace("://", &format!("://gitlab-ci-token:{TOKEN}@"));
    for (name, is_kept) in [("kept", true), ("by-token", false)] {
        let directory = remote.clones.path().join(name);
        let clone = ["clone", "-q", "--depth=1", "--branch", "feature", &with_token, directory.to_str().unwrap()];
        git(remote.clones.path(), &clone);
        let job = Job::gitlab(&directory, &forge, &remote.commits).with("CI_PROJECT_URL", &remote.url());
        let job = if is_kept {
            job
        } else {
            git(&directory, &["remote", "set-url", "origin", &remote.url()]);
            job.with("CI_JOB_TOKEN", TOKEN)
        };
        assert_compared(&job.ci(&ARGS), &forge);
    }
}

/// The base can't be had: everything else is told all the same, with what to do.
#[test]
fn a_base_that_cannot_be_reached() {
    let (remote, forge) = (Remote::new(), Forge::start());
    let directory = remote.checkout("refused", &remote.commits.merge, false);
    let lost = json!({"Username": "x-access-token", "Password": "another"});
    let github = || remote.github(&directory, &forge);
    let gitlab = || Job::gitlab(&directory, &forge, &remote.commits).with("CI_PROJECT_URL", &remote.url());
    let plain = || Job::plain(&directory);
    let table: [(Job, &[&str], &str); 4] = [
        (github(), &[], "`fetch-depth: 0`"),
        (github().with("GITHUB_SERVER_URL", "http://127.0.0.1:1"), &[], "give credentials"),
        (gitlab().with("CI_COMMIT_SHA", &remote.commits.merge), &[], "`GIT_DEPTH: 0`"),
        (plain(), &["--base", &remote.commits.main], "`git fetch --unshallow`"),
    ];
    remote.served.rules(&lost);
    for (job, args, remedy) in table {
        let run = job.ci(&[&ARGS[..], args].concat());
        assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("refuses to answer") && run.stderr.contains(remedy), "{remedy}: {}", run.stderr);
        assert!(!run.stderr.contains("another"), "{}", run.stderr);
        let findings = "no findings in 2 files";
        assert!(run.stdout.contains(findings), "lint says what it has to say: {}", run.stdout);
    }
    let comment = forge.comments().pop().unwrap().body;
    assert!(comment.contains("**kaito diff**") && comment.contains("refuses to answer"), "{comment}");
    // The program that renders is there with the files alone, so that the server need not be.
    assert_eq!(crate::support::finish(kaito().current_dir(&directory).args(["lint", "-R", "-f", "prod"])).code, 0);
}
