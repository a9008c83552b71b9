//! `--output-dir`: one folder a Workspace, stale files removed, nothing else touched.

use std::fs;
use std::path::Path;

use crate::support::run;

fn render(input: &Path, output: &Path) -> crate::support::Run {
    run(&["render", "-f", input.to_str().unwrap(), "--output-dir", output.to_str().unwrap()])
}

fn tree(directory: &Path) -> Vec<String> {
    let mut open = vec![directory.to_owned()];
    let mut found = Vec::new();
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path.strip_prefix(directory).unwrap().to_string_lossy().into_owned()) }
        }
    }
    found.sort();
    found
}

fn workspaces(names: &[&str]) -> String {
    let one = |name: &&str| {
        format!(
            "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {{name: {name}, namespace: models}}\nresource: {{instanceType: Standard_NC24ads_A100_v4, labelSelector: {{}}}}\ninference: {{preset: {{name: phi-4}}}}\n"
        )
    };
    let config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: models}\n".to_owned();
    names.iter().map(one).chain([config_map]).collect::<Vec<_>>().join("---\n")
}

#[test]
fn files_come_and_go_with_their_workspaces() {
    let home = tempfile::tempdir().unwrap();
    let (input, output) = (home.path().join("in.yaml"), home.path().join("out"));
    fs::write(&input, workspaces(&["a", "b"])).unwrap();
    let first = render(&input, &output);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(first.stdout, "");
    let files = tree(&output);
    assert_eq!(files.iter().filter(|file| file.starts_with("models/a/")).count(), 4, "{files:?}");
    assert!(files.contains(&"models/b/statefulset-b.yaml".to_owned()), "{files:?}");
    assert!(files.contains(&"models/configmap-c.yaml".to_owned()), "{files:?}");

    fs::write(output.join("models/b/notes.txt"), "mine").unwrap();
    let before = fs::metadata(output.join("models/a/statefulset-a.yaml")).unwrap().modified().unwrap();
    fs::write(&input, workspaces(&["a", "c"])).unwrap();
    let second = render(&input, &output);
    assert!(second.stderr.contains("4 files written, 5 unchanged, 4 removed"), "{}", second.stderr);
    let after = tree(&output);
    assert_eq!(
        after.iter().filter(|file| file.starts_with("models/b/")).collect::<Vec<_>>(),
        ["models/b/notes.txt"],
        "what isn't kaito's stays"
    );
    assert_eq!(
        fs::metadata(output.join("models/a/statefulset-a.yaml")).unwrap().modified().unwrap(),
        before,
        "what is as wanted is not written"
    );

    fs::remove_file(output.join("models/b/notes.txt")).unwrap();
    fs::remove_dir(output.join("models/b")).unwrap();
    let third = render(&input, &output);
    assert!(third.stderr.contains("0 files written, 9 unchanged, 0 removed"), "{}", third.stderr);
}

#[test]
fn a_fault_leaves_everything_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let (input, output) = (home.path().join("in.yaml"), home.path().join("out"));
    fs::write(&input, workspaces(&["a"])).unwrap();
    render(&input, &output);
    let before = tree(&output);
    fs::write(&input, workspaces(&["a", "B"])).unwrap();
    assert_eq!(render(&input, &output).code, 1);
    fs::write(&input, "").unwrap();
    assert_eq!(render(&input, &output).code, 1, "an empty input must not remove anything");
    assert_eq!(tree(&output), before);
}

#[test]
fn a_killed_run_leaves_nothing_behind_for_the_next() {
    let home = tempfile::tempdir().unwrap();
    let (input, output) = (home.path().join("in.yaml"), home.path().join("out"));
    fs::write(&input, workspaces(&["a"])).unwrap();
    render(&input, &output);
    let before = tree(&output);
    fs::write(output.join("models/a/.kaito-render-x1y2z3"), "half a manif").unwrap();
    assert_eq!(render(&input, &output).code, 0);
    assert_eq!(tree(&output), before);
}

