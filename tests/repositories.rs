//! The example repositories: each is what the commands beside it make, and does with its tool what it is there for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::flux::{Registries, documents, flux};
use crate::git::Repo;
use crate::install::objects;
use crate::support::{expect, files, finish, names, run};

/// Where they are.
pub(crate) const FOLDER: &str = "examples/repositories";

/// The repositories, sorted.
fn all() -> Vec<String> {
    names(FOLDER).into_iter().filter(|name| name != "README.md").collect()
}

/// The files of one.
fn committed(name: &str) -> BTreeMap<String, String> {
    files(&Path::new(FOLDER).join(name))
}

/// The objects in one of its files.
fn read(name: &str, file: &str) -> Vec<Value> {
    objects(&fs::read_to_string(Path::new(FOLDER).join(name).join(file)).unwrap())
}

/// A copy with a commit of all that is in it.
pub(crate) fn copy(name: &str) -> Repo {
    let repo = Repo::new();
    fill(&repo, name);
    repo
}

/// Commits all that is in one.
pub(crate) fn fill(repo: &Repo, name: &str) {
    for (path, text) in committed(name) {
        repo.write(&path, text);
    }
    repo.commit("A first Workspace");
}

fn rendered(repo: &Repo) -> String {
    let run = repo.kaito(&["render", "-R", "-f", "workspaces"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    run.stdout
}

/// A shell that finds kaito, with nothing else of the environment.
fn shell(directory: &Path, script: &str) -> Command {
    let own = Path::new(env!("CARGO_BIN_EXE_kaito")).parent().unwrap().display();
    let mut command = Command::new("bash");
    command.args(["-euc", script]).current_dir(directory).env_clear();
    command.env("PATH", format!("{own}:/usr/local/bin:/usr/bin:/bin")).env("HOME", directory);
    command
}

/// What the workflow does with each commit of `main`: the last step of its second job.
fn pushing_step(name: &str) -> Value {
    let workflow = read(name, ".github/workflows/kaito.yaml").remove(0);
    workflow["jobs"]["push"]["steps"].as_array().unwrap().last().unwrap().clone()
}

#[test]
fn each_is_made_as_is_told() {
    let text = fs::read_to_string(Path::new(FOLDER).join("README.md")).unwrap();
    let mut faults = Vec::new();
    let sections: Vec<(&str, &str)> = text.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    for (name, section) in &sections {
        let home = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(".").unwrap().display().to_string();
        let commands: Vec<String> =
            section.lines().filter_map(|line| line.strip_prefix("$ ")).map(|line| line.replace("../..", &root)).collect();
        let done = finish(&mut shell(home.path(), &commands.join("\n")));
        assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{name}: {}", done.stderr);
        let made = files(&home.path().join(name));
        faults.extend(made.iter().filter_map(|(path, text)| expect(&Path::new(FOLDER).join(name).join(path), text).err()));
        let too_many: Vec<String> = committed(name).into_keys().filter(|path| !made.contains_key(path)).collect();
        assert!(too_many.is_empty(), "{name}: {too_many:?}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let mut told: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
    told.sort_unstable();
    assert_eq!(told, all());
}

#[test]
fn nothing_is_wrong_with_any() {
    for name in all() {
        let repo = copy(&name);
        let lint = repo.kaito(&["lint", "-R", "-f", "workspaces", "--fail-on", "note"]);
        assert_eq!(lint.code, 0, "{name}: {}", lint.stderr);
        let diff = repo.kaito(&["diff", "HEAD...HEAD"]);
        assert_eq!(diff.code, 0, "{name}: {}", diff.stderr);
        assert!(rendered(&repo).contains("kind: StatefulSet"), "{name}");
    }
}

/// Argo CD asks its plugin as the Application says, and again when something of what it reads has changed.
#[test]
fn argocd_renders() {
    let (repo, application) = (copy("argocd"), read("argocd", "argocd/application.yaml").remove(0));
    let source = &application["spec"]["source"];
    let path = repo.path.join(source["path"].as_str().unwrap());
    let parameters = source["plugin"]["parameters"].to_string();
    let namespace = application["spec"]["destination"]["namespace"].as_str().unwrap();
    let asked = [("ARGOCD_APP_PARAMETERS", parameters.as_str()), ("ARGOCD_APP_NAMESPACE", namespace)];
    let run = finish(&mut crate::argocd::plugin("/generate/command", &path, &asked));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(documents(&run.stdout), documents(&rendered(&repo)));
    let reads = repo.kaito(&["paths", "-R", "-f", "workspaces", "--path", "workspaces"]).stdout;
    assert_eq!(reads.trim_end(), application["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"]);
}

/// Runs in a clone what the workflow does with a commit of `main`, which makes a branch or goes on with it.
pub(crate) fn push_branch(repo: &Repo) {
    let home = tempfile::tempdir().unwrap();
    let clone = home.path().join("clone");
    repo.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
    let script = pushing_step("flux-branch")["run"].as_str().unwrap().to_owned();
    let who = ["AUTHOR", "COMMITTER"].map(|who| [(format!("GIT_{who}_NAME"), "n"), (format!("GIT_{who}_EMAIL"), "n@example.com")]);
    let run = finish(shell(&clone, &script).envs(who.iter().flatten().map(|(name, value)| (name, *value))));
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// The workflow's own script makes the branch that Flux follows; what is rendered to the same is no news for Flux.
#[test]
fn flux_finds_its_branch() {
    let (repo, [source, applied]) = (copy("flux-branch"), followed("flux-branch", "GitRepository"));
    let branch = source["spec"]["ref"]["branch"].as_str().unwrap();
    let path = format!("{branch}:{}manifest.yaml", applied["spec"]["path"].as_str().unwrap().trim_start_matches("./"));
    let workspace = fs::read_to_string(repo.path.join("workspaces/phi-4.yaml")).unwrap();
    let table = [
        ("as it is", workspace.clone(), 1),
        ("a comment", format!("{workspace}# more\n"), 1),
        ("another", workspace.replace("name: phi-4\nresource", "name: phi\nresource"), 2),
    ];
    for (what, text, commits) in table {
        repo.write("workspaces/phi-4.yaml", text).commit(what);
        push_branch(&repo);
        assert_eq!(documents(&repo.git(&["show", &path])), documents(rendered(&repo).trim_end()), "{what}");
        assert_eq!(repo.git(&["rev-list", "--count", branch]), commits.to_string(), "{what}");
    }
}

/// Runs the workflow's own step, which pushes an artifact, here to another registry; its address there.
pub(crate) fn push_artifact(repo: &Repo, registries: &Registries) -> String {
    let [source, _] = followed("flux-artifact", "OCIRepository");
    let (url, tag) = (source["spec"]["url"].as_str().unwrap(), source["spec"]["ref"]["tag"].as_str().unwrap());
    let (registry, step) = (format!("oci://{}/org/example", registries.at.open), pushing_step("flux-artifact"));
    let script = step["run"].as_str().unwrap().replace(&format!("{url}:{tag}"), &format!("{registry}:{tag} --insecure-registry"));
    let commit = repo.git(&["rev-parse", "HEAD"]);
    let event = [("github.actor", "me"), ("github.token", "token"), ("github.ref_name", "main"), ("github.sha", commit.as_str())];
    let mut command = shell(&repo.path, &script);
    for (name, value) in step["env"].as_object().unwrap() {
        let value = value.as_str().unwrap().to_owned();
        command.env(name, event.iter().fold(value, |text, (name, value)| text.replace(&format!("${{{{ {name} }}}}"), value)));
    }
    repo.git(&["remote", "add", "origin", "https://git.example.com/fleet.git"]);
    let run = finish(&mut command);
    assert_eq!(run.code, 0, "{}", run.stderr);
    registry
}

/// What the workflow's own step pushes is pulled by Flux' own package.
#[test]
fn flux_pulls_its_artifact() {
    let (repo, registries) = (copy("flux-artifact"), Registries::start());
    let registry = push_artifact(&repo, &registries);
    let pulled = tempfile::tempdir().unwrap();
    let address = format!("{}:latest", registry.trim_start_matches("oci://"));
    let meta: Value = serde_json::from_str(&flux(&["pull", &address, pulled.path().to_str().unwrap()])).unwrap();
    assert_eq!(meta["source_revision"], format!("main@sha1:{}", repo.git(&["rev-parse", "HEAD"])));
    assert_eq!(documents(&files(pulled.path())["manifest.yaml"]), documents(&rendered(&repo)));
}

/// What Flux has of a source and of what applies it, which name each other.
fn followed(name: &str, kind: &str) -> [Value; 2] {
    let all = read(name, "flux/sync.yaml");
    let of = |kind: &str| all.iter().find(|object| object["kind"] == kind).unwrap().clone();
    let (source, applied) = (of(kind), of("Kustomization"));
    assert_eq!(applied["spec"]["sourceRef"], json!({"kind": kind, "name": source["metadata"]["name"]}));
    // Flux makes no namespaces.
    assert_eq!(of("Namespace")["metadata"]["name"], "models");
    [source, applied]
}

/// The loop publishes what Flux applies.
#[test]
fn flux_applies_what_is_published() {
    let arguments = arguments("flux-external-artifact", "flux/kaito-watch.yaml");
    let applied = read("flux-external-artifact", "flux/models.yaml").remove(0);
    let source = &applied["spec"]["sourceRef"];
    assert_eq!((&source["kind"], applied["metadata"]["namespace"].as_str()), (&"ExternalArtifact".into(), Some("flux-system")));
    assert!(arguments.contains(&format!("--external-artifact={}", source["name"].as_str().unwrap())), "{arguments:?}");
}

/// What runs in the cluster is told what there is in the repository.
#[test]
fn the_loop_follows_what_there_is() {
    for (name, file) in [("flux-external-artifact", "flux/kaito-watch.yaml"), ("watch", "cluster/kaito-watch.yaml")] {
        let arguments = arguments(name, file);
        let followed = arguments.iter().find_map(|argument| argument.strip_prefix("--filename=")).unwrap();
        assert!(copy(name).path.join(followed).is_dir(), "{arguments:?}");
    }
}

/// With what the Deployment starts kaito, of which there is such a verb and such flags.
pub(crate) fn arguments(name: &str, file: &str) -> Vec<String> {
    let deployment = read(name, file).into_iter().find(|object| object["kind"] == "Deployment").unwrap();
    let all: Vec<String> = serde_json::from_value(deployment["spec"]["template"]["spec"]["containers"][0]["args"].clone()).unwrap();
    let help = run(&[&all[0], "--help"]).stdout;
    for flag in all.iter().filter_map(|argument| argument.split('=').next()).filter(|argument| argument.starts_with("--")) {
        assert!(help.contains(flag), "{flag}");
    }
    all
}
