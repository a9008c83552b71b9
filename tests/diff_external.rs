//! `kaito diff` with a program of the user's own, `KUBECTL_EXTERNAL_DIFF`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::git::Repo;
use crate::support::{Run, finish, kaito};

/// Says how it was called and what it was given, and ends with the code of `--code`.
const DIFFER: &str = r#"#!/bin/sh
code=1
while [ $# -gt 2 ]; do
  echo "word $1"
  case $1 in --code=*) code=${1#--code=} ;; --kill) kill -TERM $PPID; sleep 1 ;; esac
  shift
done
echo "directories $(basename "$1" | cut -c1-5) $(basename "$2" | cut -c1-7)"
for file in "$1"/*; do echo "file ${file##*/}"; done
diff -r -u "$1" "$2" | grep '^[-+] '
exit "$code"
"#;

/// A folder with the program, and one in which its files will be.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("differ"), DIFFER).unwrap();
        fs::set_permissions(home.path().join("differ"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(home.path().join("tmp")).unwrap();
        Self(home)
    }

    /// Lets kaito show a difference with these words behind the program's name; nothing must be left then.
    fn run(&self, command: &mut Command, words: &str) -> Run {
        let program = self.0.path().join("differ");
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("TMPDIR", self.0.path().join("tmp"));
        let run = finish(command.env("KUBECTL_EXTERNAL_DIFF", format!("{} {words}", program.display())));
        let left: Vec<_> = fs::read_dir(self.0.path().join("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{words}: {left:?} is left");
        run
    }
}

fn diff(name: &str, flags: &[&str]) -> Command {
    let mut command = kaito();
    command.args(["diff", &format!("golden/diff/{name}/before"), &format!("golden/diff/{name}/after")]).args(flags);
    command
}

#[test]
fn a_program_of_the_user_shows_what_is_different() {
    let scene = Scene::new();
    let run = scene.run(&mut diff("claim-removed", &[]), "-N --a=b --dropped=/x $HOME");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{}", run.stdout);
    let want =
        "word -N\nword --a=b\ndirectories LIVE- MERGED-\nfile v1.PersistentVolumeClaim..logs\nfile v1.PersistentVolumeClaim..models\n";
    assert!(run.stdout.starts_with(want), "{}", run.stdout);
    assert!(run.stdout.contains("-      storage: 100Gi\n+      storage: 200Gi\n"), "{}", run.stdout);
    assert!(!run.stdout.contains("Total"), "{}", run.stdout);
}

#[test]
fn its_exit_code_counts() {
    let scene = Scene::new();
    let table: [(&str, &str, &[&str], i32, &str); 9] = [
        ("max-model-len", "--code=0", &[], 0, "file "),
        ("max-model-len", "--code=1", &[], 1, "file "),
        ("max-model-len", "--code=1", &["--exit-code=false"], 0, "file "),
        ("max-model-len", "--code=3", &[], 2, "differ of KUBECTL_EXTERNAL_DIFF failed (exit status: 3)"),
        ("max-model-len", "--code=3", &["--detailed-exitcode"], 1, "failed"),
        // The gates and what is broken count besides.
        ("bigger-instance-type", "--code=0", &["--fail-on", "node"], 5, "which --fail-on node refuses"),
        ("broken-after", "--code=0", &[], 3, "the preset \"phi-5\" is unknown"),
        // It isn't asked.
        ("comments-only", "--code=3", &[], 0, ""),
        ("max-model-len", "--code=3", &["-o", "text"], 1, "at worst"),
    ];
    for (name, words, flags, code, said) in table {
        let run = scene.run(&mut diff(name, flags), words);
        assert_eq!(run.code, code, "{name} {words} {flags:?}: {}{}", run.stdout, run.stderr);
        assert!(format!("{}{}", run.stdout, run.stderr).contains(said), "{name} {words} {flags:?}: {}{}", run.stdout, run.stderr);
    }
    let run = finish(diff("max-model-len", &[]).env("KUBECTL_EXTERNAL_DIFF", "/nowhere/differ -u"));
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("/nowhere/differ of KUBECTL_EXTERNAL_DIFF can't be started: No such file"), "{}", run.stderr);
}

#[test]
fn secrets_are_hidden_from_it() {
    let scene = Scene::new();
    let hidden = scene.run(&mut diff("secret-changed", &[]), "");
    assert!(hidden.stdout.contains("-  password: \"*** (before)\"\n+  password: \"*** (after)\"\n"), "{}", hidden.stdout);
    let shown = scene.run(&mut diff("secret-changed", &["--show-secrets"]), "");
    assert!(shown.stdout.contains("+  password: correct-horse\n"), "{}", shown.stdout);
}

#[test]
fn a_signal_leaves_nothing() {
    let run = Scene::new().run(&mut diff("max-model-len", &[]), "--kill");
    assert_eq!(run.code, -1, "{}{}", run.stdout, run.stderr);
}

#[test]
fn revisions_are_sides_too() {
    let repo = Repo::new();
    let claim = |size: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: a, namespace: b}}, spec: {{resources: {{requests: {{storage: {size}}}}}}}}}\n"
        )
    };
    repo.write("a.yaml", claim("1Gi"));
    repo.commit("one");
    repo.write("a.yaml", claim("2Gi"));
    repo.commit("two");
    let mut command = kaito();
    command.args(["diff", "HEAD~1..HEAD"]).current_dir(&repo.path);
    let run = Scene::new().run(&mut command, "");
    assert!(run.stdout.contains("file v1.PersistentVolumeClaim.b.a\n"), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("-      storage: 1Gi\n+      storage: 2Gi\n"), "{}", run.stdout);
}
