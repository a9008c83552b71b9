//! Tricky strings in every field that takes one: kubectl (Go's `sigs.k8s.io/yaml`, really run) reads back what was meant, and
//! nothing leaves its field.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use serde_json::{Value, json};

use crate::support::{names, run, run_with_input};

/// Strings that some YAML reader, template engine or shell takes for something else.
fn tricky() -> Vec<String> {
    let words = "yes no on off y n Y N Yes NO On OFF true false True FALSE null Null NULL ~ 012 0o14 0x1F 0b11 1e3 1E3 1_000 +1 -1 .5 5. 1.5 1.10 \
        .inf -.Inf .nan .NaN 12:30:45 190:20:30 2001-01-01 2001-12-14T21:59:43Z 0 00 08 09 -0 1e 0x 1__0 = << - -- --- ... ? : , [ ] { } [] {} [a] {a:b} \
        & &a * *a ! !! !a !!str !!binary | |- > >- % %YAML @ ` # a#b #a \" ' \"\" '' \\ \\n \\x41 // /* <!-- $ ${HOME} $(id) `id` ; && | \u{e9} \u{1f600} {{ }} \
        {{name}} {{7*7}} {%raw%} {#x#} ${{x}} \u{e0f0}0\u{e0f1} \u{e0f0} \u{e0f2}x \u{85} \u{a0} \u{2028} \u{2029} \u{feff} \u{200b} \u{202e} \u{fffd} \u{10ffff}";
    let mut all: Vec<String> = words.split(' ').filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect();
    let texts = [
        "",
        " ",
        "  a",
        "a  ",
        "a b",
        "a: b",
        "a:",
        ": a",
        "a #b",
        "- a",
        "-a",
        "? a",
        "a\nb",
        "a\nb\n",
        "a\n\nb",
        "a\n\n",
        "\na",
        "\n",
        "\n\n",
        " \n",
        "\t",
        "a\tb",
        "\ta",
        "a\t",
        "a\r\nb",
        "a\rb",
        "\r",
        "  a\nb",
        "a\n  b\n",
        "a\n---\nb",
        "---\na",
        "a\n...\n",
        "\u{0}",
        "a\u{0}b",
        "\u{1}",
        "\u{7f}",
        "\u{1b}[31mred",
        "a\u{85}b",
        "a\u{2028}b",
        "key: value\nother: [1, 2]",
        "{\"a\": 1}",
        "x\nkind: Secret",
        "x\n      privileged: true",
        "\"quoted\"",
        "'quoted'",
        "it's",
        "say \"hi\"",
        "a\\",
        "\\",
        "a\\\nb",
        "{{ name }}",
        "{% for x in y %}",
        "{{ \"a\" }}",
        "'; rm -rf / #",
        "$(touch /tmp/x)",
        "\"; exit 1",
        "a,b",
        "a, b",
        "[a, b]",
        "{a: b}",
        "*",
        "&",
        "!",
        "%",
        "@a",
        "`a`",
        "# comment",
        "a # comment",
        "|",
        "| a",
        ">",
        "> a",
        "- - a",
        "-\n-",
        "...",
        "--- a",
        "!!int 5",
        "*alias",
        "&anchor a",
        "<<: *a",
        "null ",
        " null",
        "true\n",
        "yes\n",
        "1 ",
        " 1",
        "0x1F\n",
        "a:b",
        "http://a/b?c=d#e",
        "C:\\a",
        "%20",
        "100%",
        "~/a",
        "a~",
        "\u{65e5}\u{672c}\u{8a9e}",
        "\u{1f468}\u{200d}\u{1f469}",
        "e\u{301}",
    ];
    all.extend(texts.map(ToOwned::to_owned));
    all.push("x".repeat(5000));
    all.push("word ".repeat(200));
    all.push("a\n".repeat(300));
    all.sort();
    all.dedup();
    all
}

