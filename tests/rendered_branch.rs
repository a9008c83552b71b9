//! `kaito render --push`: what is on the branch afterwards.

use std::fmt::Write as _;
use std::path::Path;

use crate::git::Repo;
use crate::support::{Run, expect};

const BRANCH: &str = "environments/prod";

fn workspace(name: &str) -> String {
    format!(
        "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {{name: {name}, namespace: models}}\nresource: {{instanceType: Standard_NC24ads_A100_v4, labelSelector: {{}}}}\ninference: {{preset: {{name: phi-4}}}}\n"
    )
}

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: models}\n";

/// A repository to be rendered, and a bare one to be pushed to.
struct Scene {
    repo: Repo,
    bare: String,
}

impl Scene {
    fn new() -> Self {
        let repo = Repo::new();
        let bare = repo.path.parent().unwrap().join("rendered.git").display().to_string();
        repo.git(&["init", "-q", "--bare", &bare]);
        repo.git(&["remote", "add", "origin", "https://robot:hunter-of-git@git.example.com/org/fleet.git"]);
        repo.write("clusters/prod/models.yaml", [workspace("phi"), CONFIG_MAP.to_owned()].join("---\n"));
        repo.commit("Add phi\n\nFor the \"fair\".\n\nSigned-off-by: n <n@example.com>\nArgocd-reference-commit-sha: 0123456789");
        Self { repo, bare }
    }

    fn push(&self, args: &[&str]) -> Run {
        let all = [&["render", "-R", "-f", "clusters/prod", "--push", &self.bare, "--push-branch", BRANCH], args].concat();
        self.repo.kaito(&all)
    }

    fn pushed(&self, args: &[&str]) -> String {
        let run = self.push(args);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
        run.stderr
    }

    fn git(&self, args: &[&str]) -> String {
        self.repo.git(&[&["-C", &self.bare], args].concat())
    }

    fn files(&self) -> Vec<String> {
        self.git(&["ls-tree", "-r", "--name-only", BRANCH]).lines().map(ToOwned::to_owned).collect()
    }

    fn show(&self, path: &str) -> String {
        self.git(&["show", &format!("{BRANCH}:{path}")])
    }

    /// Everything on the branch but manifests, and what stands by each.
    fn told(&self) -> String {
        let mut text = String::new();
        for file in self.files() {
            let content = if is_manifest(&file) { "(manifests)".to_owned() } else { self.show(&file) };
            _ = writeln!(text, "=== {file}\n{content}");
        }
        _ = writeln!(text, "=== the commit's message\n{}", self.git(&["log", "-1", "--format=%B", BRANCH]));
        _ = writeln!(text, "=== its note\n{}", self.git(&["notes", "--ref=hydrator.metadata", "show", BRANCH]));
        text
    }
}

fn is_manifest(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|ending| ending == "yaml")
}

/// The documents of a stream, in any order.
fn documents(stream: &str) -> Vec<&str> {
    let mut all: Vec<&str> = stream.split("---\n").map(str::trim_end).collect();
    all.sort_unstable();
    all
}

#[test]
fn layouts() {
    let table: [(&str, &[&str]); 3] = [
        ("manifest", &[]),
        ("manifest-in-a-directory", &["--push-path", "clusters/prod/", "--include-workspace", "--node-provisioner", "karpenter"]),
        ("files", &["--push-path", "prod", "--push-layout", "files", "--push-author", "Robot <robot@example.com>"]),
    ];
    for (name, args) in table {
        let scene = Scene::new();
        scene.pushed(args);
        let path = format!("golden/rendered-branch/{name}.txt");
        expect(Path::new(&path), &scene.told()).unwrap_or_else(|error| panic!("{error}"));
        // Just what `kaito render` prints.
        let printed: Vec<&str> = ["render", "-R", "-f", "clusters/prod"]
            .into_iter()
            .chain(args.iter().copied().filter(|arg| ["--include-workspace", "--node-provisioner", "karpenter"].contains(arg)))
            .collect();
        let printed = scene.repo.kaito(&printed).stdout;
        let texts: Vec<String> = scene.files().iter().filter(|file| is_manifest(file)).map(|file| scene.show(file)).collect();
        assert_eq!(documents(&texts.join("\n---\n")), documents(&printed), "{name}");
    }
}

#[test]
fn files_come_and_go() {
    for (layout, name) in [("manifest", "manifest.yaml"), ("files", "models/phi/statefulset-phi.yaml")] {
        let scene = Scene::new();
        let args = ["--push-layout", layout, "--push-path", "prod"];
        let said = scene.pushed(&args);
        assert!(said.contains("written, 0 removed, commit "), "{said}");
        let first = scene.git(&["rev-parse", BRANCH]);
        assert!(scene.files().contains(&format!("prod/{name}")), "{:?}", scene.files());

        // What isn't rendered otherwise makes no commit; a note tells of the commit that was looked at.
        let dry = scene.repo.write("clusters/prod/notes.txt", "x").commit("Nothing that is rendered");
        let said = scene.pushed(&args);
        assert!(said.contains("unchanged") && scene.git(&["rev-parse", BRANCH]) == first, "{said}");
        assert_eq!(scene.git(&["notes", "--ref=hydrator.metadata", "show", &first]), format!("{{\"drySha\":\"{dry}\"}}"));
        assert!(!scene.show("hydrator.metadata").contains(&dry));

        // What isn't committed isn't rendered.
        scene.repo.write("clusters/prod/models.yaml", workspace("other"));
        assert!(scene.pushed(&args).contains("unchanged"));

        let dry = scene.repo.commit("Another one");
        scene.pushed(&args);
        let files = scene.files();
        assert!(!files.iter().any(|file| file.contains("phi.yaml") || file.contains("configmap-c")), "{files:?}");
        assert_eq!(
            files.iter().filter(|file| file.starts_with("prod/models/")).count(),
            if layout == "files" { 4 } else { 0 },
            "{files:?}"
        );
        assert!(scene.show("hydrator.metadata").contains(&dry));
        assert_eq!(scene.git(&["rev-parse", &format!("{BRANCH}~1")]), first);

        // The other layout takes the place of this one.
        scene.pushed(&["--push-path", "prod", "--push-layout", if layout == "files" { "manifest" } else { "files" }]);
        let files = scene.files();
        assert_eq!(files.iter().any(|file| file == "prod/manifest.yaml"), layout == "files", "{files:?}");
        assert_eq!(files.iter().any(|file| file == "prod/.kaito-render"), layout == "manifest", "{files:?}");
    }
}

