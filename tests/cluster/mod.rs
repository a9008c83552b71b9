//! A real API server, which has the last word on what kaito renders: etcd and kube-apiserver, started once for all tests.
//!
//! `KUBEBUILDER_ASSETS` names a folder with the two programs, as for any envtest; otherwise Go builds them once from
//! `tests/cluster/tools` and they stay in the user's cache directory. Every test has namespaces of its own or only asks what
//! the server would do (`dryRun=All`), so that one cluster serves all.

mod accepted;
mod client;
mod crds;
mod kinds;
mod manifest;
mod programs;
mod refused;
mod server;
mod will;

use std::sync::OnceLock;

use client::Client;
use server::Server;

/// A running API server that knows the CRDs of what kaito reads and renders.
struct Cluster {
    client: Client,
    _server: Server,
}

/// The cluster of this run of the tests; whoever needs it first starts it.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    let started = CLUSTER.get_or_init(|| {
        let server = Server::start(&programs::folder()?)?;
        let client = server.client();
        crds::install(&client)?;
        Ok(Cluster { client, _server: server })
    });
    started.as_ref().unwrap_or_else(|fault| panic!("there is no API server to test with\n{fault}"))
}
