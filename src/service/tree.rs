//! Short ways into the tree of a file. Knows no key.

use crate::definition::read::node::{Kind, Node, Scalar};

/// The pairs of a mapping; none of anything else.
#[must_use]
pub fn pairs(node: &Node) -> &[(Scalar, Node)] {
    match &node.kind {
        Kind::Map(pairs) => pairs,
        Kind::Scalar(_) | Kind::List(_) => &[],
    }
}

/// The elements of a list; none of anything else.
#[must_use]
pub fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Scalar(_) | Kind::Map(_) => &[],
    }
}

/// What stands under a key.
#[must_use]
pub fn under<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    in_pairs(pairs(node), key)
}

/// What stands under a key of these pairs.
#[must_use]
pub fn in_pairs<'n>(pairs: &'n [(Scalar, Node)], key: &str) -> Option<&'n Node> {
    pairs.iter().find(|(name, _)| name.value() == key).map(|(_, node)| node)
}

/// The scalar that a node is.
#[must_use]
pub fn scalar(node: &Node) -> Option<&Scalar> {
    match &node.kind {
        Kind::Scalar(scalar) => Some(scalar),
        Kind::List(_) | Kind::Map(_) => None,
    }
}

/// The word under a key of these pairs.
#[must_use]
pub fn word<'n>(pairs: &'n [(Scalar, Node)], key: &str) -> Option<&'n str> {
    in_pairs(pairs, key).and_then(scalar).map(Scalar::value).filter(|word| !word.is_empty())
}
