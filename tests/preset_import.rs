//! `kaito preset import` and `kaito preset check`: of folders and of a hub that is spoken to over HTTP.
//!
//! - `golden/imports/ORGANISATION--MODEL/model/` is imported with the flags in `args`, if there are any, and the preset is compared
//!   with `expected.yaml` beside it, what is said with `expected.txt`. The recorded models of the catalog are there too.
//! - `golden/checks/NAME/presets/` is checked, and what is said compared with `expected.txt`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use kaito::diagnostic::SourceFile;
use kaito::options::Cloud;
use kaito::plan::estimate;
use kaito::preset::{Catalog, Layer};

use crate::catalog::{arguments, command, data};
use crate::support::{Run, expect, finish, kaito, names, run};

const COMMIT: &str = "0e9e39f249a16976918f6564b8830bc894c89659";
const TOKEN: &str = "hf_verysecret";

#[test]
fn imports() {
    let mut faults = Vec::new();
    for name in names("golden/imports") {
        let directory = Path::new("golden/imports").join(&name);
        let flags = fs::read_to_string(directory.join("args")).unwrap_or_default();
        let (id, from) = (name.replacen("--", "/", 1), directory.join("model"));
        let mut args = vec!["preset", "import", &id, "--from", from.to_str().unwrap(), "-o", "-"];
        args.extend(flags.split_whitespace());
        let imported = run(&args);
        assert_eq!(imported.code == 0, !imported.stdout.is_empty(), "{name}: output exactly when it succeeds");
        faults.extend(expect(&directory.join("expected.yaml"), &imported.stdout).err());
        faults.extend(expect(&directory.join("expected.txt"), &imported.stderr).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// The models that Kaito knows itself, imported, are what it knows: each node count and each argument.
#[test]
fn imported_models_plan_as_kaitos_own() {
    let built_in = Catalog::load("0.12", &[Layer::embedded("0.12")]).unwrap_or_else(|faults| panic!("{faults:?}"));
    let (counts, recorded) = (data("node-counts.yaml"), data("vllm-args.json"));
    let (mut compared, mut commands) = (0, 0);
    for name in names("golden/imports") {
        let Ok(own) = built_in.model(&name.replacen("--", "/", 1)) else { continue };
        let id = own.value.repository();
        let mut rules = Layer::embedded("0.12");
        if let Layer::BuiltIn(files) = &mut rules {
            files.retain(|file| !file.path.contains("/models/"));
        }
        let text = fs::read_to_string(format!("golden/imports/{name}/expected.yaml")).unwrap();
        let imported = Layer::Own(vec![SourceFile::new("imported.yaml", text)]);
        let catalog = Catalog::load("0.12", &[rules, imported]).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        let model = &catalog.model(&id).unwrap_or_else(|_| panic!("{id} is missing")).value;
        assert_eq!(model.weights.as_str(), own.value.weights.as_str(), "{id}");
        assert_eq!((model.attention(), model.context_limit), (own.value.attention(), own.value.context_limit), "{id}");
        for (cloud, skus) in counts[&id].as_object().into_iter().flatten() {
            for (sku, want) in skus.as_object().unwrap() {
                let shape = catalog.sku(Cloud::by_name(cloud).unwrap(), sku).unwrap().value.shape(String::new());
                let have = estimate(model, &shape, 2048, &catalog.sizing).ok().map(|estimate| estimate.nodes);
                assert_eq!(have, want.as_u64(), "{id} on {sku}");
                compared += 1;
            }
        }
        for (sku, want) in recorded[&id].as_object().into_iter().flatten() {
            let (nodes, line) = command(&catalog, &id, sku);
            let want_arguments: BTreeMap<String, String> = serde_json::from_value(want["args"].clone()).unwrap();
            assert_eq!((Some(nodes), arguments(&line)), (want["nodes"].as_u64(), want_arguments), "{id} on {sku}");
            commands += 1;
        }
    }
    assert!(compared > 300 && commands > 5, "only {compared} counts and {commands} commands were compared");
}

#[test]
fn checks() {
    let mut faults = Vec::new();
    for name in names("golden/checks") {
        let directory = Path::new("golden/checks").join(&name);
        let checked = run(&["preset", "check", directory.join("presets").to_str().unwrap()]);
        assert_eq!(checked.code, i32::from(checked.stderr.contains("error")), "{name}: {}", checked.stderr);
        faults.extend(expect(&directory.join("expected.txt"), &checked.stderr).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn the_presets_to_check_are_those_of_the_configuration() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(finish(kaito().args(["preset", "check"]).current_dir(&home)).code, 2);
    let own = fs::canonicalize("examples/own-presets").unwrap();
    let checked = finish(kaito().args(["preset", "check"]).current_dir(own));
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    assert!(checked.stderr.contains("2 files, 2 models, 1 size"), "{}", checked.stderr);
    assert_eq!(run(&["preset", "check", "nowhere"]).code, 1);
    assert_eq!(finish(kaito().args(["preset", "check", "."]).current_dir(&home)).code, 1, "nothing to check is no success");
}

/// The path of a request and its `Authorization`.
type Asked = (String, Option<String>);

/// A hub on this machine, which answers as it is told and notes what it was asked.
struct FakeHub {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeHub {
    /// A hub whose answers, status and all, are made from the path and the number of the request.
    fn new(answer: impl Fn(&str, usize) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(mut stream) = stream.ok() else { continue };
                let Some((path, authorization)) = request(&mut stream) else { continue };
                let number = {
                    let mut notes = notes.lock().unwrap();
                    notes.push((path.clone(), authorization));
                    notes.len()
                };
                // Who asked may have gone away.
                _ = stream.write_all(answer(&path, number).as_bytes());
            }
        });
        Self { port, asked }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Imports a model of this hub with the token in the environment; the token is never shown.
    fn import(&self, args: &[&str]) -> Run {
        let url = self.url();
        let all = [&["preset", "import", "acme/support-8b", "--endpoint", &url], args].concat();
        let run = finish(kaito().env("HF_TOKEN", TOKEN).args(all));
        assert!(!run.stdout.contains(TOKEN) && !run.stderr.contains(TOKEN), "the token is shown: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run
    }
}

/// Reads a request.
fn request(stream: &mut TcpStream) -> Option<Asked> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        (stream.read(&mut byte).ok()? == 1).then(|| text.push(byte[0]))?;
    }
    let text = String::from_utf8(text).ok()?;
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let header =
        lines.find_map(|line| line.to_lowercase().starts_with("authorization:").then(|| line["authorization:".len()..].trim().to_owned()));
    Some((path, header))
}

fn ok(body: &str) -> String {
    reply("200 OK", "", body)
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// The answers of a hub that has one model.
fn good(path: &str) -> String {
    match path.replace("Acme/SUPPORT-8b", "acme/support-8b").as_str() {
        "/api/models/acme/support-8b/revision/main" => ok(&format!(
            r#"{{"id": "acme/Support-8B", "sha": "{COMMIT}", "gated": "manual", "pipeline_tag": "text-generation",
            "cardData": {{"license": "other", "license_name": "acme, [no] \"quotes\": x", "base_model": ["acme/Base", "bad\nline"]}}}}"#
        )),
        path if path == format!("/api/models/acme/support-8b/tree/{COMMIT}?recursive=true") => reply(
            "200 OK",
            &format!(
                "Link: <https://elsewhere.invalid/api/models/acme/support-8b/tree/{COMMIT}?recursive=true&cursor=abc>; rel=\"next\"\r\n"
            ),
            r#"[{"type": "directory", "path": "x.safetensors", "size": 0}, {"type": "file", "path": "model-1.safetensors", "size": 8000000000}]"#,
        ),
        path if path == format!("/api/models/acme/support-8b/tree/{COMMIT}?recursive=true&cursor=abc") => {
            ok(r#"[{"type": "file", "path": "model-2.safetensors", "size": 8060522496}]"#)
        }
        path if path == format!("/acme/support-8b/resolve/{COMMIT}/config.json") => {
            ok(r#"{"architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
            "num_key_value_heads": 8, "max_position_embeddings": 131072, "rope_theta": Infinity}"#)
        }
        _ => reply("404 Not Found", "X-Error-Code: EntryNotFound\r\n", "no"),
    }
}

const PRESET: &str = "# Imported by `kaito preset import acme/Support-8B` at revision 0e9e39f249a16976918f6564b8830bc894c89659; \
gated, so its Workspaces need inference.preset.presetOptions.modelAccessSecret.
models:
- id: acme/Support-8B
  architectures: [LlamaForCausalLM]
  weights: 14.96Gi
  contextLimit: 131072
  config: {hiddenSize: 4096, numHiddenLayers: 32, numAttentionHeads: 32, numKeyValueHeads: 8}
  revision: 0e9e39f249a16976918f6564b8830bc894c89659
  license: \"acme, [no] \\\"quotes\\\": x\"
  task: text-generation
  baseModels: [acme/Base]
";

#[test]
fn a_hub_is_asked_once_and_rendering_needs_it_no_more() {
    let hub = FakeHub::new(|path, _| good(path));
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kaito.yaml"), "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\npresets: own\n").unwrap();
    let workspace = "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: w}\nresource: {instanceType: Standard_NC24ads_A100_v4, \
        labelSelector: {matchLabels: {a: w}}}\ninference: {preset: {name: acme/support-8b}}\n";
    fs::write(home.path().join("w.yaml"), workspace).unwrap();
    let render = || finish(kaito().args(["render", "-f", "w.yaml"]).current_dir(&home));
    let import = |id: &str| {
        let command = ["preset", "import", id, "--endpoint", &hub.url()].map(ToOwned::to_owned);
        finish(kaito().env("HUGGING_FACE_HUB_TOKEN", TOKEN).args(command).current_dir(&home))
    };
    fs::create_dir(home.path().join("own")).unwrap();
    assert!(render().stderr.contains("`kaito preset import acme/support-8b`"));
    let first = import("acme/support-8b");
    assert_eq!((first.code, first.stdout.as_str()), (0, ""), "{}", first.stderr);
    assert!(first.stderr.contains("wrote own/models/acme--support-8b.yaml") && first.stderr.contains("gated"), "{}", first.stderr);
    assert_eq!(fs::read_to_string(home.path().join("own/models/acme--support-8b.yaml")).unwrap(), PRESET);
    let rendered = render();
    assert_eq!(rendered.code, 0, "{}", rendered.stderr);
    assert!(rendered.stdout.contains(&format!("--code-revision={COMMIT}")) && rendered.stdout.contains("--tool-call-parser=llama3_json"));
    let again = import("Acme/SUPPORT-8b");
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("is up to date"), "{}", again.stderr);
    assert!(hub.asked().iter().all(|(_, authorization)| authorization.as_deref() == Some("Bearer hf_verysecret")));
    assert_eq!(hub.asked().len(), 8, "{:?}", hub.asked());
}

#[test]
fn an_update_keeps_what_is_the_users() {
    let hub = FakeHub::new(|path, _| good(path));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("model.yaml");
    let target = file.to_str().unwrap();
    let table = [
        // Comments, other models, fields of one's own, a block in the place of a flow, further documents, no line break at the end.
        (
            "# ours\nmodels:\n- id: ACME/support-8b  # the id\n  weights: 1Gi # too small\n  aliases: [s8]\n  config:\n    hiddenSize: 4096\n    \
             numHiddenLayers: 99 # odd\n  quantization: {method: fp8}\n  format: mistral\n  architectures: [LlamaForCausalLM]\n  arguments: {max-num-seqs: \"64\"}\n\
             - id: acme/other\n  weights: 2Gi\n---\n# below\nmodels: [{id: microsoft/phi-4, contextLimit: 8192}]",
            "# ours\nmodels:\n- id: ACME/support-8b  # the id\n  weights: 14.96Gi # too small\n  contextLimit: 131072\n  aliases: [s8]\n  config: {hiddenSize: 4096, \
             numHiddenLayers: 32, numAttentionHeads: 32, numKeyValueHeads: 8} # odd\n  quantization: null\n  format: auto\n  revision: 0e9e39f249a16976918f6564b8830bc894c89659\n  \
             license: \"acme, [no] \\\"quotes\\\": x\"\n  task: text-generation\n  baseModels: [acme/Base]\n  architectures: [LlamaForCausalLM]\n  arguments: {max-num-seqs: \"64\"}\n\
             - id: acme/other\n  weights: 2Gi\n---\n# below\nmodels: [{id: microsoft/phi-4, contextLimit: 8192}]",
        ),
        (
            "models: [{id: acme/support-8b, config: {hiddenSize: 1}, aliases: [s]}]\n",
            "models: [{id: acme/support-8b, architectures: [LlamaForCausalLM], weights: 14.96Gi, contextLimit: 131072, config: {hiddenSize: 4096, \
             numHiddenLayers: 32, numAttentionHeads: 32, numKeyValueHeads: 8}, revision: 0e9e39f249a16976918f6564b8830bc894c89659, \
             license: \"acme, [no] \\\"quotes\\\": x\", task: text-generation, baseModels: [acme/Base], aliases: [s]}]\n",
        ),
        (
            "{\"models\": [{\"id\": \"acme/support-8b\"}]}",
            "{\"models\": [{\"id\": \"acme/support-8b\", architectures: [LlamaForCausalLM], weights: 14.96Gi, contextLimit: 131072, \
             config: {hiddenSize: 4096, numHiddenLayers: 32, numAttentionHeads: 32, numKeyValueHeads: 8}, revision: 0e9e39f249a16976918f6564b8830bc894c89659, \
             license: \"acme, [no] \\\"quotes\\\": x\", task: text-generation, baseModels: [acme/Base]}]}",
        ),
    ];
    for (before, after) in table {
        fs::write(&file, before).unwrap();
        let refused = hub.import(&["-o", target]);
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains("--update"), "{}", refused.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "what is there stays");
        let updated = hub.import(&["-o", target, "--update"]);
        if before.contains("acme/other") {
            // The other model is half described, and so the file can't be used with or without the update.
            assert_eq!(updated.code, 1);
            assert!(updated.stderr.contains("contextLimit is missing"), "{}", updated.stderr);
            let text = SourceFile::new("model.yaml", before);
            let model = Catalog::load("0.12", &[Layer::embedded("0.12"), Layer::Own(vec![SourceFile::new("p.yaml", PRESET)])]);
            let model = model.unwrap().model("acme/support-8b").unwrap().value.clone();
            assert_eq!(kaito::preset::file::update(&text, &model, true).unwrap().text, after);
            continue;
        }
        assert_eq!(updated.code, 0, "{}", updated.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), after);
        assert!(updated.stderr.contains("weights: 14.96Gi"), "{}", updated.stderr);
        let again = hub.import(&["-o", target]);
        assert_eq!(again.code, 0, "{}", again.stderr);
    }
    // Written otherwise, and the same all the same; and a folder, which knows of no licence, takes none away.
    let folder = ["-o", target, "--from", "golden/imports/acme--indexed/model", "--revision", COMMIT];
    let in_other_words = "models:\n- id: acme/support-8b\n  weights: '14.96Gi'\n  contextLimit: 8192\n  config:\n    numHiddenLayers: 32\n    \
        hiddenSize: 4096\n    numKeyValueHeads: 8\n    numAttentionHeads: 32\n  architectures:\n  - LlamaForCausalLM\n  license: mit\n  \
        revision: 0e9e39f249a16976918f6564b8830bc894c89659\n";
    fs::write(&file, in_other_words).unwrap();
    let same = run(&[&["preset", "import", "acme/support-8b"], &folder[..]].concat());
    assert_eq!(same.code, 0, "{}", same.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), in_other_words);
    fs::write(&file, PRESET.replace("14.96Gi", "14.95Gi").replace(COMMIT, "1111111111111111111111111111111111111111")).unwrap();
    let updated = hub.import(&["-o", target, "--update"]);
    assert!(updated.stderr.contains("weights: 14.95Gi -> 14.96Gi"), "{}", updated.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), PRESET, "the first line is renewed too");
    // What can't be renewed in its place is left as it is.
    let aliases = "models:\n- id: acme/support-8b\n  license: &l mit\n  task: *l\n  config:\n    hiddenSize: *l\n";
    fs::write(&file, aliases).unwrap();
    let left = hub.import(&["-o", target, "--update"]);
    assert_eq!(left.code, 1, "{}", left.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), aliases);
    fs::write(&file, "kind: Something\n").unwrap();
    let foreign = hub.import(&["-o", target, "--update"]);
    assert_eq!(foreign.code, 1);
    assert!(foreign.stderr.contains("holds no entry of acme/Support-8B"), "{}", foreign.stderr);
}

