//! What the objects of each owner come from, as a number: as long as it is the same, so are they, and nothing has to be rendered.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use sha2::{Digest as _, Sha256};

use crate::diff::{Owner, Side};
use crate::hex::hex;
use crate::render::TemplateError;

/// What the objects of each owner come from.
pub type Fingerprints = BTreeMap<Option<Owner>, u64>;

/// The fingerprints of a side. `world` is everything that decides how it is rendered besides the input.
///
/// # Errors
/// A template at fault: what several Workspaces share is rendered for it, as that costs little.
pub fn fingerprints(side: &Side<'_>, world: &str) -> Result<Fingerprints, TemplateError> {
    let shared_facts = of((world, format!("{:?}", side.input.nodes), side.input.facts().map(|fact| fact.to_string()).collect::<Vec<_>>()));
    let of_plan = |key: (&str, &str)| {
        let owner = Owner { kind: "Workspace", namespace: key.0.into(), name: key.1.into() };
        let declared = side.declared(&owner).map(|(workspace, config)| (workspace.to_string(), config.map(|config| config.to_string())));
        (Some(owner), of((shared_facts, declared)))
    };
    let mut all: Fingerprints = side.session.plans().map(|plan| of_plan(plan.key())).collect();
    for (owner, objects) in side.shared()? {
        let texts: Vec<String> = objects.values().map(ToString::to_string).collect();
        let other = all.get(&owner).copied();
        all.insert(owner, of((other, texts)));
    }
    Ok(all)
}

fn of(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The digest of everything, as a set's history has it: `sha256:...`.
pub(super) fn digest(prints: &Fingerprints) -> String {
    let mut sha = Sha256::new();
    for (owner, print) in prints {
        sha.update(format!("{owner:?} {print}\n"));
    }
    format!("sha256:{}", hex(&sha.finalize()))
}
