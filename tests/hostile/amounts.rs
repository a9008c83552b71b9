//! Too much of something: it is said, however much it is, and neither time nor memory goes with the square of it.

use std::fs;

use super::WORKSPACE;
use crate::support::{run, run_with_input};

/// Both verbs say it, and not much else.
fn said(input: &str, says: &str) {
    for verb in ["render", "lint"] {
        let run = run_with_input(&[verb, "-f", "-"], input);
        let said = format!("{}{}", run.stdout, run.stderr);
        let beginning: String = said.chars().take(2000).collect();
        assert_eq!(run.code, 1, "{verb}: {says}: {beginning}");
        assert!(said.contains(says), "{verb}: {says:?} is not said in\n{beginning}");
        assert!(!said.contains("panicked") && said.len() < 2 << 20, "{verb}: {says}: {beginning}");
    }
}

#[test]
fn of_one_thing() {
    let far = "# far from the beginning\n".repeat(100_000);
    let fields = |count: usize| (0..count).map(|number| format!("f{number}: 1\n")).collect::<Vec<_>>().concat();
    let long = "x".repeat(10 << 20);
    let table = [
        ("a:\n---\n".repeat(200_001), "more than 200000 documents"),
        ("{\"a\": 1}\n".repeat(200_001), "more than 200000 documents"),
        (format!("{far}a: 0\n{}", "a: 1\n".repeat(100_000)), "the key \"a\" stands here again; it is already on line 100001"),
        (format!("a:\n{}", "- !x y\n".repeat(100_000)), "has no meaning"),
        (WORKSPACE.replace("---\n", "") + &fields(50_000), "unknown field"),
        (
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{}---\na: 1\n", fields(50_000).replace('f', "  f")),
            "takes only strings",
        ),
        (format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{a: [{}]}}", "1,".repeat(500_000)), "500000 values"),
        (format!("a: &a {}\nb: [{}]", &long[..1 << 20], "*a, ".repeat(100)), "bytes more once its aliases are expanded"),
        (format!("a: &a {{x: [{}]}}\nb: {{<<: [{}]}}", "1,".repeat(50), "*a, ".repeat(50_000)), "values once its aliases are expanded"),
        // Lines of 10 MiB, at every place where somebody might look for what is alike.
        (WORKSPACE.replace("phi-4", &long), "error"),
        (WORKSPACE.replace("Standard_NC24ads_A100_v4", &long), "error"),
        (WORKSPACE.replace("kind: Workspace", &format!("kind: {long}")), "error"),
        (WORKSPACE.replace("name: fine", &format!("name: {long}")), "error"),
        (format!("{{\"apiVersion\": \"kaito.sh/v1beta1\", \"kind\": \"Workspace\", \"{long}\": 1}}"), "error"),
        (format!("{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"data\": {{\"a\": \"{long}\"}}}}"), "has no name"),
    ];
    for (input, says) in table {
        said(&input, says);
    }
}

/// What no document has too much of, all of them may.
#[test]
fn of_all_together() {
    let home = tempfile::tempdir().unwrap();
    let values = format!("apiVersion: v1\nkind: Thing\nmetadata: {{name: NAME}}\na: [{}]\n", "1,".repeat(450_000));
    let replicas = format!(
        "apiVersion: kaito.sh/v1beta1\nkind: InferenceSet\nmetadata: {{name: NAME}}\nspec: {{replicas: 1000, labelSelector: {{matchLabels: {{a: b}}}}, \
         template: {{resource: {{instanceType: Standard_NC24ads_A100_v4}}, inference: {{template: {{a: [{}]}}}}}}}}\n",
        "1,".repeat(5000)
    );
    let table =
        [(5, values, "more than 2000000 values"), (1, replicas, "more than 2000000 values"), (5, "#".repeat(15 << 20), "67108864 bytes")];
    for (files, text, says) in table {
        for number in 0..files {
            fs::write(home.path().join(format!("{number}.yaml")), text.replace("NAME", &format!("n{number}"))).unwrap();
        }
        let gate = ["--feature-gates", "enableInferenceSetController=true"];
        let run = run(&[&["render", "-f", home.path().to_str().unwrap()], &gate[..]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{says}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{says:?} is not said in\n{}", run.stderr);
        for number in 0..files {
            fs::remove_file(home.path().join(format!("{number}.yaml"))).unwrap();
        }
    }
}

/// A configuration is held against every object.
#[test]
fn of_a_configuration() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("in.yaml"), WORKSPACE).unwrap();
    fs::write(home.path().join("patch"), format!("{}[{{op: remove, path: /none}}]", "# large\n".repeat(5 << 20))).unwrap();
    let entry = |count: usize, entry: &str| format!("[{}]", [entry].repeat(count).join(", "));
    let table = [
        ("patches", entry(1001, "{path: patch, target: {kind: Job}}"), "1001 are too many; the most is 1000"),
        ("patches", entry(3, "{path: patch, target: {kind: Job}}"), "all files together have more than 67108864 bytes"),
        ("nodes", entry(11, "{name: a, count: 10000}"), "110000 are too many; the most is 100000"),
        ("registryMirrors", entry(1001, "{prefix: a.com, location: b.com}"), "too many"),
    ];
    for (field, value, says) in table {
        let config = format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n{field}: {value}\n");
        fs::write(home.path().join("kaito.yaml"), config).unwrap();
        let run = run(&["render", "-f", home.path().to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{says}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{says:?} is not said in\n{}", run.stderr);
    }
}

/// Each Workspace may have many nodes, and a hundred of them may; those behind are refused, and no others.
#[test]
fn of_nodes() {
    let workspace = |number: usize, count: usize| {
        format!(
            "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {{name: w{number:03}}}\n\
             resource: {{instanceType: Standard_NC24ads_A100_v4, count: {count}, labelSelector: {{matchLabels: {{apps: w{number:03}}}}}}}\n\
             inference: {{template: {{spec: {{containers: [{{name: server, image: 'registry.example.com/server:1.0'}}]}}}}}}\n---\n"
        )
    };
    let all = (0..100).map(|number| workspace(number, 1000)).collect::<String>();
    let run_lint = |input: &str| run_with_input(&["lint", "-f", "-"], input);
    let fine = run_lint(&all);
    assert_eq!(fine.code, 0, "{}{}", fine.stdout, fine.stderr);
    let more = run_lint(&format!("{all}{}{}", workspace(100, 1000), workspace(101, 1)));
    let said = format!("{}{}", more.stdout, more.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error[too-many-nodes]")).collect();
    assert_eq!(errors.len(), 2, "{said}");
    for (error, nodes) in errors.into_iter().zip([101_000, 101_001]) {
        assert!(error.contains(&format!("with this Workspace, there are {nodes} nodes; all together have at most 100000")), "{error}");
    }
    assert!(said.contains("w100") && said.contains("w101") && !said.contains("w099"), "{said}");
    said_by_render(&format!("{all}{}", workspace(100, 1)), "there are 100001 nodes");
}

/// What can't be rendered whole isn't printed at all.
fn said_by_render(input: &str, says: &str) {
    let run = run_with_input(&["render", "-f", "-"], input);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains(says), "{says:?} is not said in\n{}", run.stderr);
}
