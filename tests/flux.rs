//! `kaito push` to real registries, from which Flux' own packages pull; and what Flux thinks of what is rendered.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use kaito::diagnostic::SourceFile;
use kaito::health::{Status, health};
use kaito::yaml;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::git::Repo;
use crate::golden::case_args;
use crate::health::cases;
use crate::patch::kustomize;
use crate::support::{Run, examples, files, finish, json_lines, kaito, names, run, run_with_input};

/// The program of `tests/flux`, which Go builds.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<tempfile::TempPath> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let path = tempfile::Builder::new().prefix("flux").tempfile().expect("a file can be made").into_temp_path();
        let built = Command::new("go").args(["build", "-o"]).arg(&path).arg(".").current_dir("tests/flux").status();
        assert!(built.is_ok_and(|status| status.success()), "Go is needed to do as Flux does");
        path
    })
}

pub(crate) fn flux(args: &[&str]) -> String {
    let output = Command::new(program()).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An answer for each line.
fn each(verb: &str, lines: &[Value]) -> Vec<Value> {
    json_lines(Command::new(program()).arg(verb), lines)
}

/// Registries that end with this.
pub(crate) struct Registries {
    child: Child,
    pub(crate) at: Listens,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listens {
    pub(crate) open: String,
    basic: String,
    token: String,
    broken: String,
    busy: String,
    read_only: String,
    tls: String,
    authority: String,
}

impl Registries {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(program()).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, at: serde_json::from_str(&line).unwrap() }
    }
}

impl Drop for Registries {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

const WORKSPACES: &str = "apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi, namespace: models}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {}}
inference: {preset: {name: phi-4}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: script, namespace: models}
data: {run: 'echo ${HOME:-/} $$'}
";

const ORIGIN: &str = "https://robot:hunter-of-git@git.example.com/org/fleet.git";

/// A repository whose Workspaces are pushed.
struct Scene {
    repo: Repo,
    commit: String,
}

impl Scene {
    fn new() -> Self {
        let repo = Repo::new();
        repo.git(&["remote", "add", "origin", ORIGIN]);
        let commit = repo.write("clusters/prod/models.yaml", WORKSPACES).commit("one");
        Self { repo, commit }
    }

    /// As somebody who has this configuration of Docker, and these variables.
    fn push_as(&self, config: &str, variables: &[(&str, &str)], args: &[&str]) -> Run {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("config.json"), config).unwrap();
        let mut command = kaito();
        command.env("DOCKER_CONFIG", home.path()).envs(variables.iter().copied());
        finish(command.current_dir(&self.repo.path).arg("push").args(args))
    }

    fn push(&self, args: &[&str]) -> Run {
        self.push_as("{}", &[], &[args, &["-R", "-f", "clusters/prod", "--insecure-registry"]].concat())
    }

