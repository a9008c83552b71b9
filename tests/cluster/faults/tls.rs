//! Certificates expire and are rotated, and authorities are: what is mounted then is used, by the process that runs.

use std::fs;

use serde_json::{Value, json};

use super::super::proxy::Proxy;
use super::super::watching::Watching;
use super::fleet::Fleet;

#[test]
fn of_the_git_server() {
    let fleet = Fleet::new("tls-git");
    let listens = &fleet.served.server.listens;
    let secret = fleet.home.path().join("secret");
    fs::create_dir(&secret).unwrap();
    let trust = |authority: &str| fs::write(secret.join("ca.crt"), authority).unwrap();
    trust(&listens.authority);
    let kubeconfig = fleet.cluster.server.kubeconfig_file();
    let args = ["--credentials", secret.to_str().unwrap()];
    let mut watching = Watching::of(&mut fleet.command_at(&fleet.served.https(), "cache", &kubeconfig, &args));
    let first = fleet.commit(1);
    fleet.until_all_is(&first);
    fleet.served.rules(&json!({"Papers": "expired"}));
    watching.until(&["the source can't be read", "can't be trusted", "certificate expired"]);
    let second = fleet.commit(2);
    fleet.until_repaired();
    fleet.until_applied(&first);
    fleet.served.rules(&json!({}));
    fleet.until_all_is(&second);
    fleet.served.rules(&json!({"Papers": "next"}));
    watching.until(&["the source can't be read", "can't be trusted", "UnknownIssuer"]);
    let third = fleet.commit(3);
    trust(&listens.next_authority);
    fleet.until_all_is(&third);
    assert_eq!(watching.stop().code(), Some(0));
}

#[test]
fn of_the_api_server() {
    let fleet = Fleet::new("tls-api");
    let proxy = Proxy::new(&fleet.namespace);
    let listens = &fleet.served.server.listens;
    let (kubeconfig, authority) = (fleet.home.path().join("kubeconfig"), fleet.home.path().join("ca.crt"));
    fs::write(&authority, &listens.authority).unwrap();
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&proxy.kubeconfig).unwrap()).unwrap();
    config["clusters"][0]["cluster"] = json!({"server": format!("https://{}", listens.relay), "certificate-authority": "ca.crt"});
    fs::write(&kubeconfig, config.to_string()).unwrap();
    // Those who are connected don't look at certificates any more.
    let shows = |papers: &str| {
        fleet.served.rules(&json!({"Papers": papers, "Relay": proxy.address}));
        proxy.cut();
        proxy.mend(false);
    };
    shows("");
    let mut watching = Watching::of(&mut fleet.command("cache", &kubeconfig, &[]));
    fleet.until_all_is(&fleet.commit(1));
    shows("expired");
    watching.skip();
    let second = fleet.commit(2);
    watching.until(&["not reconciled", "certificate expired"]);
    shows("");
    fleet.until_all_is(&second);
    fleet.until_repaired();
    shows("next");
    watching.skip();
    let third = fleet.commit(3);
    watching.until(&["not reconciled", "UnknownIssuer"]);
    // It is read anew once in a while.
    fs::write(&authority, &listens.next_authority).unwrap();
    fleet.until_all_is(&third);
    fleet.until_repaired();
    assert_eq!(watching.stop().code(), Some(0));
}
