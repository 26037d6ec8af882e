//! Where every activation and gradient of a step lies: planned once, before the first step.
//!
//! A value lives from the layer that makes it to the last layer that reads it, in the forward or the backward pass; its
//! gradient from the first layer that writes it (the value's last consumer) to the layer that made the value. Values whose
//! lives do not overlap share a buffer. The plan is a function of the graph alone.

use super::graph::{Graph, ValueId};
use super::options::TapeOptions;
use super::params::Params;
use crate::kernels::{Buffer, DType, Element, Write};
use std::cell::{Ref, RefCell, RefMut};
use std::ops::Range;

/// A value or gradient's place: a buffer, and the elements an image takes in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub slot: usize,
    pub per_image: usize,
}

/// Where the gradient of an input goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradTarget {
    pub place: Place,
    /// `Add` where another consumer wrote it before.
    pub write: Write,
}

/// One layer's places.
#[derive(Clone, Debug)]
pub struct Wiring {
    pub inputs: Vec<Place>,
    pub output: Place,
    /// `None` where nothing below wants a gradient: the layer's backward is skipped.
    pub output_grad: Option<Place>,
    pub input_grads: Vec<Option<GradTarget>>,
    pub params: Vec<Range<usize>>,
    pub stats: Vec<Range<usize>>,
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Gradients are wanted: values live on until backward has read them.
    pub backward: bool,
    /// The gradient of the input too.
    pub input_grad: bool,
    /// Those of parameters are not.
    pub frozen: bool,
}

impl From<&TapeOptions> for Purpose {
    fn from(options: &TapeOptions) -> Self {
        Self { backward: options.backward, input_grad: options.input_grad, frozen: options.frozen }
    }
}

/// Places of all values and gradients, and the size of each shared buffer.
#[derive(Clone, Debug)]
pub struct MemoryPlan {
    pub values: Vec<Place>,
    pub grads: Vec<Option<Place>>,
    /// Elements an image, of each slot.
    pub slots: Vec<usize>,
}

impl MemoryPlan {
    /// Bytes of all buffers.
    pub fn bytes(&self, dtype: DType, max_batch: usize) -> usize {
        self.slots.iter().map(|len| len * max_batch * dtype.size()).sum()
    }
}

/// Something to place: elements an image, and the first and last moment of its life.
struct Tenant {
    len: usize,
    birth: usize,
    death: usize,
}

impl MemoryPlan {
    /// `kept` values live to the end of the step, to be observed.
    pub fn new(graph: &Graph, purpose: Purpose, kept: &[ValueId]) -> Self {
        let nodes = graph.nodes();
        let count = nodes.len();
        // Moments: node k runs forward at k + 1 (the input exists at 0) and backward at 2·count + 1 − k.
        let forward = |k: usize| k + 1;
        let backward = |k: usize| 2 * count + 1 - k;
        let end = 2 * count + 2;

        let mut lives: Vec<Tenant> =
            (0..=count).map(|v| Tenant { len: graph.shapes[v].len(), birth: v, death: v }).collect();
        for (k, node) in nodes.iter().enumerate() {
            let (layer, inputs) = (&node.layer, node.inputs.len());
            let saves = if purpose.frozen { layer.saves_frozen(inputs) } else { layer.saves(inputs) };
            for input in &node.inputs {
                let until = if purpose.backward && saves.inputs { backward(k) } else { forward(k) };
                lives[input.0].death = lives[input.0].death.max(until);
            }
            if purpose.backward && saves.output {
                lives[k + 1].death = lives[k + 1].death.max(backward(k));
            }
        }
        for value in kept.iter().chain([&graph.output()]) {
            lives[value.0].death = end;
        }

        let wanted = wants_grad(graph, purpose, kept);
        let mut grad_tenant = vec![None; count + 1];
        if purpose.backward {
            for v in (0..=count).filter(|v| wanted[*v]) {
                let last_reader = last_writer(graph, &wanted, ValueId(v));
                // What is seeded from outside is so before the backward pass; the rest by its last reader.
                let seeded = is_seeded(graph, kept, ValueId(v));
                let birth = last_reader.filter(|_| !seeded).map_or(count + 1, backward);
                let death = if v == 0 { end } else { backward(v - 1) };
                grad_tenant[v] = Some(lives.len());
                lives.push(Tenant { len: graph.shapes[v].len(), birth, death });
            }
        }
        let (assignment, slots) = share(&lives);
        let place = |tenant: usize| Place { slot: assignment[tenant], per_image: lives[tenant].len };
        Self {
            values: (0..=count).map(place).collect(),
            grads: grad_tenant.into_iter().map(|tenant| tenant.map(place)).collect(),
            slots,
        }
    }
}

/// Whether a value's gradient has a part that no layer writes: the output's, from the loss, and a tapped value's, from zero.
/// All layers that read the value then add to it.
pub fn is_seeded(graph: &Graph, kept: &[ValueId], value: ValueId) -> bool {
    value == graph.output() || kept.contains(&value)
}

/// Which values need a gradient: those that a seeded value depends on, with a trained parameter upstream or, when asked for,
/// the input.
pub fn wants_grad(graph: &Graph, purpose: Purpose, kept: &[ValueId]) -> Vec<bool> {
    let nodes = graph.nodes();
    let mut wanted = vec![purpose.input_grad];
    for node in nodes {
        let upstream = node.inputs.iter().any(|v| wanted[v.0]);
        let trained = !purpose.frozen && node.params.iter().any(|p| !graph.params[*p].frozen);
        wanted.push(upstream || trained);
    }
    let mut reaches: Vec<bool> = (0..=nodes.len()).map(|v| is_seeded(graph, kept, ValueId(v))).collect();
    for (k, node) in nodes.iter().enumerate().rev() {
        if reaches[k + 1] {
            node.inputs.iter().for_each(|v| reaches[v.0] = true);
        }
    }
    wanted.iter().zip(reaches).map(|(wanted, reaches)| *wanted && reaches).collect()
}

