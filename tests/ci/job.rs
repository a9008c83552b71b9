//! Repositories, and jobs of the three kinds of CI that run in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::forge::{Forge, TOKEN};
use crate::git::Repo;
use crate::support::{Run, finish, kaito};

const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n";

pub(super) fn workspace(name: &str, preset: &str) -> String {
    format!(
        "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata:\n  name: {name}\nresource:\n  instanceType: Standard_NC24ads_A100_v4\n  \
         labelSelector:\n    matchLabels:\n      apps: {name}\ninference:\n  preset:\n    name: {preset}\n"
    )
}

/// The commits of a pull request.
pub(super) struct Commits {
    /// Where the branch was left.
    pub parted: String,
    /// The newest of the branch.
    pub head: String,
    /// The newest of `main`.
    pub main: String,
    /// What a merge would make, at `refs/pull/7/merge`.
    pub merge: String,
}

/// Makes a repository with a pull request that has another model for one of two Workspaces, while the other one has another model on `main`.
pub(super) fn fill(repo: &Repo) -> Commits {
    repo.write("prod/kaito.yaml", CONFIG).write("prod/a.yaml", workspace("a", "phi-4")).write("prod/b.yaml", workspace("b", "phi-4"));
    render(repo);
    let parted = repo.commit("two Workspaces");
    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.write("prod/a.yaml", workspace("a", "phi-4-mini-instruct"));
    render(repo);
    let head = repo.commit("another model");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("prod/b.yaml", workspace("b", "mistral-7b-instruct"));
    render(repo);
    let main = repo.commit("something else");
    Commits { merge: merge(repo), parted, head, main }
}

/// Merges `feature` as GitHub does to show what a merge would make, and leaves `main` checked out.
pub(super) fn merge(repo: &Repo) -> String {
    repo.git(&["checkout", "-q", "--detach", "main"]);
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature"]);
    repo.git(&["update-ref", "refs/pull/7/merge", "HEAD"]);
    let merge = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["checkout", "-q", "main"]);
    merge
}

pub(super) fn render(repo: &Repo) {
    let run = repo.kaito(&["render", "-R", "-f", "prod", "--output-dir", "rendered"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// Where a job runs, with what its CI has given it.
pub(super) struct Job {
    pub directory: PathBuf,
    variables: Vec<(String, String)>,
    home: tempfile::TempDir,
}

impl Job {
    /// One of no CI.
    pub(super) fn plain(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), variables: Vec::new(), home: tempfile::tempdir().unwrap() }
    }

    /// One of GitHub Actions, for an event.
    pub(super) fn github(directory: &Path, forge: &Forge, event: &Value) -> Self {
        let job = Self::plain(directory);
        let (event_file, summary) = (job.file("event.json"), job.file("summary.md"));
        fs::write(&event_file, event.to_string()).unwrap();
        job.with("GITHUB_ACTIONS", "true")
            .with("GITHUB_API_URL", &forge.url)
            .with("GITHUB_SERVER_URL", &forge.url)
            .with("GITHUB_REPOSITORY", "org/fleet")
            .with("GITHUB_TOKEN", TOKEN)
            .with("GITHUB_EVENT_PATH", event_file.to_str().unwrap())
            .with("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())
    }

    /// One of Gitea's or Forgejo's Actions.
    pub(super) fn gitea(directory: &Path, forge: &Forge, event: &Value) -> Self {
        Self::github(directory, forge, event).with("GITEA_ACTIONS", "true").with("GITHUB_API_URL", &format!("{}/api/v1", forge.url))
    }

    /// One of a merge request's pipeline in GitLab CI.
    pub(super) fn gitlab(directory: &Path, forge: &Forge, commits: &Commits) -> Self {
        Self::plain(directory)
            .with("GITLAB_CI", "true")
            .with("CI_API_V4_URL", &format!("{}/api/v4", forge.url))
            .with("CI_PROJECT_URL", &format!("{}/org/fleet", forge.url))
            .with("CI_MERGE_REQUEST_IID", "7")
            .with("CI_MERGE_REQUEST_PROJECT_ID", "42")
            .with("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "42")
            .with("CI_MERGE_REQUEST_DIFF_BASE_SHA", &commits.parted)
            .with("CI_COMMIT_SHA", &commits.head)
            .with("GITLAB_TOKEN", TOKEN)
    }

    /// With a variable in the place of what it was; empty is as good as none.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file of the job.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The summary of the job.
    pub(super) fn summary(&self) -> String {
        fs::read_to_string(self.file("summary.md")).unwrap_or_default()
    }

    /// A program with the variables of the job, in its directory.
    pub(super) fn command(&self, mut command: Command) -> Command {
        command.current_dir(&self.directory).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("TMPDIR", self.home.path());
        command
    }

    /// Runs `kaito ci ARGS`. Nothing that it says may hold a token.
    pub(super) fn ci(&self, args: &[&str]) -> Run {
        let mut command = self.command(kaito());
        let run = finish(command.arg("ci").args(args));
        for said in [&run.stdout, &run.stderr, &self.summary()] {
            assert!(!said.contains(TOKEN) && !said.contains("panicked"), "{said}");
        }
        run
    }
}

/// The event of a pull request.
pub(super) fn pull_request(commits: &Commits) -> Value {
    let repository = json!({"full_name": "org/fleet"});
    json!({
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "head": {"sha": commits.head, "ref": "feature", "repo": repository},
            "base": {"sha": commits.main, "ref": "main", "repo": repository},
        },
        "repository": repository,
    })
}
