//! Steps on a device against those on the host, on the emulation of the kernels: weights and states.

use super::*;
use runner_gpu::Device;
use runner_gpu::device::Order;

/// Segments with gaps, of which the last is longer than what one block takes.
fn segments(optimizer: &dyn Optimizer) -> Vec<Segment> {
    let mut at = 0;
    let segment = |(index, shape): (usize, &[usize])| {
        let len: usize = shape.iter().product();
        let range = at..at + len;
        at = (at + len + 1).next_multiple_of(4);
        let shape = if optimizer.takes(shape) { shape.to_vec() } else { vec![1, len] };
        Segment { name: index.to_string(), range, shape }
    };
    let shapes: [&[usize]; 5] = [&[7, 3], &[5], &[1, 1], &[3, 1, 3, 3], &[70, 90]];
    shapes.into_iter().enumerate().map(segment).collect()
}

fn noise(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|k| ((k * 7919 + seed * 104_729) % 2003) as f32 / 1000.0 - 1.0).collect()
}

fn hypers(step: usize) -> Hypers {
    let momentum = 0.9 - 0.01 * step as f64;
    Hypers { lr: 0.02 + 0.001 * step as f64, momentum, weight_decay: 5e-4, beta: None, share: 0.25 * step as f64 }
}

fn make(entry: &OptimizerEntry) -> (Box<dyn Optimizer>, Vec<Segment>) {
    let segments = segments(&*(entry.make)(&defaults(entry), 0));
    ((entry.make)(&defaults(entry), segments.iter().map(|segment| segment.range.len()).sum()), segments)
}

#[track_caller]
fn close(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(1e-12f32, |most, x| most.max(x.abs()));
    for (k, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance * largest, "{what}, {k}: {got}, not {want}");
    }
}

/// Two steps on the host, two on the device, one more on the host: a state goes there and comes back.
#[test]
fn every_rule_with_kernels_steps_on_a_device_as_on_the_host() {
    for order in [Order::Ascending, Order::Descending] {
        let device = Device::emulated(order);
        let with_kernels: Vec<&OptimizerEntry> =
            ENTRIES.iter().copied().filter(|entry| make(entry).0.has_kernels()).collect();
        assert_eq!(with_kernels.len(), ENTRIES.len() - 1, "all but lbfgs");
        for entry in with_kernels {
            let ((mut here, segments), (mut there, _)) = (make(entry), make(entry));
            let len = segments.last().map_or(0, |segment| segment.range.end) + 3;
            let mut params = noise(len, 1);
            let mut moved = params.clone();
            for step in 0..5 {
                // Of a mix, the second rule's share; others step with their own.
                let hypers = if entry.name == "mix" { hypers(step) } else { Hypers { share: 1.0, ..hypers(step) } };
                let grads = noise(len, 2 + step);
                let on_host = |optimizer: &mut dyn Optimizer, params: &mut [f32]| {
                    let mut grads = grads.clone();
                    let (segments, isa) = (&segments, Isa::Portable);
                    let flat = Flat { params, grads: &mut grads, loss: 0.0, segments, isa };
                    optimizer.step(flat, &hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
                };
                on_host(&mut *here, &mut params);
                if (2..4).contains(&step) {
                    let buffers = [&moved, &grads].map(|values| device.upload(values).unwrap());
                    let [values, gradient] = buffers.each_ref().map(|buffer| buffer.view());
                    let flat = DeviceFlat { device: &device, params: values, grads: gradient, segments: &segments };
                    there.step_on_device(flat, &hypers).unwrap();
                    device.read(values, &mut moved).unwrap();
                } else {
                    there.home().unwrap();
                    on_host(&mut *there, &mut moved);
                }
                assert_eq!(there.applied(), here.applied(), "{}", entry.name);
                // Muon multiplies numbers of 8 bits, and its sums are added in another order.
                let tolerance = if entry.name == "muon" { 5e-3 } else { 2e-6 };
                close(&format!("{} after step {step}", entry.name), &moved, &params, tolerance);
            }
            there.home().unwrap();
            let (got, want) = (there.state(), here.state());
            assert_eq!(got.counters, want.counters, "{}", entry.name);
            for (name, buffer) in &want.buffers {
                close(&format!("{}: {name}", entry.name), &got.buffers[name], buffer, 1e-5);
            }
        }
    }
}
