//! What Workspaces are made of, as a tree: the set that was applied, the Workspace, its objects, their pods, their nodes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Keeper, Row, Sets, is_declared, json as form, owner_of};
use crate::health::{Health, health};
use crate::manifest::ObjectRef;

/// An object, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Which object.
    pub object: ObjectRef,
    /// What it is there.
    pub role: Role,
    /// What belongs to it.
    pub branches: Vec<Branch>,
}

/// What an object is in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It keeps the set that the others are part of.
    Keeper(Keeper),
    /// It is part of a Workspace, or the Workspace itself, and doing so.
    Part(Health),
    /// It is named by others, and can't be read, or is gone.
    Unseen,
}

/// The names of the nodes in trees.
pub fn node_names(trees: &[Branch]) -> BTreeSet<String> {
    let is_node = |object: &ObjectRef| object.kind == "Node" && object.group.is_empty();
    let of_tree = |tree: &Branch| {
        let mut names = node_names(&tree.branches);
        names.extend(is_node(&tree.object).then(|| tree.object.name.to_string()));
        names
    };
    trees.iter().flat_map(of_tree).collect()
}

/// The trees of these rows. `objects` may hold more; `nodes` are the Nodes that could be read.
pub fn tree(rows: &[Row], objects: &[Value], nodes: &[Value], sets: &Sets) -> Vec<Branch> {
    let grove = Grove::new(objects, nodes);
    let mut roots: Vec<Branch> = Vec::new();
    for row in rows {
        let object = ObjectRef::new("kaito.sh", row.owner.kind, Some(&row.owner.namespace), &row.owner.name);
        let branch = Branch { object, role: Role::Part(row.health.clone()), branches: grove.of_row(row) };
        // What moves from one set to another is for a while part of both.
        let Some(keeper) = row.sets.iter().find_map(|id| sets.keeper(id)) else {
            roots.push(branch);
            continue;
        };
        if let Some(root) = roots.iter_mut().find(|root| root.object == keeper.parent) {
            root.branches.push(branch);
        } else {
            let (object, role) = (keeper.parent.clone(), Role::Keeper(keeper.clone()));
            roots.push(Branch { object, role, branches: vec![branch] });
        }
    }
    roots
}

/// Live objects by who owns them.
struct Grove<'o> {
    objects: &'o [Value],
    nodes: BTreeMap<&'o str, Health>,
    by_uid: BTreeMap<&'o str, usize>,
    owned: BTreeMap<&'o str, Vec<usize>>,
}

impl<'o> Grove<'o> {
    fn new(objects: &'o [Value], nodes: &'o [Value]) -> Self {
        let name = |node: &'o Value| node["metadata"]["name"].as_str();
        let uid = |(at, object): (usize, &'o Value)| Some((object["metadata"]["uid"].as_str()?, at));
        // A Workspace itself has a line already, and need not be there.
        let of_rows = || objects.iter().enumerate().filter(|(_, object)| !is_declared(object));
        let by_uid: BTreeMap<&str, usize> = of_rows().filter_map(uid).collect();
        let mut owned: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, object) in of_rows() {
            if let Some(owner) = owner_uid(object).filter(|uid| by_uid.get(uid).is_some_and(|owner| *owner != at)) {
                owned.entry(owner).or_default().push(at);
            }
        }
        Self { objects, nodes: nodes.iter().filter_map(|node| Some((name(node)?, health(node)))).collect(), by_uid, owned }
    }

    /// The objects of a Workspace that belong to no other one of it.
    fn of_row(&self, row: &Row) -> Vec<Branch> {
        let is_first = |object: &&Value| {
            let has_owner = owner_uid(object).is_some_and(|uid| self.by_uid.contains_key(uid));
            !is_declared(object) && !has_owner && owner_of(object).as_ref() == Some(&row.owner)
        };
        sorted(self.objects.iter().filter(is_first).filter_map(|object| self.branch(object, &mut BTreeSet::new())).collect())
    }

    /// An object with all that belongs to it; nothing of one that is on the way to itself, or that there is nothing to say of.
    fn branch(&self, object: &'o Value, above: &mut BTreeSet<&'o str>) -> Option<Branch> {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        if is_past(object) || !above.insert(uid) {
            return None;
        }
        let owned = self.owned.get(uid).into_iter().flatten();
        let mut branches: Vec<Branch> = owned.filter_map(|at| self.branch(&self.objects[*at], above)).collect();
        above.remove(uid);
        branches.extend(nodes_of(object).into_iter().map(|name| self.node(name)));
        Some(Branch { object: ObjectRef::of(object).ok()?, role: Role::Part(health(object)), branches: sorted(branches) })
    }

    fn node(&self, name: &str) -> Branch {
        let role = self.nodes.get(name).map_or(Role::Unseen, |health| Role::Part(health.clone()));
        Branch { object: ObjectRef::new("", "Node", None, name), role, branches: Vec::new() }
    }
}

/// The controller of an object, or its first owner.
fn owner_uid(object: &Value) -> Option<&str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true).or_else(|| owners.first())?;
    owner["uid"].as_str()
}

/// The nodes on which an object runs, or that it stands for.
fn nodes_of(object: &Value) -> Vec<&str> {
    let one = match object["kind"].as_str() {
        Some("Pod") => &object["spec"]["nodeName"],
        Some("NodeClaim" | "Machine") => &object["status"]["nodeName"],
        _ => &Value::Null,
    };
    let pool = object["status"]["nodeRefs"].as_array().into_iter().flatten().map(|node| &node["name"]);
    std::iter::once(one).chain(pool).filter_map(Value::as_str).filter(|name| !name.is_empty()).collect()
}

