//! What can't be applied is said on its Workspace; the others go on, and so does it when others have solved it.

use serde_json::{Value, json};

use super::super::account::Account;
use super::super::playground;
use super::Watching;
use super::stage::{SETTINGS, Stage, text, workspace};
use crate::support;

const OTHER: &str = "/apis/apps/v1/namespaces/NAMESPACE/statefulsets/other";

#[test]
fn a_node_cannot_become_another_one() {
    let stage = Stage::new("immutable", &[&workspace("phi"), &workspace("other")]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    let nodes = || stage.claims().iter().map(|claim| claim["metadata"]["uid"].to_string()).collect::<Vec<_>>();
    let before = nodes();
    stage.edit("0.yaml", "NC24ads", "NC48ads");
    let said = stage.until_condition("phi", "Stalled", "True", "ReconciliationFailed");
    assert!(said.contains("instanceType"), "{said}");
    // The other one goes on.
    stage.edit("1.yaml", r#"{"name":"other"}"#, r#"{"labels":{"team":"a"},"name":"other"}"#);
    stage.until("/apis/kaito.sh/v1beta1/namespaces/NAMESPACE/workspaces/other", |object| object["metadata"]["labels"]["team"] == "a");
    assert_eq!(nodes(), before);
    // Somebody changes their mind.
    stage.edit("0.yaml", "NC48ads", "NC24ads");
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    assert_eq!(nodes(), before);
}

#[test]
fn an_object_of_another_set() {
    let stage = Stage::new("another", &[&workspace("phi"), SETTINGS]);
    let theirs = stage.object(
        "apps/v1",
        "StatefulSet",
        "phi",
        json!({
            "metadata": {"labels": {"applyset.kubernetes.io/part-of": "applyset-theirs-v1"}},
            "spec": {
                "serviceName": "phi", "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
            },
        }),
    );
    playground().client.make(&theirs, "somebody").unwrap();
    let mut watching = Watching::start(&stage, &[]);
    let said = watching.until(&["not applied"]);
    assert!(said.contains("StatefulSet watching-another/phi") && said.contains("applyset-theirs-v1"), "{said}");
    watching.until(&["reconciled", "failed=1"]);
    // What is nobody else's is there.
    assert!(stage.get("/api/v1/namespaces/NAMESPACE/configmaps/settings").is_ok());
    // They let it go: it is tried again, and needs nobody to say so.
    playground().client.delete(&stage.path("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi")).unwrap();
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
}

#[test]
fn a_namespace_that_is_not_allowed() {
    let stage =
        Stage::new("foreign", &[&workspace("phi").replace(r#"{"name":"phi"}"#, r#"{"name":"phi","namespace":"default"}"#), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    let said = watching.until(&["not applied"]);
    assert!(said.contains("namespace") && said.contains("default"), "{said}");
    watching.until(&["reconciled", "failed=1"]);
    assert!(stage.get("/api/v1/namespaces/NAMESPACE/configmaps/settings").is_ok());
    assert!(stage.get("/apis/kaito.sh/v1beta1/namespaces/default/workspaces/phi").is_err());
}

/// Somebody who may do what they want with these kinds, and with Services if that is said.
fn somebody(stage: &Stage, services: bool) -> Account {
    let all = json!(["get", "list", "watch", "create", "update", "patch", "delete"]);
    let mut rules = vec![
        json!({"apiGroups": [""], "resources": ["configmaps", "secrets", "pods", "events"], "verbs": all}),
        json!({"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": all}),
        json!({"apiGroups": ["kaito.sh"], "resources": ["workspaces", "workspaces/status"], "verbs": all}),
        json!({"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": all}),
    ];
    if services {
        rules.push(json!({"apiGroups": [""], "resources": ["services"], "verbs": all}));
    }
    let everywhere = json!([
        {"apiGroups": ["karpenter.sh"], "resources": ["nodeclaims"], "verbs": all},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]},
    ]);
    let account = playground().account(&stage.namespace, "some", &json!(rules), &everywhere);
    // What is taken away is, a little later.
    let path = stage.path("/api/v1/namespaces/NAMESPACE/services");
    stage.wait("the server goes by the rules", || (account.client.get(&path).is_ok() == services).then_some(()));
    account
}

/// Somebody who may not touch some kinds.
#[test]
fn what_is_forbidden() {
    let stage = Stage::new("forbidden", &[&workspace("phi"), SETTINGS]);
    let account = somebody(&stage, false);
    let mut watching = Watching::start(&stage, &["--kubeconfig", account.kubeconfig.to_str().unwrap()]);
    let said = watching.until(&["not applied", "Workspace watching-forbidden/phi"]);
    assert!(said.contains("Service"), "{said}");
    assert!(stage.get("/api/v1/namespaces/NAMESPACE/configmaps/settings").is_ok());
    // Allowed in the end, it is all there without anybody's doing.
    drop(somebody(&stage, true));
    stage.until("/api/v1/namespaces/NAMESPACE/services/phi", |_| true);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
}

/// Of a kind that may not be listed any more nothing is pruned, and all else is.
#[test]
fn what_may_not_be_listed() {
    const SERVICE: &str = "/api/v1/namespaces/NAMESPACE/services/phi";
    const SET: &str = "/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi";
    const PARENT: &str = "/api/v1/namespaces/NAMESPACE/secrets/prod";
    let stage = Stage::new("unlisted", &[&workspace("phi"), SETTINGS]);
    let account = somebody(&stage, true);
    let mut watching = Watching::start(&stage, &["--kubeconfig", account.kubeconfig.to_str().unwrap()]);
    watching.until(&["reconciled", "failed=0"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    drop(watching);
    let account = somebody(&stage, false);
    let kubeconfig = account.kubeconfig.to_str().unwrap();
    let mut watching = Watching::start(&stage, &["--kubeconfig", kubeconfig]);
    let said = watching.until(&["not all may be read"]);
    assert!(said.contains("nothing of kind Service in namespace watching-unlisted is pruned") && said.contains("forbidden"), "{said}");
    // A Workspace that wants some says so, and all else goes on.
    stage.until_condition("phi", "Ready", "False", "DependencyNotReady");
    stage.edit("1.yaml", "\"1\"", "\"2\"");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings", |object| object["data"]["a"] == "2");
    stage.remove("0.yaml");
    watching.until(&["pruned", "statefulset.apps/phi"]);
    stage.wait("the StatefulSet is gone", || stage.get(SET).is_err().then_some(()));
    stage.wait("there is an event", || {
        let events = stage.get("/apis/events.k8s.io/v1/namespaces/NAMESPACE/events").ok()?;
        let is_it = |event: &Value| {
            let is_told = text(&event["note"]).starts_with("nothing of kind Service");
            is_told && event["reason"] == "NotPruned" && event["regarding"]["name"] == "prod"
        };
        events["items"].as_array()?.iter().any(is_it).then_some(())
    });
    // It stays in the set, and so on its record.
    assert!(stage.get(SERVICE).is_ok());
    let kinds = |parent: &Value| text(&parent["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"]).to_owned();
    assert!(kinds(&stage.get(PARENT).unwrap()).contains("Service"));
    assert_eq!(watching.said(&["not all may be read"]).len(), 1, "it is said once");
    // An apply by hand says so, too.
    let mut command = support::kaito();
    command.current_dir(stage.directory.path());
    let run = support::finish(command.args(["apply", "-f", "1.yaml", "--applyset", "prod", "--prune", "--kubeconfig", kubeconfig]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("warning: nothing of kind Service"), "{}", run.stderr);
    // Allowed in the end, it goes without anybody's doing.
    drop(somebody(&stage, true));
    watching.until(&["it may be read: everything is looked at"]);
    watching.until(&["pruned", "service/phi"]);
    watching.until(&["all may be read again"]);
    stage.until(PARENT, |parent| !kinds(parent).contains("Service"));
    assert!(stage.get(SERVICE).is_err());
}

#[test]
fn two_sets_side_by_side() {
    let stage = Stage::new("two", &[]);
    for (set, name) in [("a", "phi"), ("b", "other")] {
        std::fs::create_dir(stage.directory.path().join(set)).unwrap();
        stage.write(&format!("{set}/0.yaml"), &workspace(name));
        stage.write(&format!("{set}/1.yaml"), &SETTINGS.replace("settings", &format!("settings-{set}")));
    }
    let mut one = Watching::start_in(&stage, "a", &["--applyset", "one"]);
    let mut two = Watching::start_in(&stage, "b", &["--applyset", "two"]);
    for watching in [&mut one, &mut two] {
        watching.until(&["reconciled", "failed=0"]);
    }
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    stage.until_condition("other", "Reconciling", "True", "Progressing");
    let before = stage.versions_at_rest();
    // What goes from one goes from it alone.
    stage.remove("a/0.yaml");
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings-a", |_| {
        stage.get("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi").is_err()
    });
    stage.until_quiet();
    let after = stage.versions();
    assert!(after.iter().all(|(key, version)| before[key] == *version), "{before:#?}\n{after:#?}");
    assert_eq!(after.len(), before.len() - 5);
    assert!(stage.get(OTHER).is_ok());
    // Both want the same object: the second one has no luck, and says so.
    stage.write("b/1.yaml", &SETTINGS.replace("settings", "settings-a"));
    two.until(&["not applied", "settings-a"]);
    stage.until_quiet();
    assert_eq!(stage.versions()["configmaps settings-a"], before["configmaps settings-a"]);
}
