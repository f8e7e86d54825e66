//! The prefix tree: token sequences that begin alike share the nodes of what they share.

use std::collections::HashMap;

/// Names a node of a [`Forest`]. A node stands for the sequence that ends with its last token.
pub type NodeId = usize;

/// A stretch of tokens after its parent's.
#[derive(Debug, Clone)]
pub struct Node {
    /// The node before it, `None` at the beginning of a sequence.
    pub parent: Option<NodeId>,
    /// Its tokens, at least one.
    pub ids: Vec<i64>,
    /// Tokens before it.
    pub start: usize,
    /// The realm that its sequences belong to.
    pub realm: i64,
}

impl Node {
    /// Tokens up to its end.
    #[must_use]
    pub fn end(&self) -> usize {
        self.start + self.ids.len()
    }
}

/// A cut of a node in two: `before` is new and takes the first tokens, `after` keeps its name and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The new node with the first tokens.
    pub before: NodeId,
    /// The old node with the rest.
    pub after: NodeId,
    /// Tokens that went to `before`.
    pub at: usize,
}

/// Many sequences, each distinct stretch held once. Sequences of different realms share nothing.
#[derive(Debug, Default)]
pub struct Forest {
    nodes: Vec<Node>,
    tokens: usize,
    children: HashMap<(i64, Option<NodeId>, i64), NodeId>, // realm, parent, first token
}

impl Forest {
    /// The node of this name.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was inserted yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Number of tokens held, each distinct stretch counted once.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Inserts a sequence (at least one token) and returns the node at its end, with the cuts that this took.
    pub fn insert(&mut self, realm: i64, ids: &[i64]) -> (NodeId, Vec<Cut>) {
        let mut cuts = Vec::new();
        let mut parent = None;
        let mut done = 0;
        while done < ids.len() {
            let Some(&child) = self.children.get(&(realm, parent, ids[done])) else {
                return (self.add(realm, parent, ids[done..].to_vec()), cuts);
            };
            let shared = self.nodes[child].ids.iter().zip(&ids[done..]).take_while(|(a, b)| a == b).count();
            done += shared;
            parent = Some(if shared < self.nodes[child].ids.len() {
                let cut = self.cut(child, shared);
                cuts.push(cut);
                cut.before
            } else {
                child
            });
        }
        (parent.unwrap_or_default(), cuts)
    }

    /// The nodes from the beginning of the sequence to `id`, both included.
    #[must_use]
    pub fn path(&self, id: NodeId) -> Vec<NodeId> {
        let mut path = vec![id];
        while let Some(parent) = self.nodes[path[path.len() - 1]].parent {
            path.push(parent);
        }
        path.reverse();
        path
    }

    fn add(&mut self, realm: i64, parent: Option<NodeId>, ids: Vec<i64>) -> NodeId {
        let start = parent.map_or(0, |parent| self.nodes[parent].end());
        let id = self.nodes.len();
        self.tokens += ids.len();
        self.children.insert((realm, parent, ids[0]), id);
        self.nodes.push(Node { parent, ids, start, realm });
        id
    }

    fn cut(&mut self, after: NodeId, at: usize) -> Cut {
        let Node { parent, start, realm, .. } = self.nodes[after];
        let rest = self.nodes[after].ids.split_off(at);
        let first = std::mem::replace(&mut self.nodes[after].ids, rest);
        let before = self.nodes.len();
        self.children.insert((realm, parent, first[0]), before);
        self.children.insert((realm, Some(before), self.nodes[after].ids[0]), after);
        self.nodes.push(Node { parent, ids: first, start, realm });
        self.nodes[after].parent = Some(before);
        self.nodes[after].start = start + at;
        Cut { before, after, at }
    }
}

/// Splits sequences into waves of at most `budget` distinct tokens (a longer sequence gets a wave of its own).
///
/// Sequences that begin alike come together; what a wave shares with the one before it is encoded again.
/// Returns indices into `sequences`.
#[must_use]
pub fn waves<S: AsRef<[i64]>>(sequences: &[S], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by(|&a, &b| sequences[a].as_ref().cmp(sequences[b].as_ref()).then(a.cmp(&b)));
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut used = 0;
    for index in order {
        let ids = sequences[index].as_ref();
        let last = waves.last().and_then(|wave| wave.last());
        let shared = last
            .map_or(0, |&last| sequences[last].as_ref().iter().zip(ids).take_while(|(a, b)| a == b).count());
        let new = ids.len() - shared;
        match waves.last_mut() {
            Some(wave) if used + new <= budget => {
                wave.push(index);
                used += new;
            }
            _ => {
                waves.push(vec![index]);
                used = ids.len();
            }
        }
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spelled(forest: &Forest, id: NodeId) -> Vec<i64> {
        forest.path(id).iter().flat_map(|&node| forest.node(node).ids.clone()).collect()
    }

    proptest! {
        #[test]
        fn every_sequence_is_spelled_by_its_path_and_no_token_is_held_twice(
            sequences in prop::collection::vec(prop::collection::vec(0i64..3, 1..12), 1..40)
        ) {
            let mut forest = Forest::default();
            let ends: Vec<_> = sequences.iter().map(|ids| forest.insert(7, ids).0).collect();
            for (ids, &end) in sequences.iter().zip(&ends) {
                prop_assert_eq!(&spelled(&forest, end), ids);
                prop_assert_eq!(forest.node(end).end(), ids.len());
            }
            let prefixes: std::collections::HashSet<_> =
                sequences.iter().flat_map(|ids| (1..=ids.len()).map(|n| ids[..n].to_vec())).collect();
            let held: usize = (0..forest.len()).map(|id| forest.node(id).ids.len()).sum();
            prop_assert_eq!(held, prefixes.len());
            prop_assert_eq!(held, forest.tokens());
            let elsewhere = forest.insert(8, &sequences[0]).0;
            prop_assert!(forest.path(elsewhere).iter().all(|&node| forest.node(node).realm == 8));
        }

        #[test]
        fn waves_hold_every_sequence_once_and_keep_to_the_budget(
            sequences in prop::collection::vec(prop::collection::vec(0i64..3, 1..12), 0..40), budget in 12usize..60
        ) {
            let waves = waves(&sequences, budget);
            let mut all: Vec<_> = waves.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..sequences.len()).collect::<Vec<_>>());
            for wave in waves {
                let distinct: std::collections::HashSet<_> =
                    wave.iter().flat_map(|&i| (1..=sequences[i].len()).map(move |n| (i, n)))
                        .map(|(i, n)| sequences[i][..n].to_vec()).collect();
                prop_assert!(distinct.len() <= budget);
            }
        }
    }
}
