//! Revisions of git as a source, in repositories that git itself makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kaito::diagnostic::{Diagnostic, SourceFile};
use kaito::source::{Inputs, Kind, Repository, Side};

use crate::golden::case_args;
use crate::support::{Run, examples, finish, kaito, names};

const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n";

/// A repository in a temporary directory.
pub(crate) struct Repo {
    _home: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(home.path()).unwrap().join("repo");
        fs::create_dir(&path).unwrap();
        let repo = Self { _home: home, path };
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    /// Another directory beside the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap().join(name)
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.path, args)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Commits all that is there; the full id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn kaito(&self, args: &[&str]) -> Run {
        at(&self.path, args)
    }

    fn sides(&self, range: &str) -> Result<(Side, Side, Vec<String>), Vec<String>> {
        let mut findings = Vec::new();
        let repository = Repository::around(&self.path).map_err(|finding| messages(&[finding]))?;
        let (a, b) = repository.sides(&range.parse().unwrap(), &mut findings).map_err(|findings| messages(&findings))?;
        Ok((a, b, messages(&findings)))
    }
}

pub(crate) fn git(directory: &Path, args: &[&str]) -> String {
    try_git(directory, args).unwrap_or_else(|error| panic!("git {args:?}: {error}"))
}

/// What git says if it succeeds, or what it complains of.
fn try_git(directory: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).current_dir(directory);
    command.env("HOME", directory).env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "n").env(format!("GIT_{who}_EMAIL"), "n@example.com");
        command.env(format!("GIT_{who}_DATE"), "2026-01-01T00:00:00Z");
    }
    let output = command.args(["-c", "protocol.file.allow=always", "-c", "core.autocrlf=false"]).args(args).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

fn at(directory: &Path, args: &[&str]) -> Run {
    finish(kaito().current_dir(directory).args(args))
}

fn messages(findings: &[Diagnostic]) -> Vec<String> {
    findings.iter().map(|finding| std::iter::once(&finding.message).chain(&finding.help).cloned().collect::<Vec<_>>().join("; ")).collect()
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// Copies a directory with all below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { _ = fs::copy(entry.path(), target).unwrap() }
    }
}

/// All files of a directory with their bytes.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut open = vec![directory.to_owned()];
    let mut found = BTreeMap::new();
    while let Some(next) = open.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                let bytes = fs::read(&path).unwrap_or_default();
                found.insert(path, bytes);
            }
        }
    }
    found
}

#[test]
fn a_commit_renders_as_its_files_do() {
    let repo = Repo::new();
    for directory in ["examples", "golden/cases"] {
        copy(Path::new(directory), &repo.path.join(directory));
    }
    repo.commit("all");
    // Where there is no file on disk, none can be read.
    let bare = repo.beside("bare.git");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let before = snapshot(&bare);
    let mut faults = Vec::new();
    let mut same = |what: String, expected: [PathBuf; 2], run: &Run| {
        for (path, have) in expected.iter().zip([&run.stdout, &run.stderr]) {
            if fs::read_to_string(path).unwrap_or_default() != have.replace("HEAD:", "") {
                faults.push(format!("{what} differs from {}", path.display()));
            }
        }
    };
    for name in examples() {
        let expected = |ending: &str| PathBuf::from(format!("golden/examples/{name}.{ending}"));
        let run = at(&bare, &["render", "--revision", "HEAD", "-f", &format!("examples/{name}")]);
        same(format!("the example {name}"), [expected("yaml"), expected("txt")], &run);
    }
    for name in names("golden/cases") {
        let directory = Path::new("golden/cases").join(&name);
        let args = case_args(&directory);
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["--revision", "HEAD"]).collect();
        same(format!("the case {name}"), ["expected.yaml", "expected.txt"].map(|file| directory.join(file)), &at(&bare, &args));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(snapshot(&bare) == before, "reading changed the repository");
}

