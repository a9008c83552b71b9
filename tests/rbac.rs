//! The rights that are printed for an input, against `golden/rbac/printed`.

use std::fs;
use std::path::Path;

use crate::support::{expect, run};

const ACCOUNT: [&str; 2] = ["--service-account", "ci:deployer"];

/// Prints rights, and compares them and what is said with files.
fn prints(name: &str, input: &str, args: &[&str]) {
    let run = run(&[&["rbac", "-R", "-f", input], args].concat());
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    expect(Path::new(&format!("golden/rbac/printed/{name}.yaml")), &run.stdout).unwrap();
    expect(Path::new(&format!("golden/rbac/printed/{name}.txt")), &run.stderr).unwrap();
}

#[test]
fn examples() {
    let phi = "examples/phi-3-mini";
    prints("roles-alone", phi, &[]);
    prints("bound", phi, &ACCOUNT);
    prints("diff", phi, &[&ACCOUNT[..], &["--for", "diff"]].concat());
    prints("status", phi, &[&ACCOUNT[..], &["--for", "status"]].concat());
    prints("delete", phi, &[&ACCOUNT[..], &["--for", "delete", "--applyset", "prod"]].concat());
    prints("watch", phi, &[&ACCOUNT[..], &["--for", "watch", "--leader-elect"]].concat());
    let shards = ["--for", "watch", "--leader-elect", "--shards", "2", "--secrets", "fleet,fleet-proxy"];
    prints("watch-shards", phi, &[&ACCOUNT[..], &shards].concat());
    prints("watch-keeping", "examples/karpenter", &["--for", "watch", "--applyset", "configmaps/prod", "--prune=false", "-n", "models"]);
    prints("watch-publishing", phi, &[&ACCOUNT[..], &["--for", "watch", "--external-artifact", "models", "-n", "flux-system"]].concat());
    prints("replace-wait-adopt", phi, &[&ACCOUNT[..], &["--replace", "--wait", "--adopt"]].concat());
    prints("sets", "examples/inference-set", &[&ACCOUNT[..], &["--applyset", "configmaps/prod", "--prune"]].concat());
    prints("karpenter", "examples/karpenter", &[&ACCOUNT[..], &["--applyset", "prod"]].concat());
}

/// What takes no files, for one namespace or for all.
#[test]
fn without_files() {
    for verb in ["import", "chat"] {
        for (place, args) in [("one", &["-n", "models"][..]), ("all", &[])] {
            let run = run(&[&["rbac", "--for", verb], &ACCOUNT[..], args].concat());
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{verb} {place}");
            expect(Path::new(&format!("golden/rbac/printed/{verb}-{place}.yaml")), &run.stdout).unwrap();
        }
    }
}

/// Kinds that nobody knows are guessed, and those that the input defines are not; rights of rights are said.
#[test]
fn kinds_and_rights_in_the_input() {
    let home = tempfile::tempdir().unwrap();
    let text = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: people.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Person, plural: people}, versions: []}
---
{apiVersion: example.com/v1, kind: Person, metadata: {name: ada}}
---
{apiVersion: example.org/v1, kind: Policy, metadata: {name: strict, namespace: models}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: models}}
---
{apiVersion: v1, kind: Secret, metadata: {name: token, namespace: models}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [\"\"], resources: [nodes], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: models}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: []
";
    fs::write(home.path().join("all.yaml"), text).unwrap();
    fs::write(home.path().join("kaito.yaml"), "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nnamespace: models\n").unwrap();
    prints("kinds", home.path().to_str().unwrap(), &["--applyset", "prod"]);
}

#[test]
fn used_wrongly() {
    let table: [(&[&str], i32, &str); 6] = [
        (&["--service-account", "deployer"], 2, "write NAMESPACE:NAME"),
        (&["--prune"], 2, "--applyset"),
        (&["--lease", "other"], 2, "--leader-elect"),
        (&["--for", "render"], 2, "apply, diff, status, delete, watch"),
        (&["--applyset", "deployments/x"], 1, "can't keep an ApplySet"),
        (&["-n", "No Such"], 2, "no name for a namespace"),
    ];
    for (args, code, want) in table {
        let run = run(&[&["rbac", "-f", "examples/phi-3-mini"], args].concat());
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(want), "{args:?}: {}", run.stderr);
    }
    let nothing = run(&["rbac", "-f", "examples/phi-3-mini/nowhere"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (1, ""), "{}", nothing.stderr);
}
