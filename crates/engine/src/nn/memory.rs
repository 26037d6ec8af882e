//! Where every activation and gradient of a step lies: planned once, before the first step.
//!
//! A value lives from the layer that makes it to the last layer that reads it, in the forward or the backward pass; its
//! gradient from the first layer that writes it (the value's last consumer) to the layer that made the value. Values whose
//! lives do not overlap share a buffer. The plan is a function of the graph alone.
//!
//! A layer that adds two values without an activation has nothing to compute backward: both gradients are its output's. They get one place,
//! and are neither copied nor kept twice, as long as nobody adds to one of them while another is still to be read (see `gradients`).
//!
//! A value that is made again (see `recompute`) lives twice, in one place: while the forward pass reads it, and from the
//! time it is made again to its last reader backward.

use super::graph::{Graph, Node, ValueId};
use super::layer::Saves;
use super::options::TapeOptions;
use super::params::Params;
use super::recompute;
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
    /// `None` where nothing below wants a gradient, or all that do have this one: the layer's backward is skipped.
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
    /// Values that backward reads are computed a second time instead of kept, where that saves memory.
    pub recompute: bool,
}

impl From<&TapeOptions> for Purpose {
    fn from(options: &TapeOptions) -> Self {
        let TapeOptions { backward, input_grad, frozen, recompute, .. } = *options;
        Self { backward, input_grad, frozen, recompute }
    }
}

/// Places of all values and gradients, and the size of each shared buffer.
#[derive(Clone, Debug)]
pub struct MemoryPlan {
    pub values: Vec<Place>,
    pub grads: Vec<Option<Place>>,
    /// Elements an image, of each slot.
    pub slots: Vec<usize>,
    /// Of each layer: those, in order, that run forward again before it runs backward. None of them where all is kept.
    pub again: Vec<Vec<usize>>,
}

impl MemoryPlan {
    /// Elements an image of all buffers.
    pub fn elements(&self) -> usize {
        self.slots.iter().sum()
    }

    /// Bytes of all buffers.
    pub fn bytes(&self, dtype: DType, max_batch: usize) -> usize {
        self.slots.iter().map(|len| len * max_batch * dtype.size()).sum()
    }
}

/// Something to place: elements an image, and the first and last moment of each of its lives.
struct Tenant {
    len: usize,
    lives: Vec<[usize; 2]>,
}

impl Tenant {
    /// Of one life.
    fn new(len: usize, birth: usize, death: usize) -> Self {
        Self { len, lives: vec![[birth, death]] }
    }

    /// Its last life goes on to that moment, at which it is read or written.
    fn lives_to(&mut self, moment: usize) {
        let [_, death] = self.lives.last_mut().expect("a tenant lives");
        *death = moment.max(*death);
    }

    fn meets(&self, other: &Self) -> bool {
        let meet = |a: &[usize; 2], b: &[usize; 2]| a[0] <= b[1] && b[0] <= a[1];
        self.lives.iter().any(|a| other.lives.iter().any(|b| meet(a, b)))
    }
}

/// What of its values a layer's backward reads.
pub(super) fn saves(graph: &Graph, purpose: Purpose, k: usize) -> Saves {
    let Node { layer, inputs, .. } = &graph.nodes()[k];
    if purpose.frozen { layer.saves_frozen(inputs.len()) } else { layer.saves(inputs.len()) }
}

impl MemoryPlan {
    /// `kept` values live to the end of the step, to be observed.
    pub fn new(graph: &Graph, purpose: Purpose, kept: &[ValueId]) -> Self {
        if purpose.recompute && purpose.backward {
            return recompute::plan(graph, purpose, kept);
        }
        Self::making_again(graph, purpose, kept, vec![Vec::new(); graph.nodes().len()])
    }

