//! The commands that the documentation shows: they are understood, and they run.

use std::fs;
use std::thread;

use crate::git::{Repo, copy, git};
use crate::support::{Run, finish, kaito, names};

/// What is typed on a line of a page: the words of each `kaito VERB ...`, without what a shell makes of the rest.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut line = line.trim().trim_start_matches("$ ").split("  #").next().unwrap_or_default().to_owned();
    // What a command in a command prints is a word.
    while let Some((start, length)) = line.find("$(").and_then(|start| Some((start, line[start..].find(')')?))) {
        line.replace_range(start..=start + length, "printed");
    }
    let is_command = |part: &str| part.trim().starts_with("kaito ");
    let parts = line.split(['|', '>', '<', '(', ')', ';']).flat_map(|part| part.split("&&")).filter(|part| is_command(part));
    parts.filter_map(|part| shlex::split(part.trim().trim_end_matches('\\'))).collect()
}

/// The pages that show commands to be typed.
fn pages() -> Vec<String> {
    let pages = names("docs").into_iter().filter_map(|name| Some(format!("docs/{}.md", name.strip_suffix(".md")?)));
    pages.chain(["README.md".to_owned()]).collect()
}

/// The commands of a page, with what goes on behind a backslash.
fn shown(page: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(page).unwrap().replace("\\\n", " ");
    text.lines().filter(|line| line.starts_with("$ ")).flat_map(commands).collect()
}

#[test]
fn every_command_that_is_shown_is_understood() {
    use clap::CommandFactory;
    let reference = fs::read_to_string("docs/reference/cli.md").unwrap();
    let examples =
        reference.lines().filter(|line| line.starts_with("  kaito ")).flat_map(commands).map(|words| ("cli.md".to_owned(), words));
    let shown = pages().into_iter().flat_map(|page| shown(&page).into_iter().map(move |words| (page.clone(), words)));
    let (mut faults, mut understood) = (Vec::new(), 0);
    for (page, words) in shown.chain(examples) {
        match kaito::cli::Cli::command().try_get_matches_from(&words) {
            Ok(_) => understood += 1,
            Err(error) if error.exit_code() == 0 => understood += 1,
            Err(error) => faults.push(format!("{page}: {}\n{}", words.join(" "), error.to_string().lines().next().unwrap_or_default())),
        }
    }
    assert!(faults.is_empty() && understood > 150, "{understood} are understood\n{}", faults.join("\n"));
}

const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1
kind: RenderConfig
presets: presets
prices: {currency: USD, perHour: {Standard_NC24ads_A100_v4: 4, Standard_NC48ads_A100_v4: 8}}
";

/// A repository as the pages have it in mind, on a branch that changes a Workspace, with a remote one beside it.
fn fleet() -> Repo {
    let repo = Repo::new();
    let workspace = |namespace: &str, size: &str| {
        format!(
            "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {{name: phi-4, namespace: {namespace}}}\nresource:\n  \
             instanceType: {size}\n  labelSelector: {{matchLabels: {{apps: phi-4}}}}\ninference:\n  preset: {{name: phi-4}}\n"
        )
    };
    let (small, large) = ("Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4");
    repo.write("kaito.yaml", CONFIG);
    repo.write("presets/support.yaml", "models:\n- id: microsoft/phi-4\n  contextLimit: 8192\n");
    repo.write("workspace.yaml", workspace("default", small)).write("workspaces/phi-4.yaml", workspace("quick", small));
    repo.write("clusters/prod/phi-4.yaml", workspace("models", small)).write("apps/prod/phi-4.yaml", workspace("apps", small));
    repo.write("clusters/before/phi-4.yaml", workspace("before", small)).write("clusters/after/phi-4.yaml", workspace("after", large));
    repo.write("models/phi-4.yaml", workspace("team", small)).write("question.txt", "What is a Workspace?\n");
    repo.commit("one");
    repo.git(&["tag", "v1.2"]);
    let remote = repo.beside("remote.git");
    git(&repo.path, &["clone", "-q", "--bare", ".", remote.to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", "../remote.git"]);
    repo.git(&["fetch", "-q", "origin"]);
    repo.git(&["checkout", "-q", "-b", "change"]);
    repo.write("clusters/prod/phi-4.yaml", workspace("models", large));
    repo.commit("two");
    repo
}

/// Runs a command in a copy of the fleet, where there is no cluster and no network.
fn run(fleet: &Repo, words: &[String]) -> Run {
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str| home.path().join(name);
    for (from, to) in [(fleet.path.clone(), "repo"), (fleet.beside("remote.git"), "remote.git")] {
        copy(&from, &place(to));
    }
    fs::write(place("kubeconfig"), "{apiVersion: v1, kind: Config}").unwrap();
    let nowhere = "http://127.0.0.1:1";
    let mut command = kaito();
    command
        .current_dir(place("repo"))
        .stdin(fs::File::open(place("repo/question.txt")).unwrap())
        .env("HOME", home.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("KUBECONFIG", place("kubeconfig")).env("HTTPS_PROXY", nowhere).env("HF_ENDPOINT", nowhere);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "n").env(format!("GIT_{who}_EMAIL"), "n@example.com");
    }
    finish(command.args(words[1..].iter().map(|word| word.replace("~/", &format!("{}/", home.path().display())))))
}

/// How a command ends where there is no cluster and no network: 4 if it asks a cluster or a registry, 1 if a hub, or if it finds something, and 5 if
/// that is refused.
fn expected(words: &[String]) -> &'static [i32] {
    let has = |flag: &str| words.iter().any(|word| word == flag);
    match words[1].as_str() {
        "diff" if has("--live") => &[4],
        "apply" | "chat" | "delete" | "import" | "push" | "reconcile" | "resume" | "rollback" | "status" | "suspend" | "tree" | "watch" => {
            &[4]
        }
        "preset" if has("import") => &[1],
        "diff" if has("--fail-on") => &[5],
        "ci" | "diff" => &[0, 1],
        _ => &[0],
    }
}

#[test]
fn every_command_that_is_shown_runs() {
    let fleet = fleet();
    let mut all: Vec<Vec<String>> = pages().iter().flat_map(|page| shown(page)).collect();
    all.sort();
    all.dedup();
    assert!(all.len() > 80, "{}", all.len());
    let try_one = |words: &Vec<String>| {
        let told = run(&fleet, words);
        let is_told = told.code == 0 || !told.stderr.is_empty() || !told.stdout.is_empty();
        let is_expected = expected(words).contains(&told.code) && is_told;
        (!is_expected).then(|| format!("{}: {}\n{}", words.join(" "), told.code, told.stderr))
    };
    let faults: Vec<String> = thread::scope(|scope| {
        let parts: Vec<_> = all
            .chunks(all.len().div_ceil(4))
            .map(|part| scope.spawn(move || part.iter().filter_map(try_one).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
