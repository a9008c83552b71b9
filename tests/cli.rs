//! The command line: exit codes, streams, flags.

use std::io::Read;
use std::process::Stdio;

use crate::support::{kaito, run, run_with_input};

#[test]
fn exit_codes() {
    let table: [(&[&str], i32); 16] = [
        (&["render", "-f", "examples/phi-3-mini"], 0),
        (&["render", "-f", "examples"], 1),
        (&["render", "-f", "nowhere"], 1),
        (&["render", "-f", "examples/phi-3-mini", "-l", "no=such"], 1),
        (&["render", "-f", "examples/phi-3-mini", "-l", "no=such", "--allow-empty"], 0),
        (&["render", "-f", "examples/phi-3-mini", "-n", "models"], 0),
        (&["render", "-f", "examples/phi-3-mini", "--kaito-version", "0.1"], 1),
        (&["render", "-f", "examples/phi-3-mini", "--feature-gates", "nope=true"], 1),
        (&["render"], 2),
        (&["render", "-f", "examples/phi-3-mini", "-o", "toml"], 2),
        (&["render", "-f", "examples/phi-3-mini", "-l", "a in"], 2),
        (&["render", "-f", "examples/phi-3-mini", "--output-dir", "x", "-o", "json"], 2),
        (&["nonsense"], 2),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["preset", "show", "phi-5"], 1),
    ];
    for (args, code) in table {
        let run = run(args);
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout.is_empty(), code != 0 || args.contains(&"--allow-empty"), "{args:?}: data exactly when it succeeds");
        assert!(!run.stderr.contains("panicked"));
    }
}

#[test]
fn formats_say_the_same() {
    let yaml = run(&["render", "-f", "examples/adapters"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&run(&["render", "-f", "examples/adapters", "-o", "json"]).stdout).unwrap();
    let names = run(&["render", "-f", "examples/adapters", "-o", "name"]).stdout;
    let items = json["items"].as_array().unwrap();
    let documents: Vec<serde_json::Value> = {
        let file = kaito::diagnostic::SourceFile::new("out", yaml);
        kaito::yaml::read(&file, kaito::yaml::Limits::default(), &mut Vec::new()).iter().map(|document| document.root.to_value()).collect()
    };
    assert_eq!(&documents, items);
    assert_eq!(names.lines().count(), items.len());
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut child = kaito().args(["preset", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_passes_and_what_does_not() {
    let input = "apiVersion: v1\nkind: Node\nmetadata: {name: n}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: m, labels: {a: b}}\n---\n\
        apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: local, annotations: {config.kubernetes.io/local-config: 'true'}}\n";
    let names = |args: &[&str]| run_with_input(&[&["render", "-f", "-", "-o", "name"], args].concat(), input).stdout;
    assert_eq!(names(&[]), "namespace/m\nconfigmap/c\n");
    assert_eq!(names(&["-l", "a=b"]), "namespace/m\n");
    assert_eq!(names(&["--passthrough=false", "--allow-empty"]), "");
}

#[test]
fn the_workspace_itself_on_request() {
    let run = run(&["render", "-f", "examples/phi-3-mini", "--include-workspace", "-o", "name"]);
    assert!(run.stdout.starts_with("workspace.kaito.sh/workspace-phi-3-mini\n"), "{}", run.stdout);
}

#[test]
fn catalogs_and_completions() {
    assert!(run(&["preset", "list", "-o", "name"]).stdout.lines().count() == 60);
    assert!(run(&["preset", "show", "PHI-4"]).stdout.contains("id: microsoft/phi-4"));
    assert!(run(&["sku", "list", "--cloud", "aws"]).stdout.contains("g5.4xlarge"));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(run(&["completion", shell]).stdout.contains("kaito"), "{shell}");
    }
}