    /// As `new`; `again` says which layers run forward once more before which runs backward.
    pub(super) fn making_again(graph: &Graph, purpose: Purpose, kept: &[ValueId], again: Vec<Vec<usize>>) -> Self {
        let nodes = graph.nodes();
        let count = nodes.len();
        // Moments: the input exists at 0, node k runs forward at k + 1; then comes the loss; then all run backward from the
        // last one on, and before each those that it has run again.
        let mut second: Vec<Option<usize>> = vec![None; count];
        let mut backward = vec![0; count];
        let mut now = count + 1;
        for k in (0..count).rev() {
            for j in &again[k] {
                now += 1;
                second[*j] = Some(now);
            }
            now += 1;
            backward[k] = now;
        }
        let end = now + 1;

        let mut tenants: Vec<Tenant> = (0..=count).map(|v| Tenant::new(graph.shapes[v].len(), v, v)).collect();
        for (k, node) in nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| tenants[input.0].lives_to(k + 1));
        }
        for (k, moment) in second.iter().enumerate() {
            tenants[k + 1].lives.extend(moment.map(|moment| [moment; 2]));
        }
        for (k, (node, runs)) in nodes.iter().zip(runs_backward(graph, purpose, kept)).enumerate() {
            let saves = if runs { saves(graph, purpose, k) } else { Saves::default() };
            let by_backward = saves.inputs.then_some(backward[k]);
            for moment in second[k].into_iter().chain(by_backward) {
                node.inputs.iter().for_each(|input| tenants[input.0].lives_to(moment));
            }
            if saves.output {
                tenants[k + 1].lives_to(backward[k]);
            }
        }
        for value in kept.iter().chain([&graph.output()]) {
            tenants[value.0].lives_to(end);
        }

        let wanted = wants_grad(graph, purpose, kept);
        let mut grad_tenant = vec![None; count + 1];
        if purpose.backward {
            for Gradient { values, life: [birth, death] } in gradients(graph, kept, &wanted, &backward, end) {
                values.iter().for_each(|v| grad_tenant[*v] = Some(tenants.len()));
                tenants.push(Tenant::new(graph.shapes[values[0]].len(), birth, death));
            }
        }
        let (assignment, slots) = share(&tenants);
        let place = |tenant: usize| Place { slot: assignment[tenant], per_image: tenants[tenant].len };
        Self {
            values: (0..=count).map(place).collect(),
            grads: grad_tenant.into_iter().map(|tenant| tenant.map(place)).collect(),
            slots,
            again,
        }
    }
}

/// The gradient of a value, or of several that are one.
struct Gradient {
    values: Vec<usize>,
    life: [usize; 2],
}

