//! `kaito init`: what it writes works, and nothing is written over.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Run, files, finish, kaito};

const ORIGIN: &str = "acme/kaito@v0.1.0";

/// Runs `kaito ARGS` in a directory.
fn run_in(home: &Path, args: &[&str]) -> Run {
    finish(kaito().current_dir(home).args(args))
}

#[test]
fn what_is_written_works() {
    const URL: &str = "https://git.example.com/fleet.git";
    // The flags; what is there besides kaito.yaml; the names of some of the rendered objects.
    let table: [(&[&str], &[&str], &str); 10] = [
        (&["--preset", "phi-4"], &["workspaces/phi-4.yaml"], "nodeclaim.karpenter.sh/ws"),
        (&["--preset", "microsoft/Phi-4-mini-instruct"], &["workspaces/phi-4-mini-instruct.yaml"], "service/phi-4-mini-instruct"),
        (&["--preset", "phi-4", "--name", "chat", "-n", "models"], &["workspaces/chat.yaml"], "statefulset.apps/chat"),
        (&["--preset", "phi-4", "--cloud", "aws"], &["workspaces/phi-4.yaml"], "nodepool.karpenter.sh/"),
        (&["--preset", "phi-4", "--instance-type", "standard_nc24ads_a100_v4"], &["workspaces/phi-4.yaml"], "statefulset.apps/phi-4"),
        (&["--preset", "llama-3.3-70b-instruct", "--token-secret", "hub"], &["workspaces/llama-3-3-70b-instruct.yaml"], "service/llama"),
        (&["--preset", "falcon-7b", "--kaito-version", "0.3"], &["workspaces/falcon-7b.yaml"], "machine.karpenter.sh/"),
        (
            &["--preset", "phi-4", "--with", "gitlab", "--kaito-source", ORIGIN],
            &[".gitlab-ci.yml", "workspaces/phi-4.yaml"],
            "statefulset.apps/phi-4",
        ),
        (
            &["--preset", "phi-4", "--with", "flux", "--url", "oci://ghcr.io/acme/fleet:prod"],
            &["flux/sync.yaml", "workspaces/phi-4.yaml"],
            "statefulset.apps/phi-4",
        ),
        (
            &["--preset", "phi-4", "--with", "github,argocd,flux", "--url", URL, "--kaito-source", ORIGIN],
            &[".github/workflows/kaito.yaml", "argocd/application.yaml", "flux/sync.yaml", "workspaces/phi-4.yaml"],
            "statefulset.apps/phi-4",
        ),
    ];
    for (flags, paths, object) in table {
        let home = tempfile::tempdir().unwrap();
        let written = run_in(home.path(), &[&["init"], flags].concat());
        assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{flags:?}: {}", written.stderr);
        let have: Vec<String> = files(home.path()).into_keys().collect();
        let mut want: Vec<&str> = paths.iter().copied().chain(["kaito.yaml"]).collect();
        want.sort_unstable();
        assert_eq!(have, want, "{flags:?}");
        paths.iter().for_each(|path| assert!(written.stderr.contains(&format!("wrote ./{path}")), "{path}: {}", written.stderr));
        let lint = run_in(home.path(), &["lint", "-R", "-f", "workspaces"]);
        assert_eq!(lint.code, 0, "{flags:?}: {}", lint.stderr);
        assert!(!lint.stderr.contains("warning"), "{flags:?}: {}", lint.stderr);
        let render = run_in(home.path(), &["render", "-R", "-f", "workspaces", "-o", "name"]);
        assert_eq!((render.code, render.stderr.as_str()), (0, ""), "{flags:?}");
        assert!(render.stdout.contains(object), "{flags:?}: {}", render.stdout);
        // What it says comes next can be done as it says.
        let explain = written.stderr.lines().find_map(|line| line.trim().strip_prefix("kaito explain ")).unwrap();
        let words: Vec<&str> = explain.split('#').next().unwrap().split_whitespace().collect();
        assert_eq!(run_in(home.path(), &[&["explain"], words.as_slice()].concat()).code, 0, "{explain}");
    }
}

