//! What is in namespaces that nobody named.

use super::{Candidate, Context, Reason};

pub(super) fn why_kept(candidate: &Candidate<'_>, context: &Context<'_>) -> Option<Reason> {
    let namespace = candidate.reference().namespace.as_deref()?;
    context.namespaces.filter(|allowed| !allowed.contains(namespace)).map(|_| Reason::Namespace { namespace: namespace.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_elsewhere_stays() {
        let table = [(Some("n"), Some("n"), false), (Some("n"), Some("other"), true), (Some("n"), None, false), (None, Some("n"), false)];
        for (namespace, allowed, want) in table {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": namespace}});
            let allowed: Option<BTreeSet<String>> = allowed.map(|allowed| [allowed.to_owned()].into());
            let context = Context { set: "one", owners: &BTreeSet::new(), allowed: &[], namespaces: allowed.as_ref(), other_inputs: None };
            assert_eq!(why_kept(&Candidate::of(&object).unwrap(), &context).is_some(), want, "{namespace:?} {allowed:?}");
        }
    }
}
