//! Why a pass could not be brought to its end.

use std::fmt;

use crate::cluster::ClusterError;
use crate::diagnostic::Diagnostic;

/// Why a pass could not be brought to its end.
#[derive(Debug)]
pub enum Trouble {
    /// The cluster can't be asked.
    Cluster {
        /// Why.
        error: Box<ClusterError>,
        /// How far the pass had come.
        reached: Reached,
    },
    /// A template or the set is at fault, and nothing was applied.
    Finding(Box<Diagnostic>),
}

/// How far a pass has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Nothing was applied.
    Nothing,
    /// Some objects were applied, or all.
    Some,
    /// Everything was applied, and not all was pruned.
    Pruning,
}

impl Reached {
    /// What was not done any more, after "nothing was".
    fn undone(self) -> &'static str {
        match self {
            Self::Nothing => "applied",
            Self::Some => "applied after that",
            Self::Pruning => "pruned after that",
        }
    }
}

impl Trouble {
    /// As a finding, with what to do.
    pub fn finding(&self) -> Diagnostic {
        match self {
            Self::Cluster { error, .. } => error.finding(),
            Self::Finding(finding) => (**finding).clone(),
        }
    }

    /// What was not done any more, after "nothing was".
    pub fn undone(&self) -> &'static str {
        match self {
            Self::Cluster { reached, .. } => reached.undone(),
            Self::Finding(_) => Reached::Nothing.undone(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { error, .. } => error.fmt(out),
            Self::Finding(finding) => out.write_str(&finding.message),
        }
    }
}