#[test]
fn a_revision_is_pushed() {
    let scene = Scene::new();
    scene.repo.git(&["tag", "v1"]);
    scene.repo.write("clusters/prod/models.yaml", workspace("other")).commit("other");
    scene.pushed(&["--revision", "v1"]);
    assert!(scene.show("manifest.yaml").contains("name: phi\n"));
    assert!(scene.show("hydrator.metadata").contains(&scene.repo.git(&["rev-parse", "v1"])));
}

#[test]
fn a_selection_is_pushed() {
    let scene = Scene::new();
    let labelled = workspace("other").replace("metadata: {", "metadata: {labels: {team: a}, ");
    scene.repo.write("clusters/prod/other.yaml", labelled).commit("other");
    scene.pushed(&["-l", "team in (a, b)"]);
    let manifests = scene.show("manifest.yaml");
    assert!(manifests.contains("name: other\n") && !manifests.contains("name: phi\n"), "{manifests}");
    assert!(scene.show("README.md").contains("kaito render -R -f clusters/prod -l 'team in (a, b)'"), "{}", scene.show("README.md"));
}

/// Whoever applies the Workspaces applies the ModelMirrors, too.
#[test]
fn declared_mirrors_are_pushed() {
    let scene = Scene::new();
    let example = |file: &str| std::fs::read_to_string(format!("examples/model-mirror/{file}")).unwrap();
    for entry in std::fs::read_dir("examples/model-mirror").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        scene.repo.write(&format!("clusters/prod/{name}"), example(&name));
    }
    scene.repo.commit("a mirror");
    scene.pushed(&[]);
    assert!(!scene.show("manifest.yaml").contains("kind: Workspace\n"));
    let without = scene.show("manifest.yaml").matches("kind: ModelMirror\n").count();
    scene.pushed(&["--include-workspace"]);
    let manifests = scene.show("manifest.yaml");
    assert!(manifests.contains("kind: Workspace\n"), "{manifests}");
    assert_eq!(manifests.matches("kind: ModelMirror\n").count(), without + 1, "{manifests}");
}

/// To a branch of the repository at hand, which somebody else pushes then.
#[test]
fn to_the_same_repository() {
    let scene = Scene::new();
    let run = scene.repo.kaito(&["render", "-R", "-f", "clusters/prod", "--push", ".", "--push-branch", "rendered"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(scene.repo.git(&["show", "rendered:manifest.yaml"]).contains("name: phi\n"));
    assert_eq!(scene.repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn what_is_not_pushed() {
    let scene = Scene::new();
    let no_remote = Repo::new();
    no_remote.write("clusters/prod/c.yaml", CONFIG_MAP).commit("c");
    let table: [(&Repo, &[&str], i32, &str); 9] = [
        (&scene.repo, &["-f", "clusters/prod", "--push", "x"], 2, "--push-branch"),
        (&scene.repo, &["-f", "clusters/prod", "--push-branch", "x"], 2, "--push"),
        (&scene.repo, &["-f", "-", "--push", &scene.bare, "--push-branch", "x"], 2, "what comes from standard input isn't pushed"),
        (&scene.repo, &["-f", "clusters", "--push", &scene.bare, "--push-branch", "x", "-o", "json"], 2, "leave out --output"),
        (&scene.repo, &["-f", "clusters/prod", "--push", &scene.bare, "--push-branch", "a..b"], 1, "\"a..b\" is no name of a branch"),
        (
            &scene.repo,
            &["-f", "clusters/prod", "--push", &scene.bare, "--push-branch", "x", "--push-path", "../y"],
            1,
            "no directory of a branch",
        ),
        (&scene.repo, &["-f", "clusters/prod", "--push", "/nowhere", "--push-branch", "x"], 1, "there is no git repository at /nowhere"),
        (&scene.repo, &["-f", "clusters/none", "--push", &scene.bare, "--push-branch", "x"], 1, "clusters/none"),
        (&no_remote, &["-f", "clusters/prod", "--push", "--push-branch", "x"], 1, "no remote that is called origin"),
    ];
    for (repo, args, code, want) in table {
        let run = repo.kaito(&[&["render"], args].concat());
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(want) && run.stdout.is_empty(), "{args:?}: {}", run.stderr);
    }
    // A Workspace that can't be rendered keeps all of it from being pushed.
    scene.repo.write("clusters/prod/broken.yaml", workspace("broken").replace("phi-4", "no-such-model")).commit("broken");
    let run = scene.push(&[]);
    assert_eq!(run.code, 1);
    assert_eq!(scene.git(&["for-each-ref"]), "");
}
