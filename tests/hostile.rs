//! Inputs that mean harm: each is refused with a clear message, soon, and nothing is printed.

mod amounts;
mod reports;
mod repository;
mod submodules;

use std::fmt::Write as _;
use std::fs;

use crate::support::{hides_secrets, run, run_with_input};

const WORKSPACE: &str = "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: fine}\nresource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {}}\ninference: {preset: {name: phi-4}}\n---\n";

/// Refused by itself, and behind a Workspace that is fine: nothing of that may be printed either.
fn refused(input: &str, says: &str) {
    refused_once(input, says);
    refused_once(&format!("{WORKSPACE}{input}"), says);
}

fn refused_once(input: &str, says: &str) {
    let run = run_with_input(&["render", "-f", "-"], input);
    assert_eq!(run.code, 1, "{says}: {}", run.stderr);
    assert_eq!(run.stdout, "", "{says}");
    assert!(run.stderr.contains(says), "{says:?} is not said in\n{}", &run.stderr[..run.stderr.len().min(2000)]);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
}

#[test]
fn bombs_and_abysses() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        _ = writeln!(bomb, "a{level}: &a{level} [{aliases}]");
    }
    refused(&bomb, "once its aliases are expanded");
    refused(&format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000)), "well-formed");
    refused(&"- ".repeat(100_000), "well-formed");
    refused(&format!("{{\"a\":{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_001)), "well-formed");
    refused("a: &a [*a]", "refers to a value that contains it");
    refused("a: *missing", "well-formed");
}

#[test]
fn text_that_is_no_manifest() {
    refused("\u{0}", "error");
    refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: x\u{0}y}\n", "well-formed");
    refused("just words", "a Kubernetes object is a mapping");
    refused("- a\n- b\n", "a Kubernetes object is a mapping");
    refused("apiVersion: [v1]\nkind: ConfigMap\n", "expected a string");
    refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "has no name");
    refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, name: b}\n", "stands here again");
    refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: !!python/object x\n", "has no meaning");
    refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: .nan}\n", "not a finite number");
    refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n? [complex, key]\n: x\n", "a key must be a string");
    refused(&format!("a: {}", "x".repeat(10 << 20)), "neither apiVersion nor kind");
}

#[test]
fn syntax_errors_beside_letters_of_several_bytes() {
    for broken in [
        "é: [ü",
        "a: \"é\n",
        "名前: 'モデル\nb: c",
        "- é\n b: ü: ö",
        "🦀: {🦀",
        "a: é\n\tb: ü",
        "{\"é\": \"ü",
        "é: *ü",
        "é: !ü ö",
        "\u{feff}é: [",
        "a: |é\n b",
    ] {
        refused(broken, "error: ");
    }
}

#[test]
fn numbers_beyond_all_measure() {
    let workspace = |resource: &str, rest: &str| {
        format!(
            "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {{name: w{rest}}}\nresource: {{instanceType: Standard_NC24ads_A100_v4, labelSelector: {{}}, {resource}}}\ninference: {{preset: {{name: phi-4}}}}\n"
        )
    };
    refused(&workspace("count: 99999999999999999999", ""), "99999999999999999999 is too large");
    refused(&workspace("count: 1e999", ""), "expected an integer");
    refused(&workspace("count: 0x7fffffffffffffffff", ""), "resource.count");
    refused(&workspace("count: 2147483647", ", annotations: {kaito.sh/runtime: transformers}"), "at most 1000");
    let set = "apiVersion: kaito.sh/v1beta1\nkind: InferenceSet\nmetadata: {name: s}\nspec: {replicas: 2147483647, labelSelector: {matchLabels: {a: b}}, template: {resource: {instanceType: Standard_NC24ads_A100_v4}, inference: {preset: {name: phi-4}}}}\n";
    let run = run_with_input(&["render", "-f", "-", "--feature-gates", "enableInferenceSetController=true"], set);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains("spec.replicas"), "{}", run.stderr);
}