#[test]
fn what_a_hub_refuses() {
    let gated = "X-Error-Code: GatedRepo\r\n";
    let table: [(&str, &str, &str, &[&str]); 8] = [
        (
            "/api/",
            "401 Unauthorized",
            "X-Error-Code: RepoNotFound\r\n",
            &["isn't shown to the owner of HF_TOKEN", "is there such a model?"],
        ),
        ("/resolve/", "401 Unauthorized", gated, &["accept its licence at", "set HF_TOKEN"]),
        ("/resolve/", "403 Forbidden", gated, &["accept its licence at", "/acme/support-8b"]),
        ("/api/", "404 Not Found", "X-Error-Code: RepoNotFound\r\n", &["has no model acme/support-8b"]),
        ("/api/", "404 Not Found", "X-Error-Code: RevisionNotFound\r\n", &["has no revision main"]),
        ("/resolve/", "404 Not Found", "", &["has neither config.json nor params.json"]),
        ("/api/", "429 Too Many Requests", "Retry-After: 100000\r\n", &["takes no more requests", "in 100000 seconds"]),
        ("/tree/", "418 I'm a teapot", "", &["answers with status 418"]),
    ];
    for (at, status, headers, said) in table {
        let hub = FakeHub::new(move |path, _| if path.contains(at) { reply(status, headers, "no") } else { good(path) });
        let run = hub.import(&["-o", "-"]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{status}: {}", run.stderr);
        assert!(said.iter().all(|said| run.stderr.contains(said)), "{status}: {}", run.stderr);
    }
    let without = FakeHub::new(move |_, _| reply("401 Unauthorized", gated, "no"));
    let run = finish(kaito().args(["preset", "import", "acme/support-8b", "-o", "-", "--endpoint", &without.url()]));
    assert!(run.stderr.contains("acme/support-8b is gated") && run.stderr.contains("set HF_TOKEN"), "{}", run.stderr);
    assert_eq!(without.asked()[0].1, None);
}

#[test]
fn a_busy_hub_is_asked_again() {
    let busy = ["429 Too Many Requests", "503 Service Unavailable"];
    let hub =
        FakeHub::new(move |path, number| busy.get(number - 1).map_or_else(|| good(path), |status| reply(status, "Retry-After: 0\r\n", "")));
    let run = hub.import(&["-o", "-"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, PRESET), "{}", run.stderr);
    let always = FakeHub::new(|_, _| reply("500 Internal Server Error", "Retry-After: 0\r\n", ""));
    let run = always.import(&["-o", "-"]);
    assert_eq!((run.code, always.asked().len()), (1, 4), "{}", run.stderr);
    assert!(run.stderr.contains("answers with status 500"), "{}", run.stderr);
}

#[test]
fn the_token_goes_to_nobody_else() {
    // Another port is another host, as far as trust goes.
    let other = FakeHub::new(|path, _| good(path));
    let to = other.url();
    let hub = FakeHub::new(move |path, _| match path {
        path if path.contains("/resolve/") => reply("302 Found", &format!("Location: {to}{path}\r\n"), ""),
        path if path.contains("/moved/") => good(&path.replace("/moved/", "/")),
        path if path.contains("/revision/") => reply("307 Temporary Redirect", &format!("Location: /moved{path}\r\n"), ""),
        path => good(path),
    });
    let run = hub.import(&["-o", "-"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, PRESET), "{}", run.stderr);
    assert_eq!(other.asked(), [(format!("/acme/support-8b/resolve/{COMMIT}/config.json"), None)]);
    assert!(hub.asked().iter().all(|(_, authorization)| authorization.is_some()), "{:?}", hub.asked());
    let circle = FakeHub::new(|path, _| reply("302 Found", &format!("Location: {path}\r\n"), ""));
    assert!(circle.import(&["-o", "-"]).stderr.contains("redirections"), "a circle ends");
}

#[test]
fn answers_that_are_none() {
    type Answer = fn() -> String;
    let table: [(Answer, &str); 5] = [
        (|| "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"sha\":".to_owned(), "broke off"),
        (|| "nonsense\r\n\r\n".to_owned(), "broke off"),
        (|| ok("<html>sign in</html>"), "isn't what a hub answers"),
        (|| ok("{}"), "names no commit"),
        (|| ok(&" ".repeat((16 << 20) + 1)), "more than 16 MiB"),
    ];
    for (answer, said) in table {
        let hub = FakeHub::new(move |_, _| answer());
        let run = hub.import(&["-o", "-"]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    let unused = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let nobody = FakeHub { port: unused, asked: Arc::default() };
    let run = nobody.import(&["-o", "-"]);
    assert!(run.stderr.contains("can't be reached") && run.stderr.contains("--from DIR"), "{}", run.stderr);
}

#[test]
fn wrong_usage_of_an_import() {
    let table: [&[&str]; 6] = [
        &["phi-4"],
        &["a/b/c", "-o", "-"],
        &["a/b"],
        &["a/b", "-o", "-", "--from", ".", "--endpoint", "http://x"],
        &["a/b", "-o", "-", "--revision", "a b"],
        &["../b", "-o", "-"],
    ];
    for args in table {
        let run = finish(kaito().args([&["preset", "import"], args].concat()));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}: {}", run.stderr);
    }
    let old = run(&["preset", "import", "a/b", "-o", "-", "--kaito-version", "0.3"]);
    assert_eq!(old.code, 1);
    assert!(old.stderr.contains("Kaito 0.3 takes no models but its presets"), "{}", old.stderr);
    for endpoint in ["huggingface.co", "https://me:hunter2@hub.invalid", "ftp://hub.invalid", "http://hub.invalid"] {
        let run = finish(kaito().env("HF_TOKEN", TOKEN).args(["preset", "import", "a/b", "-o", "-", "--endpoint", endpoint]));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{endpoint}: {}", run.stderr);
        assert!(!run.stderr.contains(TOKEN) && !run.stderr.contains("hunter2@"), "{}", run.stderr);
    }
}

/// What the hub's own tools leave on a disk says which commit it is of.
#[test]
fn the_commit_of_a_folder() {
    let home = tempfile::tempdir().unwrap();
    let config = fs::read_to_string("golden/imports/acme--cloned/model/config.json").unwrap();
    let cache = home.path().join("models--acme--x/snapshots").join(COMMIT);
    let download = home.path().join("download");
    for folder in [&cache, &download] {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("config.json"), &config).unwrap();
        fs::write(folder.join("model.safetensors"), "x".repeat(2000)).unwrap();
    }
    fs::create_dir_all(download.join(".cache/huggingface/download")).unwrap();
    fs::write(download.join(".cache/huggingface/download/config.json.metadata"), format!("{COMMIT}\netag\n1.0\n")).unwrap();
    for folder in [&cache, &download] {
        let run = run(&["preset", "import", "acme/x", "-o", "-", "--from", folder.to_str().unwrap()]);
        assert!(run.stdout.contains(&format!("  revision: {COMMIT}\n")), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn proxies_and_authorities() {
    let proxy = FakeHub::new(|_, _| reply("502 Bad Gateway", "", ""));
    let address = format!("http://me:hunter-of-a-proxy@127.0.0.1:{}", proxy.port);
    let import = |variables: &[(&str, &str)]| {
        let args = ["preset", "import", "acme/support-8b", "-o", "-", "--endpoint", "https://hub.invalid"];
        let run = finish(kaito().envs(variables.iter().copied()).env("HF_TOKEN", TOKEN).args(args));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        assert!(!run.stderr.contains(TOKEN) && !run.stderr.contains("hunter-of-a-proxy"), "{}", run.stderr);
        run.stderr
    };
    assert!(import(&[("HTTPS_PROXY", &address)]).contains("https://hub.invalid can't be reached"));
    let asked = proxy.asked();
    assert_eq!(asked[0].0, "hub.invalid:443");
    assert!(asked.iter().all(|(_, authorization)| authorization.is_none()), "the proxy never sees the token");
    import(&[("HTTPS_PROXY", &address), ("NO_PROXY", "hub.invalid")]);
    assert_eq!(proxy.asked().len(), asked.len(), "NO_PROXY is honoured");
    assert!(import(&[("SSL_CERT_FILE", "README.md")]).contains("SSL_CERT_FILE: README.md: it holds no certificate in PEM"));
    assert!(import(&[("SSL_CERT_FILE", "nowhere.pem")]).contains("nowhere.pem"));
}
