//! What `kaito rbac` prints, on a real API server: with these rights everything works, and with less it doesn't.

use serde_json::{Value, json};

use super::apply::{SETTINGS, Story, WORKSPACE};
use super::manifest::Manifest;
use super::{cluster, playground};
use crate::support::{self, Run};

const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nnamespace: NAMESPACE\n";
const PROD: [&str; 2] = ["--applyset", "prod"];

/// A scene with a Workspace in each of two namespaces, and who has only the rights that were printed.
pub(super) struct Account {
    pub story: Story,
    name: &'static str,
    roles: Vec<Value>,
}

/// A role that lacks a resource of one of its rules.
struct Less {
    role: Value,
    rule: Value,
    resource: String,
    less: Value,
}

impl Account {
    /// Gives somebody the rights that are printed for these arguments.
    pub(super) fn new(name: &'static str, args: &[&str]) -> Self {
        let elsewhere = format!("rbac-{name}-elsewhere");
        let other = WORKSPACE.replace("metadata: {name: phi-4}", &format!("metadata: {{name: other, namespace: {elsewhere}}}"));
        let other = other.replace("apps: phi-4", "apps: other");
        let more = SETTINGS.replace("name: settings", "name: more");
        let story = Story::of("rbac", name, &[WORKSPACE, &other, SETTINGS, &more]);
        story.scene.write("kaito.yaml", CONFIG);
        playground().namespace(&elsewhere);
        let mut account = Self { story, name, roles: Vec::new() };
        let who = format!("{}:{name}", account.story.scene.namespace);
        let mut command = support::kaito();
        command.current_dir(account.story.scene.directory.path());
        let run = support::finish(command.args(["rbac", "-R", "-f", ".", "--service-account", &who]).args(args));
        assert_eq!(run.code, 0, "{}", run.stderr);
        for object in Manifest::all("kaito rbac", &run.stdout) {
            playground().client.apply(&object, "").unwrap();
            if !object.kind().ends_with("Binding") {
                account.roles.push(object.value.clone());
            }
        }
        account.roles.iter().for_each(|role| account.wait(role, true));
        account
    }

