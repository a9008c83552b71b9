//! Pushing rendered manifests, to real servers and to a repository on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kaito::manifest::ObjectRef;
use kaito::rendered_branch::{DryCommit, Layout, Manifest};
use kaito::source::{Access, Destination, Mirror, Person, PushError, Pushed};
use serde_json::json;

use super::server::{Served, access};
use super::ssh::Behind;
use crate::git::Repo;

const BRANCH: &str = "environments/prod";
const NOTES: &str = "--ref=hydrator.metadata";

/// A way to a repository.
struct Way {
    name: &'static str,
    url: String,
    access: Access,
}

impl Way {
    fn new(name: &'static str, url: String, access: Access) -> Self {
        Self { name, url, access }
    }

    /// Pushes a ConfigMap with this text, rendered from a commit whose id has this digit.
    fn push(&self, text: &str, digit: char) -> Result<Pushed, PushError> {
        self.push_to(&Mirror::open(tempfile::tempdir().unwrap().path(), &self.url).unwrap(), text, digit)
    }

    fn push_to(&self, mirror: &Mirror, text: &str, digit: char) -> Result<Pushed, PushError> {
        let to = destination(self.access.clone());
        let dry = DryCommit { sha: digit.to_string().repeat(40), message: "Change\n".to_owned(), ..DryCommit::default() };
        mirror.push(&to, &to.rendering(vec![manifest(text)], "kaito render", dry))
    }

    fn error(&self, text: &str) -> String {
        let error = self.push(text, '9').unwrap_err();
        let finding = error.finding();
        assert!(!finding.help.is_empty(), "{finding:?} says not what to do");
        format!("{}; {}", finding.message, finding.help.join("; "))
    }
}

fn destination(access: Access) -> Destination {
    Destination {
        branch: BRANCH.to_owned(),
        directory: "prod".to_owned(),
        layout: Layout::Manifest,
        access,
        author: "A <a@example.com>".parse().unwrap(),
        committer: Person::default(),
        key: None,
        goes_back: false,
    }
}

fn manifest(text: &str) -> Manifest {
    Manifest { reference: ObjectRef::new("", "ConfigMap", Some("n"), "c"), owner: None, text: text.to_owned() }
}