/// Whether this is the `ReplicaSet` of an earlier state of a Deployment.
fn is_past(object: &Value) -> bool {
    object["kind"] == "ReplicaSet" && object["spec"]["replicas"] == 0
}

fn sorted(mut branches: Vec<Branch>) -> Vec<Branch> {
    branches.sort_by(|one, other| one.object.cmp(&other.object));
    branches
}

/// Trees as lines of a table: the object, how it is doing in a word, and in a message.
pub fn tree_lines(trees: &[Branch]) -> Vec<Vec<String>> {
    let mut lines = vec![["OBJECT", "HEALTH", "MESSAGE"].map(ToOwned::to_owned).to_vec()];
    for tree in trees {
        lines.push(line(tree, "", None));
        below(tree, "", &mut lines);
    }
    lines
}

fn below(tree: &Branch, indent: &str, lines: &mut Vec<Vec<String>>) {
    for (at, branch) in tree.branches.iter().enumerate() {
        let (fork, rest) = if at + 1 == tree.branches.len() { ("└── ", "    ") } else { ("├── ", "│   ") };
        lines.push(line(branch, &format!("{indent}{fork}"), tree.object.namespace.as_deref()));
        below(branch, &format!("{indent}{rest}"), lines);
    }
}

/// The namespace is said where it is another one than above.
fn line(branch: &Branch, indent: &str, above: Option<&str>) -> Vec<String> {
    let ObjectRef { kind, namespace, name, .. } = &branch.object;
    let namespace = namespace.as_deref().filter(|namespace| Some(*namespace) != above);
    let object = [Some(kind.as_str()), namespace, Some(name)].into_iter().flatten().collect::<Vec<_>>().join("/");
    let (word, message) = match &branch.role {
        Role::Part(health) => (word(health), health.message.clone()),
        Role::Keeper(keeper) => {
            ("-".to_owned(), ["ApplySet".to_owned()].into_iter().chain(keeper.short_revision()).collect::<Vec<_>>().join(", "))
        }
        Role::Unseen => ("Unknown".to_owned(), "it can't be read, or is gone".to_owned()),
    };
    vec![format!("{indent}{object}"), word, message]
}

fn word(health: &Health) -> String {
    format!("{}{}", health.status, if health.is_stuck { ", stuck" } else { "" })
}

/// Trees as JSON, in a form that stays.
pub fn tree_json(trees: &[Branch]) -> Value {
    json!({"apiVersion": form::API_VERSION, "kind": "TreeList", "items": trees.iter().map(described).collect::<Vec<_>>()})
}

fn described(branch: &Branch) -> Value {
    let children: Vec<Value> = branch.branches.iter().map(self::described).collect();
    let mut described = json!({"object": form::reference(&branch.object), "health": null, "children": children});
    match &branch.role {
        Role::Part(health) => described["health"] = form::health(health),
        Role::Keeper(keeper) => described["revision"] = keeper.revision.clone().into(),
        Role::Unseen => {}
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::rows;

    fn object(api_version: &str, kind: &str, name: &str, owner: &str, rest: &Value) -> Value {
        let mut object = rest.clone();
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        let labels = json!({"kaito.sh/workspace": "phi", "applyset.kubernetes.io/part-of": "one"});
        object["metadata"] = json!({"name": name, "namespace": "n", "uid": format!("{kind} {name}"), "labels": labels});
        if !owner.is_empty() {
            object["metadata"]["ownerReferences"] = json!([{"uid": "other"}, {"uid": owner, "controller": true}]);
        }
        object
    }

    fn objects() -> Vec<Value> {
        let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"nodeName": "a"}});
        let old = json!({"spec": {"replicas": 0}});
        vec![
            object("kaito.sh/v1beta1", "Workspace", "phi", "", &json!({})),
            object("v1", "Service", "phi", "Workspace phi", &json!({"spec": {"clusterIP": "10.0.0.1"}})),
            object("apps/v1", "Deployment", "phi", "Workspace phi", &json!({"spec": {"replicas": 0}})),
            object("apps/v1", "ReplicaSet", "phi-old", "Deployment phi", &old),
            object("v1", "Pod", "phi-0", "gone", &ready),
            object("cluster.x-k8s.io/v1beta1", "MachinePool", "pool", "", &json!({"status": {"nodeRefs": [{"name": "a"}, {"name": "b"}]}})),
            object("batch/v1", "Job", "one", "Job two", &json!({})),
            object("batch/v1", "Job", "two", "Job one", &json!({})),
        ]
    }

    #[test]
    fn lines_of_a_tree() {
        let (objects, secret) = (
            objects(),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prod", "namespace": "sets",
            "labels": {"applyset.kubernetes.io/id": "one"}, "annotations": {"kaito.sh/revision": "v1"}}}),
        );
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let trees = tree(&rows(&objects), &objects, &[node], &Sets::of(&[secret]));
        let lines: Vec<String> = tree_lines(&trees).into_iter().map(|line| format!("{} {}", line[0], line[1])).collect();
        let want = [
            "OBJECT HEALTH",
            "Secret/sets/prod -",
            "└── Workspace/n/phi InProgress",
            "    ├── MachinePool/pool InProgress",
            "    │   ├── Node/a Current",
            "    │   └── Node/b Unknown",
            "    ├── Service/phi Current",
            "    ├── Pod/phi-0 Current",
            "    │   └── Node/a Current",
            "    └── Deployment/phi InProgress",
        ];
        assert_eq!(lines, want);
        assert_eq!(node_names(&trees).into_iter().collect::<Vec<_>>(), ["a", "b"]);
        let told = tree_json(&trees);
        assert_eq!(told["items"][0]["revision"], "v1");
        assert_eq!(told["items"][0]["children"][0]["children"][1]["object"]["kind"], "Service");
    }
}
