//! Two controllers that want the same fields otherwise would change them forever: who notices gives way, for longer each time.

use core::time::Duration;
use std::collections::BTreeMap;

use super::Drift;
use crate::manifest::ObjectRef;

/// How often fields are put right within [`WINDOW`] before that is a fight: controllers come to that in moments, people who try things out don't.
const ROUNDS: usize = 20;

/// How long it is remembered that fields were put right.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(60);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// What was put right of late, and over what there is a fight. Time is what has passed since the start of the process.
#[derive(Debug, Default)]
pub struct Fight {
    objects: BTreeMap<ObjectRef, Object>,
}

#[derive(Debug, Default)]
struct Object {
    /// By the fields that were put right, as a diff writes them.
    fields: BTreeMap<String, Field>,
}

/// One field.
#[derive(Debug, Default)]
struct Field {
    /// When it was put right; within the window.
    put_right: Vec<Duration>,
    /// How often it was given way to.
    pauses: u32,
    /// Until when it is given way to.
    until: Duration,
}

/// What to do about a drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Round {
    /// Put it right.
    PutRight,
    /// Leave it until then, and say so: this is a fight.
    GiveWay {
        /// Until when.
        until: Duration,
        /// The line for an event and a condition.
        words: String,
    },
    /// Leave it until then; that was said already.
    Wait {
        /// Until when.
        until: Duration,
        /// The line for a condition.
        words: String,
    },
}

impl Fight {
    /// What to do about a drift that is seen at this moment. What was deleted is put right in any case: nobody can want it otherwise, and
    /// what is missing serves nobody.
    pub fn see(&mut self, drift: &Drift, at: Duration) -> Round {
        self.forget(at);
        let Some(object) = self.objects.get_mut(&drift.object) else { return Round::PutRight };
        let paths = paths(drift);
        let mut of_drift: Vec<(&String, &mut Field)> = object.fields.iter_mut().filter(|(path, _)| paths.contains(path)).collect();
        let named = |fields: &[(&String, &mut Field)], is_so: &dyn Fn(&Field) -> bool| {
            fields.iter().filter(|(_, field)| is_so(field)).map(|(path, _)| (*path).clone()).collect::<Vec<String>>()
        };
        if let Some(until) = of_drift.iter().map(|(_, field)| field.until).max().filter(|until| *until > at) {
            return Round::Wait { until, words: words(drift, &named(&of_drift, &|field| field.until > at)) };
        }
        let fought_over = named(&of_drift, &Field::is_taken_back);
        let fields = of_drift.iter_mut().filter(|(_, field)| field.is_taken_back());
        match fields.map(|(_, field)| field.give_way(at)).max() {
            Some(until) => Round::GiveWay { until, words: words(drift, &fought_over) },
            None => Round::PutRight,
        }
    }

    /// A drift was put right at this moment.
    pub fn put_right(&mut self, drift: &Drift, at: Duration) {
        let object = self.objects.entry(drift.object.clone()).or_default();
        paths(drift).into_iter().for_each(|path| object.fields.entry(path).or_default().put_right.push(at));
    }

    /// Whether something of an object is left as others want it, at this moment.
    pub fn gives_way(&self, object: &ObjectRef, at: Duration) -> bool {
        self.objects.get(object).is_some_and(|object| object.fields.values().any(|field| field.until > at))
    }

    /// Whether there is a fight over an object, at this moment.
    pub fn is_fought_over(&self, object: &ObjectRef, at: Duration) -> bool {
        self.objects.get(object).is_some_and(|object| object.fields.values().any(|field| field.pauses > 0 && field.is_remembered(at)))
    }

    /// Forgets an object that is no longer wanted, or is wanted otherwise.
    pub fn settle(&mut self, object: &ObjectRef) {
        self.objects.remove(object);
    }

    /// Forgets what has been calm for a while.
    fn forget(&mut self, at: Duration) {
        self.objects.retain(|_, object| {
            object.fields.retain(|_, field| {
                if field.pauses == 0 {
                    field.put_right.retain(|then| *then + WINDOW > at);
                }
                field.is_remembered(at)
            });
            !object.fields.is_empty()
        });
    }
}

impl Field {
    /// Whether it was put right so often that this is a fight.
    fn is_taken_back(&self) -> bool {
        self.put_right.len() >= ROUNDS
    }

    /// Leaves it for a while, longer than the last time; until when.
    fn give_way(&mut self, at: Duration) -> Duration {
        self.until = at + pause(self.pauses);
        self.pauses += 1;
        // One try after the pause tells whether the other goes on.
        self.put_right = vec![self.until; ROUNDS - 1];
        self.until
    }

    /// Whether it was put right of late. What was fought over is remembered for longer, the longer it went on.
    fn is_remembered(&self, at: Duration) -> bool {
        let last = self.put_right.last().copied().unwrap_or(self.until);
        last + WINDOW.max(pause(self.pauses)) > at
    }
}

/// How long fields are left after so many pauses.
fn pause(pauses: u32) -> Duration {
    FIRST.saturating_mul(1 << pauses.min(16)).min(LONGEST)
}

/// The fields of a drift; none of an object that is gone.
fn paths(drift: &Drift) -> Vec<String> {
    drift.paths().iter().map(ToString::to_string).collect()
}

