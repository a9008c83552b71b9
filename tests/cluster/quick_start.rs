//! The quick starts of `docs/quickstart.md` as they are written, with the shell, git and kubectl, in a cluster where pods seem to run.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{living, programs};
use crate::git::git;
use crate::support::{Run, finish};

/// The commands that the page shows in each of its blocks, without what is for a model that really runs.
fn blocks() -> Vec<String> {
    let page = fs::read_to_string("docs/quickstart.md").unwrap();
    let shown = page.split("```console\n").skip(1).map(|block| block.split_once("```").unwrap().0);
    let is_for_a_model = |command: &&str| command.starts_with("kaito chat");
    shown
        .map(|block| {
            block.lines().filter_map(|line| line.strip_prefix("$ ")).filter(|line| !is_for_a_model(line)).collect::<Vec<_>>().join("\n")
        })
        .collect()
}

/// Somebody's home directory, whose git finds the repositories that the page names on this machine.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir(home.0.path().join("fleet.git")).unwrap();
        git(&home.path("fleet.git"), &["init", "-q", "--bare", "-b", "main"]);
        let there = home.path("fleet.git").display().to_string();
        let urls = ["https://git.example.com/fleet.git", "https://github.com/acme/fleet.git"].map(|url| format!("\tinsteadOf = {url}\n"));
        let config = format!("[user]\n\tname = n\n\temail = n@example.com\n[url \"file://{there}\"]\n{}", urls.concat());
        fs::write(home.path(".gitconfig"), config).unwrap();
        home
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, commands: &str) -> Run {
        let own = Path::new(env!("CARGO_BIN_EXE_kaito")).parent().unwrap().display();
        let kubectl = programs::path("kubectl").unwrap_or_else(|fault| panic!("{fault}"));
        let mut shell = Command::new("bash");
        shell.args(["-euxc", commands]).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        shell.env("PATH", format!("{own}:{}:/usr/local/bin:/usr/bin:/bin", kubectl.parent().unwrap().display()));
        shell.env("HOME", self.0.path()).env("KUBECONFIG", living().server.kubeconfig_file());
        let run = finish(&mut shell);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        run
    }
}

/// What the page says that is there afterwards.
#[test]
fn each_works_as_written() {
    let blocks = blocks();
    let [begin, alone, argocd, flux] = blocks.as_slice() else { panic!("{blocks:?}") };
    ["argocd", "flux-system"].iter().for_each(|namespace| living().namespace(namespace));

    let run = Home::new().run(&format!("{begin}\n{alone}"));
    assert!(
        run.stdout.contains("statefulset.apps/phi-4 created") && run.stderr.contains("pods 1/1, ready True"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    let home = Home::new();
    let run = home.run(argocd);
    assert!(run.stdout.contains("application.argoproj.io/phi-4 created"), "{}", run.stdout);
    assert!(git(&home.path("fleet.git"), &["ls-tree", "-r", "--name-only", "main"]).contains("argocd/application.yaml"));
    let home = Home::new();
    let run = home.run(flux);
    assert!(run.stdout.contains("kustomization.kustomize.toolkit.fluxcd.io/phi-4 created"), "{}", run.stdout);
    // What the page says in a sentence, for who has no workflow.
    let page = fs::read_to_string("docs/quickstart.md").unwrap();
    let by_hand = page.split('`').find(|code| code.starts_with("kaito render -R -f workspaces --push")).unwrap();
    home.run(&format!("cd fleet\n{by_hand}"));
    assert!(git(&home.path("fleet.git"), &["show", "rendered:manifest.yaml"]).contains("kind: StatefulSet"));
}