/// The gradients of all values that want one. `backward`: when each layer runs backward; `end`: when the step is over.
fn gradients(graph: &Graph, kept: &[ValueId], wanted: &[bool], backward: &[usize], end: usize) -> Vec<Gradient> {
    let (nodes, count) = (graph.nodes(), graph.nodes().len());
    let first_writer =
        |v: usize| last_writer(graph, wanted, ValueId(v)).filter(|_| !is_seeded(graph, kept, ValueId(v)));
    // What is seeded from outside is so before the backward pass; the rest by its last reader.
    let birth = |v: usize| first_writer(v).map_or(count + 1, |k| backward[k]);
    let lives: Vec<[usize; 2]> = (0..=count).map(|v| [birth(v), if v == 0 { end } else { backward[v - 1] }]).collect();
    let writers = |v: usize| (0..count).filter(move |k| wanted[k + 1] && nodes[*k].inputs.contains(&ValueId(v)));
    let mut writes: Vec<Vec<usize>> = (0..=count).map(|v| writers(v).map(|k| backward[k]).collect()).collect();

    // Where the gradient of each value is: in that of which one.
    let mut of: Vec<usize> = (0..=count).collect();
    let mut values: Vec<Vec<usize>> = of.iter().map(|v| vec![*v]).collect();
    for k in (0..count).rev().filter(|k| wanted[k + 1]) {
        let Node { layer, inputs, .. } = &nodes[k];
        for (place, ValueId(v)) in inputs.iter().enumerate() {
            let once = inputs.iter().filter(|input| input.0 == *v).count() == 1;
            if !(layer.passes_gradient(place) && once && wanted[*v] && first_writer(*v) == Some(k)) {
                continue;
            }
            // It is passed on instead.
            let others: Vec<usize> = writes[*v].iter().copied().filter(|moment| *moment != backward[k]).collect();
            let spoils = |moments: &[usize], [birth, death]: [usize; 2]| {
                moments.iter().any(|moment| (birth..=death).contains(moment))
            };
            let shared = of[k + 1];
            if !values[shared].iter().any(|u| spoils(&writes[*u], lives[*v]) || spoils(&others, lives[*u])) {
                of[*v] = shared;
                values[shared].push(*v);
                writes[*v] = others;
            }
        }
    }
    let own = (0..=count).filter(|v| wanted[*v] && of[*v] == *v);
    own.map(|v| {
        let values = std::mem::take(&mut values[v]);
        let death = values.iter().map(|v| lives[*v][1]).max().expect("its own at least");
        Gradient { life: [lives[v][0], death], values }
    })
    .collect()
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

/// Which layers run backward: those whose output's gradient is wanted.
pub(super) fn runs_backward(graph: &Graph, purpose: Purpose, kept: &[ValueId]) -> Vec<bool> {
    let wanted = wants_grad(graph, purpose, kept);
    wanted[1..].iter().map(|wanted| purpose.backward && *wanted).collect()
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
        .map(|(k, node)| {
            let input_grad = |v: &ValueId| {
                // What is passed on as it is lies there already: they would not live at once in one place else.
                let place = plan.grads[v.0].filter(|place| plan.grads[k + 1] != Some(*place))?;
                let first_writer = !is_seeded(graph, kept, *v) && last_writer(graph, wanted, *v) == Some(k);
                Some(GradTarget { place, write: if first_writer { Write::Overwrite } else { Write::Add } })
            };
            let input_grads: Vec<Option<GradTarget>> = node.inputs.iter().map(input_grad).collect();
            let has_work = !node.params.is_empty() || input_grads.iter().any(Option::is_some);
            Wiring {
                inputs: node.inputs.iter().map(|v| plan.values[v.0]).collect(),
                output: plan.values[k + 1],
                output_grad: plan.grads[k + 1].filter(|_| backward && wanted[k + 1] && has_work),
                input_grads,
                params: node
                    .params
                    .iter()
                    .map(|p| params.directory()[&graph.params()[*p].name].range.clone())
                    .collect(),
                stats: node
                    .stats
                    .iter()
                    .map(|s| params.stat_directory()[&graph.stats()[*s].name].range.clone())
                    .collect(),
            }
        })
        .collect()
}

/// Greedy by size: the largest tenant first, each into the smallest slot that is free for all its life.
fn share(tenants: &[Tenant]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..tenants.len()).collect();
    order.sort_by_key(|t| (std::cmp::Reverse(tenants[*t].len), tenants[*t].lives[0][0]));
    let mut slots: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut assignment = vec![0; tenants.len()];
    for t in order {
        let meets = |other: &usize| tenants[*other].meets(&tenants[t]);
        let free = slots.iter().enumerate().filter(|(_, (_, held))| !held.iter().any(meets)).map(|(s, _)| s);
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
    use crate::nn::layers::{Act, Add, BatchNorm, Conv, Linear, Pool};
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
        let purpose = Purpose { backward: true, input_grad: true, frozen: false, recompute: false };
        let (plan, wanted) = (MemoryPlan::new(&graph, purpose, &[]), wants_grad(&graph, purpose, &[]));
        let wiring = wire(&graph, &params, &plan, &wanted, &[], true);
        assert!(wiring[2].output_grad.is_none(), "nothing depends on the side");
        assert!(wiring[1].input_grads[0].is_some_and(|target| target.write == Write::Overwrite));
    }

    #[test]
    fn tenants_that_meet_do_not_share() {
        let tenants =
            [[10, 0, 2], [8, 1, 3], [6, 3, 4], [9, 5, 6]].map(|[len, birth, death]| Tenant::new(len, birth, death));
        let (assignment, slots) = share(&tenants);
        for a in 0..tenants.len() {
            for b in 0..a {
                assert!(!(tenants[a].meets(&tenants[b]) && assignment[a] == assignment[b]), "{a} and {b} in one slot");
            }
        }
        assert_eq!(slots, [10, 8]);
        // Between its lives a tenant is away.
        let twice = Tenant { len: 7, lives: vec![[0, 1], [6, 9]] };
        assert!(twice.meets(&Tenant::new(1, 1, 2)) && twice.meets(&Tenant::new(1, 5, 6)));
        assert!(!twice.meets(&Tenant::new(1, 2, 5)));
    }

    /// Random nets of sums and convolutions: values that nobody reads, outputs that are not last, values read from far.
    fn random(seed: u64) -> (Graph, Vec<ValueId>) {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut draw = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut b = Builder::new(Shape::new(2, 2, 3));
        let mut values = vec![b.input()];
        for k in 0..4 + draw(16) {
            // Mostly what was made last, so that there are places to cut.
            let pick = |back: usize, values: &[ValueId]| values[values.len() - 1 - back.min(values.len() - 1)];
            let near = if draw(4) > 0 { 0 } else { draw(5) };
            let (one, other) = (pick(near, &values), pick(near + 1 + draw(3), &values));
            let act = [Act::None, Act::Relu, Act::Gelu][draw(3)];
            let name = format!("layer{k}");
            values.push(match draw(5) {
                0 if one != other => b.add(&name, Add::new().act(act), &[one, other]).unwrap(),
                1 if one != other => b.add(&name, BatchNorm::new(act), &[one, other]).unwrap(),
                2 => b.add(&name, BatchNorm::new(act), &[one]).unwrap(),
                3 => b.add(&name, Add::new().act(act), &[one]).unwrap(),
                _ => b.add(&name, Conv::new(3, 1), &[one]).unwrap(),
            });
        }
        let kept = if draw(3) == 0 { vec![values[draw(values.len())]] } else { Vec::new() };
        let output = values[values.len() - 1 - draw(3)];
        (b.finish(output), kept)
    }

    #[test]
    fn gradients_of_a_sum_are_one() {
        let mut b = Builder::new(Shape::new(4, 4, 3));
        let x = b.input();
        let mut x = b.add("stem", Conv::new(4, 3).padding(1), &[x]).unwrap();
        let branch = |b: &mut Builder, k: usize, x: ValueId| {
            let h = b.add(&format!("norm{k}"), BatchNorm::new(Act::Relu), &[x]).unwrap();
            b.add(&format!("conv{k}"), Conv::new(4, 3).padding(1), &[h]).unwrap()
        };
        let mut sums = Vec::new();
        for k in 0..3 {
            let h = branch(&mut b, k, x);
            x = b.add(&format!("sum{k}"), Add::new(), &[x, h]).unwrap();
            sums.push((x, h));
        }
        // Here the convolution adds to the gradient of what it reads while it reads its own.
        let h = b.add("near", Conv::new(4, 3).padding(1), &[x]).unwrap();
        let y = b.add("last", Add::new(), &[x, h]).unwrap();
        let y = b.add("gap", Pool::global_avg(), &[y]).unwrap();
        let graph = b.finish(y);
        let purpose = Purpose { backward: true, input_grad: false, frozen: false, recompute: false };
        let plan = MemoryPlan::new(&graph, purpose, &[]);
        let grad = |v: ValueId| plan.grads[v.0].unwrap().slot;
        // All along the sums, and into the branches.
        for (sum, h) in &sums {
            assert_eq!([grad(*sum), grad(*h)], [grad(sums[2].0); 2]);
        }
        assert_eq!(grad(graph.find("stem").unwrap()), grad(sums[0].0));
        let (near, last) = (graph.find("near").unwrap(), graph.find("last").unwrap());
        assert_eq!(grad(x), grad(last));
        assert_ne!(grad(near), grad(x));
        let params = Params::new(graph.params(), graph.stats(), 1);
        let wiring = wire(&graph, &params, &plan, &wants_grad(&graph, purpose, &[]), &[], true);
        assert_eq!(wiring[sums[2].0.0 - 1].input_grads, [None, None]);
        assert!(matches!(wiring[last.0 - 1].input_grads[..], [None, Some(_)]));
    }

    /// What lies in a slot.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Held {
        Value(usize),
        Gradient(usize),
    }

    /// A step in which every layer finds what it reads where the plan says, and nobody has written over it.
    #[test]
    fn whatever_is_read_is_there() {
        let (mut reruns, mut passed) = (0, 0);
        for (seed, case) in (0..400u64).flat_map(|seed| (0..8u32).map(move |case| (seed, case))) {
            let (graph, kept) = random(seed);
            let purpose =
                Purpose { backward: true, input_grad: case & 1 > 0, frozen: case & 2 > 0, recompute: case & 4 > 0 };
            let params = Params::new(graph.params(), graph.stats(), 1);
            let (plan, wanted) = (MemoryPlan::new(&graph, purpose, &kept), wants_grad(&graph, purpose, &kept));
            let wiring = wire(&graph, &params, &plan, &wanted, &kept, true);
            // Several gradients where they are one.
            let mut slots: Vec<Vec<Held>> = vec![Vec::new(); plan.slots.len()];
            let read = |slots: &[Vec<Held>], place: Place, held: Held| {
                let there = &slots[place.slot];
                assert!(there.contains(&held), "seed {seed}, {purpose:?}: {there:?} in place of {held:?}");
            };
            let forward = |slots: &mut [Vec<Held>], k: usize| {
                let (node, wiring) = (&graph.nodes()[k], &wiring[k]);
                node.inputs.iter().zip(&wiring.inputs).for_each(|(v, place)| read(slots, *place, Held::Value(v.0)));
                slots[wiring.output.slot] = vec![Held::Value(k + 1)];
                // An output in the place of an input would be written while that is read.
                node.inputs.iter().zip(&wiring.inputs).for_each(|(v, place)| read(slots, *place, Held::Value(v.0)));
            };
            slots[plan.values[0].slot] = vec![Held::Value(0)];
            (0..graph.nodes().len()).for_each(|k| forward(&mut slots, k));
            for seeded in kept.iter().chain([&graph.output()]) {
                if let Some(place) = plan.grads[seeded.0] {
                    slots[place.slot] = vec![Held::Gradient(seeded.0)];
                }
            }
            for k in (0..graph.nodes().len()).rev() {
                plan.again[k].iter().for_each(|j| forward(&mut slots, *j));
                reruns += plan.again[k].len();
                let (node, wiring) = (&graph.nodes()[k], &wiring[k]);
                // One that only passes it on has it too, though its backward is skipped.
                let Some(place) = plan.grads[k + 1].filter(|_| wanted[k + 1]) else { continue };
                let saves = saves(&graph, purpose, k);
                let look = |slots: &[Vec<Held>]| {
                    read(slots, place, Held::Gradient(k + 1));
                    if saves.inputs {
                        let inputs = node.inputs.iter().zip(&wiring.inputs);
                        inputs.for_each(|(v, place)| read(slots, *place, Held::Value(v.0)));
                    }
                    if saves.output {
                        read(slots, wiring.output, Held::Value(k + 1));
                    }
                };
                look(&slots);
                for (v, target) in node.inputs.iter().zip(&wiring.input_grads) {
                    let Some(target) = target else { continue };
                    if target.write == Write::Add {
                        read(&slots, target.place, Held::Gradient(v.0));
                    }
                    slots[target.place.slot] = vec![Held::Gradient(v.0)];
                }
                look(&slots);
                for (v, target) in node.inputs.iter().zip(&wiring.input_grads) {
                    if target.is_none() && wanted[v.0] {
                        assert_eq!(plan.grads[v.0], Some(place), "seed {seed}, {purpose:?}: nobody writes it");
                        slots[place.slot].push(Held::Gradient(v.0));
                        passed += 1;
                    }
                }
            }
            for value in kept.iter().chain([&graph.output()]) {
                read(&slots, plan.values[value.0], Held::Value(value.0));
            }
            if let Some(place) = plan.grads[0] {
                read(&slots, place, Held::Gradient(0));
            }
        }
        assert!(reruns > 1000, "{reruns} layers ran again");
        assert!(passed > 1000, "{passed} gradients were passed on");
    }
}