/// Writes a hook of the repository that is served.
fn hook(repo: &Repo, name: &str, script: &str) {
    let path = repo.path.join(".git/hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn behind_ssh() -> (Behind, Access) {
    let behind = Behind::new("ed25519");
    let key = behind.key("ed25519", "");
    let access = access(&[("identity", &key.private), ("known_hosts", &behind.known_hosts())]);
    (behind, access)
}

#[test]
fn every_way() {
    let login = [("username", "me"), ("password", "hunter-of-git")];
    let (behind, ssh_access) = behind_ssh();
    for number in 0..5 {
        let own = Served::new();
        let (served, way) = match number {
            0 => (&own, Way::new("http", own.http(), Access::anonymous())),
            1 => {
                own.rules(&json!({"Username": "me", "Password": "hunter-of-git"}));
                (&own, Way::new("http with a login", own.http(), access(&login)))
            }
            2 => (&own, Way::new("https", own.https(), access(&[("ca.crt", &own.server.listens.authority)]))),
            3 => (&own, Way::new("a path", own.repo.path.display().to_string(), Access::anonymous())),
            _ => (&behind.served, Way::new("ssh", behind.url(), ssh_access.clone())),
        };
        follows_its_course(&way, &served.repo);
    }
}

/// A branch is made, left alone, built upon, and shared.
fn follows_its_course(way: &Way, repo: &Repo) {
    let name = way.name;
    let show = |path: &str| repo.git(&["show", &format!("{BRANCH}:{path}")]);
    let note = |commit: &str| repo.git(&["notes", NOTES, "show", commit]);
    let cache = tempfile::tempdir().unwrap();
    let mirror = Mirror::open(cache.path(), &way.url).unwrap();

    let first = way.push_to(&mirror, "one\n", '1').unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(first.is_new && first.removed == 0, "{name}: {first:?}");
    assert_eq!(first.commit, repo.git(&["rev-parse", BRANCH]), "{name}");
    assert_eq!(show("prod/manifest.yaml"), "one", "{name}");
    assert_eq!(repo.git(&["log", "-1", "--format=%an %ae %cn %P", BRANCH]), "A a@example.com kaito", "{name}");
    assert_eq!(note(&first.commit), format!("{{\"drySha\":\"{}\"}}", "1".repeat(40)), "{name}");

    // The same from another commit: there is nothing new but the note. The same from the same: nothing at all.
    for _ in 0..2 {
        let again = way.push_to(&mirror, "one\n", '2').unwrap();
        assert!(!again.is_new && again.commit == first.commit, "{name}: {again:?}");
        assert_eq!(note(&first.commit), format!("{{\"drySha\":\"{}\"}}", "2".repeat(40)), "{name}");
        assert_eq!(repo.git(&["rev-list", "--count", "refs/notes/hydrator.metadata"]), "2", "{name}");
    }

    // Somebody else's commit on the branch is built upon, and its files stay.
    repo.git(&["checkout", "-q", BRANCH]);
    let theirs = repo.write("other/README.md", "theirs").write("prod/kustomization.yaml", "theirs").commit("theirs");
    repo.git(&["checkout", "-q", "main"]);
    let second = way.push_to(&mirror, "two\n", '3').unwrap();
    assert_eq!(repo.git(&["rev-parse", &format!("{BRANCH}~1")]), theirs, "{name}");
    assert_eq!(show("prod/manifest.yaml") + &show("other/README.md") + &show("prod/kustomization.yaml"), "twotheirstheirs", "{name}");
    assert_eq!(note(&second.commit), format!("{{\"drySha\":\"{}\"}}", "3".repeat(40)), "{name}");
    assert_eq!(note(&first.commit), format!("{{\"drySha\":\"{}\"}}", "2".repeat(40)), "{name}");
    repo.git(&["fsck", "--full", "--strict"]);
}

/// Once there are many notes, git puts them into directories; one that takes the place of another is put there, too.
#[test]
fn notes_in_directories() {
    let repo = Repo::new();
    repo.write("x", "x").commit("x");
    let way = Way::new("a path", repo.path.display().to_string(), Access::anonymous());
    let commit = way.push("one\n", '1').unwrap().commit;
    repo.git(&["checkout", "-q", "--orphan", "notes"]);
    repo.git(&["rm", "-q", "-rf", "."]);
    let (digits, rest) = commit.split_at(2);
    let notes = repo.write(&format!("{digits}/{rest}"), "old").write(&format!("{digits}/{}", "0".repeat(38)), "other").commit("notes");
    repo.git(&["update-ref", "refs/notes/hydrator.metadata", &notes]);
    repo.git(&["checkout", "-q", "main"]);
    assert_eq!(repo.git(&["notes", NOTES, "show", &commit]), "old");
    assert!(!way.push("one\n", '2').unwrap().is_new);
    assert_eq!(repo.git(&["notes", NOTES, "show", &commit]), format!("{{\"drySha\":\"{}\"}}", "2".repeat(40)));
    assert_eq!(repo.git(&["ls-tree", "-r", "--name-only", "refs/notes/hydrator.metadata"]).lines().count(), 2);
}

/// Between the fetch and the push the branch moves once.
#[test]
fn a_branch_that_moves_meanwhile() {
    let served = Served::new();
    let (behind, ssh_access) = behind_ssh();
    let ways = [
        (Way::new("http", served.http(), Access::anonymous()), &served.repo),
        (Way::new("ssh", behind.url(), ssh_access), &behind.served.repo),
    ];
    for (way, repo) in ways {
        way.push("one\n", '1').unwrap();
        repo.git(&["checkout", "-q", "-b", "theirs", BRANCH]);
        let theirs = repo.write("other.yaml", "theirs").commit("theirs");
        repo.git(&["checkout", "-q", "main"]);
        let move_it = format!(
            "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n\
            test -e moved || git update-ref refs/heads/{BRANCH} {theirs}\ntouch moved"
        );
        hook(repo, "pre-receive", &move_it);
        let second = way.push("two\n", '2').unwrap_or_else(|error| panic!("{}: {error}", way.name));
        assert!(repo.path.join(".git/moved").exists(), "{}", way.name);
        assert_eq!(repo.git(&["rev-parse", &format!("{BRANCH}~1")]), theirs, "{}", way.name);
        assert_eq!(repo.git(&["rev-parse", BRANCH]), second.commit, "{}", way.name);
        assert_eq!(repo.git(&["show", &format!("{BRANCH}:prod/manifest.yaml")]), "two", "{}", way.name);
        assert_eq!(repo.git(&["show", &format!("{BRANCH}:other.yaml")]), "theirs", "{}", way.name);
    }
}

/// Many push to directories of one branch, and to its notes, at the same time.
#[test]
fn pushes_at_the_same_time() {
    let served = Served::new();
    let way = Way::new("http", served.http(), Access::anonymous());
    let push = |name: &str| {
        let to = Destination {
            branch: BRANCH.to_owned(),
            directory: name.to_owned(),
            layout: Layout::Files,
            access: way.access.clone(),
            author: Person::default(),
            committer: Person::default(),
            key: None,
            goes_back: false,
        };
        let reference = ObjectRef::new("", "ConfigMap", Some("n"), name);
        let manifests = vec![Manifest { reference, owner: None, text: format!("{name}\n") }];
        let dry = DryCommit { sha: "1".repeat(40), ..DryCommit::default() };
        let cache = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(cache.path(), &way.url).unwrap();
        mirror.push(&to, &to.rendering(manifests, "kaito render", dry)).unwrap();
    };
    let names = ["a", "b", "c"];
    std::thread::scope(|scope| names.iter().for_each(|name| _ = scope.spawn(|| push(name))));
    for name in names {
        assert_eq!(served.repo.git(&["show", &format!("{BRANCH}:{name}/n/configmap-{name}.yaml")]), name);
    }
    assert_eq!(served.repo.git(&["rev-list", "--count", BRANCH]), "3");
    served.repo.git(&["fsck", "--full", "--strict"]);
}

#[test]
fn a_branch_that_never_rests() {
    let served = Served::new();
    let way = Way::new("http", served.http(), Access::anonymous());
    way.push("one\n", '1').unwrap();
    let move_it = format!(
        "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\nexport GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=n@n \
        GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=n@n\n\
        git update-ref refs/heads/{BRANCH} $(git commit-tree -p {BRANCH} -m moved {BRANCH}^{{tree}})"
    );
    hook(&served.repo, "pre-receive", &move_it);
    let error = way.error("two\n");
    assert!(error.contains(&format!("the branch {BRANCH} of {} moves faster", way.url)), "{error}");
    assert_eq!(served.repo.git(&["show", &format!("{BRANCH}:prod/manifest.yaml")]), "one");
}

/// A branch below one that is there, or above: git can't keep both, and nothing moves meanwhile.
#[test]
fn a_branch_that_there_can_not_be() {
    let served = Served::new();
    served.repo.git(&["branch", &format!("{BRANCH}/theirs")]);
    let error = Way::new("http", served.http(), Access::anonymous()).error("x");
    assert!(error.contains(&format!("doesn't take what is pushed to refs/heads/{BRANCH}: ")) && error.contains(BRANCH), "{error}");
    assert!(!error.contains("moves faster"), "{error}");
}

/// What an older commit is rendered to doesn't take the place of what a newer one is, unless that is said.
#[test]
fn what_is_older() {
    let repo = Repo::new();
    repo.write("x", "x").commit("x");
    let cache = tempfile::tempdir().unwrap();
    let mirror = Mirror::open(cache.path(), &repo.path.display().to_string()).unwrap();
    let push = |day: u8, goes_back: bool, may: bool| {
        let to = Destination { goes_back, ..destination(Access::anonymous()) };
        let dry = DryCommit { sha: day.to_string().repeat(40), date: format!("2026-01-0{day}T00:00:00Z"), ..DryCommit::default() };
        mirror.push_while(&to, &to.rendering(vec![manifest(&format!("{day}\n"))], "kaito render", dry), &|| may)
    };
    let shown = || repo.git(&["show", &format!("{BRANCH}:prod/manifest.yaml")]);
    push(2, false, true).unwrap();
    let error = push(1, false, true).unwrap_err();
    assert!(matches!(&error, PushError::Newer { commit, .. } if *commit == "2".repeat(40)), "{error}");
    assert!(matches!(push(3, false, false), Err(PushError::NotLeading)));
    assert_eq!(shown(), "2");
    push(1, true, true).unwrap();
    assert_eq!(shown(), "1");
    let commit = push(3, false, true).unwrap().commit;
    assert_eq!(shown(), "3");

    // A note alone, as long as the branch holds that commit.
    let dry = DryCommit { sha: "4".repeat(40), ..DryCommit::default() };
    mirror.note_while(&destination(Access::anonymous()), &commit, &dry, &|| true).unwrap();
    assert_eq!(repo.git(&["notes", NOTES, "show", &commit]), format!("{{\"drySha\":\"{}\"}}", "4".repeat(40)));
    assert_eq!(repo.git(&["rev-parse", BRANCH]), commit);
    push(5, false, true).unwrap();
    let error = mirror.note_while(&destination(Access::anonymous()), &commit, &dry, &|| true).unwrap_err();
    assert!(error.to_string().contains("no longer holds"), "{error}");
}

#[test]
fn what_keeps_one_from_pushing() {
    let served = Served::new();
    let (behind, ssh_access) = behind_ssh();
    let http = |access| Way::new("http", served.http(), access);
    let anonymous = || http(Access::anonymous());
    let ssh = Way::new("ssh", behind.url(), ssh_access);
    let login = || access(&[("username", "me"), ("password", "hunter-of-git")]);

    served.rules(&json!({"ReadOnly": true}));
    let error = http(login()).error("x");
    assert!(error.contains("refuses to be pushed to: status 403 Forbidden: you may not push here; see whether the credentials"), "{error}");
    assert!(anonymous().error("x").contains("give credentials that may write"), "{}", anonymous().error("x"));
    served.rules(&json!({"Username": "me", "Password": "other"}));
    let error = http(login()).error("x");
    assert!(error.contains("refuses to be pushed to: status 401") && !error.contains("hunter-of-git"), "{error}");
    served.rules(&json!({}));
    behind.served.rules(&json!({"ReadOnly": true}));
    let error = ssh.error("x");
    assert!(error.contains("refuses to be pushed to: ERROR: The key you are authenticating with has been marked as read only."), "{error}");
    behind.served.rules(&json!({}));

    for (way, repo) in [(&anonymous(), &served.repo), (&ssh, &behind.served.repo)] {
        hook(repo, "pre-receive", "echo 'protected: open a merge request' >&2; exit 1");
        let error = way.error("x");
        let want =
            format!("doesn't take what is pushed to refs/heads/{BRANCH}: pre-receive hook declined: protected: open a merge request");
        assert!(error.contains(&want) && error.contains("push to another branch"), "{error}");
        fs::remove_file(repo.path.join(".git/hooks/pre-receive")).unwrap();
        hook(repo, "update", &format!("test $1 != refs/heads/{BRANCH}"));
        assert!(way.error("x").contains("hook declined"), "{}", way.error("x"));
        assert!(!repo.git(&["branch", "--list", BRANCH]).contains(BRANCH));
        assert_eq!(repo.git(&["for-each-ref", "refs/notes"]), "", "the note goes with the branch");
        fs::remove_file(repo.path.join(".git/hooks/update")).unwrap();
        // Somebody else's files.
        repo.git(&["checkout", "-q", "-b", BRANCH]);
        repo.write("prod/manifest.yaml", "theirs").commit("theirs");
        repo.git(&["checkout", "-q", "main"]);
        let error = way.error("x");
        assert!(error.contains("prod/manifest.yaml on the branch environments/prod of") && error.contains("move it away"), "{error}");
        repo.git(&["branch", "-q", "-D", BRANCH]);
        repo.git(&["checkout", "-q", "-b", BRANCH]);
        fs::remove_dir_all(repo.path.join("clusters")).unwrap();
        repo.write("prod", "a file").commit("theirs");
        repo.git(&["checkout", "-q", "main"]);
        let error = way.error("x");
        assert!(error.contains("prod on the branch environments/prod of"), "{error}");
        repo.git(&["branch", "-q", "-D", BRANCH]);
    }
}

/// No program runs when somebody pushes to a repository on disk, and what is checked out is left alone.
#[test]
fn a_repository_on_disk() {
    let repo = Repo::new();
    let at = |path: &Path| Way::new("a path", path.display().to_string(), Access::anonymous());
    repo.write("x", "x").commit("x");
    repo.git(&["checkout", "-q", "-b", BRANCH]);
    assert!(at(&repo.path).error("x").contains("refs/heads/environments/prod is checked out there"));
    repo.git(&["checkout", "-q", "main"]);
    hook(&repo, "post-receive", "touch ran");
    let error = at(&repo.path).error("x");
    assert!(error.contains("it has a hook called post-receive, and no program is run here"), "{error}");
    assert!(at(&repo.path.join("none")).error("x").contains("there is no git repository at"));
    // One that is bare and empty.
    let bare = repo.path.join("bare.git");
    repo.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    let pushed = at(&bare).push("x", '1').unwrap();
    assert_eq!(repo.git(&["-C", bare.to_str().unwrap(), "rev-parse", BRANCH]), pushed.commit);
}
