//! `kaito diff` between revisions, in repositories that git itself makes.

use crate::git::Repo;
use crate::support::{finish, kaito};

const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n";

fn workspace(name: &str, preset: &str) -> String {
    format!(
        "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata:\n  name: {name}\nresource:\n  instanceType: Standard_NC24ads_A100_v4\n  \
         labelSelector:\n    matchLabels:\n      apps: {name}\ninference:\n  preset:\n    name: {preset}\n"
    )
}

/// A repository with two Workspaces, and a branch that changes one of them.
fn repository() -> Repo {
    let repo = Repo::new();
    repo.write("prod/kaito.yaml", CONFIG).write("prod/a.yaml", workspace("a", "phi-4")).write("prod/b.yaml", workspace("b", "phi-4"));
    repo.commit("one");
    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.write("prod/a.yaml", workspace("a", "phi-4-mini-instruct"));
    repo.commit("two");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("prod/b.yaml", workspace("b", "mistral-7b-instruct"));
    repo.commit("three");
    repo
}

/// Arguments, the exit code, what is said, what is not.
type Row<'a> = (&'a [&'a str], u8, &'a [&'a str], &'a [&'a str]);

#[test]
fn ranges_say_what_changed() {
    let repo = repository();
    let table: [Row<'_>; 12] = [
        (&["main...feature"], 1, &["Workspace default/a: serves phi-4 with vllm -> serves phi-4-mini-instruct"], &["default/b"]),
        (&["main..feature"], 1, &["default/a", "default/b"], &[]),
        (&["main~1..main", "prod/b.yaml"], 1, &["default/b"], &["default/a"]),
        (&["main~1..main", "prod/a.yaml"], 0, &[], &["default/"]),
        (&["main", "feature", "prod/b.yaml"], 1, &["default/b"], &["default/a"]),
        (&["prod", "nowhere"], 2, &["there is no file or directory nowhere"], &[]),
        (&["prod"], 2, &["prod is to be compared with nothing"], &[]),
        (&["main..main"], 0, &[], &["default/"]),
        (&["main"], 0, &[], &["default/"]),
        (&["main..nowhere"], 4, &["there is no git revision nowhere"], &[]),
        (&["main..feature", "dev"], 2, &["dev is neither in main"], &[]),
        (&["main...feature", "--detailed-exitcode"], 2, &["default/a"], &[]),
    ];
    for (args, code, said, unsaid) in table {
        let told = repo.kaito(&[&["diff"], args].concat());
        let text = format!("{}{}", told.stdout, told.stderr);
        assert_eq!(told.code, i32::from(code), "{args:?}: {text}");
        for words in said {
            assert!(text.contains(words), "{args:?} should say {words:?}: {text}");
        }
        for words in unsaid {
            assert!(!text.contains(words), "{args:?} should not say {words:?}: {text}");
        }
    }
}

#[test]
fn the_working_tree_is_a_side() {
    let repo = repository();
    repo.write("prod/c.yaml", workspace("c", "phi-4"));
    let told = repo.kaito(&["diff", "main"]);
    assert_eq!(told.code, 1, "{}", told.stderr);
    assert!(told.stdout.contains("Workspace default/c: new"), "{}", told.stdout);
}

/// What git ignores, and what belongs to another repository, is no part of the working tree; what is committed all the same is.
#[test]
fn the_working_tree_is_as_git_sees_it() {
    let repo = repository();
    repo.write(".gitignore", "out/\nlocal.yaml\n").write("prod/kept/local.yaml", workspace("kept", "phi-4"));
    repo.git(&["add", "-f", "."]);
    repo.git(&["commit", "-q", "-m", "ignored"]);
    repo.write("out/o.yaml", workspace("o", "phi-4")).write("prod/local.yaml", workspace("l", "phi-4"));
    repo.write("vendor/v.yaml", workspace("v", "phi-4"));
    repo.git(&["init", "-q", "vendor"]);
    let told = repo.kaito(&["diff", "HEAD"]);
    assert_eq!((told.code, told.stdout.as_str()), (0, ""), "{}", told.stderr);
    repo.write("prod/kept/local.yaml", workspace("kept", "phi-4-mini-instruct"));
    let told = repo.kaito(&["diff", "HEAD", "-o", "name"]);
    assert_eq!(told.code, 1, "{}", told.stderr);
    assert!(told.stdout.contains("statefulset.apps/kept"), "{}", told.stdout);
}

#[test]
fn what_only_moves_is_the_same() {
    let repo = repository();
    repo.git(&["mv", "prod/a.yaml", "prod/renamed.yaml"]);
    repo.write("prod/b.yaml", format!("# A remark.\n{}", workspace("b", "\"mistral-7b-instruct\"")));
    repo.commit("moved");
    let told = repo.kaito(&["diff", "HEAD~1..HEAD"]);
    assert_eq!((told.code, told.stdout.as_str()), (0, ""), "{}", told.stderr);
}

#[test]
fn a_directory_that_is_new() {
    let repo = repository();
    repo.write("dev/kaito.yaml", CONFIG).write("dev/d.yaml", workspace("d", "phi-4"));
    repo.commit("dev");
    let told = repo.kaito(&["diff", "HEAD~1..HEAD", "dev"]);
    assert_eq!(told.code, 1, "{}", told.stderr);
    assert!(told.stdout.contains("Workspace default/d: new") && !told.stdout.contains("default/a"), "{}", told.stdout);
}

#[test]
fn one_broken_workspace_hides_no_other() {
    let repo = repository();
    repo.write("prod/a.yaml", workspace("a", "no-such-model")).write("prod/b.yaml", workspace("b", "phi-4"));
    repo.commit("broken");
    let told = repo.kaito(&["diff", "HEAD~1..HEAD"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
    assert!(told.stderr.contains("no-such-model"), "{}", told.stderr);
    assert!(told.stdout.contains("Workspace default/b: serves"), "{}", told.stdout);
    assert!(told.stdout.contains("Workspace default/a: not compared"), "{}", told.stdout);
    // What is broken on both sides in the same way is said once.
    repo.write("prod/b.yaml", workspace("b", "mistral-7b-instruct"));
    repo.commit("still broken");
    let told = repo.kaito(&["diff", "HEAD~1..HEAD"]);
    assert_eq!((told.code, told.stderr.matches("error: ").count()), (3, 1), "{}", told.stderr);
}

#[test]
fn a_patch_and_another_version_are_changes_too() {
    let repo = repository();
    repo.write(
        "prod/kaito.yaml",
        format!(
            "{CONFIG}patches:\n- target: {{kind: StatefulSet}}\n  patch: |\n    - {{op: add, path: /spec/minReadySeconds, value: 30}}\n"
        ),
    );
    repo.commit("patch");
    let told = repo.kaito(&["diff", "HEAD~1..HEAD", "prod"]);
    assert_eq!(told.code, 1, "{}", told.stderr);
    assert_eq!(told.stdout.matches("spec.minReadySeconds: absent -> 30").count(), 2, "{}", told.stdout);
    let told = repo.kaito(&["diff", "HEAD..HEAD", "prod", "--old-presets", "prod"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
}

/// Annotations name files from the root of the repository, wherever kaito runs and whatever it compares.
#[test]
fn annotations_stand_where_the_workspace_does() {
    let repo = repository();
    repo.write("prod/b.yaml", format!("# One.\n---\n{}", workspace("b", "phi-4-mini-instruct")));
    std::fs::remove_file(repo.path.join("prod/a.yaml")).unwrap();
    repo.write("dev/c.yaml", workspace("c", "no-such-model"));
    repo.commit("four");
    let new = "file=prod/b.yaml,line=6,title=kaito diff%3A nodes replaced::Workspace default/b";
    let gone = "file=prod/a.yaml,line=4,title=kaito diff%3A nodes deleted::Workspace default/a";
    let broken = "file=dev/c.yaml,line=4,title=kaito diff%3A not compared::Workspace default/c";
    let table: [(&str, &[&str]); 5] = [
        (".", &["HEAD~1..HEAD"]),
        (".", &["HEAD~1"]),
        ("prod", &["HEAD~1..HEAD", ".."]),
        ("prod", &["HEAD~1", "../prod/../dev", "."]),
        ("dev", &["HEAD~1", "../prod", "./c.yaml"]),
    ];
    for (directory, args) in table {
        let run = finish(kaito().arg("diff").args(args).args(["-o", "github"]).current_dir(repo.path.join(directory)));
        for want in [new, gone, broken] {
            assert!(run.stdout.contains(want), "{directory} {args:?}: {want}\n{}{}", run.stdout, run.stderr);
        }
    }
}

/// A configuration that no side goes by is said once, since what is compared isn't what is deployed then.
#[test]
fn a_configuration_that_is_not_used_is_said() {
    let repo = repository();
    let told = repo.kaito(&["diff", "main~1..main"]);
    assert_eq!((told.code, told.stderr.matches("prod/kaito.yaml is not used").count()), (1, 1), "{}", told.stderr);
    let told = repo.kaito(&["diff", "main~1..main", "prod"]);
    assert_eq!((told.code, told.stderr.as_str()), (1, ""));
}
