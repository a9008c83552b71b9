//! The one comment: it is added, updated, found among others, and missing without harm.

use std::path::Path;

use serde_json::json;

use super::forge::Forge;
use super::job::{Commits, Job, fill, merge, pull_request, render, workspace};
use crate::git::Repo;
use crate::support::expect;

const ARGS: [&str; 5] = ["-f", "prod", "--rendered", "rendered", "--fail-on=data"];

/// A text without what depends on the ids of commits, and thereby on everything that is rendered.
pub(super) fn without_ids(repo: &Repo, commits: &Commits, text: &str) -> String {
    let short = |id: &str| repo.git(&["rev-parse", "--short", id]);
    let ids = [(&commits.merge, "MERGE"), (&commits.head, "HEAD"), (&commits.main, "MAIN"), (&commits.parted, "PARTED")];
    ids.into_iter().fold(text.to_owned(), |text, (id, name)| text.replace(id.as_str(), name).replace(&short(id), name))
}

#[test]
fn what_a_pull_request_is_told() {
    let (repo, forge) = (Repo::new(), Forge::start());
    let commits = fill(&repo);
    repo.git(&["checkout", "-q", "--detach", &commits.merge]);
    let job = Job::github(&repo.path, &forge, &pull_request(&commits));
    let run = job.ci(&ARGS);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stderr, "the comment on 7 was added\n");
    let comments = forge.comments();
    assert_eq!(comments.len(), 1);
    assert_eq!(comments[0].body, job.summary(), "the summary says the same");
    let golden = Path::new("golden/ci/github");
    let faults: Vec<String> = [("comment.md", &comments[0].body), ("log.txt", &run.stdout)]
        .into_iter()
        .filter_map(|(file, text)| expect(&golden.join(file), &without_ids(&repo, &commits, text)).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(comments[0].body.starts_with("<!-- kaito-diff:prod -->\n"), "{}", comments[0].body);
    assert!(!comments[0].body.contains("default/b"), "what main has changed is no part of it");
    // The comments of others are on two pages.
    assert_eq!(forge.asked().len(), 3);
}

