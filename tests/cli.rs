//! The command line: exit codes, streams, flags.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::support::{hides_secrets, kaito, run, run_with_input};

#[test]
fn exit_codes() {
    let table: [(&[&str], i32); 22] = [
        (&["render", "-f", "examples/phi-3-mini"], 0),
        (&["render", "-f", "examples"], 1),
        (&["render", "-f", "nowhere"], 1),
        (&["render", "-f", "examples/phi-3-mini", "-l", "no=such"], 1),
        (&["render", "-f", "examples/phi-3-mini", "-l", "no=such", "--allow-empty"], 0),
        (&["render", "-f", "examples/phi-3-mini", "-n", "models"], 0),
        (&["render", "-f", "examples/phi-3-mini", "--kaito-version", "0.1"], 2),
        (&["render", "-f", "examples/phi-3-mini", "--kaito-version", "v0.12.3"], 0),
        (&["render", "-f", "examples/phi-3-mini", "--feature-gates", "nope=true"], 2),
        (&["render", "-f", "examples/phi-3-mini", "--feature-gates", "vLLM"], 2),
        (&["render", "-f", "examples/phi-3-mini", "--feature-gates", "vLLM=T,enableMIG=0"], 0),
        (&["render", "-f", "examples/phi-3-mini", "-n", "No Such"], 2),
        (&["render", "-f", "examples/phi-3-mini,examples/phi-3-mini/workspace.yaml", "-l", "a=b", "-l", "!a"], 0),
        (&["render", "-f", "docs", "--explain"], 1),
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
fn crds_by_every_name_that_kubectl_knows() {
    let names = |args: &[&str]| {
        let json: serde_json::Value = serde_json::from_str(&run(&[&["crd", "-o", "json"], args].concat()).stdout).unwrap();
        let items = json["items"].as_array().cloned().unwrap_or_else(|| vec![json]);
        items.iter().map(|crd| crd["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for name in ["Workspace", "workspace", "workspaces", "wk", "WKS", "workspaces.kaito.sh"] {
        assert_eq!(names(&[name]), ["workspaces.kaito.sh"], "{name}");
    }
    // Each once, in the order in which all are printed.
    assert_eq!(names(&["mri", "wk", "Workspace"]), ["workspaces.kaito.sh", "multiroleinferences.kaito.sh"]);
    assert_eq!(names(&[]), kaito::crd::KINDS.iter().map(|kind| format!("{}.kaito.sh", kind.plural)).collect::<Vec<_>>());
    let unknown = run(&["crd", "workspce"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("a similar value exists: 'workspaces'"), "{}", unknown.stderr);
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

/// Credentials are in the memory of a process.
#[cfg(target_os = "linux")]
#[test]
fn no_memory_is_dumped() {
    let mut child = kaito().args(["lint", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More than fits into a pipe: once it is written, kaito has begun to read.
    stdin.write_all(&b"# nothing\n".repeat(100_000)).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let of_cores = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(of_cores.split_whitespace().next(), Some("0"), "{limits}");
    drop(stdin);
    hides_secrets("stderr", &String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut child = kaito().args(["preset", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    hides_secrets("stderr", &stderr);
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

#[test]
fn templates_that_make_one_object_twice() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("service.yaml"), "apiVersion: v1\nkind: Service\nmetadata: {name: one, namespace: a}\n").unwrap();
    let run = run(&["render", "-f", "examples/data-parallel,examples/adapters", "--templates", home.path().to_str().unwrap()]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains("the templates make Service a/one twice"), "{}", run.stderr);
}

#[test]
fn one_configuration_for_inputs_with_and_without() {
    let home = tempfile::tempdir().unwrap();
    let config_map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    for name in ["with", "without"] {
        std::fs::create_dir(home.path().join(name)).unwrap();
        std::fs::write(home.path().join(name).join("in.yaml"), config_map(name)).unwrap();
    }
    std::fs::write(home.path().join("with/kaito.yaml"), "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n").unwrap();
    let both = format!("{0}/with,{0}/without", home.path().display());
    let run = run(&["render", "-f", &both, "-o", "name"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("holds for all inputs"), "{}", run.stderr);
}

#[test]
fn a_set_is_explained_by_its_own_name() {
    let run = run(&["explain", "phi-4", "-f", "examples/inference-set"]);
    assert!(run.stdout.contains("Workspace default/phi-4-0") && run.stdout.contains("Workspace default/phi-4-1"), "{}", run.stdout);
}

#[test]
fn what_only_an_api_server_writes_is_not_printed() {
    let input = "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: w, uid: u, resourceVersion: '1', managedFields: []}\n\
        resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {}}\ninference: {preset: {name: phi-4}}\nstatus: {state: Ready}\n";
    let run = run_with_input(&["render", "-f", "-", "--include-workspace"], input);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for field in ["uid", "resourceVersion", "managedFields", "status:"] {
        assert!(!run.stdout.contains(field), "{field}");
    }
}
