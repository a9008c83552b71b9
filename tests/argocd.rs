//! kaito as a config management plugin, run as argocd-cmp-server runs one; and what Argo CD thinks of Kaito's kinds.

mod repo_server;

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use kaito::argocd::PARAMETERS;
use kaito::diagnostic::SourceFile;
use kaito::health::{Status, health};
use kaito::yaml;
use serde_json::{Value, json};

use crate::patch::kustomize;
use crate::support::{Run, expect, finish, hides_secrets, json_lines, kaito, run};

/// The YAML of a text.
fn read(text: &str) -> Vec<Value> {
    let file = SourceFile::new("text", text.to_owned());
    let mut findings = Vec::new();
    let documents = yaml::read_values(&file, 0..text.len(), yaml::Limits::default(), &mut findings);
    assert!(findings.is_empty(), "{}", findings[0].message);
    documents.iter().map(|document| document.root.to_value()).collect()
}

fn deployed(name: &str) -> String {
    fs::read_to_string(Path::new("deploy/argocd").join(name)).unwrap()
}

/// Names and values.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// A command of plugin.yaml as argocd-cmp-server starts it: in the directory of the Application, which it was sent with its
/// repository, with its own environment and Argo CD's variables, of which none is empty, without input, in a process group of its own.
pub(crate) fn plugin(command: &str, application: &Path, variables: &[(&str, &str)]) -> Command {
    let config = read(&deployed("plugin.yaml")).remove(0);
    let words: Vec<String> =
        config["spec"].pointer(command).unwrap().as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    assert_eq!(words[0], "kaito");
    let mut plugin = kaito();
    plugin.args(&words[1..]).current_dir(application).process_group(0);
    let own = [
        ("PATH", "/usr/bin:/bin"),
        ("ARGOCD_APP_NAME", "models"),
        ("ARGOCD_APP_NAMESPACE", "models"),
        ("ARGOCD_APP_PROJECT_NAME", "default"),
        ("ARGOCD_APP_REVISION", "3f9c2ab0c0ffee3f9c2ab0c0ffee3f9c2ab0c0ff"),
        ("ARGOCD_APP_REVISION_SHORT", "3f9c2ab"),
        ("ARGOCD_APP_REVISION_SHORT_8", "3f9c2ab0"),
        ("ARGOCD_APP_SOURCE_PATH", "apps/prod"),
        ("ARGOCD_APP_SOURCE_REPO_URL", "https://git.example.com/fleet.git"),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", "main"),
        ("ARGOCD_APP_PARAMETERS", "null"),
        ("KUBE_VERSION", "1.33"),
        ("KUBE_API_VERSIONS", "v1,apps/v1"),
    ];
    plugin.envs(own.into_iter().chain(variables.iter().copied()));
    variables.iter().filter(|(_, value)| value.is_empty()).for_each(|(name, _)| _ = plugin.env_remove(name));
    plugin
}

fn generate(repository: &Path, variables: &[(&str, &str)]) -> Run {
    finish(&mut plugin("/generate/command", &repository.join("apps/prod"), variables))
}

const WORKSPACE: &str = "apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata:
  name: phi-4
resource:
  instanceType: Standard_NC24ads_A100_v4
  labelSelector: {matchLabels: {apps: phi-4}}
inference:
  preset: {name: phi-4-mini-instruct}
";

const CONFIG_MAP: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: notes
  annotations: {argocd.argoproj.io/tracking-id: \"other:/ConfigMap:models/notes\"}
data: {a: b}
";

/// A repository as it is sent to a plugin, without git's own files.
fn repository() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("apps/prod/phi-4.yaml", WORKSPACE),
        ("apps/prod/notes.yaml", CONFIG_MAP),
        ("apps/prod/below/other.yaml", &WORKSPACE.replace("phi-4\n", "other\n")),
        ("apps/empty/README.md", "nothing"),
        ("apps/linked/README.md", "nothing"),
        ("apps/wrong/a.yaml", &WORKSPACE.replace("phi-4-mini-instruct", "phi-5")),
        ("apps/deleted/a.yaml", WORKSPACE),
        (
            "apps/deleted/kaito.yaml",
            "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\npatches: [{target: {name: .*}, patch: \"{$patch: delete}\"}]\n",
        ),
        ("apps/named/a.yaml", WORKSPACE),
        ("apps/named/kaito.yaml", "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nnamespace: named\n"),
    ] {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    home
}