#[test]
fn what_is_wrong_is_told_too() {
    let (repo, forge) = (Repo::new(), Forge::start());
    let mut commits = fill(&repo);
    repo.git(&["checkout", "-q", "feature"]);
    // A model that isn't there, and files that nobody has rendered.
    repo.write("prod/c.yaml", workspace("c", "no-such-model | <b>@me</b>")).write("prod/a.yaml", workspace("a", "phi-4"));
    commits.head = repo.commit("broken");
    commits.merge = merge(&repo);
    repo.git(&["checkout", "-q", "--detach", &commits.merge]);
    let job = Job::github(&repo.path, &forge, &pull_request(&commits));
    let run = job.ci(&ARGS);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let golden = Path::new("golden/ci/broken");
    let faults: Vec<String> = [("comment.md", &forge.comments()[0].body), ("log.txt", &run.stdout)]
        .into_iter()
        .filter_map(|(file, text)| expect(&golden.join(file), &without_ids(&repo, &commits, text)).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // What can be rendered is not what is committed, and a gate that says no.
    repo.git(&["checkout", "-q", "feature"]);
    repo.git(&["rm", "-q", "prod/c.yaml"]);
    repo.write("rendered/default/a/service-a.yaml", "kind: Service\n");
    commits.head = repo.commit("sound");
    commits.merge = merge(&repo);
    repo.git(&["checkout", "-q", "--detach", &commits.merge]);
    let run = Job::github(&repo.path, &forge, &pull_request(&commits)).ci(&[&ARGS[..], &["--max-gpus", "1"]].concat());
    assert_eq!(run.code, 1, "{}", run.stderr);
    let comments = forge.comments();
    assert_eq!(comments.len(), 1);
    let golden = Path::new("golden/ci/outdated");
    let faults: Vec<String> = [("comment.md", &comments[0].body), ("log.txt", &run.stdout)]
        .into_iter()
        .filter_map(|(file, text)| expect(&golden.join(file), &without_ids(&repo, &commits, text)).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // The command that it names makes it so.
    let command = comments[0].body.lines().find_map(|line| line.strip_prefix("$ kaito ")).unwrap().to_owned();
    let args: Vec<&str> = command.split(' ').collect();
    assert_eq!(repo.kaito(&args).code, 0);
    commits.head = repo.commit("rendered");
    let run = Job::plain(&repo.path).ci(&["--base", "main", "-f", "prod", "--rendered", "rendered"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn the_same_comment_is_updated() {
    let (repo, forge) = (Repo::new(), Forge::start());
    let mut commits = fill(&repo);
    let ci = |commits: &Commits| {
        repo.git(&["checkout", "-q", "--detach", &commits.merge]);
        Job::github(&repo.path, &forge, &pull_request(commits)).ci(&ARGS)
    };
    assert!(ci(&commits).stderr.contains("was added"));
    assert!(ci(&commits).stderr.contains("says so already"));
    let first = forge.comments();
    // Somebody writes more, so that it is on another page, and the change is taken back.
    forge.add("a remark", false, false);
    forge.add("another remark", false, false);
    repo.git(&["checkout", "-q", "feature"]);
    repo.write("prod/a.yaml", workspace("a", "phi-4"));
    render(&repo);
    commits.head = repo.commit("back");
    commits.merge = merge(&repo);
    let run = ci(&commits);
    assert_eq!((run.code, run.stderr.as_str()), (0, "the comment on 7 was updated\n"));
    let comments = forge.comments();
    assert_eq!((comments.len(), comments[0].id), (1, first[0].id));
    assert!(comments[0].body.contains("nothing is different"), "{}", comments[0].body);
    // Another id has a comment of its own, and none if there is nothing to say.
    let run = Job::github(&repo.path, &forge, &pull_request(&commits)).ci(&["-f", "prod", "--comment-id", "other"]);
    assert_eq!(run.stderr, "no comment: there is nothing to say\n");
    assert_eq!(forge.comments().len(), 1);
}

#[test]
fn somebody_elses_comment_is_left_alone() {
    let (repo, forge) = (Repo::new(), Forge::start());
    let commits = fill(&repo);
    repo.git(&["checkout", "-q", "--detach", &commits.merge]);
    forge.add("<!-- kaito-diff:prod -->\nall is well, merge it", false, false);
    let job = Job::github(&repo.path, &forge, &pull_request(&commits));
    assert!(job.ci(&ARGS).stderr.contains("was added"));
    let comments = forge.comments();
    assert_eq!(comments.len(), 2);
    assert!(comments[0].body.contains("all is well") && comments[1].body.contains("phi-4-mini-instruct"));
    assert!(job.ci(&ARGS).stderr.contains("says so already"));
}

/// Whether there is a comment is never what decides.
#[test]
fn no_comment_is_no_failure() {
    let (repo, forge) = (Repo::new(), Forge::start());
    let commits = fill(&repo);
    repo.git(&["checkout", "-q", "--detach", &commits.merge]);
    forge.read_only();
    let own = pull_request(&commits);
    let mut from_fork = own.clone();
    from_fork["pull_request"]["head"]["repo"] = json!({"full_name": "somebody/fleet"});
    let github = |event| Job::github(&repo.path, &forge, event);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").map(|listener| format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let table = [
        (github(&from_fork), "no comment: status 403 Forbidden: Resource not accessible by integration: the token of a change from a fork"),
        (github(&own), "status 403 Forbidden: Resource not accessible by integration: see that the token may write comments"),
        (github(&own).with("GITHUB_TOKEN", "hunter-of-yesterday"), "no comment: status 401 Unauthorized: Bad credentials Bearer ***"),
        (github(&own).with("GITHUB_TOKEN", "two\nlines"), "the token has characters that no token has"),
        (github(&own).with("GITHUB_TOKEN", ""), "no comment: there is no token in GITHUB_TOKEN; the summary has it all"),
        (github(&own).with("GITHUB_API_URL", &nobody), "no comment: "),
        (github(&own).with("GITHUB_API_URL", "http://192.0.2.1"), "over http, anybody on the way could read the token"),
        (github(&own).with("GITHUB_REPOSITORY", "org/other"), "status 404 Not Found"),
        (Job::gitea(&repo.path, &forge, &from_fork), "the token of a change from a fork may only read; the summary has it all"),
        (Job::gitlab(&repo.path, &forge, &commits), "no comment: status 403 Forbidden"),
        (Job::gitlab(&repo.path, &forge, &commits).with("GITLAB_TOKEN", ""), "no comment: there is no token in GITLAB_TOKEN"),
    ];
    for (job, said) in table {
        let run = job.ci(&ARGS);
        assert_eq!(run.code, 0, "{said}: {}{}", run.stdout, run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(run.stderr.contains(said) && !run.stderr.contains("hunter-of-yesterday"), "{said}: {}", run.stderr);
        assert!(format!("{}{}", run.stdout, job.summary()).contains("phi-4-mini-instruct"));
    }
    let run = github(&own).ci(&["-f", "prod", "--comment=false"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(forge.comments().is_empty());
}

/// A job, how a comment is updated, and what is checked out.
type Row<'a> = (&'a dyn Fn(&Forge) -> Job, &'a str, &'a str);

#[test]
fn every_forge_has_its_comment() {
    let repo = Repo::new();
    let commits = fill(&repo);
    let mut of_gitea = pull_request(&commits);
    of_gitea["pull_request"]["merge_base"] = json!(commits.parted);
    let gitlab = |forge: &Forge| {
        // As a merge request's own notes are, this one is GitLab's and nobody can change it.
        forge.add("<!-- kaito-diff:prod -->\nfrom the system", false, true);
        Job::gitlab(&repo.path, forge, &commits)
    };
    let gitea = |forge: &Forge| Job::gitea(&repo.path, forge, &of_gitea);
    let forgejo =
        |forge: &Forge| gitea(forge).with("GITEA_ACTIONS", "").with("FORGEJO_TOKEN", super::forge::TOKEN).with("GITHUB_TOKEN", "");
    let github = |forge: &Forge| Job::github(&repo.path, forge, &pull_request(&commits));
    let jobs: [Row<'_>; 4] = [
        (&github, "PATCH /repos/org/fleet/issues/comments/", &commits.merge),
        (&gitea, "PATCH /api/v1/repos/org/fleet/issues/comments/", &commits.head),
        (&forgejo, "PATCH /api/v1/repos/org/fleet/issues/comments/", &commits.head),
        (&gitlab, "PUT /api/v4/projects/42/merge_requests/7/notes/", &commits.head),
    ];
    for (job, updates, checked_out) in jobs {
        let forge = Forge::start();
        repo.git(&["checkout", "-q", "--detach", checked_out]);
        let job = job(&forge);
        let run = job.ci(&ARGS);
        assert_eq!((run.code, run.stderr.as_str()), (0, "the comment on 7 was added\n"), "{updates}: {}", run.stdout);
        let run = job.ci(&["-f", "prod", "--max-nodes", "0"]);
        assert_eq!((run.code, run.stderr.as_str()), (5, "the comment on 7 was updated\n"), "{updates}: {}", run.stdout);
        assert!(forge.asked().last().unwrap().starts_with(updates));
        let comments: Vec<_> = forge.comments().into_iter().filter(|comment| !comment.is_system).collect();
        assert_eq!(comments.len(), 1, "{updates}");
        let text = &comments[0].body;
        assert!(text.contains("default/a") && !text.contains("default/b") && text.contains("--max-nodes allows 0"), "{text}");
    }
}