#[test]
fn figures_of_presets_beyond_all_measure() {
    let home = tempfile::tempdir().unwrap();
    let table = [
        ("weights: 99999999Pi", "is no size"),
        ("contextLimit: 18446744073709551615", "contextLimit"),
        ("config: {hiddenSize: 9223372036854775807}", "too large; the most is 1000000"),
        ("config: {numAttentionHeads: 0}", "too small; the least is 1"),
    ];
    for (field, says) in table {
        fs::write(home.path().join("own.yaml"), format!("models:\n- id: microsoft/phi-4\n  {field}\n")).unwrap();
        let run = run(&["render", "-f", "examples/data-parallel", "--presets", home.path().to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{field}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{field}: {says:?} is not said in\n{}", run.stderr);
    }
}

#[test]
fn defaults_of_tuning_that_are_none() {
    let home = tempfile::tempdir().unwrap();
    let table = [
        ("lora: {config: {TrainingArguments: {output_dir: ../x}}}", "is no place for results"),
        ("lora: {config: {QuantizationConfig: {load_in_4bit: true}}}", "lora doesn't quantize"),
        ("lora: {name: A_B}", "is no name for a ConfigMap"),
        ("lora: {name: qlora-params-template}", "two defaults are called qlora-params-template"),
    ];
    for (default, says) in table {
        fs::write(home.path().join("tuning.yaml"), format!("defaults: {{{default}}}\n")).unwrap();
        let input = "golden/cases/tuning-karpenter/input.yaml";
        let run = run(&["render", "-f", input, "--presets", home.path().to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{default}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{default}: {says:?} is not said in\n{}", run.stderr);
    }
}

#[test]
fn a_full_disk_is_said() {
    let verbs: [&[&str]; 7] = [
        &["render", "-f", "examples/data-parallel"],
        &["lint", "-f", "examples/data-parallel"],
        &["explain", "-f", "examples/data-parallel"],
        &["preset", "list"],
        &["sku", "list"],
        &["schema"],
        &["completion", "bash"],
    ];
    for verb in verbs {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_kaito")).args(verb).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        hides_secrets("stderr", &stderr);
        assert_eq!(output.status.code(), Some(1), "{verb:?}: {stderr}");
        assert!(stderr.contains("standard output"), "{verb:?}: {stderr}");
    }
}

#[test]
fn configurations_that_are_none() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("in.yaml"), WORKSPACE).unwrap();
    let valid = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n";
    let table = [
        (String::new(), "is empty"),
        ("# nothing\n".to_owned(), "is empty"),
        (format!("{valid}---\n{valid}"), "holds one document"),
        ("kind: RenderConfig\n".to_owned(), "the field apiVersion is missing"),
        (format!("{valid}presets: ../elsewhere\n"), "there is no such file"),
        (format!("{valid}presetRegistry: http://registry\n"), "is no registry"),
        (format!("{valid}namespace: No Such\n"), "is no name for a namespace"),
        (format!("{valid}nodes: [{{name: a, count: 4000000000}}]\n"), "too large; the most is 10000"),
    ];
    for (config, says) in table {
        fs::write(home.path().join("kaito.yaml"), &config).unwrap();
        let run = run(&["render", "-f", home.path().to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{config}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{config}: {says:?} is not said in\n{}", run.stderr);
    }
}

#[test]
fn a_hundred_thousand_documents() {
    let many = "---\na: 1\n".repeat(100_000);
    refused(&many, "100000 errors; nothing was rendered");
}

#[test]
fn files_that_lead_elsewhere() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret.yaml");
    fs::write(&secret, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: outside}\n").unwrap();
    let repository = home.path().join("repository");
    fs::create_dir_all(repository.join("folder")).unwrap();
    fs::write(repository.join("a.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: inside}\n").unwrap();
    std::os::unix::fs::symlink("..", repository.join("folder/loop")).unwrap();
    let path = repository.to_str().unwrap();
    let fine = run(&["render", "-R", "-f", path, "-o", "name"]);
    assert_eq!((fine.code, fine.stdout.as_str()), (0, "configmap/inside\n"), "{}", fine.stderr);

    std::os::unix::fs::symlink(&secret, repository.join("b.yaml")).unwrap();
    let refused = run(&["render", "-R", "-f", path]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("a link to a place outside"), "{}", refused.stderr);
    fs::remove_file(repository.join("b.yaml")).unwrap();

    fs::write(repository.join("c.yaml"), b"a: \xff\xfe").unwrap();
    let refused = run(&["render", "-f", path]);
    assert!(refused.stderr.contains("c.yaml:1 is not UTF-8"), "{}", refused.stderr);
    fs::remove_file(repository.join("c.yaml")).unwrap();

    // Nobody waits for who never writes.
    let pipe = repository.join("d.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let refused = run(&["render", "-f", path]);
    assert!(refused.stderr.contains("d.yaml is not a file, but a pipe or a device"), "{}", refused.stderr);
    fs::remove_file(&pipe).unwrap();

    // A file of 2 GiB, of which nothing is on disk.
    fs::File::create(repository.join("e.yaml")).unwrap().set_len(2 << 30).unwrap();
    let refused = run(&["render", "-f", path]);
    assert!(refused.stderr.contains("e.yaml has more than 67108864 bytes"), "{}", refused.stderr);
    fs::remove_file(repository.join("e.yaml")).unwrap();

    fs::create_dir_all(repository.join("deep/".repeat(110))).unwrap();
    let refused = run(&["render", "-R", "-f", path]);
    assert!(refused.stderr.contains("deep/deep/deep, more than 100 directories are in one another"), "{}", refused.stderr);
}

#[test]
fn a_secret_is_never_shown() {
    let run = run_with_input(
        &["render", "-f", "-"],
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: hunter2\n  a: hunter3\n",
    );
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("<stdin>:6:3"), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter"), "{}", run.stderr);
}

#[test]
fn templates_of_ones_own_are_stopped() {
    let (home, large) = (tempfile::tempdir().unwrap(), "{{ name }}".repeat(30_000));
    let table = [
        (large.as_str(), "has more than 262144 bytes, which is the limit for a template"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}", "was stopped"),
        ("a: {{ ('a\\n' * 10000)|indent(99999999) }}", "was stopped"),
        ("a: {{ 'a'|indent(18446744073709551615) }}", "was stopped"),
        ("a: {{ 'x' * 999999999 }}", "was stopped"),
        ("a: {{ '%999999999d'|format(1) }}", "was stopped"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: x, annotations: {a: {{ 'x' * 9999999 }}}}", "an API server takes 3145728"),
        ("{% include \"/etc/passwd\" %}", "/etc/passwd"),
        ("apiVersion: v1\nkind: {{ nothing }}\nmetadata: {name: x}", "undefined"),
        ("apiVersion: v1\nkind: {{ name|safe }}\nmetadata: {name: x}", "filter"),
        ("kind: Service", "no apiVersion"),
        ("a: b: c", "well-formed"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n{{ name }}: 1\n{{ name }}: 2", "twice"),
        ("{% if %}", "syntax"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: {{ nam }}}", "did you mean name"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: \u{e0f0}0\u{e0f1}}", "U+E0F0"),
        ("{% set x %}{{ name }}{% endset %}apiVersion: v1\nkind: Service\nmetadata: {name: {{ x[0:9] }}}", "print that by itself"),
        (
            "{% set x %}{{ name }}{% endset %}apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: {{ {'a': x} }}}",
            "print that by itself",
        ),
        (
            "{% set x %}{{ name }}{% endset %}apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: {a: {{ x|reverse }}}}",
            "print that by itself",
        ),
    ];
    for (template, says) in table {
        fs::write(home.path().join("service.yaml"), template).unwrap();
        let run = run(&["render", "-f", "examples/data-parallel", "--templates", home.path().to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{says}: {}", run.stderr);
        assert!(run.stderr.contains(says) && run.stderr.contains("service.yaml"), "{says:?} is not said in\n{}", run.stderr);
    }
}

#[test]
fn patches_that_grow_without_end() {
    let doubling: Vec<String> = (0..60).map(|n| format!("{{op: copy, from: /metadata, path: /metadata/x{n}}}")).collect();
    let deepening: Vec<String> =
        (0..60).map(|n| format!("{{op: add, path: {}/x, value: {{x: {{x: {{x: {{}}}}}}}}}}", "/x/x/x/x".repeat(n))).collect();
    for (operations, says) in [
        (doubling, "larger or deeper"),
        (deepening, "larger or deeper"),
        (vec![format!("{{op: remove, path: /{}}}", "a".repeat(1 << 20))], "no such place"),
        (vec!["{op: replace, path: '', value: []}".to_owned()], "no Kubernetes object"),
    ] {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("w.yaml"), WORKSPACE).unwrap();
        let patches = "patches: [{path: p.yaml, target: {kind: StatefulSet}}, {path: p.yaml, target: {name: '(a*)*b|.*'}}]";
        let config = format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n{patches}\n");
        fs::write(home.path().join("kaito.yaml"), config).unwrap();
        fs::write(home.path().join("p.yaml"), format!("[{}]", operations.join(", "))).unwrap();
        let run = run(&["render", "-f", home.path().to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{says}");
        assert!(run.stderr.contains(says) && !run.stderr.contains("panicked"), "{says}: {}", &run.stderr[..run.stderr.len().min(3000)]);
    }
}

/// What is read only in part may say anything in the rest, and so what depends on it isn't rendered either.
#[test]
fn configurations_that_are_read_in_part() {
    let gates =
        "enableInferenceSetController=true,enableMultiRoleInferenceController=true,gatewayAPIInferenceExtension=true,ModelMirror=true";
    let config = |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, name: c}}\ndata: {data}\n---\n");
    let workspace = |job: &str| {
        format!(
            "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {{name: w}}\nresource: {{instanceType: Standard_NC24ads_A100_v4, labelSelector: {{matchLabels: {{a: b}}}}}}\n{job}\n"
        )
    };
    let serving = workspace("inference: {preset: {name: phi-4}, config: c}");
    let tuning = workspace(
        "tuning: {preset: {name: phi-4}, method: qlora, config: c, input: {urls: ['https://example.com/a.parquet']}, output: {image: 'example.com/a:1', imagePushSecret: s}}",
    );
    let engine = "apiVersion: kaito.sh/v1beta1\nkind: RAGEngine\nmetadata: {name: r}\nspec: {compute: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {a: b}}}, embedding: {local: {modelID: BAAI/bge-small-en-v1.5}}, inferenceService: {url: 'http://a/v1/completions', contextWindowSize: 512}, guardrails: {enabled: true, configMapRef: {name: c}}}\n";
    let table = [
        (config("{inference_config.yaml: 'vllm: {max-model-len: 4096}'}"), serving.as_str()),
        (config("{training_config.yaml: 'training_config: {}'}"), &tuning),
        (config("{guardrails.yaml: 'x: 1'}"), engine),
    ];
    for (config, object) in table {
        for input in [format!("{config}{object}"), format!("{object}---\n{config}")] {
            let run = run_with_input(&["lint", "--feature-gates", gates, "-f", "-"], &input);
            let said = format!("{}{}", run.stdout, run.stderr);
            assert_eq!(run.code, 1, "{said}");
            assert!(said.contains("the ConfigMap c couldn't be read whole, in <stdin>:"), "{said}");
        }
        // Read whole, nothing of that is said.
        let run = run_with_input(
            &["lint", "--feature-gates", gates, "-f", "-"],
            &format!("{}{object}", config.replace("name: c, name: c", "name: c")),
        );
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("read whole"), "{}{}", run.stdout, run.stderr);
    }
}

/// A mirror of which a part isn't known isn't made, and no Workspace streams from it.
#[test]
fn mirrors_that_are_read_in_part() {
    const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nfeatureGates: {ModelMirror: true, ModelStreaming: true}\n\
        modelStreaming: {storageClass: blob-fuse, serviceAccount: s, containers: [{storageAccount: models, container: weights}]}\n";
    const WORKSPACE: &str = "---\napiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: w}\n\
        resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: w}}}\ninference: {preset: {name: phi-4}}\n";
    let mirror = |name: &str, further: &str| {
        format!(
            "apiVersion: kaito.sh/v1alpha1\nkind: ModelMirror\nmetadata: {{name: 7aceaf{name}}}\nspec:\n  \
             source: {{registry: huggingface, modelID: microsoft/phi-4}}\n  \
             storage: {{size: 107Gi, storageClassName: blob-fuse}}\n  jobNamespace: models\n{further}"
        )
    };
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kaito.yaml"), CONFIG).unwrap();
    let path = home.path().to_str().unwrap();
    for (mirror, is_whole) in [
        (mirror("", ""), true),
        (mirror(", name: 7aceaf", ""), false),
        (mirror("", "  jobNamespace: others\n"), false),
        (mirror("", "  noSuchField: 1\n"), false),
        (mirror("", "  mode: [x]\n"), false),
    ] {
        for input in [format!("{mirror}{WORKSPACE}"), format!("{WORKSPACE}---\n{mirror}")] {
            fs::write(home.path().join("all.yaml"), &input).unwrap();
            let run = run(&["render", "-f", path]);
            assert_eq!((run.code == 0, !run.stdout.is_empty()), (is_whole, is_whole), "{input}{}", run.stderr);
            assert_eq!(!run.stderr.contains("the ModelMirror 7aceaf couldn't be read whole"), is_whole, "{input}{}", run.stderr);
        }
    }
}