    pub(super) fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.story.scene.namespace, self.name)
    }

    /// Waits until the server goes by a role: it learns of it a little later.
    fn wait(&self, role: &Value, allowed: bool) {
        for rule in role["rules"].as_array().unwrap() {
            for resource in rule["resources"].as_array().unwrap() {
                let (resource, part) = resource.as_str().unwrap().split_once('/').unwrap_or((resource.as_str().unwrap(), ""));
                let attributes = json!({
                    "namespace": role["metadata"]["namespace"], "verb": rule["verbs"][0], "group": rule["apiGroups"][0],
                    "resource": resource, "subresource": part, "name": rule["resourceNames"][0],
                });
                let spec = json!({"user": self.user(), "resourceAttributes": attributes});
                let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
                playground().wait(&format!("the server goes by {rule}"), || {
                    let answer = playground().client.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).unwrap();
                    (answer["status"]["allowed"] == allowed).then_some(())
                });
            }
        }
    }

    /// Runs kaito, as this account or as somebody who may do everything.
    fn kaito(&self, is_admin: bool, args: &[&str]) -> Run {
        let mut command = support::kaito();
        command.current_dir(self.story.scene.directory.path());
        command.args(args).arg("--kubeconfig").arg(playground().server.kubeconfig_file());
        if !is_admin {
            command.args(["--as", &self.user()]);
        }
        let mut run = support::finish(&mut command);
        // The port is another one each time.
        let words = run.stderr.split_whitespace();
        if let Some(url) = words.clone().find(|word| word.starts_with("https://127.0.0.1:")).map(ToOwned::to_owned) {
            run.stderr = run.stderr.replace(&url, "https://SERVER");
        }
        run
    }

    /// Runs kaito as this account, and tells it.
    fn may(&mut self, args: &[&str], code: i32) {
        let run = self.kaito(false, args);
        self.told(args, &run, code);
    }

    fn told(&mut self, args: &[&str], run: &Run, code: i32) {
        let words: Vec<&str> = ["kaito"].into_iter().chain(args.iter().copied()).collect();
        self.story.ran(&words, run, code);
    }

    /// Runs kaito as somebody who may do everything.
    pub(super) fn admin(&self, args: &[&str]) {
        let run = self.kaito(true, args);
        assert_eq!(run.code, 0, "{args:?}: {}{}", run.stdout, run.stderr);
    }

    /// Tries without each resource of each rule: in one of the states that are prepared it fails, or does less, and says what is missing.
    fn needs_every_rule(&mut self, prepare: &[&dyn Fn(&Self)], args: &[&str]) {
        for less in self.less() {
            let Less { role, rule, resource, .. } = &less;
            let tries = |prepare: &&dyn Fn(&Self)| {
                prepare(self);
                self.with(&less, || self.kaito(false, args))
            };
            let lacks = format!("resource {resource:?}");
            let run = prepare.iter().map(tries).find(|run| run.code != 0 || run.stderr.contains(&lacks));
            let run = run.unwrap_or_else(|| panic!("{rule} is not needed: {resource}"));
            let place = role["metadata"]["namespace"].as_str().unwrap_or("the cluster");
            self.story.tell(&format!("without {} of {resource:?} in {place}", rule["verbs"]));
            let code = run.code;
            assert!(run.stderr.contains(&lacks), "{rule}: {}", run.stderr);
            self.told(args, &run, code);
        }
    }

    /// Does something without each resource of each rule.
    pub(super) fn without_each_resource(&self, act: impl Fn(&str)) {
        self.less().iter().for_each(|less| self.with(less, || act(&less.resource)));
    }

    /// The rights without each resource of each rule.
    fn less(&self) -> Vec<Less> {
        let mut all = Vec::new();
        for role in &self.roles {
            for (index, rule) in role["rules"].as_array().unwrap().iter().enumerate() {
                for resource in rule["resources"].as_array().unwrap() {
                    let mut less = role.clone();
                    let left = less["rules"][index]["resources"].as_array_mut().unwrap();
                    left.retain(|other| other != resource);
                    if left.is_empty() {
                        less["rules"].as_array_mut().unwrap().remove(index);
                    }
                    let (role, rule, resource) = (role.clone(), rule.clone(), resource.as_str().unwrap().to_owned());
                    all.push(Less { role, rule, resource, less });
                }
            }
        }
        all
    }

    /// Does something while there are less rights.
    fn with<T>(&self, less: &Less, act: impl FnOnce() -> T) -> T {
        let mut missing = less.role.clone();
        missing["rules"] = json!([less.rule]);
        missing["rules"][0]["resources"] = json!([less.resource]);
        playground().client.apply(&less.less.clone().into(), "").unwrap();
        self.wait(&missing, false);
        let done = act();
        playground().client.apply(&less.role.clone().into(), "").unwrap();
        self.wait(&missing, true);
        done
    }
}

#[test]
fn applying_and_pruning() {
    let mut account = Account::new("apply", &[&PROD[..], &["--prune"]].concat());
    let elsewhere = "rbac-apply-elsewhere";
    let apply = [&["apply", "-R", "-f", "."], &PROD[..], &["--prune", "--namespaces", elsewhere]].concat();
    account.may(&apply, 0);
    account.may(&apply, 0);
    account.story.tell("a ConfigMap goes, another one changes");
    account.story.scene.remove("3.yaml");
    account.story.scene.edit("2.yaml", "a: \"1\"", "a: \"2\"");
    account.may(&apply, 0);
    // Everything is made anew; or what is there of the set is looked for.
    let clean = |account: &Account| account.admin(&[&["delete", "--ignore-not-found", "-n", "rbac-apply"], &PROD[..]].concat());
    let full = |account: &Account| account.admin(&apply);
    account.needs_every_rule(&[&clean, &full], &apply);
    account.story.end();
}