#[test]
fn one_run_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let (input, output) = (home.path().join("in.yaml"), home.path().join("out"));
    fs::write(&input, workspaces(&["a"])).unwrap();
    fs::create_dir(&output).unwrap();
    let other = fs::File::open(&output).unwrap();
    other.lock().unwrap();
    let refused = render(&input, &output);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("another kaito is writing into"), "{}", refused.stderr);
    assert!(tree(&output).is_empty());
    drop(other);
    assert_eq!(render(&input, &output).code, 0);
}

#[test]
fn the_output_is_no_input_and_groups_keep_files_apart() {
    let home = tempfile::tempdir().unwrap();
    let (input, output) = (home.path().join("in"), home.path().join("in/out"));
    fs::create_dir(&input).unwrap();
    let services = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: s, namespace: models}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: models}\n";
    fs::write(input.join("in.yaml"), format!("{}---\n{services}", workspaces(&["a"]))).unwrap();
    let arguments = ["render", "-R", "-f", input.to_str().unwrap(), "--output-dir", output.to_str().unwrap()];
    let first = run(&arguments);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let files = tree(&output);
    assert!(files.contains(&"models/service-s.yaml".to_owned()), "{files:?}");
    assert!(files.contains(&"models/service.serving.knative.dev-s.yaml".to_owned()), "{files:?}");
    let second = run(&arguments);
    assert!(second.stderr.contains("0 files written, 7 unchanged, 0 removed"), "{}", second.stderr);
}

#[test]
fn foreign_files_and_links_are_not_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let (input, output) = (home.path().join("in.yaml"), home.path().join("out"));
    fs::write(&input, workspaces(&["a"])).unwrap();
    fs::create_dir_all(output.join("models")).unwrap();
    fs::write(output.join("models/configmap-c.yaml"), "mine").unwrap();
    let refused = render(&input, &output);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("was not written by kaito"), "{}", refused.stderr);
    assert_eq!(tree(&output), ["models/configmap-c.yaml"], "nothing is half-written");

    fs::remove_dir_all(&output).unwrap();
    fs::create_dir_all(&output).unwrap();
    fs::create_dir_all(home.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(home.path().join("elsewhere"), output.join("models")).unwrap();
    let refused = render(&input, &output);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("is a link"), "{}", refused.stderr);
    assert!(tree(&home.path().join("elsewhere")).is_empty());

    fs::remove_file(output.join("models")).unwrap();
    fs::write(output.join("models"), "a file where a folder is wanted").unwrap();
    let refused = render(&input, &output);
    assert!(refused.stderr.contains("was not written by kaito"), "{}", refused.stderr);
    let refused = render(&input, &output.join("models"));
    assert!(refused.stderr.contains("is not a directory"), "{}", refused.stderr);

    // Nor is anything removed through a link that stands where a folder of an earlier run was.
    fs::remove_file(output.join("models")).unwrap();
    assert_eq!(render(&input, &output).code, 0);
    let moved = home.path().join("moved");
    fs::rename(output.join("models"), &moved).unwrap();
    std::os::unix::fs::symlink(&moved, output.join("models")).unwrap();
    fs::write(&input, workspaces(&["b"]).replace("namespace: models", "namespace: other")).unwrap();
    let refused = render(&input, &output);
    assert!(refused.stderr.contains("is a link"), "{}", refused.stderr);
    assert_eq!(tree(&moved).len(), 5);
    fs::write(&input, workspaces(&["a"])).unwrap();

    // A list that somebody has edited must not lead out of the directory.
    fs::remove_file(output.join("models")).unwrap();
    fs::write(home.path().join("precious"), "x").unwrap();
    fs::write(output.join(".kaito-render"), "../precious\n/etc/hostname\n").unwrap();
    assert_eq!(render(&input, &output).code, 0);
    assert!(home.path().join("precious").exists());
}
