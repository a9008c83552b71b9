//! The world of one schedule: what can happen next, and what happens when it is chosen.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::{Instant, advance};

use crate::checks::Checks;
use crate::host::Said;
use crate::net::{Flight, Lines, Net, line};
use crate::process::Process;
use crate::repository::{self, content_of};
use crate::server::{Server, Stream, refused};

/// How often everybody has a turn before it is taken that nobody has anything to do: a request passes through a few tasks.
const TURNS: usize = 8;

/// How long a request is on its way at most. Less than what is between the end of a leader and that of its lease.
const LONGEST_FLIGHT: Duration = Duration::from_secs(10);

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) enum Fate {
    Answered,
    /// The server refuses with this status, and does nothing.
    Refused(u16),
    /// The connection is reset before the server has heard anything.
    LostBefore,
    /// The connection is reset when the server has done it.
    LostAfter,
}

/// How many requests have a fate of their own, of those whose line has this.
#[derive(Default)]
pub(crate) struct Faults {
    pub left: usize,
    pub of: &'static str,
}

/// A watch that is open.
struct Watching {
    from: usize,
    stream: Stream,
    lines: Lines,
    /// The step before which it tells nothing.
    silent_until: usize,
}

/// How long what is slow takes, in steps: long enough for a pass that was made meanwhile.
const SLOW: usize = 150;

/// The world.
pub(crate) struct World {
    pub rng: fastrand::Rng,
    pub server: Server,
    pub processes: Vec<Process>,
    pub checks: Checks,
    /// The newest revision.
    pub head: String,
    revisions: usize,
    lives: usize,
    net: Arc<Mutex<Net>>,
    watches: Vec<Watching>,
    /// The steps before which requests aren't answered.
    slow: BTreeMap<u64, usize>,
    /// How many requests and watches are slow, out of a hundred.
    slowness: usize,
    /// Whether kaito takes fields from others by force.
    is_forceful: bool,
    /// Whether controllers make nodes and pods.
    pub has_controllers: bool,
    pub faults: Faults,
    /// What was done, as a number.
    trace: DefaultHasher,
    /// Whether what is done is printed.
    pub is_told: bool,
    pub steps: usize,
    pub requests: usize,
    start: Instant,
    runtime: Runtime,
}

