//! ServiceAccounts that may do just what a test says.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Cluster;
use super::client::Client;
use crate::support::plant;

/// A ServiceAccount: who it is for the tests, and for programs.
pub(super) struct Account {
    pub client: Client,
    /// A kubeconfig with its token, whose namespace is the account's.
    pub kubeconfig: PathBuf,
    _home: TempDir,
}

impl Cluster {
    /// A namespace for a test.
    pub(super) fn namespace(&self, name: &str) {
        self.client.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).into(), "").unwrap();
    }

    /// A new ServiceAccount in a namespace that is there. Both kinds of rules are lists as those of a Role; an empty one gives nothing:
    ///
    /// ```text
    /// json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}])
    /// ```
    pub(super) fn account(&self, namespace: &str, name: &str, in_namespace: &Value, everywhere: &Value) -> Account {
        let metadata = json!({"name": name, "namespace": namespace});
        let full = format!("{namespace}-{name}");
        self.put(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
        self.grant("Role", &metadata, namespace, name, in_namespace);
        self.grant("ClusterRole", &json!({"name": full}), namespace, name, everywhere);
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let token = self.client.create(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"), &request).unwrap();
        let token = plant(token["status"]["token"].as_str().unwrap());
        let home = tempfile::tempdir().unwrap();
        let mut config = self.server.kubeconfig(home.path(), &json!({"token": token}));
        config["contexts"][0]["context"]["namespace"] = json!(namespace);
        let kubeconfig = home.path().join("config");
        fs::write(&kubeconfig, config.to_string()).unwrap();
        let account = Account { client: self.server.client_of(token), kubeconfig, _home: home };
        self.wait_for_rules(&account, Some(namespace), in_namespace);
        self.wait_for_rules(&account, None, everywhere);
        account
    }

    fn put(&self, object: &Value) {
        self.client.apply(&object.clone().into(), "").unwrap();
    }

    /// A role, and its binding.
    fn grant(&self, kind: &str, metadata: &Value, namespace: &str, account: &str, rules: &Value) {
        let api_version = "rbac.authorization.k8s.io/v1";
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": metadata["name"]});
        let subject = json!({"kind": "ServiceAccount", "namespace": namespace, "name": account});
        self.put(&json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "rules": rules}));
        let kind = format!("{kind}Binding");
        self.put(&json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "roleRef": role, "subjects": [subject]}));
    }

    /// Waits until the server goes by these rules: it learns of them a little later than they are made.
    fn wait_for_rules(&self, account: &Account, namespace: Option<&str>, rules: &Value) {
        for rule in rules.as_array().into_iter().flatten().filter(|rule| rule["nonResourceURLs"].is_null()) {
            let resource = rule["resources"][0].as_str().unwrap();
            let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
            let attributes = json!({
                "namespace": namespace.unwrap_or_default(), "verb": rule["verbs"][0], "group": rule["apiGroups"][0],
                "resource": resource, "subresource": subresource, "name": rule["resourceNames"][0],
            });
            let review = json!({
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            });
            self.wait(&format!("the server goes by {rule}"), || {
                let answer = account.client.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).ok()?;
                (answer["status"]["allowed"] == true).then_some(())
            });
        }
    }
}
