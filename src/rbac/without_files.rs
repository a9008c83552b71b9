//! The rights of verbs that take no files: to list what they look for, and what they do with some of it.

use super::kinds::Known;
use super::{Account, Grants, Purpose, Rights, Use};
use crate::import;
use crate::status::{self, Breadth, Search};

/// The rights to import a namespace, or all: the `ConfigMap`s that Workspaces name are read, too.
pub fn import_rights(namespace: Option<&str>, account: Option<Account>) -> Rights {
    let mut grants = Grants::default();
    grants.add(namespace, ("", "configmaps"), None, &["get"]);
    rights(grants, import::searches(namespace), &Use { purpose: Purpose::Import, account, ..Use::default() })
}

/// The rights to talk to the models of a namespace, or of all. Nodes need not be seen for that.
pub fn chat_rights(namespace: Option<&str>, account: Option<Account>) -> Rights {
    let mut grants = Grants::default();
    grants.add(namespace, ("", "pods/portforward"), None, &["get", "create"]);
    // Of all that it looks for, what is in the namespace of a Workspace.
    let near = status::searches(Some("any"), Breadth::Health).into_iter().filter(|search| search.namespace.is_some());
    let searches = near.map(|search| Search { namespace: namespace.map(ToOwned::to_owned), ..search });
    rights(grants, searches, &Use { purpose: Purpose::Chat, account, ..Use::default() })
}

/// The rights for these lists, and those that there are already.
fn rights(mut grants: Grants, searches: impl IntoIterator<Item = Search>, how: &Use) -> Rights {
    let known = Known::with(std::iter::empty());
    for search in searches {
        let (Ok(resource) | Err(resource)) = known.find(&search.kind);
        let place = search.namespace.as_deref().filter(|_| resource.is_namespaced);
        grants.add(place, (&resource.group, &resource.plural), None, &how.verbs());
    }
    let mut notes = vec![format!("What `kaito {}` needs, and no more.", how.purpose.command())];
    notes.extend(how.account.is_none().then(|| super::BOUND_TO_NOBODY.to_owned()));
    let objects = grants.rules().into_iter().flat_map(|(namespace, rules)| how.role(namespace.as_deref(), &rules)).collect();
    Rights { objects, notes, ..Rights::default() }
}
