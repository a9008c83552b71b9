//! Faults that nobody has chosen, at moments that nobody has chosen: after each, all is as the newest revision says.

use std::collections::BTreeSet;
use std::env;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::super::proxy::Proxy;
use super::super::watching::Watching;
use super::fleet::{Fleet, workspace};

/// How many faults there are, unless the environment variable `KAITO_TEST_FAULTS` says otherwise.
const FAULTS: usize = 20;

/// About as many requests as it makes from its start until it is at rest.
const REQUESTS: usize = 60;

/// What goes wrong, or is done, while a commit is applied.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The process is killed after so many requests, and begins anew.
    Killed(usize),
    /// It is killed as it fetches.
    KilledAsItFetches,
    /// It is told to end, after so many requests, and begins anew.
    Ended(usize),
    /// It stands still for a while.
    Stopped(usize, Duration),
    /// All connections to the API server break, and new ones are refused for a while. Whether the watches come too late after that.
    CutOff(usize, Duration, bool),
    /// After so many writes an answer doesn't come for a while, to a write that the server has got, or hasn't.
    Held(usize, Duration, bool),
    /// So many writes are too many.
    TooMany(usize),
    /// The git server answers nothing but this status for a while.
    GitFails(u16, Duration),
    /// It ends each pack after so many bytes, for a while.
    GitBreaksOff(usize, Duration),
    /// Somebody deletes something.
    Deleted(usize),
}

impl Fault {
    fn any(random: &mut StdRng) -> Self {
        let (after, delay) = (random.gen_range(0..REQUESTS), Duration::from_millis(random.gen_range(0..400)));
        match random.gen_range(0..10) {
            0 => Self::Killed(after),
            1 => Self::KilledAsItFetches,
            2 => Self::Ended(after),
            3 => Self::Stopped(after, delay),
            4 => Self::CutOff(after, delay, random.gen_bool(0.5)),
            5 => Self::Held(random.gen_range(0..12), delay, random.gen_bool(0.5)),
            6 => Self::TooMany(random.gen_range(1..5)),
            7 => Self::GitFails(*[401, 404, 429, 500, 503].choose(random).expect("some"), delay),
            8 => Self::GitBreaksOff(random.gen_range(1..600), delay),
            _ => Self::Deleted(random.gen_range(0..1000)),
        }
    }
}

/// A fleet that is followed through a proxy, and what is in it.
struct Story {
    fleet: Fleet<'static>,
    proxy: Proxy,
    names: BTreeSet<String>,
    watching: Option<Watching>,
    /// How many requests there were since the last commit.
    seen: usize,
}

impl Story {
    fn new() -> Self {
        let fleet = Fleet::new("schedule");
        let proxy = Proxy::new(&fleet.namespace);
        let names = ["phi", "other"].map(ToOwned::to_owned).into();
        let mut story = Self { fleet, proxy, names, watching: None, seen: 0 };
        story.start();
        story
    }

    fn start(&mut self) {
        self.watching = Some(Watching::of(&mut self.fleet.command("cache", &self.proxy.kubeconfig, &[])));
    }

    fn watching(&self) -> &Watching {
        self.watching.as_ref().expect("it was started")
    }

    fn kill(&mut self) {
        self.watching.take().expect("it was started").kill();
        self.start();
    }

    /// Commits another number, and a Workspace more, one less, both or none of it.
    fn change(&mut self, number: usize, random: &mut StdRng) -> String {
        if random.gen_bool(0.5) && self.names.len() < 6 {
            let name = format!("new-{number}");
            self.fleet.write(&name, &workspace(&name));
            self.names.insert(name);
        }
        if self.names.len() > 2
            && let Some(name) = self.names.iter().filter(|name| *name != "phi").choose(random).cloned()
        {
            self.fleet.remove(&name);
            self.names.remove(&name);
        }
        self.proxy.asked();
        self.fleet.served.asked();
        self.seen = 0;
        self.fleet.commit(number)
    }

    /// Waits for as many requests about a commit, or until it is applied.
    fn until_asked(&mut self, count: usize, commit: &str) {
        loop {
            self.seen += self.proxy.asked().len();
            if self.seen >= count || self.is_over(commit) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_over(&self, commit: &str) -> bool {
        !self.watching().said(&["reconciled", commit, "failed=0"]).is_empty()
    }

    fn suffer(&mut self, fault: Fault, commit: &str) {
        match fault {
            Fault::Killed(after) => {
                self.until_asked(after, commit);
                self.kill();
            }
            Fault::KilledAsItFetches => {
                while !self.is_over(commit) && !self.fleet.served.asked().iter().any(|asked| asked.what.starts_with("POST")) {
                    thread::sleep(Duration::from_millis(1));
                }
                self.kill();
            }
            Fault::Ended(after) => {
                self.until_asked(after, commit);
                let status = self.watching.take().expect("it was started").stop();
                assert_eq!(status.code(), Some(0));
                self.start();
            }
            Fault::Stopped(after, pause) => {
                self.until_asked(after, commit);
                self.watching().signal("STOP");
                thread::sleep(pause);
                self.watching().signal("CONT");
            }
            Fault::CutOff(after, pause, has_forgotten) => {
                self.until_asked(after, commit);
                self.proxy.cut();
                thread::sleep(pause);
                self.proxy.mend(has_forgotten);
            }
            Fault::Held(writes, pause, passes) => {
                self.proxy.hold(writes, passes);
                while !self.is_over(commit) && !self.proxy.is_held() {
                    thread::sleep(Duration::from_millis(1));
                }
                thread::sleep(pause);
                self.proxy.resume();
            }
            Fault::TooMany(count) => self.proxy.turn_away(count),
            Fault::GitFails(status, pause) => self.git(&json!({"Status": status}), pause),
            Fault::GitBreaksOff(bytes, pause) => self.git(&json!({"Cut": bytes}), pause),
            Fault::Deleted(which) => self.fleet.delete_one(which),
        }
    }

    fn git(&self, rules: &serde_json::Value, pause: Duration) {
        self.fleet.served.rules(rules);
        thread::sleep(pause);
        self.fleet.served.rules(&json!({}));
    }
}

fn number_in(variable: &str) -> Option<usize> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

#[test]
fn at_random() {
    let seed = number_in("KAITO_TEST_SEED").unwrap_or(7);
    let mut random = StdRng::seed_from_u64(seed as u64);
    let mut story = Story::new();
    for number in 0..number_in("KAITO_TEST_FAULTS").unwrap_or(FAULTS) {
        let fault = Fault::any(&mut random);
        // Not by a macro: what those print isn't seen before the test is over.
        _ = writeln!(std::io::stderr(), "seed {seed}, fault {number}: {fault:?}");
        let commit = story.change(number, &mut random);
        story.suffer(fault, &commit);
        story.fleet.until_all_is(&commit);
        story.proxy.let_go();
        story.proxy.turn_away(0);
    }
    story.fleet.until_repaired();
}
