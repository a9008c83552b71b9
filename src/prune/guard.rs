//! When nothing at all is deleted.

use std::fmt;
use std::str::FromStr;

use super::Plan;

/// What is known of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Something could not be read or rendered, so that it isn't known what is wanted.
    pub has_render_failed: bool,
    /// Something that is wanted could not be applied.
    pub has_apply_failed: bool,
    /// That nothing is wanted is known for sure, and is no mistake.
    pub may_want_nothing: bool,
    /// How many objects may be deleted, if that is limited.
    pub max_prune: Option<MaxPrune>,
}

/// `--max-prune`: how many objects of a set may be deleted at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxPrune {
    /// So many.
    Count(usize),
    /// So many of a hundred live members, rounded down.
    Percent(usize),
}

/// Why nothing at all is deleted.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal<'o> {
    /// It isn't known what is wanted.
    RenderFailed,
    /// Nothing is wanted, so that all of these would go.
    NothingWanted {
        /// The live members of the set.
        members: usize,
    },
    /// What takes the place of what would go may not be there.
    ApplyFailed,
    /// More would go than may.
    TooMany {
        /// What would be done.
        plan: Plan<'o>,
        /// The live members of the set.
        members: usize,
        /// How many may go.
        max: MaxPrune,
    },
}

impl Facts {
    /// What speaks against deleting anything at all.
    pub(super) fn check<'o>(&self, is_nothing_wanted: bool, members: usize) -> Result<(), Refusal<'o>> {
        match self {
            Self { has_render_failed: true, .. } => Err(Refusal::RenderFailed),
            Self { may_want_nothing: false, .. } if is_nothing_wanted => Err(Refusal::NothingWanted { members }),
            Self { has_apply_failed: true, .. } => Err(Refusal::ApplyFailed),
            _ => Ok(()),
        }
    }

    /// Whether so much may go.
    pub(super) fn check_count<'o>(&self, plan: Plan<'o>, members: usize) -> Result<Plan<'o>, Refusal<'o>> {
        match self.max_prune {
            Some(max) if plan.prune.len() > max.of(members) => Err(Refusal::TooMany { plan, members, max }),
            _ => Ok(plan),
        }
    }
}

impl MaxPrune {
    /// How many of so many live members may go.
    pub fn of(self, members: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => members.saturating_mul(percent) / 100,
        }
    }
}

impl FromStr for MaxPrune {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a number of objects nor a share of them, such as 10 or 25%");
        // A sign would be taken by parse.
        let number =
            |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten().ok_or_else(wrong);
        let Some(percent) = text.strip_suffix('%') else { return number(text).map(Self::Count) };
        let percent = number(percent)?;
        if percent > 100 { Err(format!("{text:?} is more than everything: 100% is")) } else { Ok(Self::Percent(percent)) }
    }
}

impl fmt::Display for MaxPrune {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(out, "{count}"),
            Self::Percent(percent) => write!(out, "{percent}%"),
        }
    }
}

impl Refusal<'_> {
    /// What to do.
    pub fn help(&self) -> String {
        match self {
            Self::RenderFailed => "mend what could not be read or rendered, and apply again".to_owned(),
            Self::NothingWanted { .. } => "see whether -f names the right place; kaito delete deletes a set as a whole".to_owned(),
            Self::ApplyFailed => "mend what could not be applied, and apply again; until then the set keeps what is to go".to_owned(),
            Self::TooMany { plan, .. } => format!("if all of them are to go, allow it with --max-prune={}", plan.prune.len()),
        }
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RenderFailed => out.write_str("nothing is pruned: not everything could be rendered, so it isn't known what is wanted"),
            Self::NothingWanted { members } => {
                write!(out, "nothing is pruned: nothing was rendered, so every object of the set would go ({members})")
            }
            Self::ApplyFailed => out.write_str("nothing is pruned: not everything that is wanted could be applied"),
            Self::TooMany { plan, members, max } => {
                let (count, allowed) = (plan.prune.len(), max.of(*members));
                write!(
                    out,
                    "nothing is pruned: {count} of {members} live objects of the set would go, and --max-prune={max} allows {allowed}"
                )
            }
        }
    }
}

impl std::error::Error for Refusal<'_> {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::prune::Candidate;

    #[test]
    fn limits_are_read() {
        use MaxPrune::{Count, Percent};
        let table = [
            ("0", Some(Count(0))),
            ("12", Some(Count(12))),
            ("0%", Some(Percent(0))),
            ("25%", Some(Percent(25))),
            ("100%", Some(Percent(100))),
            ("101%", None),
            ("", None),
            ("%", None),
            ("-1", None),
            ("+1", None),
            ("1.5%", None),
            ("ten", None),
            ("99999999999999999999", None),
        ];
        for (text, want) in table {
            assert_eq!(text.parse().ok(), want, "{text:?}");
            assert!(want.is_none_or(|max| max.to_string() == text), "{text:?}");
        }
    }

    #[test]
    fn no_more_goes_than_may() {
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}});
        let table = [
            (None, 20, 20, true),
            (Some("0"), 0, 20, true),
            (Some("0"), 1, 20, false),
            (Some("2"), 2, 20, true),
            (Some("2"), 3, 20, false),
            (Some("10%"), 2, 29, true),
            (Some("10%"), 3, 29, false),
            (Some("50%"), 1, 1, false),
            (Some("100%"), 5, 5, true),
        ];
        for (max, count, members, want) in table {
            let facts = Facts { max_prune: max.map(|max| max.parse().unwrap()), ..Facts::default() };
            let plan = Plan { prune: vec![Candidate::of(&object).unwrap(); count], kept: Vec::new() };
            assert_eq!(facts.check_count(plan, members).is_ok(), want, "{count} of {members} with {max:?}");
        }
    }

    #[test]
    fn the_first_fault_of_a_run_is_said() {
        let table = [
            (false, false, false, false, None),
            (true, true, false, true, Some(Refusal::RenderFailed)),
            (true, true, true, false, Some(Refusal::RenderFailed)),
            (false, true, false, true, Some(Refusal::NothingWanted { members: 3 })),
            (false, true, true, false, None),
            (false, true, true, true, Some(Refusal::ApplyFailed)),
            (false, false, false, true, Some(Refusal::ApplyFailed)),
        ];
        for (has_render_failed, is_nothing_wanted, may_want_nothing, has_apply_failed, want) in table {
            let facts = Facts { has_render_failed, has_apply_failed, may_want_nothing, max_prune: None };
            assert_eq!(facts.check(is_nothing_wanted, 3).err(), want);
        }
    }
}