#[test]
fn applications() {
    let repository = repository();
    let root = format!("{}/", fs::canonicalize(repository.path()).unwrap().display());
    let secret = repository.path().parent().unwrap().join(format!("outside-{}.yaml", std::process::id()));
    fs::write(&secret, "password: hf_outside\n").unwrap();
    let outside = format!(r#"[{{"name": "paths", "array": ["../../../{}"]}}]"#, secret.file_name().unwrap().to_str().unwrap());
    std::os::unix::fs::symlink(&secret, repository.path().join("apps/linked/link.yaml")).unwrap();
    let sent = "ARGOCD_APP_PARAMETERS";
    let table: [(&str, Variables<'_>); 14] = [
        ("as-it-is", &[]),
        ("karpenter", &[(sent, r#"[{"name": "nodeProvisioner", "string": "karpenter"}, {"name": "recursive", "string": "true"}]"#)]),
        (
            "variables",
            &[("ARGOCD_ENV_NODE_PROVISIONER", "karpenter"), ("ARGOCD_ENV_PATHS", "phi-4.yaml"), ("ARGOCD_ENV_NODE_PROVISONER", "x")],
        ),
        ("waves", &[(sent, r#"[{"name": "syncWaves", "string": "true"}, {"name": "includeWorkspace", "string": "true"}]"#)]),
        ("namespace", &[(sent, r#"[{"name": "namespace", "string": "team-a"}, {"name": "paths", "array": ["phi-4.yaml"]}]"#)]),
        ("namespace-of-kaito-yaml", &[(sent, r#"[{"name": "paths", "array": ["../named"]}]"#)]),
        ("empty", &[(sent, r#"[{"name": "paths", "array": ["../empty"]}]"#)]),
        ("deleted", &[(sent, r#"[{"name": "paths", "array": ["../deleted"]}]"#)]),
        ("wrong", &[(sent, r#"[{"name": "paths", "array": ["../wrong"]}]"#)]),
        (
            "unknown",
            &[(sent, r#"[{"name": "clud", "string": "aws"}, {"name": "cloud", "string": "mars"}, {"name": "recursive", "string": "1"}]"#)],
        ),
        ("no-parameters", &[(sent, r#"[{"name": "cloud", "string": hf_secret}]"#)]),
        ("outside", &[(sent, &outside)]),
        ("absolute", &[(sent, r#"[{"name": "paths", "array": ["/"]}, {"name": "config", "string": "/"}]"#)]),
        ("link", &[(sent, r#"[{"name": "paths", "array": ["../linked/link.yaml"]}]"#)]),
    ];
    let mut faults = Vec::new();
    for (name, variables) in table {
        let run = generate(repository.path(), variables);
        // What Argo CD takes for manifests is nothing else, and never nothing.
        let objects = read(&run.stdout);
        assert!(objects.iter().all(|object| object["apiVersion"].is_string() && object["metadata"]["name"].is_string()), "{name}");
        assert_eq!(run.code == 0, !objects.is_empty(), "{name}: {}", run.stderr);
        assert!(!run.stdout.contains("tracking-id") && !format!("{}{}", run.stdout, run.stderr).contains("hf_"), "{name}");
        let said = run.stderr.replace(&*secret.file_name().unwrap().to_string_lossy(), "FILE.yaml").replace(&root, "");
        faults.extend(expect(Path::new(&format!("golden/argocd/{name}.yaml")), &run.stdout).err());
        faults.extend(expect(Path::new(&format!("golden/argocd/{name}.txt")), &said).err());
    }
    fs::remove_file(secret).unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Both ways in which Argo CD sends parameters say the same, and the defaults that are announced are those that hold.
#[test]
fn parameters_are_the_same_in_all_forms() {
    let repository = repository();
    let manifests = |variables: &[(&str, &str)]| {
        let run = generate(repository.path(), variables);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{variables:?}");
        run.stdout
    };
    let json = r#"[{"name": "paths", "array": ["below", "notes.yaml"]}, {"name": "cloud", "string": "azure"}, {"name": "nodeProvisioner", "string": "karpenter"},
        {"name": "featureGates", "map": {"ModelMirror": "true"}}, {"name": "syncWaves", "string": "true"}]"#;
    let alone = [
        ("ARGOCD_APP_PARAMETERS", ""),
        ("PARAM_PATHS_0", "below"),
        ("PARAM_PATHS_1", "notes.yaml"),
        ("PARAM_CLOUD", "azure"),
        ("PARAM_NODEPROVISIONER", "karpenter"),
        ("PARAM_FEATUREGATES_MODELMIRROR", "true"),
        ("PARAM_SYNCWAVES", "true"),
    ];
    let variables = [
        ("ARGOCD_ENV_PATHS", "below,notes.yaml"),
        ("ARGOCD_ENV_CLOUD", "azure"),
        ("ARGOCD_ENV_NODE_PROVISIONER", "karpenter"),
        ("ARGOCD_ENV_FEATURE_GATES", "ModelMirror=true"),
        ("ARGOCD_ENV_SYNC_WAVES", "true"),
    ];
    let want = manifests(&[("ARGOCD_APP_PARAMETERS", json)]);
    assert!(want.contains("name: other") && !want.contains("name: phi-4"));
    assert_eq!(manifests(&alone), want);
    assert_eq!(manifests(&variables), want);
    let announced: Vec<Value> = announced()
        .into_iter()
        .map(|parameter| {
            let value = |form: &str| (form.to_owned(), parameter[form].clone());
            [value("name"), value("string"), value("array"), value("map")].into_iter().filter(|(_, value)| !value.is_null()).collect()
        })
        .collect();
    assert_eq!(manifests(&[("ARGOCD_APP_PARAMETERS", &json!(announced).to_string())]), manifests(&[]));
}

fn announced() -> Vec<Value> {
    let repository = repository();
    let run = finish(&mut plugin("/parameters/dynamic/command", &repository.path().join("apps/prod"), &[]));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    expect(Path::new("golden/argocd/parameters.json"), &run.stdout).unwrap();
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn announcements() {
    let help = run(&["render", "--help"]).stdout;
    let page = fs::read_to_string("docs/argocd.md").unwrap();
    let announced = announced();
    assert_eq!(announced.len(), PARAMETERS.len());
    for (parameter, announced) in PARAMETERS.iter().zip(&announced) {
        let name = parameter.name;
        assert_eq!(announced["name"], name);
        assert!(["title", "tooltip"].iter().all(|field| announced[*field].as_str().is_some_and(|text| !text.is_empty())), "{name}");
        let holds = match announced["collectionType"].as_str().unwrap() {
            "string" => announced["array"].is_null() && announced["map"].is_null(),
            "array" => announced["array"].is_array() && announced["string"].is_null(),
            "map" => announced["map"].is_object() && announced["string"].is_null(),
            other => panic!("{name}: {other}"),
        };
        assert!(holds, "{announced}");
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not in docs/argocd.md");
        assert!(parameter.flag == "sync-waves" || help.contains(&format!("--{}", parameter.flag)), "{name}: there is no such flag");
        assert_eq!(parameter.variable.to_lowercase().replace('_', ""), name.to_lowercase());
    }
}

/// kaito reads a pipe to which nothing is written, and Argo CD gives up.
#[test]
fn ends_when_it_is_told_to() {
    let repository = repository();
    let pipe = repository.path().join("apps/prod/pipe.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let variables = [("ARGOCD_ENV_PATHS", "pipe.yaml")];
    let mut plugin = plugin("/generate/command", &repository.path().join("apps/prod"), &variables);
    let child = plugin.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opens as soon as kaito reads.
    let writer = fs::File::options().write(true).open(&pipe).unwrap();
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    hides_secrets("output", &String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    assert_eq!(output.status.signal(), Some(15));
    drop(writer);
}

/// Runs health checks with the interpreter that Argo CD has.
fn lua(lines: &[Value]) -> Vec<Value> {
    let program = tempfile::Builder::new().prefix("lua").tempfile().unwrap().into_temp_path();
    let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir("tests/lua").status();
    assert!(built.is_ok_and(|status| status.success()), "Go is needed to run Lua as Argo CD does");
    json_lines(&mut Command::new(&program), lines)
}

/// What Argo CD thinks is what kaito thinks, except that what is stuck is degraded where Kaito says that it has failed.
#[test]
fn health_checks() {
    let condition = |kind: &str, status: &str, reason: &str, generation: u64| json!({"type": kind, "status": status, "reason": reason, "message": "words", "observedGeneration": generation});
    let of = |conditions: &[Value]| json!({"conditions": conditions});
    let mut table = Vec::new();
    for (kind, summary, failed) in [
        ("Workspace", "WorkspaceSucceeded", "workspaceFailed"),
        ("InferenceSet", "InferenceSetReady", "inferencesetFailed"),
        ("RAGEngine", "RAGEngineSucceeded", "ragengineFailed"),
        ("MultiRoleInference", "Ready", "ReconcileFailed"),
    ] {
        let ready = |generation| json!({"conditions": [condition(summary, "True", "ready", generation)], "readyReplicas": 1});
        let stale = if kind == "RAGEngine" { "Healthy" } else { "Progressing" };
        table.extend([
            (kind, Value::Null, "Progressing", "Waiting for a status"),
            (kind, json!({}), "Progressing", "Waiting for a status"),
            (kind, json!({"conditions": null}), "Progressing", "Waiting for a status"),
            (kind, of(&[condition("NodesReady", "True", "x", 2)]), "Progressing", "Waiting for a status"),
            (kind, of(&[condition(summary, "False", "pending", 2)]), "Progressing", "words"),
            (kind, of(&[condition(summary, "Unknown", failed, 2)]), "Progressing", "words"),
            (kind, of(&[condition(summary, "False", failed, 2)]), "Degraded", "words"),
            (kind, ready(2), "Healthy", "words"),
            (kind, ready(1), stale, if stale == "Healthy" { "words" } else { "Waiting for the last change to be seen" }),
            (kind, of(&[json!({"type": summary, "status": "False"}), condition("Stalled", "True", "BuildFailed", 2)]), "Degraded", "words"),
        ]);
    }
    table.extend([
        ("Workspace", json!({"state": "Failed"}), "Degraded", "Waiting for a status"),
        ("Workspace", json!({"state": "Failed", "conditions": [condition("WorkspaceSucceeded", "True", "x", 2)]}), "Degraded", "words"),
        ("Workspace", of(&[condition("WorkspaceSucceeded", "False", "BenchmarkFailed", 2)]), "Degraded", "words"),
        ("InferenceSet", of(&[condition("InferenceSetReady", "True", "x", 2)]), "Progressing", "0 of 1 Workspaces are ready"),
    ]);
    let checks = read(&deployed("health.yaml")).remove(0);
    let script = |kind: &str| checks["data"][format!("resource.customizations.health.kaito.sh_{kind}")].as_str().unwrap().to_owned();
    let object = |kind: &str, status: &Value| json!({"apiVersion": "kaito.sh/v1beta1", "kind": kind, "metadata": {"name": "a", "generation": 2}, "status": status});
    let lines: Vec<Value> =
        table.iter().map(|(kind, status, ..)| json!({"script": script(kind), "object": object(kind, status)})).collect();
    let said = lua(&lines);
    assert_eq!(said.len(), table.len());
    for ((kind, status, want, message), said) in table.iter().zip(said) {
        assert_eq!(said, json!({"status": want, "message": message}), "{kind} {status}");
        let own = health(&object(kind, status)).status;
        assert_eq!(own == Status::Current, *want == "Healthy", "{kind} {status}: kaito says {own:?}");
        assert!(own != Status::Failed || *want == "Degraded", "{kind} {status}: kaito says {own:?}");
    }
}

/// kustomize lays what is deployed over an installation that has what Argo CD's has.
#[test]
fn what_is_deployed() {
    let installed = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "argocd-repo-server"},
        "spec": {"template": {"spec": {
            "containers": [{"name": "argocd-repo-server", "image": "argocd"}],
            "volumes": [{"name": "var-files", "emptyDir": {}}, {"name": "plugins", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
        }}},
    });
    let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": {"a": "b"}});
    let mut kustomization = read(&deployed("kustomization.yaml")).remove(0);
    kustomization["resources"] = json!(["a.yaml", "b.yaml"]);
    let mut files =
        json!({"kustomization.yaml": kustomization.to_string(), "a.yaml": installed.to_string(), "b.yaml": settings.to_string()});
    for name in ["plugin.yaml", "repo-server-sidecar.yaml", "health.yaml"] {
        files[name] = deployed(name).into();
    }
    let built = kustomize(&[], format!("{files}\n")).remove(0);
    let of = |kind: &str, name: &str| {
        let objects = built.as_array().unwrap_or_else(|| panic!("{built}")).iter();
        let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"].as_str().unwrap().starts_with(name);
        objects.clone().find(is_it).unwrap_or_else(|| panic!("{name}: {built}"))
    };
    let health = of("ConfigMap", "argocd-cm")["data"].as_object().unwrap();
    assert_eq!((health.len(), &health["a"]), (5, &json!("b")));
    let config = of("ConfigMap", "kaito-plugin");
    assert_eq!(config["data"]["plugin.yaml"].as_str().unwrap(), deployed("plugin.yaml"));
    let pod = &of("Deployment", "argocd-repo-server")["spec"]["template"]["spec"];
    let named = |list: &Value, name: &str| list.as_array().unwrap().iter().find(|item| item["name"] == name).cloned().unwrap();
    let sidecar = named(&pod["containers"], "kaito");
    assert_eq!(sidecar["command"], json!(["/var/run/argocd/argocd-cmp-server"]));
    let security = &sidecar["securityContext"];
    assert_eq!((&security["runAsUser"], &security["readOnlyRootFilesystem"]), (&json!(999), &json!(true)));
    for mount in sidecar["volumeMounts"].as_array().unwrap() {
        named(&pod["volumes"], mount["name"].as_str().unwrap());
    }
    let places: Vec<&Value> = sidecar["volumeMounts"].as_array().unwrap().iter().map(|mount| &mount["mountPath"]).collect();
    let plugin_yaml = "/home/argocd/cmp-server/config/plugin.yaml";
    assert_eq!(places, ["/var/run/argocd", "/home/argocd/cmp-server/plugins", plugin_yaml, "/tmp"]);
    assert_eq!(named(&pod["volumes"], "kaito-plugin")["configMap"]["name"], config["metadata"]["name"]);
}

#[test]
fn paths() {
    let repository = repository();
    let home = repository.path();
    fs::create_dir(home.join(".git")).unwrap();
    fs::create_dir_all(home.join("shared/presets")).unwrap();
    let config = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\npresets: shared/presets\n";
    fs::write(home.join("kaito.yaml"), config).unwrap();
    let table: [(&str, &[&str], i32, &str); 8] = [
        ("apps/prod", &["-f", "."], 0, ".;/kaito.yaml;/shared/presets\n"),
        (".", &["-f", "apps/prod", "--path", "apps/prod"], 0, ".;/kaito.yaml;/shared/presets\n"),
        (".", &["-f", "apps/prod/below,apps/prod/phi-4.yaml", "--path", "apps/prod"], 0, "below;phi-4.yaml;/kaito.yaml;/shared/presets\n"),
        ("apps/prod", &["-f", ".", "-f", "../wrong/a.yaml"], 0, ".;/apps/wrong/a.yaml;/kaito.yaml;/shared/presets\n"),
        ("apps/named", &["-f", "."], 0, ".\n"),
        ("apps/prod", &["-f", ".", "-o", "lines"], 0, "apps/prod\nkaito.yaml\nshared/presets\n"),
        ("apps/prod", &["-f", "none.yaml"], 1, ""),
        ("apps/prod", &["-f", "-"], 1, ""),
    ];
    for (directory, args, code, want) in table {
        let run = finish(kaito().arg("paths").args(args).current_dir(home.join(directory)));
        assert_eq!((run.code, run.stdout.as_str()), (code, want), "{args:?}: {}", run.stderr);
        assert_eq!(run.stderr.is_empty(), code == 0, "{args:?}: {}", run.stderr);
    }
}
