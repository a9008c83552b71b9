//! The kinds of Flux's toolkit, such as `HelmRelease`, which all tell their readiness in the same way.

use serde_json::Value;

use super::conditions::Condition;
use super::{Health, silent};

/// The health of an object of Flux, of which nothing general has been said.
pub(super) fn flux(object: &Value) -> Option<Health> {
    let ready = Condition::find(object, "Ready");
    if object["spec"]["suspend"] == true && !ready.is_some_and(|ready| ready.is_true()) {
        return Some(Health::stuck("suspended: Flux leaves it alone"));
    }
    ready.is_none().then(|| silent("Flux"))
}
