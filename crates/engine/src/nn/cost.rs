//! What a pass of a layer has to do and to move at the least: what its time is held against.

use super::graph::{Graph, ValueId};
use super::memory::{Purpose, wants_grad};
use super::params::Role;

/// One pass of one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiplications and additions an image, of convolutions and linear layers alone: of the direct product, whatever
    /// algorithm is used.
    pub flops: u64,
    /// Elements of activations and their gradients an image, each counted once for reading and once for writing.
    pub activations: u64,
    /// Numbers of parameters and their gradients, likewise, whatever the batch.
    pub parameters: u64,
}

/// Of a layer in a training step: forward, and backward where it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerCost {
    pub forward: Cost,
    pub backward: Option<Cost>,
}

/// The cost of each layer's passes in a training step, in the order of the graph.
pub fn training_step(graph: &Graph) -> Vec<LayerCost> {
    let wanted = wants_grad(graph, Purpose { backward: true, input_grad: false, frozen: false, recompute: false }, &[]);
    (0..graph.nodes().len()).map(|k| layer(graph, k, &wanted)).collect()
}

/// Multiplications and additions of a whole training step, an image: those of convolutions and linear layers.
pub fn flops(graph: &Graph) -> u64 {
    let each = training_step(graph).into_iter();
    each.map(|cost| cost.forward.flops + cost.backward.map_or(0, |backward| backward.flops)).sum()
}

fn layer(graph: &Graph, k: usize, wanted: &[bool]) -> LayerCost {
    let node = &graph.nodes()[k];
    let len = |value: ValueId| graph.shape(value).len() as u64;
    let (inputs, output) = (node.inputs.iter().map(|v| len(*v)).sum::<u64>(), len(ValueId(k + 1)));
    let params = || node.params.iter().map(|p| &graph.params()[*p]);
    let products = |decl: &&super::ParamDecl| matches!(decl.role, Role::Conv | Role::Linear);
    let weights = params().find(products);
    let flops = weights.map_or(0, |_| graph.node_flops(k));
    let numbers: u64 = params().map(|decl| decl.len() as u64).sum();
    let forward = Cost { flops, activations: inputs + output, parameters: numbers };
    if !wanted[k + 1] {
        return LayerCost { forward, backward: None };
    }
    let saves = node.layer.saves(node.inputs.len());
    // A gradient that is passed on as it is costs nothing.
    let made = node.inputs.iter().enumerate().filter(|(k, v)| wanted[v.0] && !node.layer.passes_gradient(*k));
    let written: u64 = made.map(|(_, v)| len(*v)).sum();
    let reads = written > 0 || node.inputs.iter().all(|v| !wanted[v.0]);
    let read = u64::from(reads) * (output + u64::from(saves.inputs) * inputs + u64::from(saves.output) * output);
    let trained: u64 = params().filter(|decl| !decl.frozen).map(|decl| decl.len() as u64).sum();
    let of_weights = u64::from(weights.is_some_and(|decl| !decl.frozen));
    let of_data = u64::from(node.inputs.iter().any(|v| wanted[v.0]));
    let backward = Cost {
        flops: flops * (of_weights + of_data),
        activations: read + written,
        parameters: trained + if weights.is_none() || of_data == 1 { numbers } else { 0 },
    };
    LayerCost { forward, backward: Some(backward) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::layers::{Act, Add, BatchNorm, Conv, Filters, Linear, Pool};
    use crate::nn::{Builder, Shape};

    #[test]
    fn passes_cost_what_they_read_write_and_multiply() {
        let mut net = Builder::new(Shape::new(4, 4, 3));
        let x = net.input();
        let whitening = Filters::Whitening { eps: 1e-3, images: 1 };
        let x = net.add("whiten", Conv::new(24, 2).filters(whitening), &[x]).unwrap();
        let x = net.add("act", Add::new().act(Act::Gelu), &[x]).unwrap();
        let x = net.add("conv", Conv::new(5, 3).padding(1), &[x]).unwrap();
        let x = net.add("norm", BatchNorm::new(Act::Relu), &[x]).unwrap();
        let x = net.add("conv2", Conv::new(5, 1).bias(true), &[x]).unwrap();
        let x = net.add("pool", Pool::global_avg(), &[x]).unwrap();
        let out = net.add("fc", Linear::new(2), &[x]).unwrap();
        let graph = net.finish(out);
        let costs = training_step(&graph);
        let cost = |flops, activations, parameters| Cost { flops, activations, parameters };
        let (first, small) = (9 * 24, 9 * 5);
        let want = [
            // Nothing before the first trained layer has a backward pass.
            (cost(2 * first * 12, 48 + first, 24 * 12), None),
            (cost(0, 2 * first, 0), None),
            // The gradient of the weights, none of the data.
            (cost(2 * small * 216, first + small, 1080), Some(cost(2 * small * 216, small + first, 1080))),
            // Its sign follows from its input: the output is not read again.
            (cost(0, 2 * small, 10), Some(cost(0, 3 * small, 20))),
            (cost(2 * small * 5, 2 * small, 30), Some(cost(4 * small * 5, 3 * small, 60))),
            (cost(0, small + 5, 0), Some(cost(0, small + 5, 0))),
            (cost(20, 7, 12), Some(cost(40, 2 + 5 + 5, 24))),
        ];
        for (k, (forward, backward)) in want.into_iter().enumerate() {
            assert_eq!(costs[k], LayerCost { forward, backward }, "layer {k}");
        }
        assert_eq!(flops(&graph), 2 * first * 12 + 2 * 2 * small * 216 + 3 * 2 * small * 5 + 3 * 20);
    }
}