#[test]
fn the_verbs_that_read_files_read_revisions() {
    let repo = Repo::new();
    copy(Path::new("examples/own-presets"), &repo.path.join("apps"));
    repo.commit("one");
    let verbs: [&[&str]; 5] = [
        &["render", "-f", "apps", "-o", "json"],
        &["explain", "-f", "apps"],
        &["images", "-f", "apps", "-o", "json"],
        &["lint", "-f", "apps", "-o", "json"],
        &["lint", "-f", "apps", "-o", "github"],
    ];
    let on_disk = verbs.map(|args| repo.kaito(args));
    fs::remove_dir_all(repo.path.join("apps")).unwrap();
    for (args, want) in verbs.iter().zip(on_disk) {
        let have = repo.kaito(&[args, ["--revision", "main"].as_slice()].concat());
        assert_eq!((have.code, have.stdout.replace("main:", "")), (want.code, want.stdout), "{args:?}: {}", have.stderr);
    }
}

/// The files that one repository is looked at from in many ways: another version of them is on disk.
fn cluster() -> Repo {
    let repo = Repo::new();
    repo.write(
        "clusters/kaito.yaml",
        format!(
            "{CONFIG}namespace: models\npresets: presets\ntemplates: templates\npatches:\n- path: patch.yaml\n  target: {{kind: ConfigMap}}\n"
        ),
    );
    repo.write("clusters/presets/models/m.yaml", "models: []\n");
    let patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: any, labels: {patched: tested}}\n";
    repo.write("clusters/patch.yaml", patch).write("clusters/templates/.keep", "");
    repo.write("clusters/prod/a.yaml", config_map("a")).write("clusters/prod/b.yml", config_map("b"));
    repo.commit("one");
    fs::remove_dir_all(repo.path.join("clusters/prod")).unwrap();
    repo.write("clusters/kaito.yaml", "nothing: right\n").write("clusters/staging/c.yaml", config_map("c")).write("README.md", "read me");
    repo.commit("two");
    repo
}