fn words(drift: &Drift, fields: &[String]) -> String {
    let who = match drift.managers().as_slice() {
        [] => "somebody".to_owned(),
        managers => managers.join(" and "),
    };
    let Drift { object, .. } = drift;
    format!("{who} takes {} of {object} back again and again: it is left so for a while", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Changed, What};
    use super::*;
    use crate::diff::live::Manager;
    use crate::diff::{FieldChange, Part, Path};

    fn object(name: &str) -> ObjectRef {
        ObjectRef::new("apps", "StatefulSet", Some("n"), name)
    }

    fn drift(name: &str, fields: &[&str]) -> Drift {
        let manager = Manager { name: "other".to_owned(), operation: "Update".to_owned(), time: String::new() };
        let changed = |field: &&str| Changed {
            change: FieldChange { path: Path(vec![Part::Field((*field).to_owned())]), before: Some(json!(1)), after: Some(json!(2)) },
            managers: vec![manager.clone()],
        };
        let what = if fields.is_empty() { What::Deleted } else { What::Changed(fields.iter().map(changed).collect()) };
        Drift { object: object(name), what }
    }

    /// What is done about a drift.
    fn round(fight: &mut Fight, drift: &Drift, at: Duration) -> Round {
        let round = fight.see(drift, at);
        if round == Round::PutRight {
            fight.put_right(drift, at);
        }
        round
    }

    /// What is done about drifts of `a` that are seen at these seconds, when it was put right so often at the start that one more time is a
    /// fight but for two.
    fn rounds(fields: &[&str], seconds: &[u64]) -> Vec<String> {
        let mut fight = Fight::default();
        (0..ROUNDS - 3).for_each(|_| fight.put_right(&drift("a", fields), Duration::ZERO));
        let mut see = |at: u64| match round(&mut fight, &drift("a", fields), Duration::from_secs(at)) {
            Round::PutRight => "right".to_owned(),
            Round::GiveWay { until, .. } => format!("way until {}", until.as_secs()),
            Round::Wait { until, .. } => format!("wait until {}", until.as_secs()),
        };
        seconds.iter().map(|at| see(*at)).collect()
    }

    #[test]
    fn who_is_taken_back_again_and_again_gives_way() {
        let right = "right";
        let table: [(&[u64], &[&str]); 6] = [
            (&[0, 1, 2, 3, 4], &[right, right, right, "way until 63", "wait until 63"]),
            (&[301, 302, 303, 304, 305], &[right; 5]),
            (&[0, 1, 2, 3, 63, 64], &[right, right, right, "way until 63", right, "way until 184"]),
            (&[0, 1, 2, 3, 63, 64, 184, 185], &[right, right, right, "way until 63", right, "way until 184", right, "way until 425"]),
            // Calm for a while, and a new beginning.
            (&[0, 1, 2, 3, 63, 500, 501, 502], &[right, right, right, "way until 63", right, right, right, right]),
            (&[0, 1, 2, 3, 300, 301], &[right, right, right, "way until 63", right, "way until 421"]),
        ];
        for (seconds, want) in table {
            assert_eq!(rounds(&["x"], seconds), want, "{seconds:?}");
            assert_eq!(rounds(&[], seconds), vec![right; seconds.len()], "{seconds:?}, deleted");
        }
    }

    #[test]
    fn pauses_grow_to_their_longest() {
        let (mut fight, mut at, mut last) = (Fight::default(), Duration::ZERO, Duration::ZERO);
        for _ in 0..40 {
            match round(&mut fight, &drift("a", &["x"]), at) {
                Round::GiveWay { until, .. } => {
                    let pause = until.saturating_sub(at);
                    assert!(pause >= last && pause <= LONGEST, "{pause:?} after {last:?}");
                    (last, at) = (pause, until);
                }
                Round::PutRight => at += Duration::from_secs(1),
                Round::Wait { until, .. } => at = until,
            }
        }
        assert_eq!(last, LONGEST);
    }

    #[test]
    fn what_is_fought_over() {
        let mut fight = Fight::default();
        let at = Duration::from_secs;
        for _ in 0..ROUNDS {
            assert_eq!(round(&mut fight, &drift("a", &["x", "y"]), at(2)), Round::PutRight);
        }
        assert!(!fight.is_fought_over(&object("a"), at(3)));
        // Another field of the object, and another object, are no part of it.
        assert_eq!(round(&mut fight, &drift("a", &["z"]), at(3)), Round::PutRight);
        assert_eq!(round(&mut fight, &drift("b", &["x"]), at(3)), Round::PutRight);
        let words = "other takes x of StatefulSet n/a back again and again: it is left so for a while".to_owned();
        assert_eq!(fight.see(&drift("a", &["x"]), at(4)), Round::GiveWay { until: at(64), words: words.clone() });
        assert!(fight.gives_way(&object("a"), at(63)) && !fight.gives_way(&object("a"), at(64)) && !fight.gives_way(&object("b"), at(5)));
        assert!(fight.is_fought_over(&object("a"), at(5)) && !fight.is_fought_over(&object("b"), at(5)));
        assert_eq!(fight.see(&drift("a", &["x", "z"]), at(6)), Round::Wait { until: at(64), words });
        assert!(!fight.is_fought_over(&object("a"), at(5000)));
        // Wanted otherwise, it is tried anew at once.
        fight.settle(&object("a"));
        assert_eq!(fight.see(&drift("a", &["x"]), at(7)), Round::PutRight);
    }

    #[test]
    fn what_could_not_be_put_right_is_no_round() {
        let mut fight = Fight::default();
        for second in 0..50 {
            assert_eq!(fight.see(&drift("a", &["x"]), Duration::from_secs(second)), Round::PutRight);
        }
    }

    #[test]
    fn what_is_calm_takes_no_memory() {
        let mut fight = Fight::default();
        for number in 0..100 {
            assert_eq!(round(&mut fight, &drift(&number.to_string(), &["x"]), Duration::from_secs(number)), Round::PutRight);
        }
        assert_eq!(round(&mut fight, &drift("last", &["x"]), Duration::from_secs(60 * 60)), Round::PutRight);
        assert_eq!(fight.objects.len(), 1);
    }
}
