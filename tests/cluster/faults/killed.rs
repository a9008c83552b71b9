//! It is killed at moments that nobody has chosen, and begins anew each time.

use std::collections::BTreeSet;
use std::env;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};

use super::super::proxy::Proxy;
use super::super::watching::Watching;
use super::fleet::{Fleet, workspace};

/// How often it is killed, unless the environment variable `KAITO_TEST_KILLS` says otherwise.
const KILLS: usize = 10;

/// About as many requests as it makes from its start until it is at rest.
const REQUESTS: usize = 60;

fn number_in(variable: &str) -> Option<usize> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

/// Adds a Workspace, takes one away, both or none of it.
fn change(fleet: &Fleet<'_>, names: &mut BTreeSet<String>, number: usize, random: &mut StdRng) {
    if random.gen_bool(0.5) {
        let name = format!("new-{number}");
        fleet.write(&name, &workspace(&name));
        names.insert(name);
    }
    if names.len() > 2
        && let Some(name) = names.iter().choose(random).cloned()
    {
        fleet.remove(&name);
        names.remove(&name);
    }
}

#[test]
fn at_random_moments() {
    let seed = number_in("KAITO_TEST_SEED").unwrap_or(7);
    let mut random = StdRng::seed_from_u64(seed as u64);
    let fleet = Fleet::new("killed-at-random");
    let proxy = Proxy::new(&fleet.namespace);
    let start = || Watching::of(&mut fleet.command("cache", &proxy.kubeconfig, &[]));
    let mut names = BTreeSet::from(["phi", "other"].map(ToOwned::to_owned));
    let mut commit = String::new();
    for number in 0..number_in("KAITO_TEST_KILLS").unwrap_or(KILLS) {
        change(&fleet, &mut names, number, &mut random);
        commit = fleet.commit(number);
        let (is_early, until) = (random.gen_bool(0.2), random.gen_range(0..REQUESTS));
        _ = writeln!(std::io::stderr(), "seed {seed}, kill {number}: {}", if is_early { "as it fetches" } else { "at a request" });
        proxy.asked();
        fleet.served.asked();
        let watching = start();
        let mut seen = 0;
        loop {
            seen += proxy.asked().len();
            let is_over = !watching.said(&["reconciled", "failed=0"]).is_empty();
            if is_over || seen >= until || (is_early && fleet.served.asked().iter().any(|asked| asked.what.starts_with("POST"))) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        watching.kill();
    }
    let _watching = start();
    fleet.until_all_is(&commit);
    fleet.until_repaired();
    fleet.until_all_is(&commit);
}