impl World {
    pub(crate) fn new(seed: u64, is_told: bool) -> Self {
        // What kube waits by is drawn from this one.
        fastrand::seed(seed);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime without a network");
        let start = {
            let _inside = runtime.enter();
            Instant::now()
        };
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed),
            server: Server::default(),
            processes: Vec::new(),
            checks: Checks::default(),
            head: repository::name(0, 0),
            revisions: 0,
            lives: 0,
            net: Arc::default(),
            watches: Vec::new(),
            slow: BTreeMap::new(),
            slowness: 0,
            is_forceful: false,
            has_controllers: true,
            faults: Faults::default(),
            trace: DefaultHasher::new(),
            is_told,
            steps: 0,
            requests: 0,
            start,
            runtime,
        };
        world.is_forceful = world.rng.bool();
        world.slowness = [0, 3, 10, 30][world.rng.usize(0..4)];
        world.checks.furnish(&mut world.server);
        world
    }

    /// Tells what happens to who listens.
    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>5} {:>8.2}s  {}", self.steps, self.now().as_secs_f64(), what());
        }
    }

    fn now(&self) -> Duration {
        let _inside = self.runtime.enter();
        self.start.elapsed()
    }

    /// What was done until now, as a number.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.trace.finish()
    }

    fn note(&mut self, what: impl std::hash::Hash) {
        what.hash(&mut self.trace);
    }

    /// Starts another process.
    pub(crate) fn start(&mut self) {
        self.lives += 1;
        let life = self.lives;
        self.tell(|| format!("kaito-{life} starts"));
        let handle = self.runtime.handle().clone();
        let process = {
            let _inside = self.runtime.enter();
            Process::start(&handle, &self.net, life, self.is_forceful)
        };
        self.processes.push(process);
        self.settle();
    }

    /// A process is gone at once, wherever it was.
    pub(crate) fn kill(&mut self, place: usize) {
        let process = self.processes.remove(place);
        let life = process.life;
        {
            let _inside = self.runtime.enter();
            drop(process);
        }
        self.watches.retain(|watch| watch.from != life);
        self.settle();
    }

    /// A process stops where it is, for a while. What it has asked is on its way.
    pub(crate) fn hold(&mut self, place: usize) {
        self.processes[place].machine.hold();
    }

    /// Whoever was held goes on.
    pub(crate) fn go_on_all(&mut self) {
        self.processes.iter().for_each(|process| process.machine.go_on());
        self.settle();
    }

    /// Commits another content.
    pub(crate) fn commit(&mut self, content: usize) {
        self.revisions += 1;
        self.head = repository::name(self.revisions, content);
    }

    pub(crate) fn content(&self) -> &'static repository::Content {
        &repository::contents()[content_of(&self.head).expect("this is a revision")]
    }

    /// Lets all tasks go on until they wait for something.
    pub(crate) fn settle(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..TURNS {
                yield_now().await;
            }
        });
        let mut place = 0;
        while place < self.processes.len() {
            if let Some(Said::Panicked(why)) = self.processes[place].worker.as_ref().map(|worker| &worker.said) {
                let why = format!("{} panicked: {why}", self.processes[place].name);
                self.checks.violated(why);
            }
            if self.processes[place].has_ended() {
                self.end(place);
            } else {
                place += 1;
            }
        }
    }

    /// A process does what it does when it begins or ceases to lead, which may be some time after it was told.
    pub(crate) fn heed(&mut self, place: usize) {
        let goes_on = {
            let _inside = self.runtime.enter();
            self.processes[place].machine.is_held() || self.processes[place].heed_leadership()
        };
        if !goes_on {
            self.end(place);
        }
    }

    fn end(&mut self, place: usize) {
        let name = self.processes[place].name.clone();
        self.tell(|| format!("{name} ends"));
        self.kill(place);
    }

    /// Lets time pass. What is on its way for long comes to an end before.
    pub(crate) fn pass_time(&mut self, time: Duration) {
        self.note(("time", time));
        let now = self.start + self.now();
        let is_late = |flight: &Flight| now.saturating_duration_since(flight.since) + time > LONGEST_FLIGHT;
        let late: Vec<u64> = self.net.lock().unwrap().flights().filter(|(_, flight)| is_late(flight)).map(|(number, _)| number).collect();
        for number in late {
            let fate = if self.rng.bool() { Fate::Answered } else { Fate::LostAfter };
            self.serve(number, if self.faults.left > 0 { fate } else { Fate::Answered });
        }
        self.runtime.block_on(advance(time));
        self.settle();
    }

    /// The requests on their way.
    pub(crate) fn flights(&self) -> Vec<u64> {
        self.net.lock().unwrap().flights().map(|(number, _)| number).collect()
    }

    /// Draws until which step something takes that begins now.
    fn until(&mut self) -> usize {
        let is_slow = self.rng.usize(0..100) < self.slowness;
        self.steps + if is_slow { self.rng.usize(0..SLOW) } else { 0 }
    }

    /// The requests that may be answered by now.
    fn answerable(&mut self) -> Vec<u64> {
        let flights = self.flights();
        self.slow.retain(|number, _| flights.contains(number));
        for number in &flights {
            if !self.slow.contains_key(number) {
                let until = self.until();
                self.slow.insert(*number, until);
            }
        }
        flights.into_iter().filter(|number| self.slow[number] <= self.steps).collect()
    }

    /// Draws what becomes of a request.
    fn fate(&mut self, number: u64) -> Fate {
        if self.faults.left == 0 {
            return Fate::Answered;
        }
        let question = self.net.lock().unwrap().flights().find(|(other, _)| *other == number).map(|(_, flight)| flight.question.clone());
        let Some(question) = question.filter(|question| question.line().contains(self.faults.of)) else { return Fate::Answered };
        // Leases are asked for again and again, and would have nearly all of the faults.
        if question.is_about_leases() && self.rng.usize(0..5) > 0 {
            return Fate::Answered;
        }
        self.faults.left -= 1;
        match self.rng.usize(0..8) {
            0 => Fate::Refused(429),
            1 => Fate::Refused(500),
            2 => Fate::Refused(503),
            3 => Fate::LostBefore,
            4 | 5 => Fate::LostAfter,
            _ => Fate::Answered,
        }
    }

    /// A request comes to its end.
    pub(crate) fn serve(&mut self, number: u64, fate: Fate) {
        let Some(flight) = self.net.lock().unwrap().take(number) else { return };
        self.requests += 1;
        self.note((flight.from, flight.question.line(), fate));
        self.tell(|| format!("kaito-{} {} {fate:?}", flight.from, flight.question.line()));
        match fate {
            Fate::LostBefore => flight.fail(),
            Fate::Refused(code) => flight.answer(refused(code, "Simulated")),
            Fate::Answered | Fate::LostAfter => {
                if let Some(stream) = Server::watch(&flight.question) {
                    if matches!(fate, Fate::Answered) {
                        let (from, lines) = (flight.from, flight.stream());
                        self.watches.push(Watching { from, stream, lines, silent_until: 0 });
                    } else {
                        flight.fail();
                    }
                    return self.settle();
                }
                let (answer, effect) = self.server.answer(&flight.question);
                if let Some(effect) = &effect {
                    let process = self.processes.iter().find(|process| process.life == flight.from);
                    self.checks.see(&self.server, process, (flight.from, &flight.question), effect);
                }
                self.checks.count(&flight.question);
                match fate {
                    Fate::LostAfter => flight.fail(),
                    _ => flight.answer(answer),
                }
            }
        }
        self.settle();
    }

    /// The watches that have something to tell.
    pub(crate) fn news(&mut self) -> Vec<usize> {
        self.watches.retain(|watch| !watch.lines.is_closed());
        let is_held = |life: usize| self.processes.iter().any(|process| process.life == life && process.machine.is_held());
        let watches = self.watches.iter_mut().enumerate();
        watches.filter_map(|(place, watch)| (!is_held(watch.from) && self.server.has_news(&mut watch.stream)).then_some(place)).collect()
    }

    /// A watch tells some of it.
    pub(crate) fn tell_news(&mut self, place: usize, most: usize) {
        let Self { watches, server, .. } = self;
        let watch = &mut watches[place];
        for _ in 0..most {
            let Some(json) = server.next_line(&mut watch.stream) else { break };
            _ = watch.lines.send(line(json));
        }
        self.watches[place].silent_until = self.until();
        self.note(("news", place, most));
        self.settle();
    }

    /// A watch that has nothing to tell says how far it is.
    pub(crate) fn bookmark(&mut self) {
        if self.watches.is_empty() {
            return;
        }
        let place = self.rng.usize(0..self.watches.len());
        let Self { watches, server, .. } = self;
        let watch = &mut watches[place];
        if !server.has_news(&mut watch.stream) {
            _ = watch.lines.send(line(server.bookmark(&mut watch.stream)));
        }
        self.note(("bookmark", place));
        self.settle();
    }

    /// All watches end.
    pub(crate) fn close_watches(&mut self) {
        self.watches.clear();
        self.settle();
    }

    /// The processes whose worker can go on.
    pub(crate) fn able(&mut self) -> Vec<usize> {
        let _inside = self.runtime.enter();
        let processes = self.processes.iter_mut().enumerate();
        processes.filter_map(|(place, process)| process.can_go_on().then_some(place)).collect()
    }

    /// A worker goes on.
    pub(crate) fn go_on(&mut self, place: usize, most_events: usize) {
        self.note(("worker", self.processes[place].life, most_events));
        let begins = {
            let _inside = self.runtime.enter();
            self.processes[place].go_on(most_events)
        };
        if begins {
            let name = self.processes[place].name.clone();
            self.tell(|| format!("{name} looks at what is new"));
        }
        self.settle();
    }

    /// A feed looks at the repository.
    pub(crate) fn look(&mut self, place: usize) {
        let head = self.head.clone();
        let is_new = {
            let _inside = self.runtime.enter();
            self.processes[place].look(&head)
        };
        if is_new {
            let name = self.processes[place].name.clone();
            self.tell(|| format!("{name} fetches {head}"));
        }
    }

    /// Whether there is anything to do but to let time pass.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.flights().is_empty() && self.news().is_empty() && self.able().is_empty() && self.processes.iter().all(Process::is_idle)
    }

    /// The processes of which something holds.
    fn places(&mut self, mut is_it: impl FnMut(&mut Process) -> bool) -> Vec<usize> {
        let processes = self.processes.iter_mut().enumerate();
        processes.filter_map(|(place, process)| is_it(process).then_some(place)).collect()
    }

    /// Something that can happen, happens: an answer comes, a watch tells something, a worker goes on, a feed looks, time passes. Whether there
    /// was anything to do but to let time pass.
    pub(crate) fn step(&mut self) -> bool {
        self.steps += 1;
        let (flights, mut news, able) = (self.answerable(), self.news(), self.able());
        news.retain(|place| self.watches[*place].silent_until <= self.steps);
        let (head, told) = (self.head.clone(), self.places(Process::is_told_to_heed));
        let behind = self.places(|process| process.is_behind(&head));
        let weights = [flights.len() * 4, news.len() * 4, able.len() * 6, behind.len() * 2, told.len() * 2];
        let something: usize = weights.iter().sum();
        // Where nothing else can happen time passes faster.
        let longest = if something == 0 { 8000 } else { 2000 };
        let mut drawn = self.rng.usize(0..something + 2);
        let chosen = weights.iter().position(|weight| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        match chosen {
            Some(0) => {
                let number = flights[self.rng.usize(0..flights.len())];
                let fate = self.fate(number);
                self.serve(number, fate);
            }
            Some(1) => {
                let (place, most) = (news[self.rng.usize(0..news.len())], self.rng.usize(1..4));
                self.tell_news(place, most);
            }
            Some(2) => {
                let (place, most) = (able[self.rng.usize(0..able.len())], self.rng.usize(1..20));
                self.go_on(place, most);
            }
            Some(3) => {
                let place = behind[self.rng.usize(0..behind.len())];
                self.look(place);
            }
            Some(4) => {
                let place = told[self.rng.usize(0..told.len())];
                self.heed(place);
            }
            _ if self.rng.usize(0..8) == 0 => self.bookmark(),
            _ => {
                let time = Duration::from_millis(self.rng.u64(1..longest));
                self.pass_time(time);
            }
        }
        something > 0
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.processes.clear();
    }
}
