//! A schedule: disturbances one after the other, with steps between them, and calm after them, in which all must become as it should be.

use std::time::Duration;

use crate::others::{MEDDLER, Meddling};
use crate::repository::contents;
use crate::world::{Faults, World};

/// How many processes there are.
const PROCESSES: usize = 2;
/// How often there are disturbances, and calm after them, at most.
const MOST_EPISODES: usize = 4;
/// How many steps there are between disturbances at most: they may come one upon the other, or when all has long settled.
const PACES: [usize; 3] = [8, 30, 120];
/// How many steps there are at most before the first, so that it may hit who begins or who knows everything; and how many behind the last of
/// an episode.
const BEGIN: usize = 300;
const TAIL: usize = 200;
/// How many steps in a row there are at most in which only time passes: all has settled then.
const MOST_IDLE: usize = 4;
/// Which requests fail, by what their lines have: most that are asked read, and would have most of the faults.
const FAILING: [&str; 6] = ["", "", "", "PATCH", "DELETE", "/status"];
/// How often something is done in calm before it is taken that this never ends.
const MOST_CALM_STEPS: usize = 20_000;
/// How long it may take until everything is as it should be: what fails is tried again after five minutes at the latest, and a leader that
/// was killed is followed by another one after two minutes.
const LONGEST_CALM: Duration = Duration::from_secs(1200);
/// How long nothing is done then. Time passes so that nobody loses a lease.
const QUIET: Duration = Duration::from_secs(300);
const TICK: Duration = Duration::from_secs(60);

/// How a schedule went.
#[derive(Debug)]
pub(crate) struct Played {
    /// What was done, as a number.
    pub fingerprint: u64,
    pub steps: usize,
    pub requests: usize,
    /// The disturbances, in words.
    pub disturbances: Vec<String>,
    /// What didn't hold, if anything.
    pub violation: Option<String>,
}

/// Plays the schedule of a seed, up to so many disturbances.
pub(crate) fn play(seed: u64, most: usize, is_told: bool) -> Played {
    let mut world = World::new(seed, is_told);
    let mut disturbances = Vec::new();
    (0..PROCESSES).for_each(|_| world.start());
    let (count, begin) = (world.rng.usize(1..=MOST_EPISODES), world.rng.usize(0..BEGIN));
    steps(&mut world, begin);
    for left in (0..count).rev() {
        episode(&mut world, most, &mut disturbances);
        let is_last = left == 0 || disturbances.len() >= most;
        let is_calm = world.checks.violation.is_none() && calm(&mut world);
        if is_calm && is_last {
            rest(&mut world);
        }
        if !is_calm || is_last {
            break;
        }
    }
    let World { server, checks, .. } = &mut world;
    checks.see_all(server);
    Played {
        fingerprint: world.fingerprint(),
        steps: world.steps,
        requests: world.requests,
        disturbances,
        violation: world.checks.violation.take(),
    }
}

/// Disturbances, as long as there aren't too many of them.
fn episode(world: &mut World, most: usize, disturbances: &mut Vec<String>) {
    let pace = PACES[world.rng.usize(0..PACES.len())];
    let count = world.rng.usize(1..10);
    for _ in 0..count {
        if world.checks.violation.is_some() || disturbances.len() >= most {
            break;
        }
        let said = disturb(world);
        world.tell(|| format!("--- {said}"));
        disturbances.push(format!("{said} (at step {})", world.steps));
        world.settle();
        let pause = world.rng.usize(0..pace);
        steps(world, pause);
    }
    let tail = world.rng.usize(0..TAIL);
    steps(world, tail);
}

fn steps(world: &mut World, count: usize) {
    let mut idle = 0;
    for _ in 0..count {
        idle = if world.step() { 0 } else { idle + 1 };
        if world.checks.violation.is_some() || idle > MOST_IDLE {
            return;
        }
        if world.processes.len() < PROCESSES && world.rng.usize(0..20) == 0 {
            world.start();
        }
    }
}

