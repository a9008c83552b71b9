//! Work on many things at once, where they are many.

use rayon::prelude::*;

/// The fewest things that are shared out: starting threads, where there are none yet, takes as long as planning a Workspace.
const MANY: usize = 4;

/// What each thing becomes, in their order.
pub(crate) fn map<'a, T: Sync, R: Send>(things: &'a [T], make: impl Fn(&'a T) -> R + Sync + Send) -> Vec<R> {
    if things.len() < MANY {
        return things.iter().map(make).collect();
    }
    things.par_iter().with_min_len(2).map(make).collect()
}
