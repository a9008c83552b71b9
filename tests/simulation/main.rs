//! The loop in a world that is simulated: what happens after what is drawn from a seed, on one thread at a time, with a clock that only goes
//! when nobody has anything to do. See `docs/security.md`.
//!
//! ```text
//! KAITO_TEST_SCHEDULES=100000 cargo test --release --test simulation
//! KAITO_TEST_SEED=17 cargo test --test simulation -- --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(clippy::print_stdout, reason = "it is for whoever plays a schedule")]

mod checks;
mod host;
mod net;
mod others;
mod process;
mod repository;
mod schedule;
mod server;
mod world;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use schedule::{Played, play};

/// How many schedules are played unless somebody says otherwise.
const SCHEDULES: u64 = 300;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What went wrong, with the fewest disturbances with which it does.
fn shortest(seed: u64, played: &Played) -> String {
    let fewer = (0..played.disturbances.len()).map(|most| play(seed, most, false)).find(|played| played.violation.is_some());
    let played = fewer.as_ref().unwrap_or(played);
    let mut text = format!("seed {seed}: {}\n", played.violation.as_deref().unwrap_or_default());
    played.disturbances.iter().for_each(|disturbance| _ = writeln!(text, "  {disturbance}"));
    text + &format!(
        "again, step by step: KAITO_TEST_SEED={seed} KAITO_TEST_DISTURBANCES={} cargo test --test simulation -- --nocapture schedules",
        played.disturbances.len()
    )
}

#[test]
fn schedules() {
    if let Some(seed) = variable("KAITO_TEST_SEED") {
        let most = variable("KAITO_TEST_DISTURBANCES").and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let played = play(seed, most, true);
        assert_eq!(played.violation, None, "seed {seed}");
        return;
    }
    let (count, began) = (variable("KAITO_TEST_SCHEDULES").unwrap_or(SCHEDULES), Instant::now());
    let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let (mut steps, mut requests) = (0, 0);
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                break;
            }
            let played = play(seed, usize::MAX, false);
            if played.violation.is_some() {
                is_over.store(true, Ordering::Relaxed);
                return Err(format!("after {} schedules, {}", seed + 1, shortest(seed, &played)));
            }
            steps += played.steps;
            requests += played.requests;
        }
        Ok((steps, requests))
    };
    let mut all = (0, 0);
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for running in running {
            let (steps, requests) = running.join().unwrap().unwrap_or_else(|why| panic!("{why}"));
            all = (all.0 + steps, all.1 + requests);
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "it is for people")]
    let rate = count as f64 / seconds;
    println!("{count} schedules in {seconds:.1} s ({rate:.0} a second): {} steps, {} requests", all.0, all.1);
}

/// The same seed is the same schedule, to the last request.
#[test]
fn a_seed_says_everything() {
    for seed in 0..10 {
        let (one, other) = (play(seed, usize::MAX, false), play(seed, usize::MAX, false));
        assert_eq!((one.fingerprint, one.steps, one.requests), (other.fingerprint, other.steps, other.requests), "seed {seed}");
    }
}

/// Bugs that were found, each by the seed of a schedule and what was wrong with it.
const FOUND: [(u64, &str); 2] = [
    (1958, "what was asked is not waited for when something else has no answer"),
    (68_101, "what a look at everything has found is forgotten unless a watch has told of it"),
];

#[test]
fn what_was_found_stays_away() {
    for (seed, what) in FOUND {
        let played = play(seed, usize::MAX, false);
        assert_eq!(played.violation, None, "seed {seed}: {what}");
    }
}

/// The bugs that `bugs/run.sh` plants can still be planted.
#[test]
fn bugs_can_be_planted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patches = std::fs::read_dir(root.join("tests/simulation/bugs")).unwrap().map(|entry| entry.unwrap().path());
    let patches: Vec<_> = patches.filter(|path| path.extension().is_some_and(|extension| extension == "patch")).collect();
    assert!(patches.len() >= 3, "{patches:?}");
    for patch in patches {
        let tried = Command::new("git").current_dir(root).args(["apply", "--check"]).arg(&patch).output().unwrap();
        assert!(tried.status.success(), "{}: {}", patch.display(), String::from_utf8_lossy(&tried.stderr));
    }
}