/// What Go reads from YAML documents.
fn go_reads(stream: &str) -> Vec<Value> {
    static READER: OnceLock<tempfile::TempPath> = OnceLock::new();
    let reader = READER.get_or_init(|| {
        let path = tempfile::Builder::new().prefix("go-yaml").tempfile().expect("a file can be made").into_temp_path();
        let built = Command::new("go").args(["build", "-o"]).arg(&path).arg(".").current_dir("tests/go-yaml").status();
        assert!(built.is_ok_and(|status| status.success()), "Go is needed to read what was written as kubectl reads it");
        path
    });
    let mut child = Command::new(&**reader).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stream = stream.to_owned();
    let writer = thread::spawn(move || stdin.write_all(stream.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A Workspace with the string wherever anything may stand, and a ConfigMap and a Secret with it.
fn free_fields(index: usize, text: &str) -> Vec<Value> {
    let template = json!({
        "metadata": {"annotations": {"a": text}},
        "spec": {
            "containers": [{"name": "c", "image": text, "command": [text, "-c"], "args": [text], "env": [{"name": "E", "value": text}], "workingDir": text}],
            "nodeSelector": {"k": text}, "tolerations": [{"key": text}], "volumes": [{"name": "v", "hostPath": {"path": text}}], text: text,
        },
    });
    let name = format!("w{index}");
    vec![
        json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": name, "annotations": {"x": text}},
            "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}}, "inference": {"template": template}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": text, text: "v"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": text}}),
    ]
}

#[test]
fn go_reads_what_was_meant() {
    let strings = tricky();
    assert!(strings.len() >= 200, "{} strings", strings.len());
    let documents: Vec<Value> = strings.iter().enumerate().flat_map(|(index, text)| free_fields(index, text)).collect();
    // JSON may hold DEL as it is, YAML only escaped.
    let input: String = documents.iter().map(|document| format!("---\n{document}\n").replace('\u{7f}', "\\u007f")).collect();
    let yaml = run_with_input(&["render", "-f", "-"], &input);
    assert_eq!(yaml.code, 0, "{}", yaml.stderr);
    let json: Value = serde_json::from_str(&run_with_input(&["render", "-f", "-", "-o", "json"], &input).stdout).unwrap();
    let want = json["items"].as_array().unwrap();
    let have = go_reads(&yaml.stdout);
    assert_eq!(have.len(), want.len());
    for (have, want) in have.iter().zip(want) {
        assert_eq!(have, want, "Go reads something else");
    }
    for (index, text) in strings.iter().enumerate() {
        let object =
            |kind: &str| want.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == format!("w{index}")).unwrap();
        assert_eq!(object("ConfigMap")["data"], json!({"k": text, text: "v"}), "{text:?}");
        assert_eq!(object("Secret")["stringData"]["k"], json!(text));
        let pod = &object("StatefulSet")["spec"]["template"];
        let meant = &free_fields(index, text)[0]["inference"]["template"];
        assert_eq!(pod["metadata"]["annotations"], meant["metadata"]["annotations"], "{text:?}");
        for field in ["containers", "nodeSelector", "volumes", text.as_str()] {
            assert_eq!(pod["spec"][field], meant["spec"][field], "{text:?} in {field}");
        }
        assert_eq!(pod["spec"]["tolerations"].as_array().unwrap().len(), 4, "{text:?}");
    }
}

/// Fields with rules: a string is refused, or it is there as it was meant, in a pod that has the shape of every other.
#[test]
fn nothing_leaves_a_field_with_rules() {
    let place = |text: &str| {
        json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace",
            "metadata": {"name": "w", "labels": {"inferenceset.kaito.sh/created-by": text}},
            "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": text}}},
            "inference": {"preset": {"name": "phi-4", "presetOptions": {"modelAccessSecret": text}}, "adapters": [
                {"source": {"name": "one", "volumeSource": {"hostPath": {"path": text}}}},
                {"source": {"name": "two", "image": format!("r.io/{text}:1"), "imagePullSecrets": [text]}}]}})
    };
    let plain = place("x").to_string();
    let want: Value = serde_json::from_str(&run_with_input(&["render", "-f", "-", "-o", "json"], &plain).stdout).unwrap();
    let mut accepted = 0;
    for text in tricky() {
        let run = run_with_input(&["render", "-f", "-", "-o", "json"], &place(&text).to_string().replace('\u{7f}', "\\u007f"));
        assert!(!run.stderr.contains("panicked"), "{text:?}: {}", run.stderr);
        if run.code != 0 {
            assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{text:?}");
            continue;
        }
        accepted += 1;
        let have: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(shape(&have), shape(&want), "{text:?} changes the shape");
    }
    assert!(accepted > 10, "{accepted} were accepted");
}

/// A value with its strings blotted out.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => json!("*"),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect()),
        other => other.clone(),
    }
}

#[test]
fn go_reads_every_example_as_json_has_it() {
    for name in names("examples") {
        let directory = format!("examples/{name}");
        let json: Value = serde_json::from_str(&run(&["render", "-f", &directory, "-o", "json"]).stdout).unwrap();
        assert_eq!(&go_reads(&run(&["render", "-f", &directory]).stdout), json["items"].as_array().unwrap(), "{name}");
    }
}
