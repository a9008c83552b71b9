//! A schedule: disturbances one after the other, with steps between them, and calm at the end, in which all must become as it should be.

use std::time::Duration;

use crate::others::{MEDDLER, Meddling};
use crate::repository::contents;
use crate::world::World;

/// How many processes there are.
const PROCESSES: usize = 2;
/// How often something is done in calm before it is taken that this never ends.
const MOST_CALM_STEPS: usize = 20_000;
/// How long it may take until everything is as it should be: what fails is tried again after five minutes at the latest, and a leader that
/// was killed is followed by another one after a minute.
const LONGEST_CALM: Duration = Duration::from_secs(1200);
/// How long nothing is done then. Time passes so that nobody loses a lease.
const QUIET: Duration = Duration::from_secs(300);
const TICK: Duration = Duration::from_secs(8);

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
    let count = world.rng.usize(2..14);
    let begin = world.rng.usize(0..200);
    steps(&mut world, begin);
    for _ in 0..count.min(most) {
        if world.checks.violation.is_some() {
            break;
        }
        let said = disturb(&mut world);
        world.tell(|| format!("--- {said}"));
        disturbances.push(format!("{said} (at step {})", world.steps));
        world.settle();
        let pause = world.rng.usize(1..120);
        steps(&mut world, pause);
    }
    world.tell(|| "--- calm".to_owned());
    if world.checks.violation.is_none() {
        calm(&mut world);
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

fn steps(world: &mut World, count: usize) {
    for _ in 0..count {
        world.step();
        if world.checks.violation.is_some() {
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
    match world.rng.usize(0..20) {
        0..=4 => {
            let content = world.rng.usize(0..contents().len());
            world.commit(content);
            format!("a commit: {}", world.head)
        }
        5..=8 if !members.is_empty() => {
            let object = members[world.rng.usize(0..members.len())].clone();
            let how = [Meddling::Edit, Meddling::Seize, Meddling::Strip, Meddling::Note, Meddling::Delete][world.rng.usize(0..5)];
            world.meddle(&object, how);
            format!("somebody meddles with {}: {how:?}", crate::server::reference(&object))
        }
        9 | 10 => {
            world.faults = world.rng.usize(1..20);
            format!("the server and the network fail, up to {} times", world.faults)
        }
        11 => {
            world.server.compact();
            "nothing is known any more of what has happened".to_owned()
        }
        12 => {
            world.close_watches();
            "all watches end".to_owned()
        }
        13 if !name.is_empty() => {
            world.kill(place);
            format!("{name} is killed")
        }
        14 if !name.is_empty() => {
            world.processes[place].stop();
            format!("{name} is told to stop")
        }
        15 if !name.is_empty() => {
            world.hold(place);
            format!("{name} is held")
        }
        16 => {
            world.go_on_all();
            "whoever was held goes on".to_owned()
        }
        17 => {
            let time = Duration::from_secs(world.rng.u64(5..200));
            world.pass_time(time);
            format!("{time:?} pass")
        }
        18 if !name.is_empty() => {
            world.processes[place].fail_to_look();
            format!("{name} can't get at the repository")
        }
        _ => {
            world.act_controllers(true);
            "controllers do what is to be done".to_owned()
        }
    }
}

/// Nothing is disturbed any more: everything becomes as the newest revision says, and then nothing is asked any more.
fn calm(world: &mut World) {
    world.faults = 0;
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
    let has_controllers = world.rng.usize(0..5) > 0;
    let mut passed = Duration::ZERO;
    let why = loop {
        if !come_to_rest(world, has_controllers) {
            return;
        }
        let lacking = world.checks.lacking(&world.server, &world.head, world.content());
        let is_led = world.processes.iter().any(|process| process.worker.is_some());
        match lacking {
            None if is_led => break None,
            _ if passed >= LONGEST_CALM => break Some(lacking.unwrap_or_else(|| "nobody leads".to_owned())),
            _ => {}
        }
        world.pass_time(TICK);
        passed += TICK;
    };
    if let Some(why) = why {
        return world.checks.violated(format!("after {LONGEST_CALM:?} of calm {why}"));
    }
    rest(world, has_controllers);
}

/// When everything is as it should be, nothing more is asked but for leases and watches.
fn rest(world: &mut World, has_controllers: bool) {
    // What was heard of last may be looked at once more, and a watch that had to wait begins anew within a minute.
    for _ in 0..10 {
        world.pass_time(TICK);
        if !come_to_rest(world, has_controllers) {
            return;
        }
    }
    let leader = |world: &World| world.processes.iter().find(|process| process.worker.is_some()).map(|process| process.life);
    let (mut before, mut passed, mut leads) = (world.checks.questions, Duration::ZERO, leader(world));
    while passed < QUIET {
        world.pass_time(TICK);
        passed += TICK;
        if !come_to_rest(world, has_controllers) {
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
fn come_to_rest(world: &mut World, has_controllers: bool) -> bool {
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
            world.act_controllers(has_controllers);
            if world.is_quiet() {
                return true;
            }
        }
    }
    world.checks.violated("it never comes to rest");
    false
}
