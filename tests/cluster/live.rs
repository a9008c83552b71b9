//! `kaito diff --live` with a real API server: what it says, how much it asks, and that it says the same as if it had asked about
//! every object.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::manifest::Manifest;
use super::playground;
use super::proxy::Proxy;
use super::scene::{Scene, rendered};
use crate::support::{self, Run, examples, expect};

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi-4, namespace: NAMESPACE}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi-4}}}
inference: {preset: {name: phi-4}, config: settings}
";

const SETTINGS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {team: a}}
data: {inference_config.yaml: \"vllm: {max-model-len: 8192}\", note: x}
";

/// What the server writes otherwise, and what it fills in.
const OTHERWISE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {n: \"1\"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{key: a, operator: Exists}]
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]
      volumes: [{name: v, emptyDir: {sizeLimit: 1Gi}}, {name: c, configMap: {name: settings}}]
      containers:
      - name: web
        image: web:1
        ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]
        resources: {requests: {cpu: \"0.5\", memory: 1024Mi}, limits: {cpu: 1, memory: 2048Mi}}
        env:
        - {name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: B, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
        - {name: C, value: c}
        volumeMounts: [{name: v, mountPath: /v}, {name: c, mountPath: /c}]
        readinessProbe: {httpGet: {path: /, port: 80}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10240Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}, {name: dns, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: one}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
data: {token: c2VjcmV0}
---
apiVersion: v1
kind: Secret
metadata: {name: words}
stringData: {token: secret}
";

impl Scene {
    pub(super) fn diff(&self, args: &[&str]) -> Run {
        diff(&self.proxy, self.directory.path(), args)
    }

    /// Runs, compares the answer with a file and with what really all questions give, and gives back what was asked.
    fn check(&self, name: &str, code: i32) -> Vec<String> {
        self.proxy.asked();
        let fast = self.diff(&[]);
        let asked = self.proxy.asked();
        let slow = self.diff(&["--ask-all"]);
        assert_eq!((&fast.stdout, fast.code, &fast.stderr), (&slow.stdout, slow.code, &slow.stderr), "{name}: asked {asked:#?}");
        assert_eq!(fast.code, code, "{name}: {}{}", fast.stdout, fast.stderr);
        expect(Path::new(&format!("golden/live/{name}.txt")), &fast.stdout).unwrap();
        asked
    }
}

fn diff(proxy: &Proxy, input: &Path, args: &[&str]) -> Run {
    let mut command = support::kaito();
    command.args(["diff", "--live", "-R", "-f"]).arg(input).arg("--kubeconfig").arg(&proxy.kubeconfig);
    support::finish(command.args(args))
}

/// The objects that the server was asked about, each once.
fn tried(asked: &[String]) -> BTreeSet<&str> {
    asked.iter().filter(|asked| asked.starts_with("PATCH")).filter_map(|asked| asked.split('?').next()).collect()
}

#[test]
fn nothing_changes() {
    let scene = Scene::new("live-same", &[WORKSPACE, SETTINGS, OTHERWISE]);
    scene.apply();
    let asked = scene.check("same", 0);
    let kinds: BTreeSet<String> = scene.rendered().iter().map(|object| object.kind().to_owned()).collect();
    assert!(tried(&asked).is_empty(), "{asked:#?}");
    assert!(asked.len() <= 2 * kinds.len(), "{} questions about {kinds:?}: {asked:#?}", asked.len());
}

/// However many objects there are, two questions a kind are enough, and one more for an object that is different. Where everything
/// is new, it takes a third.
#[test]
fn a_hundred_workspaces() {
    let scene = Scene::new("hundred", &[SETTINGS]);
    for number in 0..100 {
        let text = WORKSPACE.replace("name: phi-4, ", &format!("name: w-{number}, ")).replace("apps: phi-4", &format!("apps: w-{number}"));
        scene.write(&format!("w-{number}.yaml"), &text);
    }
    everything_is_new(&scene);
    scene.apply();
    let objects = scene.rendered();
    let kinds: BTreeSet<&str> = objects.iter().map(Manifest::kind).collect();
    assert_eq!((objects.len(), kinds.len()), (401, 4));
    scene.proxy.asked();
    let run = scene.diff(&[]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    let asked = scene.proxy.asked();
    assert!(tried(&asked).is_empty() && asked.len() <= 2 * kinds.len(), "{asked:#?}");
    scene.edit("w-50.yaml", "instanceType: Standard_NC24ads_A100_v4", "instanceType: Standard_NC48ads_A100_v4");
    let run = scene.diff(&["-o", "name"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("statefulset.apps/w-50\n") && !run.stdout.contains("w-51"), "{}", run.stdout);
    let asked = scene.proxy.asked();
    assert_eq!(tried(&asked).len(), run.stdout.lines().count(), "{asked:#?}");
    assert!(asked.len() <= 2 * kinds.len() + tried(&asked).len(), "{asked:#?}");
}

/// Nothing is there but a Service without kaito's label. It is found, and that all others are missing is found out together.
fn everything_is_new(scene: &Scene) {
    let other = scene.object("v1", "Service", "w-7", json!({"spec": {"ports": [{"port": 80}]}}));
    playground().client.make(&other, "somebody").unwrap();
    scene.proxy.asked();
    let run = scene.diff(&[]);
    let services: Vec<&str> = run.stdout.lines().filter(|line| line.contains("Service") && line.trim_start().starts_with('~')).collect();
    assert!(services.len() == 1 && services[0].contains("/w-7"), "{services:?}{}", run.stderr);
    let asked = scene.proxy.asked();
    let looks = asked.iter().filter(|asked| asked.starts_with("GET")).count();
    assert!(looks <= 3 * 4 + 1, "{looks} questions: {asked:#?}");
    playground().client.remove(&other);
}

/// What happens after everything was applied.
type Happens = fn(&Scene);

#[test]
fn what_changes() {
    let client = &playground().client;
    let files = [WORKSPACE, SETTINGS, OTHERWISE];
    // What happens after everything was applied, the exit code, and how many objects the server is asked about.
    let table: [(&str, Happens, i32, usize); 15] = [
        ("changed", |scene| scene.edit("1.yaml", "8192", "16384"), 1, 1),
        ("added", |scene| scene.write("3.yaml", &SETTINGS.replace("settings", "others")), 1, 1),
        ("removed-field", |scene| scene.edit("1.yaml", ", note: x", ""), 1, 1),
        ("removed-label", |scene| scene.edit("1.yaml", ", labels: {team: a}", ""), 1, 1),
        ("secret", |scene| scene.edit("2.yaml", "c2VjcmV0", "b3RoZXI="), 1, 1),
        ("quantity", |scene| scene.edit("2.yaml", "1024Mi", "4Gi"), 1, 1),
        ("image", |scene| scene.edit("2.yaml", "web:1", "web:2"), 1, 1),
        (
            "immutable",
            |scene| scene.edit("2.yaml", "selector: {matchLabels: {app: web}}", "selector: {matchLabels: {app: web, a: b}}"),
            1,
            1,
        ),
        ("drift", |scene| scene.drift(&json!({"data": {"note": "y"}})), 1, 1),
        ("drift-removed", |scene| scene.drift(&json!({"data": {"note": null}})), 1, 1),
        // What is put back by hand is as it was, and belongs to two.
        (
            "drift-and-back",
            |scene| {
                scene.drift(&json!({"data": {"note": "y"}}));
                scene.drift(&json!({"data": {"note": "x"}}));
            },
            0,
            1,
        ),
        (
            "foreign-field",
            |scene| {
                let object = scene.object("v1", "ConfigMap", "settings", json!({"data": {"theirs": "y"}}));
                playground().client.take_over(&object, "somebody").unwrap();
            },
            0,
            0,
        ),
        (
            "conflict",
            |scene| {
                let object = scene.object("apps/v1", "StatefulSet", "phi-4", json!({"spec": {"replicas": 3}}));
                playground().client.take_over(&object, "autoscaler").unwrap();
            },
            1,
            1,
        ),
        ("unknown-kind", |scene| scene.write("3.yaml", "{apiVersion: example.com/v1, kind: AllowList, metadata: {name: a}}"), 1, 0),
        ("unknown-field", |scene| scene.edit("2.yaml", "replicas: 2", "replicaz: 2"), 1, 1),
    ];
    for (name, happens, code, asks) in table {
        let scene = Scene::new(&format!("live-{name}"), &files);
        scene.apply();
        happens(&scene);
        let asked = scene.check(name, code);
        assert_eq!(tried(&asked).len(), asks, "{name}: {asked:#?}");
    }
    // Every format for people and scripts says whose a field is.
    let scene = Scene::new("live-formats", &files);
    scene.apply();
    scene.drift(&json!({"data": {"note": "y"}}));
    for format in ["text", "json", "markdown", "html"] {
        let run = scene.diff(&["-o", format]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(run.stdout.contains("conflict: .data.note belongs to kubectl-edit"), "{format}: {}", run.stdout);
    }
    // A program of the user's own gets what is live and what it would become.
    let mut command = support::kaito();
    command.args(["diff", "--live", "-R", "-f"]).arg(scene.directory.path()).arg("--kubeconfig").arg(&scene.proxy.kubeconfig);
    let run = support::finish(command.env("KUBECTL_EXTERNAL_DIFF", "diff -u").env("PATH", "/usr/local/bin:/usr/bin:/bin"));
    assert!(run.stdout.contains(&format!("/v1.ConfigMap.{}.settings", scene.namespace)), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("-  note: \"y\"\n+  note: x\n"), "{}", run.stdout);
    // Nothing was changed by asking.
    let scene = Scene::new("live-untouched", &files);
    scene.apply();
    let path = format!("/api/v1/namespaces/{}/configmaps/settings", scene.namespace);
    let before = client.get(&path).unwrap();
    scene.edit("1.yaml", "8192", "16384");
    assert_eq!(scene.diff(&[]).code, 1);
    assert_eq!(client.get(&path).unwrap(), before);
}

#[test]
fn what_others_applied() {
    let scene = Scene::new("live-others", &[WORKSPACE, SETTINGS, OTHERWISE]);
    for object in scene.rendered() {
        playground().client.take_over(&object, "kubectl").unwrap();
    }
    let asked = scene.check("others", 0);
    assert_eq!(tried(&asked).len(), scene.rendered().len());
    scene.proxy.asked();
    let own = scene.diff(&["--field-manager", "kubectl"]);
    assert_eq!((own.code, tried(&scene.proxy.asked()).len()), (0, 0), "{}", own.stdout);
}

#[test]
fn nothing_is_there() {
    let scene = Scene::new("live-new", &[WORKSPACE, SETTINGS]);
    scene.check("new", 1);
    let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: live-nowhere}}";
    scene.write("0.yaml", text);
    scene.check("no-namespace", 1);
    scene.write("3.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: live-nowhere}}");
    scene.check("namespace-too", 1);
}

#[test]
fn the_server_is_busy() {
    let scene = Scene::new("live-busy", &[WORKSPACE, SETTINGS]);
    let want = scene.diff(&[]);
    scene.proxy.turn_away(3);
    let have = scene.diff(&[]);
    assert_eq!((have.code, have.stdout, have.stderr), (want.code, want.stdout, want.stderr));
}

/// Every example, applied: nothing would change, and the server need not be asked.
#[test]
fn every_example() {
    let mut asked_about = Vec::new();
    for name in examples() {
        let scene = Scene::new(&format!("live-of-{}", name.replace('.', "-")), &[]);
        let input = Path::new("examples").join(&name);
        let objects = rendered(&input, &scene.namespace);
        for namespace in objects.iter().filter_map(Manifest::namespace).collect::<BTreeSet<_>>() {
            playground()
                .client
                .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}).into(), "")
                .unwrap();
        }
        for object in &objects {
            // Examples share names, and what stays of an older one can't always be changed.
            if ["StatefulSet", "Deployment", "Job"].contains(&object.kind()) {
                playground().client.remove(object);
            }
            playground().client.apply(object, "").unwrap_or_else(|message| panic!("{name}: {}: {message}", object.title()));
        }
        scene.proxy.asked();
        let run = diff(&scene.proxy, &input, &[]);
        asked_about.extend(tried(&scene.proxy.asked()).into_iter().map(|asked| format!("{name}: {asked}")));
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{name}: {}", run.stderr);
        let slow = diff(&scene.proxy, &input, &["--ask-all"]);
        assert_eq!((slow.code, slow.stdout.as_str()), (0, ""), "{name}: {}", slow.stderr);
    }
    assert!(asked_about.is_empty(), "{asked_about:#?}");
}

/// Runs with a kubeconfig of its own.
fn diff_with(kubeconfig: &Value, input: &Path, args: &[&str]) -> Run {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config");
    fs::write(&path, kubeconfig.to_string()).unwrap();
    support::finish(support::kaito().args(["diff", "--live", "-f"]).arg(input).arg("--kubeconfig").arg(&path).args(args))
}

#[test]
fn who_asks() {
    let scene = Scene::new("live-who", &[SETTINGS]);
    scene.apply();
    scene.edit("0.yaml", "8192", "16384");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
    });
    playground().client.apply(&role.into(), "").unwrap();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}],
    });
    playground().client.apply(&binding.into(), "").unwrap();
    let home = tempfile::tempdir().unwrap();
    // The user, the exit code, and what is said.
    let table = [
        (json!({}), 1, "max-model-len: 8192} -> vllm: {max-model-len: 16384}"),
        (json!({"as": "reader"}), 1, "the server would refuse it: configmaps \"settings\" is forbidden: User \"reader\" cannot patch"),
        (json!({"as": "nobody"}), 4, "User \"nobody\" cannot get resource \"configmaps\""),
        (json!({"token": "wrong"}), 4, "Unauthorized"),
    ];
    for (user, code, want) in table {
        let config = playground().server.kubeconfig(home.path(), &user);
        let run = diff_with(&config, scene.directory.path(), &["-n", &scene.namespace]);
        assert_eq!(run.code, code, "{user}: {}{}", run.stdout, run.stderr);
        assert!(format!("{}{}", run.stdout, run.stderr).contains(want), "{user}: {}{}", run.stdout, run.stderr);
    }
    let mut stranger = playground().server.kubeconfig(home.path(), &json!({}));
    _ = stranger["clusters"][0]["cluster"].as_object_mut().unwrap().remove("certificate-authority");
    let run = diff_with(&stranger, scene.directory.path(), &[]);
    assert_eq!(run.code, 4);
    assert!(run.stderr.contains("certificate") && run.stderr.contains("https://127.0.0.1"), "{}", run.stderr);
}

