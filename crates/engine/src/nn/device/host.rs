//! Layers without kernels for devices.

use super::cx::{DeviceCx, DeviceOp};
use crate::kernels::{Buffer as HostBuffer, DType, Isa};
use crate::nn::graph::Node;
use crate::nn::layer::{BackwardCx, ForwardCx, Op};
use crate::nn::memory::{GradTarget, Memory, MemoryPlan, Place, Wiring};
use crate::nn::options::TapeOptions;
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::{Device, View};
use std::cell::RefCell;
use std::ops::Range;

/// A layer that runs on the host: what it reads comes down, what it writes goes up.
pub(super) struct HostOp {
    op: Box<dyn Op>,
    isa: Isa,
    memory: Memory,
    /// Within this memory and these vectors.
    wiring: Wiring,
    scratch: RefCell<HostBuffer>,
    values: Vec<f32>,
    grads: Vec<f32>,
    stats: Vec<f32>,
}

impl HostOp {
    /// For a layer whose wiring on the device is known.
    pub fn new(node: &Node, inputs: &[Shape], output: Shape, device: &Wiring, options: &TapeOptions) -> Self {
        let op = node.layer.prepare(inputs, options);
        // Each value and each gradient has a slot of its own.
        let mut slots = Vec::new();
        let mut place = |per_image: usize| {
            slots.push(per_image);
            Place { slot: slots.len() - 1, per_image }
        };
        let mut target = |shape: &Shape, of: &Option<GradTarget>| {
            of.map(|GradTarget { write, .. }| GradTarget { place: place(shape.len()), write })
        };
        let input_grads = inputs.iter().zip(&device.input_grads).map(|(shape, of)| target(shape, of)).collect();
        let wiring = Wiring {
            input_grads,
            inputs: inputs.iter().map(|shape| place(shape.len())).collect(),
            output: place(output.len()),
            output_grad: device.output_grad.map(|_| place(output.len())),
            params: one_after_another(&device.params),
            stats: one_after_another(&device.stats),
        };
        let plan = MemoryPlan { values: Vec::new(), grads: Vec::new(), slots, again: Vec::new() };
        let room = |ranges: &[Range<usize>]| vec![0.0; ranges.last().map_or(0, |last| last.end)];
        Self {
            isa: options.isa,
            memory: Memory::new(&plan, options.dtype, options.max_batch),
            scratch: RefCell::new(HostBuffer::new(DType::F32, op.scratch_len())),
            values: room(&wiring.params),
            grads: room(&wiring.params),
            stats: room(&wiring.stats),
            wiring,
            op,
        }
    }

    fn download_params(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        for (k, range) in self.wiring.params.iter().enumerate() {
            cx.device.read(cx.param(k), &mut self.values[range.clone()])?;
        }
        Ok(())
    }
}

/// Ranges of the same lengths, without gaps.
fn one_after_another(ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut at = 0;
    let next = |range: &Range<usize>| {
        at += range.len();
        at - range.len()..at
    };
    ranges.iter().map(next).collect()
}

fn down(memory: &Memory, place: Place, n: usize, dtype: DType, device: &Device, from: View<'_>) -> anyhow::Result<()> {
    with_element!(dtype, E => device.read::<E>(from, &mut memory.write::<E>(place, n))?);
    Ok(())
}

fn up(memory: &Memory, place: Place, n: usize, dtype: DType, device: &Device, to: View<'_>) -> anyhow::Result<()> {
    with_element!(dtype, E => device.write::<E>(to, &memory.read::<E>(place, n))?);
    Ok(())
}

impl DeviceOp for HostOp {
    /// It waits for the device, and computes elsewhere.
    fn repeats(&self) -> bool {
        false
    }

    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let DeviceCx { n, dtype, device, .. } = *cx;
        if cx.again {
            // The output is still here: this memory is the layer's own.
            return up(&self.memory, self.wiring.output, n, dtype, device, cx.output());
        }
        for (k, place) in self.wiring.inputs.iter().enumerate() {
            down(&self.memory, *place, n, dtype, device, cx.input(k))?;
        }
        self.download_params(cx)?;
        for (k, range) in self.wiring.stats.iter().enumerate() {
            device.read(cx.stat(k), &mut self.stats[range.clone()])?;
        }
        let Self { op, isa, memory, wiring, scratch, values, stats, .. } = self;
        let on_host = cx.on_host(*isa, wiring, memory, values, scratch);
        op.forward(ForwardCx { again: false, cx: on_host, stats })?;
        for (k, range) in self.wiring.stats.iter().enumerate() {
            device.write(cx.stat(k), &self.stats[range.clone()])?;
        }
        up(&self.memory, self.wiring.output, n, dtype, device, cx.output())
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let DeviceCx { n, dtype, device, .. } = *cx;
        // Inputs, output and parameters are still as forward had them: this memory is the layer's own.
        let grad = self.wiring.output_grad.expect("backward runs only where the output has a gradient");
        down(&self.memory, grad, n, dtype, device, cx.output_grad())?;
        for (k, target) in self.wiring.input_grads.iter().enumerate() {
            if let (Some(target), Some(at)) = (target, cx.input_grad(k)) {
                down(&self.memory, target.place, n, dtype, device, at.to)?;
            }
        }
        let Self { op, isa, memory, wiring, scratch, values, grads, .. } = self;
        let on_host = cx.on_host(*isa, wiring, memory, values, scratch);
        op.backward(BackwardCx { cx: on_host, grads })?;
        for (k, range) in self.wiring.params.iter().enumerate().filter(|_| !cx.frozen) {
            device.write(cx.param_grad(k), &self.grads[range.clone()])?;
        }
        for (k, target) in self.wiring.input_grads.iter().enumerate() {
            if let (Some(target), Some(at)) = (target, cx.input_grad(k)) {
                up(&self.memory, target.place, n, dtype, device, at.to)?;
            }
        }
        Ok(())
    }
}