/// The last layer in graph order that writes a value's gradient: one whose own output has none does not run backward.
fn last_writer(graph: &Graph, wanted: &[bool], value: ValueId) -> Option<usize> {
    graph.nodes().iter().zip(&wanted[1..]).rposition(|(node, runs)| *runs && node.inputs.contains(&value))
}

/// The places of every node, and which consumer of a value writes its gradient first (the last in graph order, as
/// backward runs from the end) while the others add. A tapped value's gradient starts from zero, so all add.
pub fn wire(
    graph: &Graph,
    params: &Params,
    plan: &MemoryPlan,
    wanted: &[bool],
    kept: &[ValueId],
    backward: bool,
) -> Vec<Wiring> {
    let nodes = graph.nodes();
    nodes
        .iter()
        .enumerate()
        .map(|(k, node)| Wiring {
            inputs: node.inputs.iter().map(|v| plan.values[v.0]).collect(),
            output: plan.values[k + 1],
            output_grad: plan.grads[k + 1].filter(|_| backward && wanted[k + 1]),
            input_grads: node
                .inputs
                .iter()
                .map(|v| {
                    let place = plan.grads[v.0]?;
                    let first_writer = !is_seeded(graph, kept, *v) && last_writer(graph, wanted, *v) == Some(k);
                    Some(GradTarget { place, write: if first_writer { Write::Overwrite } else { Write::Add } })
                })
                .collect(),
            params: node.params.iter().map(|p| params.directory()[&graph.params()[*p].name].range.clone()).collect(),
            stats: node.stats.iter().map(|s| params.stat_directory()[&graph.stats()[*s].name].range.clone()).collect(),
        })
        .collect()
}

/// Greedy by size: the largest tenant first, each into the smallest slot that is free for all its life.
fn share(tenants: &[Tenant]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..tenants.len()).collect();
    order.sort_by_key(|t| (std::cmp::Reverse(tenants[*t].len), tenants[*t].birth));
    let mut slots: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut assignment = vec![0; tenants.len()];
    for t in order {
        let overlaps = |other: &usize| {
            let other = &tenants[*other];
            other.birth <= tenants[t].death && tenants[t].birth <= other.death
        };
        let free = slots.iter().enumerate().filter(|(_, (_, held))| !held.iter().any(overlaps)).map(|(s, _)| s);
        let slot = free.min_by_key(|s| slots[*s].0).unwrap_or_else(|| {
            slots.push((tenants[t].len, Vec::new()));
            slots.len() - 1
        });
        slots[slot].1.push(t);
        assignment[t] = slot;
    }
    (assignment, slots.into_iter().map(|(len, _)| len).collect())
}

/// The buffers themselves.
pub struct Memory {
    slots: Vec<RefCell<Buffer>>,
}

impl Memory {
    pub fn new(plan: &MemoryPlan, dtype: DType, max_batch: usize) -> Self {
        Self { slots: plan.slots.iter().map(|len| RefCell::new(Buffer::new(dtype, len * max_batch))).collect() }
    }

    pub fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.borrow().len_bytes()).sum()
    }

    pub fn read<E: Element>(&self, place: Place, n: usize) -> Ref<'_, [E]> {
        Ref::map(self.slots[place.slot].borrow(), |buffer| buffer.slice(place.per_image * n))
    }

    pub fn write<E: Element>(&self, place: Place, n: usize) -> RefMut<'_, [E]> {
        RefMut::map(self.slots[place.slot].borrow_mut(), |buffer| buffer.slice_mut(place.per_image * n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::layers::{Conv, Linear, Pool};
    use crate::nn::{Builder, Shape};

    #[test]
    fn what_never_runs_backward_does_not_write_first() {
        let mut b = Builder::new(Shape::new(4, 4, 3));
        let x = b.input();
        let shared = b.add("conv1", Conv::new(4, 3).padding(1), &[x]).unwrap();
        let y = b.add("conv2", Conv::new(4, 3).padding(1), &[shared]).unwrap();
        b.add("side", Conv::new(4, 3).padding(1), &[shared]).unwrap();
        let y = b.add("gap", Pool::global_avg(), &[y]).unwrap();
        let y = b.add("fc", Linear::new(2), &[y]).unwrap();
        let graph = b.finish(y);
        let params = Params::new(graph.params(), graph.stats(), 1);
        let purpose = Purpose { backward: true, input_grad: true, frozen: false };
        let (plan, wanted) = (MemoryPlan::new(&graph, purpose, &[]), wants_grad(&graph, purpose, &[]));
        let wiring = wire(&graph, &params, &plan, &wanted, &[], true);
        assert!(wiring[2].output_grad.is_none(), "nothing depends on the side");
        assert!(wiring[1].input_grads[0].is_some_and(|target| target.write == Write::Overwrite));
    }

    #[test]
    fn tenants_that_meet_do_not_share() {
        let tenant = |len, birth, death| Tenant { len, birth, death };
        let tenants = [tenant(10, 0, 2), tenant(8, 1, 3), tenant(6, 3, 4), tenant(9, 5, 6)];
        let (assignment, slots) = share(&tenants);
        for a in 0..tenants.len() {
            for b in 0..a {
                let meet = tenants[a].birth <= tenants[b].death && tenants[b].birth <= tenants[a].death;
                assert!(!(meet && assignment[a] == assignment[b]), "{a} and {b} overlap in one slot");
            }
        }
        assert_eq!(slots, [10, 8]);
    }
}
