//! Nodes given to those that select them, one to each.

use std::collections::{BTreeMap, BTreeSet};

/// Who gets which node, so that as many as possible get theirs: augmenting paths in a bipartite graph.
pub(super) struct Matching {
    /// Nodes that are selected together.
    pub lists: Vec<Vec<usize>>,
    /// The list of each Workspace.
    pub selects: Vec<usize>,
    /// The Workspace that has each node.
    pub owner: Vec<Option<usize>>,
}

impl Matching {
    /// Gives a Workspace one node more; if none can be had, those that it and its rivals fight for.
    pub(super) fn give(&mut self, workspace: usize) -> Result<(), BTreeSet<usize>> {
        // Who was the first to want each node, and the node by which the search came to each rival, its owner.
        let mut wanted_by: BTreeMap<usize, usize> = BTreeMap::new();
        let mut gives: BTreeMap<usize, usize> = BTreeMap::new();
        let mut searched = vec![false; self.lists.len()];
        let mut open = vec![workspace];
        while let Some(next) = open.pop() {
            let list = self.selects[next];
            if std::mem::replace(&mut searched[list], true) {
                continue;
            }
            if let Some(free) = self.lists[list].iter().copied().find(|node| self.owner[*node].is_none()) {
                wanted_by.insert(free, next);
                self.pass_on(free, &wanted_by, &gives);
                return Ok(());
            }
            for &node in &self.lists[list] {
                if wanted_by.contains_key(&node) {
                    continue;
                }
                wanted_by.insert(node, next);
                let rival = self.owner[node].filter(|owner| *owner != workspace && !gives.contains_key(owner));
                if let Some(rival) = rival {
                    gives.insert(rival, node);
                    open.push(rival);
                }
            }
        }
        Err(wanted_by.into_keys().collect())
    }

    /// Gives a free node to the one that wants it, that one's to the next, and so on back to the first.
    fn pass_on(&mut self, free: usize, wanted_by: &BTreeMap<usize, usize>, gives: &BTreeMap<usize, usize>) {
        let mut next = Some(free);
        while let Some(node) = next {
            let taker = wanted_by[&node];
            self.owner[node] = Some(taker);
            next = gives.get(&taker).copied();
        }
    }
}

#[cfg(test)]
mod tests {

    use super::Matching;

    /// Whether each Workspace gets as many nodes as it needs, in turn.
    fn satisfied(nodes: &[&[usize]], needs: &[usize]) -> Vec<bool> {
        let most = nodes.iter().flat_map(|nodes| nodes.iter()).max().map_or(0, |most| most + 1);
        let lists = nodes.iter().map(|nodes| nodes.to_vec()).collect();
        let mut matching = Matching { lists, selects: (0..nodes.len()).collect(), owner: vec![None; most] };
        needs.iter().enumerate().map(|(index, need)| (0..*need).all(|_| matching.give(index).is_ok())).collect()
    }

    #[test]
    fn nodes_are_given_so_that_as_many_as_possible_have_theirs() {
        assert_eq!(satisfied(&[&[0], &[0]], &[1, 1]), [true, false]);
        assert_eq!(satisfied(&[&[0, 1], &[0]], &[1, 1]), [true, true]);
        assert_eq!(satisfied(&[&[0, 1, 2], &[0, 1], &[0]], &[1, 1, 1]), [true, true, true]);
        assert_eq!(satisfied(&[&[0, 1, 2, 3], &[0, 1], &[0]], &[2, 1, 1]), [true, true, true]);
        assert_eq!(satisfied(&[&[0, 1, 2], &[0, 1], &[0]], &[2, 1, 1]), [true, true, false]);
        assert_eq!(satisfied(&[&[0], &[0], &[0, 1, 2, 3, 4]], &[1, 1, 1]), [true, false, true]);
    }
}