#[test]
fn paths_are_those_of_the_current_directory() {
    let repo = cluster();
    let linked = repo.beside("linked");
    repo.git(&["worktree", "add", "-q", "-b", "other", linked.to_str().unwrap()]);
    repo.git(&["gc", "-q"]);
    let bare = repo.beside("bare.git");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let absolute = repo.path.join("clusters/prod");
    let table: [(PathBuf, &str); 8] = [
        (repo.path.clone(), "clusters/prod"),
        (repo.path.clone(), "./clusters/../clusters/prod/"),
        (repo.path.clone(), absolute.to_str().unwrap()),
        (repo.path.clone(), "clusters/prod/a.yaml,clusters/prod,clusters/prod/b.yml"),
        // A directory that the revision doesn't have.
        (repo.path.join("clusters/staging"), "../prod"),
        (linked.clone(), "clusters/prod"),
        (linked.join("clusters/staging"), ".././prod"),
        (bare.clone(), "clusters/prod"),
    ];
    for (directory, path) in table {
        let run = at(&directory, &["render", "--revision", "main~1", "-f", path]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{path}");
        assert_eq!(run.stdout.matches("patched: tested").count(), 2, "{}", run.stdout);
        let objects: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("  name: ")).collect();
        assert_eq!(objects, ["  name: a", "  name: b"], "{path}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let args = ["render", "--revision", "main~1", "-o", "name", "-f", "clusters/prod"];
    let by_name = finish(kaito().current_dir(elsewhere.path()).env("GIT_DIR", &bare).args(args));
    assert_eq!(by_name.stdout, "configmap/a\nconfigmap/b\n", "{}", by_name.stderr);
    // What is above the whole repository is nobody's.
    fs::write(repo.beside("kaito.yaml"), "nothing: right\n").unwrap();
    repo.git(&["rm", "-q", "clusters/kaito.yaml"]);
    repo.commit("three");
    assert_eq!(repo.kaito(&["render", "--revision", "HEAD", "-f", "clusters/staging", "-o", "name"]).stdout, "configmap/c\n");
}

#[test]
fn findings_name_the_revision() {
    let repo = cluster();
    let table = [
        ("HEAD", "clusters/staging", "HEAD:clusters/kaito.yaml:1:1"),
        ("main~1", "clusters/staging", "main~1:clusters/staging: there is no such file or directory"),
        ("main~1", "../elsewhere", "../elsewhere: this is outside of the git repository"),
        ("main~1", "clusters/prod/a.yaml/b", "main~1:clusters/prod/a.yaml/b: this is not a directory"),
        ("main~1", "-", "standard input is not part of a git revision"),
        ("mian", ".", "there is no git revision mian\n |\n = help: did you mean main?"),
        ("main~7", ".", "there is main, but not ~7"),
        ("HEAD:clusters", ".", "is not a commit, but something within one"),
        ("HEAD:README.md", ".", "is not a commit, but something within one"),
        ("", ".", "a revision is a branch, a tag, a commit's id"),
        ("a b", ".", "\"a b\" is not a git revision"),
        ("main..HEAD", ".", "main..HEAD is a range, and one git revision is wanted"),
        ("main^{/[}", ".", "is not a git revision"),
        ("0123456789012345678901234567890123456789", ".", "there is no git revision 0123456789"),
    ];
    for (revision, path, want) in table {
        let run = repo.kaito(&["render", "--revision", revision, "-f", path]);
        assert!(run.code == 1 && run.stdout.is_empty() && run.stderr.contains(want), "{revision} {path}: {}", run.stderr);
    }
    let outside = tempfile::tempdir().unwrap();
    let run = at(outside.path(), &["render", "--revision", "HEAD", "-f", "."]);
    assert!(run.code == 1 && run.stderr.contains("there is no git repository here or above"), "{}", run.stderr);
    let empty = Repo::new().kaito(&["render", "--revision", "HEAD", "-f", "."]);
    assert!(empty.code == 1 && empty.stderr.contains("no commit on any branch yet"), "{}", empty.stderr);
}

#[cfg(unix)]
#[test]
fn links_stay_in_the_tree() {
    use std::os::unix::fs::symlink;
    let repo = Repo::new();
    repo.write("in/real.yaml", config_map("real")).write("shared/one.yaml", config_map("one"));
    fs::write(repo.beside("secret.yaml"), config_map("secret")).unwrap();
    let link = |target: &str, at: &str| symlink(target, repo.path.join(at)).unwrap();
    link("real.yaml", "in/again.yaml");
    link("in", "way");
    link("../shared", "in/shared");
    repo.commit("good");
    for path in ["in", "way", "way/real.yaml,in/again.yaml", "in/shared/../in"] {
        let disk = repo.kaito(&["render", "-R", "-f", path, "-o", "name"]);
        let git = repo.kaito(&["render", "--revision", "HEAD", "-R", "-f", path, "-o", "name"]);
        let git_findings = git.stderr.replace("HEAD:", "");
        assert_eq!((git.code, &git.stdout), (disk.code, &disk.stdout), "{path}: {git_findings}");
    }
    assert_eq!(repo.kaito(&["render", "--revision", "HEAD", "-f", "in/shared/one.yaml", "-o", "name"]).stdout, "configmap/one\n");
    let absolute = repo.beside("secret.yaml");
    let table = [
        ("../../secret.yaml", "bad/out.yaml", "HEAD:bad/out.yaml is a link to a place outside of HEAD:bad"),
        ("../shared/one.yaml", "bad/up.yaml", "HEAD:bad/up.yaml is a link to a place outside of HEAD:bad"),
        (absolute.to_str().unwrap(), "bad/absolute.yaml", "HEAD:bad/absolute.yaml is a link to a place outside of HEAD:bad"),
        ("nothing.yaml", "bad/nothing.yaml", "HEAD:bad/nothing.yaml is a link to nothing"),
        ("circle.yaml", "bad/circle.yaml", "HEAD:bad/circle.yaml is a link to nothing"),
    ];
    fs::create_dir(repo.path.join("bad")).unwrap();
    table.iter().for_each(|(target, at, _)| link(target, at));
    repo.commit("bad");
    let all = repo.kaito(&["render", "--revision", "HEAD", "-f", "bad"]);
    let disk = repo.kaito(&["render", "-f", "bad"]);
    assert_eq!(all.stderr.replace("HEAD:", ""), disk.stderr);
    for (_, at, want) in table {
        assert!(all.stderr.contains(want), "{at}: {}", all.stderr);
        let alone = repo.kaito(&["render", "--revision", "HEAD", "-f", at]);
        assert!(alone.code == i32::from(at != "bad/up.yaml") && !alone.stdout.contains("secret"), "{at}: {}", alone.stderr);
    }
}

#[test]
fn what_is_no_text_of_the_repository() {
    let repo = Repo::new();
    let other = Repo::new();
    other.write("x.yaml", config_map("x")).commit("other");
    repo.write("in/a.yaml", config_map("a"));
    repo.git(&["submodule", "--quiet", "add", other.path.to_str().unwrap(), "in/sub"]);
    repo.commit("submodule");
    let with = repo.kaito(&["render", "--revision", "HEAD", "-R", "-f", "in", "-o", "name"]);
    assert_eq!((with.code, with.stdout.as_str()), (0, "configmap/a\n"));
    assert!(with.stderr.starts_with("warning: HEAD:in/sub is a submodule, and not read"), "{}", with.stderr);
    for path in ["in/sub", "in/sub/x.yaml"] {
        let run = repo.kaito(&["render", "--revision", "HEAD", "-f", path]);
        assert!(run.code == 1 && run.stderr.contains("this is in a submodule"), "{path}: {}", run.stderr);
    }
    repo.write("lfs.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n").write("latin.yaml", b"a: 1\nb: \xe4\n");
    repo.write("huge.yaml", "#".repeat(65 << 20)).commit("strange");
    for (path, want) in [("lfs", "is a pointer of Git LFS"), ("latin", "latin.yaml:2 is not UTF-8"), ("huge", "bytes, which is the limit")]
    {
        for revision in [["--revision", "HEAD"].as_slice(), &[]] {
            let run = repo.kaito(&[&["render", "-f", &format!("{path}.yaml")], revision].concat());
            assert!(run.code == 1 && run.stderr.contains(want), "{path}: {}", run.stderr);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8() {
    use std::os::unix::ffi::OsStrExt as _;
    let repo = Repo::new();
    let directory = repo.path.join("in").join(std::ffi::OsStr::from_bytes(b"d\xff"));
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(std::ffi::OsStr::from_bytes(b"\xfe.yaml")), config_map("odd")).unwrap();
    fs::write(directory.join("tab\t\"quote.yaml"), config_map("quoted")).unwrap();
    repo.commit("odd");
    let run = repo.kaito(&["render", "--revision", "HEAD", "-R", "-f", "in", "-o", "name"]);
    assert_eq!(run.stdout, "configmap/odd\nconfigmap/quoted\n", "{}", run.stderr);
}

/// main: 1 - 2 - 4, feature: 1 - 2 - 3.
fn branches() -> (Repo, [String; 4]) {
    let repo = Repo::new();
    let one = repo.write("a.yaml", config_map("one")).write("same/b.yaml", config_map("b")).commit("1");
    let two = repo.write("a.yaml", config_map("two")).commit("2");
    repo.git(&["tag", "-a", "v1.0", "-m", "v1.0"]);
    repo.git(&["checkout", "-q", "-b", "feature"]);
    let three = repo.write("a.yaml", config_map("three")).commit("3");
    repo.git(&["checkout", "-q", "main"]);
    let four = repo.write("a.yaml", config_map("four")).commit("4");
    (repo, [one, two, three, four])
}

#[test]
fn both_sides_of_a_range() {
    let (repo, [one, two, three, four]) = branches();
    let short = |id: &str| id[..7].to_owned();
    let named = |name: &str, id: &str| format!("{name} ({})", short(id));
    let base = format!("{} (merge base of main and feature)", short(&two));
    let table = [
        ("main~2..feature", named("main~2", &one), &one, named("feature", &three), Some(&three)),
        ("v1.0..", named("v1.0", &two), &two, named("HEAD", &four), Some(&four)),
        ("..v1.0", named("HEAD", &four), &four, named("v1.0", &two), Some(&two)),
        ("main...feature", base, &two, named("feature", &three), Some(&three)),
        (&one, short(&one), &one, "the working tree".to_owned(), None),
        (&one[..9], short(&one), &one, "the working tree".to_owned(), None),
        ("feature", named("feature", &three), &three, "the working tree".to_owned(), None),
    ];
    for (range, name_a, id_a, name_b, id_b) in table {
        let (a, b, findings) = repo.sides(range).unwrap();
        assert_eq!((&a.name, a.commit.as_ref()), (&name_a, Some(id_a)), "{range}");
        assert_eq!((&b.name, b.commit.as_ref()), (&name_b, id_b), "{range}");
        assert!(findings.is_empty(), "{range}: {findings:?}");
    }
    let faults = repo.sides("mian..fature").err().unwrap();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("did you mean main?") && faults[1].contains("did you mean feature?"), "{faults:?}");
}

#[test]
fn ids_tell_what_is_the_same() {
    let (repo, _) = branches();
    let (a, b, _) = repo.sides("main~1..main").unwrap();
    let ids = |path: &str| [&a, &b].map(|side| side.tree.id(Path::new(path)));
    let is_same = |path: &str| matches!(ids(path), [Some(a), Some(b)] if a == b);
    assert_eq!(["same/b.yaml", "same", "a.yaml", ".", "nothing"].map(is_same), [true, true, false, false, false]);
    assert_eq!(ids("a.yaml")[0].as_deref(), Some(repo.git(&["rev-parse", "main~1:a.yaml"]).as_str()));
    let paths = [PathBuf::from("same"), PathBuf::from("a.yaml")];
    let read = |side: &Side| {
        let inputs = Inputs { tree: &*side.tree, paths: &paths, recursive: false, except: &[], config: None };
        let files = inputs.read(&mut Vec::new());
        files.iter().map(|file: &std::sync::Arc<SourceFile>| (file.name.clone(), file.blob.clone().unwrap())).collect::<Vec<_>>()
    };
    let (old, new) = (read(&a), read(&b));
    assert_eq!((old[0].0.as_str(), new[0].0.as_str()), ("main~1:same/b.yaml", "main:same/b.yaml"));
    assert_eq!((old[0].1 == new[0].1, old[1].1 == new[1].1), (true, false));
}

#[test]
fn merge_bases_that_are_odd() {
    let (repo, _) = branches();
    // A criss-cross: each side merges the other.
    repo.git(&["branch", "old"]);
    repo.git(&["merge", "-q", "-s", "ours", "feature", "-m", "one way"]);
    repo.git(&["checkout", "-q", "feature"]);
    repo.git(&["merge", "-q", "-s", "ours", "old", "-m", "other way"]);
    let (_, _, findings) = repo.sides("main...feature").unwrap();
    assert!(findings.len() == 1 && findings[0].contains("main and feature have 2 merge bases"), "{findings:?}");
    repo.git(&["checkout", "-q", "--orphan", "new"]);
    repo.commit("another root");
    let faults = repo.sides("main...new").err().unwrap();
    assert!(faults[0].contains("have no commit in common") && faults[0].contains("main..new"), "{faults:?}");
    // The newest commit of two branches, and nothing where they parted.
    let shallow = repo.beside("shallow");
    let url = format!("file://{}", repo.path.display());
    repo.git(&["clone", "-q", "--depth", "1", "--no-single-branch", "-b", "main", &url, shallow.to_str().unwrap()]);
    let clone = Repo { _home: tempfile::tempdir().unwrap(), path: shallow };
    for range in ["main...origin/feature", "main~3..main"] {
        let faults = clone.sides(range).err().unwrap();
        assert!(faults[0].contains("git fetch --unshallow"), "{range}: {faults:?}");
    }
    let faults = clone.sides("feature").err().unwrap();
    assert!(faults[0].contains("did you mean origin/feature?"), "{faults:?}");
    let bare = repo.beside("bare.git");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let bare = Repo { _home: tempfile::tempdir().unwrap(), path: bare };
    assert!(bare.sides("main").err().unwrap()[0].contains("bare: it has no working tree"));
    assert!(bare.sides("main~1..main").is_ok());
}

#[test]
fn nothing_and_very_much() {
    let repo = Repo::new();
    let empty = repo.commit("nothing");
    for index in 0..1000 {
        repo.write(&format!("all/{}/{index:04}.yaml", index % 7), config_map(&format!("m{index}")));
    }
    repo.commit("very much");
    repo.git(&["gc", "-q"]);
    let disk = repo.kaito(&["render", "-R", "-f", "all"]);
    let git = repo.kaito(&["render", "--revision", "HEAD", "-R", "-f", "all"]);
    assert_eq!(git.code, 0, "{}", git.stderr);
    assert!(git.stdout == disk.stdout && git.stdout.matches("\n  name: m").count() == 1000);
    // A commit without files, and the id of the empty tree, which git knows in every repository.
    for revision in [&empty, "4b825dc642cb6eb9a060e54bf8d69288fbee4904"] {
        let run = repo.kaito(&["render", "--revision", revision, "-R", "-f", "."]);
        assert!(run.code == 1 && run.stderr.contains("there is nothing to render"), "{}", run.stderr);
        assert_eq!(repo.kaito(&["render", "--revision", revision, "-f", ".", "--allow-empty"]).code, 0);
    }
    let objects = repo.git(&["rev-list", "--objects", "--all"]);
    let mut starts: Vec<&str> = objects.lines().map(|line| &line[..4]).collect();
    starts.sort_unstable();
    let twice = starts.windows(2).find(|pair| pair[0] == pair[1]).unwrap()[0];
    let run = repo.kaito(&["render", "--revision", twice, "-f", "."]);
    assert!(run.stderr.contains(&format!("have ids that begin with {twice}")), "{}", run.stderr);
    let (nothing, all, _) = repo.sides("4b825dc642cb6eb9a060e54bf8d69288fbee4904..HEAD").unwrap();
    assert_eq!((nothing.commit, nothing.name.as_str()), (None, "4b825dc"));
    assert_eq!([&nothing.tree, &all.tree].map(|tree| tree.kind(Path::new("all"))), [None, Some(Kind::Directory)]);
}

/// What is pushed is in nobody's history yet while the hook looks at it, and its objects are in a place of their own.
#[cfg(unix)]
#[test]
fn a_hook_reads_what_is_pushed() {
    use std::os::unix::fs::PermissionsExt as _;
    let repo = Repo::new();
    let bare = repo.beside("bare.git");
    repo.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    let hook = bare.join("hooks/pre-receive");
    let script = format!("#!/bin/sh\nread old new name\nexec {} lint --revision $new -R -f .\n", env!("CARGO_BIN_EXE_kaito"));
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    repo.write("apps/a.yaml", config_map("a")).commit("good");
    repo.git(&["push", "-q", bare.to_str().unwrap(), "main"]);
    repo.write("apps/a.yaml", "apiVersion: kaito.sh/v1beta1\nkind: Workspace\n").commit("bad");
    let push = try_git(&repo.path, &["push", "-q", bare.to_str().unwrap(), "main"]).unwrap_err();
    assert!(push.contains("pre-receive hook declined") && push.contains(":apps/a.yaml:1:1"), "{push}");
}