    /// The digest of what is pushed.
    fn pushed(&self, args: &[&str]) -> String {
        let run = self.push(&[args, &["-o", "json"]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
        let said: Value = serde_json::from_str(&run.stdout).unwrap();
        said["digest"].as_str().unwrap().to_owned()
    }
}

fn get(url: &str) -> Value {
    let mut answer = ureq::get(url).header("accept", "application/vnd.oci.image.manifest.v1+json").call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

/// The documents of a stream, in any order.
pub(crate) fn documents(text: &str) -> Vec<&str> {
    let mut all: Vec<&str> = text.split("---\n").map(str::trim_end).collect();
    all.sort_unstable();
    all
}

/// Flux pulls what is rendered, and would have pushed the same.
#[test]
fn flux_pulls_what_is_pushed() {
    let (registries, scene) = (Registries::start(), Scene::new());
    let host = &registries.at.open;
    let rendered = scene.repo.kaito(&["render", "-R", "-f", "clusters/prod", "--flux"]).stdout;
    for (layout, count) in [("manifest", 1), ("files", documents(&rendered).len())] {
        let address = format!("oci://{host}/org/{layout}:v1");
        let digest = scene.pushed(&[&address, "--tag", "latest", "--tag", "v1", "--layout", layout]);
        let home = tempfile::tempdir().unwrap();
        let meta: Value =
            serde_json::from_str(&flux(&["pull", &format!("{host}/org/{layout}:latest"), home.path().to_str().unwrap()])).unwrap();
        assert_eq!(meta["digest"], format!("{host}/org/{layout}@{digest}"));
        let (source, revision) = ("https://git.example.com/org/fleet.git", format!("main@sha1:{}", scene.commit));
        assert_eq!((meta["source_url"].as_str(), meta["source_revision"].as_str()), (Some(source), Some(revision.as_str())));
        let pulled = files(home.path());
        assert_eq!(pulled.len(), count, "{:?}", pulled.keys());
        assert_eq!(documents(&pulled.values().cloned().collect::<Vec<_>>().join("---\n")), documents(&rendered), "{layout}");

        flux(&["push", &format!("{host}/org/flux:{layout}"), home.path().to_str().unwrap(), source, &revision]);
        let of = |path: &str| {
            let mut manifest = get(&format!("http://{host}/v2/org/{path}"));
            let repository = path.split('/').next().unwrap();
            let mut config = get(&format!("http://{host}/v2/org/{repository}/blobs/{}", manifest["config"]["digest"].as_str().unwrap()));
            // Compressed by another program, and with the root itself among the files.
            ["size", "digest"].iter().for_each(|field| manifest["layers"][0][*field] = Value::Null);
            ["size", "digest"].iter().for_each(|field| manifest["config"][*field] = Value::Null);
            config["rootfs"]["diff_ids"] = Value::Null;
            (manifest, config)
        };
        assert_eq!(of(&format!("{layout}/manifests/latest")), of(&format!("flux/manifests/{layout}")), "{layout}");
    }
}

#[test]
fn the_same_commit_is_the_same_digest() {
    let (registries, scene) = (Registries::start(), Scene::new());
    let address = format!("oci://{}/org/fleet", registries.at.open);
    let first = scene.pushed(&[&address]);
    scene.repo.write("clusters/prod/models.yaml", "kind: Nothing\n");
    assert_eq!(scene.pushed(&[&address]), first, "what isn't committed isn't pushed");
    scene.repo.git(&["checkout", "-q", "."]);
    let another = Scene::new();
    assert_eq!(another.commit, scene.commit);
    assert_eq!(another.pushed(&[&format!("oci://{}/other/place", registries.at.open)]), first);
    let revision = format!("main@sha1:{}", scene.commit);
    assert_eq!(scene.pushed(&[&address, "--revision", &revision]), first);
    for (args, is_same) in [
        (&["--revision", "HEAD~0"][..], false),
        (&["-a", "org.opencontainers.image.created=2026-01-01T00:00:00Z"], false),
        (&["--source", "https://git.example.com/org/fleet.git"], true),
        (&["--flux=false"], false),
    ] {
        assert_eq!(scene.pushed(&[&[address.as_str()][..], args].concat()) == first, is_same, "{args:?}");
    }
    // What kaito.yaml says is heard, and flags win over it.
    let config = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nflux: false\n";
    let own = Scene::new();
    own.repo.write("kaito.yaml", config).commit("flux: false");
    let [silent, no, yes] = [&[][..], &["--flux=false"], &["--flux"]].map(|flag| own.pushed(&[&[address.as_str()][..], flag].concat()));
    assert!(silent == no && silent != yes, "{silent} {no} {yes}");
    // Without a repository, it is said what it was.
    let piped = run_with_input(
        &[
            "push",
            &address,
            "-f",
            "-",
            "--insecure-registry",
            "--source",
            "https://git.example.com/org/fleet.git",
            "--revision",
            &revision,
            "-o",
            "json",
        ],
        WORKSPACES,
    );
    assert_eq!((piped.code, serde_json::from_str::<Value>(&piped.stdout).unwrap()["digest"].as_str()), (0, Some(first.as_str())));
}

#[test]
fn revisions() {
    let (registries, scene) = (Registries::start(), Scene::new());
    let address = format!("oci://{}/org/fleet", registries.at.open);
    let commit = scene.commit.clone();
    scene.repo.git(&["tag", "v1"]);
    let revision = |args: &[&str]| {
        scene.pushed(&[&[address.as_str()][..], args].concat());
        let manifest = get(&format!("http://{}/v2/org/fleet/manifests/latest", registries.at.open));
        manifest["annotations"]["org.opencontainers.image.revision"].as_str().unwrap().to_owned()
    };
    assert_eq!(revision(&[]), format!("main@sha1:{commit}"));
    assert_eq!(revision(&["--revision", "v1"]), format!("v1@sha1:{commit}"));
    assert_eq!(revision(&["--revision", &commit]), format!("sha1:{commit}"));
    scene.repo.git(&["checkout", "-q", "--detach"]);
    assert_eq!(revision(&[]), format!("sha1:{commit}"));
}

#[test]
fn logins() {
    let (registries, scene) = (Registries::start(), Scene::new());
    let Listens { basic, token, .. } = &registries.at;
    let (good, bad) = ("me:hunter-of-a:registry", "me:wrong");
    let helpers = tempfile::tempdir().unwrap();
    let helper = helpers.path().join("docker-credential-tests");
    fs::write(&helper, "#!/bin/sh\nread host\necho \"{\\\"ServerURL\\\": \\\"$host\\\", \\\"Username\\\": \\\"me\\\", \\\"Secret\\\": \\\"hunter-of-a:registry\\\"}\"\n").unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", helpers.path().display());
    let file = helpers.path().join("login");
    fs::write(&file, format!("{good}\n")).unwrap();
    let token_alone = helpers.path().join("token");
    fs::write(&token_alone, "hunter-of-token").unwrap();
    let (file, token_alone) = (file.to_str().unwrap(), token_alone.to_str().unwrap());
    for host in [basic, token] {
        let auths = |login: &str| json!({"auths": {host: login_of(login)}}).to_string();
        let table = [
            ("{}".to_owned(), &[][..], &["--creds-file", file][..], 0),
            ("{}".to_owned(), &[("KAITO_REGISTRY_CREDS", good)], &[], 0),
            (auths(good), &[], &[], 0),
            (json!({"credHelpers": {host: "tests"}}).to_string(), &[("PATH", path.as_str())], &[], 0),
            (json!({"credsStore": "tests"}).to_string(), &[("PATH", path.as_str())], &[], 0),
            ("{}".to_owned(), &[], &[], 1),
            ("{}".to_owned(), &[("KAITO_REGISTRY_CREDS", bad)], &[], 1),
            (auths(bad), &[], &[], 1),
            (auths(bad), &[("KAITO_REGISTRY_CREDS", good)], &[], 0),
            (json!({"credsStore": "nowhere"}).to_string(), &[], &[], 2),
        ];
        for (config, variables, args, code) in table {
            let address = format!("oci://{host}/org/fleet");
            let args = [&[address.as_str(), "-R", "-f", "clusters/prod", "--insecure-registry"], args].concat();
            let run = scene.push_as(&config, variables, &args);
            assert_eq!(run.code, code, "{config} {args:?}: {}", run.stderr);
            assert!(code == 0 || run.stderr.contains("log in") || run.stderr.contains("login"), "{}", run.stderr);
            assert!(!run.stderr.contains("wrong"), "{}", run.stderr);
        }
    }
    let identity = json!({"auths": {token: {"identitytoken": "hunter-of-identity"}}}).to_string();
    let address = format!("oci://{token}/org/fleet");
    let run = scene.push_as(&identity, &[], &[&address, "-R", "-f", "clusters/prod", "--insecure-registry"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = scene.push_as("{}", &[], &[&address, "-R", "-f", "clusters/prod", "--insecure-registry", "--creds-file", token_alone]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

fn login_of(login: &str) -> Value {
    let (username, password) = login.split_once(':').unwrap();
    json!({"username": username, "password": password})
}

#[test]
fn mishaps() {
    let (registries, scene) = (Registries::start(), Scene::new());
    let at = &registries.at;
    let authority = scene.repo.path.join("../authority.pem");
    fs::write(&authority, &at.authority).unwrap();
    let ca = authority.to_str().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let insecure = "--insecure-registry";
    let table: [(&str, &[&str], i32, &str); 13] = [
        // What breaks off is begun anew, and what is busy is asked again.
        (&at.broken, &[insecure], 0, "under the tag latest"),
        (&at.busy, &[insecure], 0, "under the tag latest"),
        (&at.tls, &["--ca-file", ca], 0, "under the tag latest"),
        (&at.tls, &[], 4, "can't be trusted"),
        (&at.open, &[], 4, "--insecure-registry"),
        (&at.read_only, &[insecure], 1, "DENIED: this is a mirror"),
        (&closed, &[insecure], 4, "can't be reached"),
        ("registry.invalid", &[], 4, "can't be reached"),
        (&at.open, &[insecure, "--ca-file", ca], 2, "cannot be used with"),
        (&at.tls, &["--ca-file", "clusters/prod/models.yaml"], 1, "no certificate"),
        (&at.open, &[insecure, "--revision", "none"], 2, "there is no git revision none"),
        (&at.open, &[insecure, "-l", "no=such"], 1, "nothing to push"),
        (&at.open, &[insecure, "--tag", "a/b"], 2, "a tag has"),
    ];
    for (host, args, code, want) in table {
        let address = format!("oci://{host}/org/fleet");
        let run = scene.push_as("{}", &[], &[&[address.as_str(), "-R", "-f", "clusters/prod"], args].concat());
        assert_eq!(run.code, code, "{host} {args:?}: {}", run.stderr);
        assert!(run.stderr.contains(want) && run.stdout.is_empty(), "{host} {args:?}: {}", run.stderr);
    }
    // A Workspace that can't be rendered keeps all of it from being pushed.
    scene
        .repo
        .write("clusters/prod/broken.yaml", WORKSPACES.replace("phi-4", "no-such-model").replace("name: phi,", "name: x,"))
        .commit("broken");
    let run = scene.push(&[&format!("oci://{}/org/whole", at.open)]);
    assert!(run.code == 1 && run.stderr.contains("no-such-model"), "{}", run.stderr);
    let there = ureq::get(format!("http://{}/v2/org/whole/tags/list", at.open)).config().http_status_as_error(false).build().call();
    assert_eq!(there.unwrap().status(), 404);
    let run = run_with_input(&["push", &format!("oci://{}/org/fleet", at.open), "-f", "-", insecure], WORKSPACES);
    assert!(run.code == 2 && run.stderr.contains("--source URL --revision"), "{}", run.stderr);
}

fn read(text: &str) -> Vec<Value> {
    let mut findings = Vec::new();
    let documents = yaml::read(&SourceFile::new("text", text.to_owned()), yaml::Limits::default(), &mut findings);
    assert!(findings.is_empty(), "{findings:?}");
    documents.iter().map(|document| document.root.to_value()).collect()
}

const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// Strict substitution changes nothing in anything that is rendered for Flux, and fails over nothing.
#[test]
fn substitution_leaves_everything_alone() {
    let examples = examples().into_iter().map(|name| ["render", "-f", &format!("examples/{name}")].map(ToOwned::to_owned).to_vec());
    let cases = names("golden/cases").into_iter().map(|name| case_args(&Path::new("golden/cases").join(name)));
    let renders = examples.chain(cases.filter(|args| args[0] == "render"));
    let (mut lines, mut marked) = (Vec::new(), 0);
    for args in renders.filter(|args| !args.iter().any(|arg| arg == "-o" || arg == "--explain")) {
        let args = [args, vec!["--flux".to_owned(), "--include-workspace".to_owned()]].concat();
        for object in read(&run(&args.iter().map(String::as_str).collect::<Vec<_>>()).stdout) {
            if object["metadata"]["annotations"][SUBSTITUTE] == "disabled" {
                marked += 1;
                continue;
            }
            let mut text = String::new();
            yaml::to_yaml(&object, &mut text);
            lines.push(json!({"text": text, "variables": {"A": "b"}}));
        }
    }
    assert!(marked > 10 && lines.len() > 100, "{marked} of {}", lines.len());
    for (line, said) in lines.iter().zip(each("substitute", &lines)) {
        assert_eq!(line["text"], said);
    }
    // Otherwise it would: the test isn't blind.
    let plain = run(&["render", "-f", "examples/multi-node"]).stdout;
    assert!(!plain.contains(SUBSTITUTE));
    let said = each("substitute", &[json!({"text": plain, "variables": {"A": "b"}})]);
    assert!(said[0].as_str().unwrap().starts_with("error: "), "{said:?}");
}

/// Flux' health checks say of every live object what kaito says of it.
#[test]
fn health_checks() {
    let patch = read(&fs::read_to_string("deploy/flux/health.yaml").unwrap()).remove(0);
    let expressions = patch["spec"]["healthCheckExprs"].as_array().unwrap();
    let is_for = |expression: &Value, object: &Value| ["apiVersion", "kind"].iter().all(|field| expression[*field] == object[*field]);
    let mut all: Vec<Value> = cases().into_iter().flat_map(|(_, objects)| objects).collect();
    // A server lets none of these be without one.
    let pools = all.iter_mut().filter(|object| object["kind"] == "NodePool" && object["spec"].is_null());
    pools.for_each(|pool| pool["spec"] = json!({}));
    let mut lines = Vec::new();
    for expression in expressions {
        let own = all.iter().filter(|object| is_for(expression, object) && object["metadata"]["deletionTimestamp"].is_null());
        let before = lines.len();
        lines.extend(own.map(|object| json!({"expressions": expression, "object": object})));
        assert!(lines.len() > before, "there is no {} in golden/health", expression["kind"]);
    }
    let mut faults = Vec::new();
    for (line, said) in lines.iter().zip(each("health", &lines)) {
        let object = &line["object"];
        let own = health(object).status;
        let want = match own {
            Status::Current => "Current",
            Status::Failed => "Failed",
            _ => "InProgress",
        };
        // Flux goes on waiting for what it can't tell.
        let is_same = said == want
            || want == "InProgress" && object["status"].is_null() && said.as_str().is_some_and(|said| said.contains("no such attribute"));
        if !is_same {
            faults.push(format!("{} {}: Flux says {said}, and kaito {own:?}", object["kind"], object["metadata"]["name"]));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is deployed for each source, as kustomize builds it.
pub(crate) fn deployed() -> Vec<Value> {
    let text = |name: &str| fs::read_to_string(Path::new("deploy/flux").join(name)).unwrap();
    let build = |source: &str| {
        let kustomization = text("kustomization.yaml").replace("oci-repository.yaml", source);
        let files = json!({"kustomization.yaml": kustomization, source: text(source), "health.yaml": text("health.yaml")});
        kustomize(&[], format!("{files}\n")).remove(0)
    };
    ["oci-repository.yaml", "rendered-branch.yaml", "external-artifact.yaml"].map(build).to_vec()
}

#[test]
fn what_is_deployed() {
    for built in deployed() {
        let built = built.as_array().unwrap_or_else(|| panic!("{built}"));
        let applied = built.iter().find(|object| object["kind"] == "Kustomization").unwrap();
        assert_eq!((applied["metadata"]["name"].as_str(), applied["spec"]["wait"].as_bool()), (Some("models"), Some(true)));
        assert!(applied["spec"]["healthCheckExprs"].as_array().unwrap().iter().any(|one| one["kind"] == "Workspace"));
        let source = &applied["spec"]["sourceRef"];
        // kaito makes the one that isn't there.
        let is_followed = built.iter().any(|object| object["kind"] == source["kind"] && object["metadata"]["name"] == source["name"]);
        assert_eq!(is_followed, source["kind"] != "ExternalArtifact");
    }
}
