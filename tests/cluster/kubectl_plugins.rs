//! kubectl itself runs this program as its plugins, and completes their arguments.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kubectl::kubectl;
use super::playground;
use super::scene::Scene;
use crate::support::{Run, finish, kaito};

/// A directory with plugins, and kubectl that finds them there.
struct Plugins {
    home: tempfile::TempDir,
    kubeconfig: PathBuf,
}

impl Plugins {
    fn new(verbs: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let run = finish(kaito().arg("install-plugins").arg(home.path()).args(verbs));
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains("to PATH"), "{}", run.stderr);
        Self { home, kubeconfig: playground().server.kubeconfig_file() }
    }

    fn kubectl(&self, args: &[&str]) -> Run {
        let mut command = kubectl(&self.kubeconfig);
        finish(command.args(args).env("PATH", self.home.path()))
    }

    /// The candidates without what they mean, and what the shell is to do.
    fn complete(&self, args: &[&str]) -> (Vec<String>, String) {
        let run = self.kubectl(&[&["__complete", "kaito"], args].concat());
        let mut lines: Vec<String> = run.stdout.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect();
        let directive = lines.pop().unwrap();
        (lines, directive)
    }
}

#[test]
fn plugins_run() {
    let plugins = Plugins::new(&[]);
    let by_kubectl = plugins.kubectl(&["kaito", "render", "-f", "examples/phi-3-mini"]);
    let by_itself = finish(kaito().args(["render", "-f", "examples/phi-3-mini"]));
    assert_eq!((by_kubectl.code, by_kubectl.stdout), (0, by_itself.stdout), "{}", by_kubectl.stderr);
    let listed = plugins.kubectl(&["kaito", "preset", "list", "-o", "name"]);
    assert_eq!(listed.stdout.lines().count(), 60, "{}", listed.stderr);
    let found = plugins.kubectl(&["plugin", "list"]);
    assert!(found.code == 0 && found.stdout.contains("/kubectl-kaito-render\n"), "{}{}", found.stdout, found.stderr);
    // Kaito's own is another program.
    assert!(!plugins.home.path().join("kubectl-kaito").exists());
    let chat = plugins.kubectl(&["kaito", "chat", "phi-4"]);
    assert!(chat.code != 0 && chat.stderr.contains("unknown command"), "{}", chat.stderr);
}

