//! kubectl, of the cluster's version.

use std::path::Path;
use std::process::{Command, Stdio};

use super::programs;

/// kubectl as whoever a kubeconfig names, in an environment that is the same everywhere, with `ApplySet`s allowed. What it keeps goes
/// beside the kubeconfig.
pub(super) fn kubectl(kubeconfig: &Path) -> Command {
    let mut command = Command::new(programs::path("kubectl").unwrap_or_else(|fault| panic!("{fault}")));
    let home = kubeconfig.parent().unwrap();
    command.env_clear().env("HOME", home).env("KUBECACHEDIR", home.join("kubectl")).env("KUBECONFIG", kubeconfig);
    command.env("KUBECTL_APPLYSET", "true").stdin(Stdio::null());
    command
}
