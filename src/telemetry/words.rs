//! The words for what is counted, which are labels of metrics.

/// The parts of the way from a commit to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From the push to the moment that it is known here.
    Notice,
    /// Getting the commits.
    Fetch,
    /// Reading and rendering.
    Render,
    /// Comparing with what is live.
    Diff,
    /// Writing.
    Apply,
}

impl Phase {
    pub(super) const ALL: [Self; 5] = [Self::Notice, Self::Fetch, Self::Render, Self::Diff, Self::Apply];

    /// The word for it, in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Fetch => "fetch",
            Self::Render => "render",
            Self::Diff => "diff",
            Self::Apply => "apply",
        }
    }
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectOutcome {
    /// It is new.
    Created,
    /// It is different now, or was made anew.
    Configured,
    /// It is as it was.
    Unchanged,
    /// It was deleted, as it is no longer wanted.
    Pruned,
    /// It was not applied or not deleted.
    Failed,
}

impl ObjectOutcome {
    pub(super) const ALL: [Self; 5] = [Self::Created, Self::Configured, Self::Unchanged, Self::Pruned, Self::Failed];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Pruned => "pruned",
            Self::Failed => "failed",
        }
    }
}

/// How a reconciliation ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Well.
    Success,
    /// With an error; it is tried again.
    Error,
}

impl ReconcileResult {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// How a Workspace is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkspaceState {
    /// It is ready.
    Ready,
    /// It is not ready yet.
    Progressing,
    /// It is not as it is wanted, and won't be without help or another try.
    Failed,
    /// Somebody has it left alone.
    Suspended,
}

impl WorkspaceState {
    pub(super) const ALL: [Self; 4] = [Self::Ready, Self::Progressing, Self::Failed, Self::Suspended];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Progressing => "progressing",
            Self::Failed => "failed",
            Self::Suspended => "suspended",
        }
    }
}
