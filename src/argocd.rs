//! Argo CD: how it calls a config management plugin, and what it wants of manifests.
//!
//! The contract is that of <https://argo-cd.readthedocs.io/en/stable/operator-manual/config-management-plugins/>.

mod generate_paths;
mod given;
mod manifests;
mod parameters;

pub use generate_paths::generate_paths;
pub use given::{Given, given};
pub use manifests::for_application;
pub use parameters::{Form, PARAMETERS, Parameter, announcement};
