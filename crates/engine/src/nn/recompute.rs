//! Which values a tape does not keep for the backward pass, but makes again in it: memory for time (Chen et al. 2016,
//! arXiv:1604.06174).
//!
//! A net is cut where one value is all that layers behind the cut read of what lies before it: between residual blocks,
//! between dense blocks, in a plain chain between any two layers. What crosses a cut is kept. The layers between two cuts run
//! forward once more before they run backward, as far as backward or one another read what they make; those behind the last
//! cut do not, for they have just run. So no layer runs forward more than twice, and the gradient is the same to the bit.

use super::graph::{Graph, ValueId};
use super::memory::{MemoryPlan, Purpose, runs_backward, saves};
use std::ops::Range;

/// Numbers of pieces that are tried.
const PIECES: Range<usize> = 1..33;

/// A plan is as good as one that takes so much more memory, if it makes less again.
const SLACK: f64 = 1.02;

/// The plan that takes least memory, of those for cuts into more and more pieces; the first is the plan that keeps all.
pub fn plan(graph: &Graph, purpose: Purpose, kept: &[ValueId]) -> MemoryPlan {
    let runs = runs_backward(graph, purpose, kept);
    let read = read_backward(graph, purpose, &runs);
    let weights: Vec<usize> =
        (0..graph.nodes().len()).map(|k| if read[k + 1] { graph.node_shape(k).len() } else { 0 }).collect();
    let all: usize = weights.iter().sum();
    let last = last_readers(graph);
    let places = cuts(&last);
    let mut tried: Vec<Vec<Range<usize>>> = Vec::new();
    for pieces in PIECES {
        let segments = segments(&weights, &places, all.div_ceil(pieces));
        if !tried.contains(&segments) {
            tried.push(segments);
        }
    }
    let plans = tried.into_iter().map(|segments| {
        let again = again(graph, kept, &last, &read, &segments);
        let flops: u64 = again.iter().flatten().map(|k| graph.node_flops(*k)).sum();
        (flops, MemoryPlan::making_again(graph, purpose, kept, again))
    });
    let mut plans: Vec<(u64, MemoryPlan)> = plans.collect();
    let least = plans.iter().map(|(_, plan)| plan.elements()).min().unwrap_or(0);
    plans.retain(|(_, plan)| plan.elements() as f64 <= SLACK * least as f64);
    let best = plans.into_iter().min_by_key(|(flops, plan)| (*flops, plan.elements()));
    best.expect("the plan that keeps all is one").1
}

/// Which values some layer's backward reads.
fn read_backward(graph: &Graph, purpose: Purpose, runs: &[bool]) -> Vec<bool> {
    let mut read = vec![false; runs.len() + 1];
    for k in (0..runs.len()).filter(|k| runs[*k]) {
        let saves = saves(graph, purpose, k);
        read[k + 1] |= saves.output;
        graph.nodes()[k].inputs.iter().for_each(|input| read[input.index()] |= saves.inputs);
    }
    read
}

/// The last layer that reads each value forward, the output's being one behind the last.
fn last_readers(graph: &Graph) -> Vec<usize> {
    let mut last = vec![0; graph.nodes().len() + 1];
    for (k, node) in graph.nodes().iter().enumerate() {
        node.inputs.iter().for_each(|input| last[input.index()] = k);
    }
    last[graph.output().index()] = graph.nodes().len();
    last
}

/// The layers before which the net may be cut.
fn cuts(last: &[usize]) -> Vec<usize> {
    let crossing = |p: usize| (0..=p).filter(|value| last[*value] >= p).count();
    (1..last.len() - 1).filter(|p| crossing(*p) == 1).collect()
}

/// All layers in pieces that begin at cuts, as long as those up to the next cut weigh no more than that.
fn segments(weights: &[usize], cuts: &[usize], most: usize) -> Vec<Range<usize>> {
    let weight = |layers: Range<usize>| weights[layers].iter().sum::<usize>();
    let mut segments = Vec::new();
    let (mut start, mut end) = (0, 0);
    for cut in cuts.iter().copied().chain([weights.len()]) {
        if end > start && weight(start..cut) > most {
            segments.push(start..end);
            start = end;
        }
        end = cut;
    }
    segments.push(start..weights.len());
    segments
}

