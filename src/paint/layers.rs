//! Which of a net's outputs are looked at.

use crate::nn::{Graph, ValueId};

/// The layer before each pooling.
const BEFORE_ALL: &str = "before-pools";
/// That before the k-th, from 1.
const BEFORE_ONE: &str = "before-pool-";

/// A layer's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    pub value: ValueId,
}

/// Nothing, and what there would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub message: String,
    /// Names of layers that the net has.
    pub names: Vec<String>,
    pub pools: usize,
}

/// What a name or a rule comes to, in the order of the net.
///
/// # Errors
/// When that is nothing.
pub fn find(graph: &Graph, rule: &str) -> Result<Vec<Found>, Looked> {
    let names = || graph.nodes().iter().map(|node| node.name.clone()).collect();
    let pools = before_pools(graph);
    let nothing = |message: String| Looked { message, names: names(), pools: pools.len() };
    if rule == BEFORE_ALL {
        return if pools.is_empty() { Err(nothing("the net has no pooling".to_owned())) } else { Ok(pools) };
    }
    if let Some(number) = rule.strip_prefix(BEFORE_ONE) {
        let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let found = at.and_then(|at| pools.get(at)).cloned();
        return found.map(|found| vec![found]).ok_or_else(|| nothing(format!("the net has {} poolings", pools.len())));
    }
    match graph.find(rule) {
        Some(value) => Ok(vec![Found { name: rule.to_owned(), value }]),
        None => Err(nothing(format!("the net has no layer `{rule}`"))),
    }
}

/// What each pooling over windows is given, where a layer made it.
fn before_pools(graph: &Graph) -> Vec<Found> {
    let before = |node: &crate::nn::Node| {
        let value = node.layer.pools().then_some(node.inputs[0])?;
        Some(Found { name: graph.maker(value)?.name.clone(), value })
    };
    graph.nodes().iter().filter_map(before).collect()
}