#[test]
fn help_and_errors_name_the_plugin() {
    let plugins = Plugins::new(&[]);
    let help = plugins.kubectl(&["kaito", "render", "--help"]);
    for part in
        ["Usage: kubectl kaito render [OPTIONS]", "  kubectl kaito render -f workspace.yaml\n", "| kubectl kaito render -f - -o name"]
    {
        assert!(help.stdout.contains(part), "{part}: {}", help.stdout);
    }
    assert!(!help.stdout.replace("kubectl kaito", "").contains("kaito render"), "{}", help.stdout);
    let wrong = plugins.kubectl(&["kaito", "render"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    assert!(wrong.stderr.contains("Usage: kubectl kaito render"), "{}", wrong.stderr);
}

#[test]
fn arguments_are_completed() {
    let plugins = Plugins::new(&[]);
    let has = |args: &[&str], wanted: &[&str]| {
        let (candidates, directive) = plugins.complete(args);
        for wanted in wanted {
            assert!(candidates.iter().any(|candidate| candidate == wanted), "{args:?}: {wanted} among {candidates:?}");
        }
        directive
    };
    let is = |args: &[&str], wanted: &[&str]| {
        assert_eq!(plugins.complete(args), (wanted.iter().map(ToString::to_string).collect(), ":4".into()));
    };
    is(&["render", "--cloud", ""], &["azure", "aws", "arc"]);
    is(&["render", "--cloud=a"], &["--cloud=azure", "--cloud=aws", "--cloud=arc"]);
    is(&["render", "-o", "j"], &["json"]);
    is(&["status", "--context", ""], &["test"]);
    is(&["render", "--kaito-version", "0.3"], &["0.3"]);
    is(&["preset", "s"], &["show"]);
    assert_eq!(has(&["render", "--feature-gates", "vL"], &["vLLM=true"]), ":4");
    assert_eq!(has(&["preset", "show", "phi-"], &["phi-4"]), ":4");
    assert_eq!(has(&["render", "-f", "examples/phi-3"], &["examples/phi-3-mini/"]), ":6");
    assert_eq!(has(&["render", "--node"], &["--node-provisioner"]), ":4");
    is(&["explain", "-f", "examples/phi-3-mini", "work"], &["workspace-phi-3-mini"]);
    // The verbs themselves are known to kubectl, which finds nobody to ask for more.
    assert_eq!(has(&["re"], &["render", "reconcile"]), ":0");
}

#[test]
fn workspaces_of_the_cluster_are_completed() {
    let scene = Scene::new(
        "complete",
        &["apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: phi-4}\n\
        resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {a: b}}}\ninference: {preset: {name: phi-4}}\n"],
    );
    scene.apply();
    let plugins = Plugins::new(&["--verbs", "status,chat"]);
    for verb in ["status", "chat"] {
        assert_eq!(plugins.complete(&[verb, "-n", "complete", "phi"]), (vec!["phi-4".to_owned()], ":4".to_owned()));
    }
}

#[test]
fn nothing_of_others_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let install = |args: &[&str]| finish(kaito().arg("install-plugins").arg(home.path()).args(args));
    let target = |name: &str| fs::read_link(home.path().join(name)).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kaito"));
    // An older kaito that is gone gives way, and what is there already stays.
    symlink("/nowhere/kaito", home.path().join("kubectl-kaito-diff")).unwrap();
    assert_eq!(install(&["--verbs", "diff,install-plugins"]).code, 0);
    assert_eq!(install(&["--verbs", "diff,install-plugins"]).code, 0);
    for name in ["kubectl-kaito-diff", "kubectl_complete-kaito-diff", "kubectl-kaito-install_plugins"] {
        assert_eq!(fs::canonicalize(target(name)).unwrap(), fs::canonicalize(program).unwrap(), "{name}");
    }
    fs::write(home.path().join("kubectl-kaito-render"), "#!/bin/sh\n").unwrap();
    let refused = install(&["--verbs", "apply,render"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("kubectl-kaito-render is there and not kaito's"), "{}", refused.stderr);
    assert!(!home.path().join("kubectl-kaito-apply").exists(), "all or nothing");
    assert_eq!(install(&["--verbs", "deploy"]).code, 2);
}

/// As flux starts its plugins, and asks them as programs of Cobra are asked.
#[test]
fn a_plugin_of_flux() {
    let home = tempfile::tempdir().unwrap();
    let plugin = home.path().join("flux-kaito");
    symlink(env!("CARGO_BIN_EXE_kaito"), &plugin).unwrap();
    let flux = |args: &[&str]| finish(Command::new(&plugin).args(args).env_clear());
    assert_eq!(flux(&["__complete", "sku", "list", "--cloud", "a"]).stdout, "azure\naws\narc\n:4\n");
    assert!(flux(&["__complete", "ren"]).stdout.starts_with("render\tPrint the manifests"));
    assert!(flux(&["render", "--help"]).stdout.contains("Usage: flux kaito render"));
    assert_eq!(flux(&["render", "-f", "examples/phi-3-mini", "-o", "name"]).code, 0);
}

/// What the scripts of shells ask.
#[test]
fn shells_complete() {
    let ask = |words: &[&str]| {
        let mut command = kaito();
        command.env("KAITO_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string()).env("_CLAP_IFS", "\n");
        finish(command.arg("--").args(words)).stdout
    };
    assert_eq!(ask(&["kaito", "render", "--cloud", ""]), "azure\naws\narc");
    assert!(ask(&["kaito", "preset", "show", "phi-"]).contains("phi-4"));
    let script = finish(kaito().args(["completion", "bash"])).stdout;
    assert!(script.contains("KAITO_COMPLETE"), "{script}");
    let checked = finish(Command::new("bash").arg("-c").arg(format!("{script}\ncomplete -p kaito")));
    assert!(checked.code == 0 && checked.stdout.contains("kaito"), "{}{}", checked.stdout, checked.stderr);
}