/// Every file is YAML, and values of the user's stay within their quotes.
#[test]
fn extras_are_manifests() {
    let home = tempfile::tempdir().unwrap();
    let url = "https://git.example.com/\"fleet\": #1.git";
    let flags = ["--preset", "phi-4", "-n", "models", "--with", "flux,argocd,github,gitlab", "--url", url, "--kaito-source", ORIGIN];
    assert_eq!(run_in(home.path(), &[&["init"], flags.as_slice()].concat()).code, 0);
    let read = |path: &str| {
        let file = kaito::diagnostic::SourceFile::new(path, fs::read_to_string(home.path().join(path)).unwrap());
        let mut findings = Vec::new();
        let documents = kaito::yaml::read(&file, kaito::yaml::Limits::default(), &mut findings);
        assert!(findings.is_empty(), "{path}: {findings:?}");
        documents.iter().map(|document| document.root.to_value()).collect::<Vec<_>>()
    };
    let flux = read("flux/sync.yaml");
    assert_eq!(
        flux.iter().map(|object| object["kind"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Namespace", "GitRepository", "Kustomization"]
    );
    assert_eq!((&flux[1]["spec"]["url"], &flux[2]["spec"]["sourceRef"]["name"]), (&url.into(), &"phi-4".into()));
    let argocd = &read("argocd/application.yaml")[0];
    assert_eq!((&argocd["spec"]["source"]["repoURL"], &argocd["spec"]["destination"]["namespace"]), (&url.into(), &"models".into()));
    // The action and the template are those of this repository, and know what they are given.
    let workflow = &read(".github/workflows/kaito.yaml")[0];
    let of_action = &crate::install::objects(&fs::read_to_string("deploy/github/action.yml").unwrap())[0]["inputs"];
    for (job, steps) in [("check", 2), ("push", 3)] {
        let all = workflow["jobs"][job]["steps"].as_array().unwrap();
        assert_eq!((all.len(), &all[1]["uses"]), (steps, &"acme/kaito/deploy/github@v0.1.0".into()), "{workflow}");
        all[1]["with"].as_object().unwrap().keys().for_each(|input| assert!(of_action[input].is_object(), "{input}"));
    }
    assert_eq!(workflow["jobs"]["push"]["needs"], "check");
    let include = &read(".gitlab-ci.yml")[0]["include"][0];
    assert_eq!(include["remote"], "https://raw.githubusercontent.com/acme/kaito/v0.1.0/deploy/gitlab/kaito.gitlab-ci.yml");
    let of_template = &crate::install::objects(&fs::read_to_string("deploy/gitlab/kaito.gitlab-ci.yml").unwrap())[0]["spec"]["inputs"];
    include["inputs"].as_object().unwrap().keys().for_each(|input| assert!(of_template[input].is_object(), "{input}"));
    assert_eq!(
        (&include["inputs"]["source"], &include["inputs"]["revision"]),
        (&"https://github.com/acme/kaito.git".into(), &"v0.1.0".into())
    );
}

#[test]
fn what_is_refused() {
    let home = tempfile::tempdir().unwrap();
    // The flags; the exit code, a part of what is said.
    let table: [(&[&str], i32, &str); 13] = [
        (&[], 2, "which model is wanted? say --preset NAME"),
        (&["--preset", "phi-five"], 1, "unknown"),
        (&["--preset", "phi-4", "--instance-type", "m5.large"], 1, "it fits on Standard_"),
        (&["--preset", "phi-4", "--with", "argocd"], 2, "say --url URL"),
        (&["--preset", "phi-4", "--with", "flux", "--url", "oci://fleet"], 2, "oci://HOST/REPOSITORY:TAG"),
        (&["--preset", "phi-4", "--with", "argocd,flux", "--url", "oci://ghcr.io/acme/fleet"], 2, "--url names a registry"),
        (&["--preset", "phi-4", "--with", "jenkins"], 2, "possible values: github, gitlab, argocd, flux"),
        (&["--preset", "phi-4", "--with", "gitlab"], 2, "say --kaito-source OWNER/REPOSITORY@REVISION"),
        (&["--preset", "phi-4", "--with", "github", "--kaito-source", "acme"], 2, "such as acme/kaito@v0.1.0"),
        (&["--preset", "phi-4", "--name", "Phi"], 2, "lower-case letters"),
        (&["--preset", "phi-4", "-n", "No Such"], 2, "no name for a namespace"),
        (&["--preset", "phi-4", "--token-secret", "a: b"], 2, "lower-case letters"),
        (&["--preset", "phi-4", "--cloud", "arc"], 1, "where nodes are your own"),
    ];
    for (flags, code, said) in table {
        let run = run_in(home.path(), &[&["init"], flags].concat());
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{flags:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{flags:?}: {}", run.stderr);
        assert!(files(home.path()).is_empty(), "{flags:?}");
    }
}

#[test]
fn nothing_is_written_over() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("fleet")).unwrap();
    fs::write(home.path().join("fleet/kaito.yaml"), "mine").unwrap();
    let run = run_in(home.path(), &["init", "fleet", "--preset", "phi-4"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("nothing is written over, and there is fleet/kaito.yaml"), "{}", run.stderr);
    assert_eq!(files(home.path()), BTreeMap::from([("fleet/kaito.yaml".to_owned(), "mine".to_owned())]));
}

/// On a terminal of Python's: what is asked, and what is answered.
const ANSWER: &str = r#"
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.chdir(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])
read = b""
def wait_for(text):
    global read
    while text.encode() not in read:
        read += os.read(terminal, 4096)
    read = read.split(text.encode(), 1)[1]
for question, answer in [
    ("[phi-4]: ", "phi-five"), ("is unknown", None), ("[phi-4]: ", "phi-4"), ("[phi-4]: ", "chat"), ("[azure]: ", ""), ("[default]: ", "models"),
    ("  1  Standard_", None), ("[1]: ", "99"), ("[1]: ", "2"), ("[nothing]: ", "argocd,gitlab"),
    ("URL of the repository", "https://git.example.com/a.git"), ("OWNER/REPOSITORY@REVISION: ", "acme"), ("such as", None),
    ("OWNER/REPOSITORY@REVISION: ", "acme/kaito@v0.1.0"),
    ("Next:", None),
]:
    wait_for(question)
    if answer is not None:
        os.write(terminal, answer.encode() + b"\n")
sys.exit(os.WEXITSTATUS(os.waitpid(child, 0)[1]))
"#;

#[test]
fn it_asks_on_a_terminal() {
    let (home, script) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = script.path().join("answer.py");
    fs::write(&path, ANSWER).unwrap();
    let run = finish(Command::new("python3").arg(&path).arg(home.path()).args([env!("CARGO_BIN_EXE_kaito"), "init"]));
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let files = files(home.path());
    let names: Vec<&String> = files.keys().collect();
    assert_eq!(names, [".gitlab-ci.yml", "argocd/application.yaml", "kaito.yaml", "workspaces/chat.yaml"]);
    assert!(files["kaito.yaml"].contains("namespace: models\n") && files["workspaces/chat.yaml"].contains("name: phi-4\n"), "{files:?}");
    assert_eq!(run_in(home.path(), &["lint", "-R", "-f", "workspaces"]).code, 0);
}