/// Before which layer's backward which layers run forward again: those of a piece before its last one's. `last` and `read`
/// are [`last_readers`] and [`read_backward`].
fn again(graph: &Graph, kept: &[ValueId], last: &[usize], read: &[bool], segments: &[Range<usize>]) -> Vec<Vec<usize>> {
    let mut again = vec![Vec::new(); graph.nodes().len()];
    let Some((_, before)) = segments.split_last() else { return again };
    for segment in before {
        let is_kept = |k: usize| last[k + 1] >= segment.end || kept.contains(&ValueId::of_node(k));
        let mut needed: Vec<bool> = segment.clone().map(|k| read[k + 1]).collect();
        for k in segment.clone().rev().filter(|k| !is_kept(*k)) {
            if needed[k - segment.start] {
                again[segment.end - 1].push(k);
                let within =
                    graph.nodes()[k].inputs.iter().filter_map(|input| input.index().checked_sub(segment.start + 1));
                within.for_each(|input| needed[input] = true);
            }
        }
        again[segment.end - 1].reverse();
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::layers::{Act, BatchNorm, Conv, Linear, Pool};
    use crate::nn::{Builder, Shape};

    /// Three residual blocks of two convolutions.
    fn blocks() -> Graph {
        let mut b = Builder::new(Shape::new(8, 8, 4));
        let mut x = b.input();
        for block in ["one", "two", "three"] {
            x = b.scope(block, |b| {
                let y = b.add("conv1", Conv::new(4, 3).padding(1), &[x]).unwrap();
                let y = b.add("norm1", BatchNorm::new(Act::Relu), &[y]).unwrap();
                let y = b.add("conv2", Conv::new(4, 3).padding(1), &[y]).unwrap();
                b.add("norm2", BatchNorm::new(Act::Relu), &[y, x]).unwrap()
            });
        }
        let x = b.add("gap", Pool::global_avg(), &[x]).unwrap();
        let x = b.add("fc", Linear::new(2), &[x]).unwrap();
        b.finish(x)
    }

    fn purpose(recompute: bool) -> Purpose {
        Purpose { backward: true, input_grad: false, frozen: false, recompute }
    }

    #[test]
    fn a_net_is_cut_between_blocks() {
        assert_eq!(cuts(&last_readers(&blocks())), [4, 8, 12, 13]);
    }

    #[test]
    fn pieces_end_at_the_cut_before_they_grow_too_heavy() {
        let weights = [1, 1, 3, 1, 1, 1];
        let all = [[0, 6].as_slice(), &[0, 3, 6], &[0, 2, 3, 6], &[0, 2, 3, 5, 6]];
        for (most, ends) in [8, 5, 3, 1].into_iter().zip(all) {
            let expected: Vec<Range<usize>> = ends.windows(2).map(|ends| ends[0]..ends[1]).collect();
            assert_eq!(segments(&weights, &[2, 3, 5], most), expected, "{most}");
        }
    }

    #[test]
    fn what_crosses_a_cut_is_kept_and_the_rest_is_made_again() {
        let graph = blocks();
        let runs = runs_backward(&graph, purpose(true), &[]);
        let (last, read) = (last_readers(&graph), read_backward(&graph, purpose(true), &runs));
        let again = |kept: &[ValueId]| again(&graph, kept, &last, &read, &[0..4, 4..8, 8..14]);
        let layers = again(&[]);
        assert_eq!((&layers[3][..], &layers[7][..]), (&[0, 1, 2][..], &[4, 5, 6][..]));
        assert_eq!(layers.iter().flatten().count(), 6);
        // A value that is observed stays, and with it what only that was made of: the norm behind it reads it.
        assert_eq!(again(&[ValueId::of_node(2)])[3], [0, 1]);
    }

    #[test]
    fn it_takes_less_memory_and_nothing_is_made_again_where_that_does_not_help() {
        let graph = blocks();
        let [all, less] = [false, true].map(|recompute| MemoryPlan::new(&graph, purpose(recompute), &[]));
        assert!(less.elements() < all.elements(), "{} and {}", less.elements(), all.elements());
        assert!(all.again.iter().all(Vec::is_empty) && less.again.iter().any(|layers| !layers.is_empty()));
        let mut b = Builder::new(Shape::new(4, 4, 3));
        let x = b.input();
        let x = b.add("gap", Pool::global_avg(), &[x]).unwrap();
        let x = b.add("fc", Linear::new(2), &[x]).unwrap();
        let plan = MemoryPlan::new(&b.finish(x), purpose(true), &[]);
        assert!(plan.again.iter().all(Vec::is_empty));
        // Nor where no gradient is wanted.
        let plan = MemoryPlan::new(&graph, Purpose { backward: false, ..purpose(true) }, &[]);
        assert!(plan.again.iter().all(Vec::is_empty));
    }
}
