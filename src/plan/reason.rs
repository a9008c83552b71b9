//! Why a figure is what it is.

/// One figure with its formula and where the formula's inputs come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The figure, such as `nodes`.
    pub figure: &'static str,
    /// Its value.
    pub value: String,
    /// How it came about, with the inputs filled in.
    pub because: String,
    /// The preset, SKU, rule, option or field it rests on.
    pub origin: String,
}

/// The reasons of a plan; kept only if somebody asked, since most renderings don't show them.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    wanted: bool,
    all: Vec<Reason>,
}

impl Reasons {
    /// An empty list that keeps reasons if they are wanted.
    pub const fn new(wanted: bool) -> Self {
        Self { wanted, all: Vec::new() }
    }

    /// Whether somebody asked for reasons.
    pub fn are_wanted(&self) -> bool {
        self.wanted
    }

    /// Adds a reason, made only if it is wanted.
    pub fn add(&mut self, figure: &'static str, make: impl FnOnce() -> (String, String, String)) {
        if self.wanted {
            let (value, because, origin) = make();
            self.all.push(Reason { figure, value, because, origin });
        }
    }

    /// The reasons in the order of planning.
    pub fn iter(&self) -> impl Iterator<Item = &Reason> {
        self.all.iter()
    }
}