/// Something happens that nobody wants; what it was.
fn disturb(world: &mut World) -> String {
    let place = world.rng.usize(0..world.processes.len().max(1)).min(world.processes.len().saturating_sub(1));
    let name = world.processes.get(place).map(|process| process.name.clone()).unwrap_or_default();
    let members = world.members();
    match world.rng.usize(0..24) {
        0..=5 => {
            let content = world.rng.usize(0..contents().len());
            world.commit(content);
            format!("a commit: {}", world.head)
        }
        6..=9 if !members.is_empty() => {
            let object = members[world.rng.usize(0..members.len())].clone();
            let how = [Meddling::Edit, Meddling::Seize, Meddling::Strip, Meddling::Note, Meddling::Delete][world.rng.usize(0..5)];
            world.meddle(&object, how);
            format!("somebody meddles with {}: {how:?}", crate::server::reference(&object))
        }
        10..=13 => {
            let (count, of) = (world.rng.usize(1..20), FAILING[world.rng.usize(0..FAILING.len())]);
            world.faults = Faults { left: count, of };
            format!("the server and the network fail, up to {count} times, for {of:?}")
        }
        14 => {
            world.server.compact();
            "nothing is known any more of what has happened".to_owned()
        }
        15 => {
            world.close_watches();
            "all watches end".to_owned()
        }
        16 if !name.is_empty() => {
            world.kill(place);
            format!("{name} is killed")
        }
        17 if !name.is_empty() => {
            world.processes[place].stop();
            format!("{name} is told to stop")
        }
        18 if !name.is_empty() => {
            world.hold(place);
            format!("{name} is held")
        }
        19 => {
            world.go_on_all();
            "whoever was held goes on".to_owned()
        }
        20 => {
            let time = Duration::from_secs(world.rng.u64(5..400));
            world.pass_time(time);
            format!("{time:?} pass")
        }
        21 if !name.is_empty() => {
            world.processes[place].fail_to_look();
            format!("{name} can't get at the repository")
        }
        _ => {
            world.act_controllers(true);
            "controllers do what is to be done".to_owned()
        }
    }
}

/// Nothing is disturbed any more: everything becomes as the newest revision says. Whether it does.
fn calm(world: &mut World) -> bool {
    world.tell(|| "--- calm".to_owned());
    world.faults = Faults::default();
    world.server.give_up(MEDDLER);
    world.go_on_all();
    while world.processes.len() < PROCESSES {
        world.start();
    }
    if !world.content().is_good() && world.rng.usize(0..4) > 0 {
        let good = (0..contents().len()).filter(|content| contents()[*content].is_good()).collect::<Vec<_>>();
        let content = good[world.rng.usize(0..good.len())];
        world.commit(content);
        world.tell(|| format!("--- the last commit: {}", world.head));
    }
    world.has_controllers = world.rng.usize(0..5) > 0;
    let mut passed = Duration::ZERO;
    while come_to_rest(world) {
        let lacking = world.checks.lacking(&world.server, &world.head, world.content());
        let is_led = world.processes.iter().any(|process| process.worker.is_some());
        match lacking {
            None if is_led => return true,
            _ if passed >= LONGEST_CALM => {
                let why = lacking.unwrap_or_else(|| "nobody leads".to_owned());
                world.checks.violated(format!("after {LONGEST_CALM:?} of calm {why}"));
            }
            _ => world.pass_time(TICK),
        }
        passed += TICK;
    }
    false
}

/// When everything is as it should be, nothing more is asked but for leases and watches.
fn rest(world: &mut World) {
    // What was heard of last may be looked at once more, and a watch that had to wait begins anew within a minute.
    for _ in 0..2 {
        world.pass_time(TICK);
        if !come_to_rest(world) {
            return;
        }
    }
    let leader = |world: &World| world.processes.iter().find(|process| process.worker.is_some()).map(|process| process.life);
    let (mut before, mut passed, mut leads) = (world.checks.questions, Duration::ZERO, leader(world));
    while passed < QUIET {
        world.pass_time(TICK);
        passed += TICK;
        if !come_to_rest(world) {
            return;
        }
        // Who begins to lead looks at everything.
        if leader(world).is_none_or(|life| leads != Some(life)) {
            (before, passed, leads) = (world.checks.questions, Duration::ZERO, leader(world));
        }
    }
    let asked = world.checks.questions - before;
    if asked > 0 && world.content().is_good() {
        return world.checks.violated(format!("{asked} questions are asked though there is nothing to do"));
    }
    if let Some(why) = world.checks.lacking(&world.server, &world.head, world.content()) {
        world.checks.violated(format!("it doesn't stay as it should be: {why}"));
    }
}

/// Does everything that there is to do at this moment; whether that came to an end, and nothing is wrong.
fn come_to_rest(world: &mut World) -> bool {
    for _ in 0..MOST_CALM_STEPS {
        if world.checks.violation.is_some() {
            return false;
        }
        world.steps += 1;
        (0..world.processes.len()).rev().for_each(|place| world.heed(place));
        if let Some(number) = world.flights().first() {
            world.serve(*number, crate::world::Fate::Answered);
        } else if let Some(place) = world.news().first() {
            world.tell_news(*place, usize::MAX);
        } else if let Some(place) = world.able().first() {
            world.go_on(*place, usize::MAX);
        } else if world.processes.len() < PROCESSES {
            world.start();
        } else {
            (0..world.processes.len()).for_each(|place| world.look(place));
            world.act_controllers(world.has_controllers);
            if world.is_quiet() {
                return true;
            }
        }
    }
    world.checks.violated("it never comes to rest");
    false
}
