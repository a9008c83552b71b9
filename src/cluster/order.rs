//! What is done at the same time, told one after the other: in the order in which it was begun, unless one keeps all others waiting.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::apply::Done;

/// How long one may keep others from being told.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was done in several pipelines.
pub(super) struct Told<'t> {
    take: &'t mut dyn FnMut(Done),
    /// What isn't told yet of each pipeline, and whether that is all of it.
    waiting: Vec<(VecDeque<Done>, bool)>,
    /// The pipeline whose turn it is.
    head: usize,
    last: Instant,
}

impl<'t> Told<'t> {
    pub(super) fn new(pipelines: usize, take: &'t mut dyn FnMut(Done)) -> Self {
        Self { take, waiting: (0..pipelines).map(|_| (VecDeque::new(), false)).collect(), head: 0, last: Instant::now() }
    }

    /// Something was done in a pipeline.
    pub(super) fn done(&mut self, pipeline: usize, done: Done) {
        self.waiting[pipeline].0.push_back(done);
        self.tell();
    }

    /// A pipeline is at its end.
    pub(super) fn ended(&mut self, pipeline: usize) {
        self.waiting[pipeline].1 = true;
        self.tell();
    }

    fn tell(&mut self) {
        while let Some((waiting, has_ended)) = self.waiting.get_mut(self.head) {
            while let Some(done) = waiting.pop_front() {
                (self.take)(done);
                self.last = Instant::now();
            }
            if !*has_ended {
                return;
            }
            self.head += 1;
        }
    }

    /// Tells what waits for its turn, if the one whose turn it is takes long.
    pub(super) fn tell_if_late(&mut self) {
        if self.last.elapsed() >= PATIENCE {
            self.tell_all();
        }
    }

    /// Tells everything.
    pub(super) fn tell_all(&mut self) {
        for done in self.waiting.iter_mut().flat_map(|(waiting, _)| waiting.drain(..)) {
            (self.take)(done);
        }
        self.last = Instant::now();
    }
}