#[test]
fn no_cluster() {
    let input = Path::new("examples/phi-3-mini");
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gone", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "me"}}],
        "current-context": "gone",
    });
    let run = diff_with(&config, input, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
    for want in ["the cluster at http://127.0.0.1:1 can't be asked", "onnection refused", "--kubeconfig and --context"] {
        assert!(run.stderr.contains(want), "{}", run.stderr);
    }
    let table: [(&[&str], i32, &str); 8] = [
        (&["-f", "examples/phi-3-mini", "--live"], 4, "there is no kubeconfig"),
        (&["-f", "examples/phi-3-mini", "--live", "--kubeconfig", "nowhere"], 4, "the kubeconfig nowhere can't be read"),
        (&["-f", "examples/phi-3-mini", "--live", "--kubeconfig", "nowhere", "--detailed-exitcode"], 1, "No such file"),
        (&["--live"], 2, "--filename <PATH>"),
        (&["-f", "examples/phi-3-mini"], 2, "--live"),
        (&["a", "b", "--live", "-f", "c"], 2, "cannot be used with"),
        (&["a", "b", "--context", "c"], 2, "--live"),
        (&["-f", "examples/phi-3-mini", "--live", "--field-manager", ""], 2, "1 to 128"),
    ];
    for (args, code, want) in table {
        let run = support::finish(support::kaito().arg("diff").args(args));
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(want), "{args:?}: {}", run.stderr);
    }
    let run = diff_with(&config, input, &["--context", "other"]);
    assert_eq!(run.code, 4);
    assert!(run.stderr.contains("no context other") && run.stderr.contains("its contexts are gone"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_rendered() {
    let scene = Scene::new("live-broken", &[WORKSPACE, SETTINGS]);
    scene.edit("0.yaml", "name: phi-4}, config", "name: phi-44}, config");
    let run = scene.diff(&[]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("phi-44") && run.stderr.contains("was not compared"), "{}", run.stderr);
    assert!(
        run.stdout.contains("+ ConfigMap settings") && run.stdout.contains("Workspace live-broken/phi-4: not compared"),
        "{}",
        run.stdout
    );
    fs::remove_file(scene.directory.path().join("0.yaml")).unwrap();
    fs::remove_file(scene.directory.path().join("1.yaml")).unwrap();
    let run = scene.diff(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
}