#[test]
fn deleting() {
    let mut account = Account::new("delete", &[&PROD[..], &["--for", "delete"]].concat());
    let apply =
        |account: &Account| account.admin(&[&["apply", "-R", "-f", ".", "--namespaces", "rbac-delete-elsewhere"], &PROD[..]].concat());
    apply(&account);
    let delete = [&["delete", "-n", "rbac-delete"], &PROD[..]].concat();
    account.may(&[&delete[..], &["phi-4"]].concat(), 0);
    account.may(&delete, 0);
    account.needs_every_rule(&[&apply], &delete);
    apply(&account);
    account.may(&[&["delete", "-R", "-f", "."], &PROD[..]].concat(), 0);
    account.story.end();
}

#[test]
fn comparing() {
    let mut account = Account::new("diff", &["--for", "diff"]);
    account.may(&["diff", "--live", "-R", "-f", ".", "-o", "name"], 1);
    account.admin(&["apply", "-R", "-f", ".", "--namespaces", "rbac-diff-elsewhere"]);
    account.may(&["diff", "--live", "-R", "-f", "."], 0);
    account.needs_every_rule(&[&|_| {}], &["diff", "--live", "-R", "-f", ".", "--ask-all"]);
    account.story.end();
}

/// Pods only tell why something isn't ready, and Deployments whether Kaito's operator runs: it goes on without.
#[test]
fn what_is_good_to_have() {
    let mut account = Account::new("wait", &[]);
    let apply = ["apply", "-R", "-f", ".", "--namespaces", "rbac-wait-elsewhere"];
    account.may(&apply, 0);
    let run = account.kaito(false, &[&apply[..], &["--wait", "--timeout", "1s"]].concat());
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("is not ready") && !run.stderr.contains("forbidden"), "{}", run.stderr);
    account.story.tell("an object of Kaito's operator, which may run or not");
    let owner = json!([{"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "phi-4", "uid": "1", "controller": true}]);
    let path = "/apis/apps/v1/namespaces/rbac-wait/statefulsets/phi-4";
    playground().client.merge(path, &json!({"metadata": {"ownerReferences": owner}})).unwrap();
    account.may(&apply, 1);
    account.story.end();
}

/// What is known of kinds is what the server says of them.
#[test]
fn kinds_are_the_servers() {
    let client = &cluster().client;
    let groups = client.get("/apis").unwrap();
    let mut tried = Vec::new();
    for (kind, resource) in kaito::rbac::known() {
        let group = groups["groups"].as_array().unwrap().iter().find(|group| group["name"] == resource.group.as_str());
        let paths: Vec<String> = match group {
            _ if resource.group.is_empty() => vec!["/api/v1".to_owned()],
            Some(group) => {
                let versions = group["versions"].as_array().unwrap().iter();
                versions.map(|version| format!("/apis/{}", version["groupVersion"].as_str().unwrap())).collect()
            }
            None => continue,
        };
        for path in paths {
            let resources = client.get(&path).unwrap();
            let is_it = |found: &&Value| found["kind"] == kind.kind.as_str() && !found["name"].as_str().unwrap().contains('/');
            if let Some(found) = resources["resources"].as_array().unwrap().iter().find(is_it) {
                let want = (json!(resource.plural), json!(resource.is_namespaced));
                assert_eq!((found["name"].clone(), found["namespaced"].clone()), want, "{kind} of {path}");
                tried.push(kind.to_string());
            }
        }
    }
    tried.sort();
    tried.dedup();
    assert!(tried.len() > 50, "{} kinds: {tried:?}", tried.len());
}

#[test]
fn looking() {
    let account = Account::new("status", &["--for", "status"]);
    account.admin(&["apply", "-R", "-f", ".", "--namespaces", "rbac-status-elsewhere"]);
    for (namespace, workspace) in [("rbac-status", "phi-4"), ("rbac-status-elsewhere", "other")] {
        let run = account.kaito(false, &["status", "-n", namespace]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains(workspace), "{}{}", run.stdout, run.stderr);
    }
}
