//! The rights of an import, for which there are no files yet: to list what it looks for, and to read the ConfigMaps that are named.

use super::kinds::Known;
use super::{Account, Grants, Purpose, Rights, Use};
use crate::import::searches;

/// The rights to import a namespace, or all.
pub fn import_rights(namespace: Option<&str>, account: Option<Account>) -> Rights {
    let known = Known::with(std::iter::empty());
    let how = Use { purpose: Purpose::Import, account, ..Use::default() };
    let mut grants = Grants::default();
    for search in searches(namespace) {
        let (Ok(resource) | Err(resource)) = known.find(&search.kind);
        let place = search.namespace.as_deref().filter(|_| resource.is_namespaced);
        grants.add(place, (&resource.group, &resource.plural), None, &how.verbs());
    }
    grants.add(namespace, ("", "configmaps"), None, &["get"]);
    let mut notes = vec![format!("What `kaito {}` needs, and no more.", how.purpose.command())];
    notes.extend(how.account.is_none().then(|| super::BOUND_TO_NOBODY.to_owned()));
    let objects = grants.rules().into_iter().flat_map(|(namespace, rules)| how.role(namespace.as_deref(), &rules)).collect();
    Rights { objects, notes, ..Rights::default() }
}
