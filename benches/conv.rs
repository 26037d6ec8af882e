//! The convolution shapes of ResNet-9, one of 256 channels, and the strided and 1 × 1 ones of ResNet-18 on photographs of 128
//! pixels, at batch 128: three directions each, in GFLOP/s and per cent of the machine's peak.
//!
//! Each with direct sums and, where that is less work, with Winograd's, both counted as direct sums.
//!
//! `cargo bench --bench conv [-- FILTER]`. Peak is what a loop that only multiplies and adds registers reaches on as many
//! threads. Per cent is of each layer's fastest sample, as others' work on the machine only ever slows a sample down.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use runner::kernels::conv::{Algorithm, Conv2d, ConvPlan};
use runner::kernels::{Buffer, DType, Element, Isa, Products, parallel, peak};
use std::cell::Cell;
use std::time::{Duration, Instant};

const BATCH: usize = 128;

/// `(cin, cout, size, kernel, stride)`, square, with padding that keeps the size at stride 1.
const LAYERS: [(usize, usize, usize, usize, usize); 15] = [
    (3, 64, 32, 3, 1),
    (64, 128, 32, 3, 1),
    (128, 128, 16, 3, 1),
    (128, 256, 16, 3, 1),
    (256, 256, 8, 3, 1),
    (256, 512, 8, 3, 1),
    (512, 512, 4, 3, 1),
    (3, 64, 128, 7, 2),
    (64, 128, 32, 3, 2),
    (128, 256, 16, 3, 2),
    (256, 512, 8, 3, 2),
    (64, 128, 32, 1, 2),
    (128, 256, 16, 1, 2),
    (64, 64, 32, 1, 1),
    (256, 128, 16, 1, 1),
];

/// A buffer of `len` numbers around zero.
fn numbers<E: Element>(len: usize) -> Buffer {
    let mut buffer = Buffer::new(E::DTYPE, len);
    for (i, x) in buffer.slice_mut::<E>(len).iter_mut().enumerate() {
        *x = E::from_f32((i * 7919 % 1000) as f32 / 500.0 - 1.0);
    }
    buffer
}

fn bench<E: Element>(c: &mut Criterion) {
    let isa = Isa::detect().expect("RUNNER_ISA names an instruction set of this machine");
    let products = Products::of(E::DTYPE, isa);
    let peak = peak::flops_per_second(isa, products);
    println!("peak on {} threads, {isa}, products {products:?}: {:.1} GFLOP/s", parallel::workers(), peak / 1e9);
    let mut group = c.benchmark_group(format!("conv/{:?}", E::DTYPE).to_lowercase());
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    let algorithms = [(Algorithm::Fastest, ""), (Algorithm::Direct, "_direct")];
    for (layer, (algorithm, suffix)) in LAYERS.into_iter().flat_map(|layer| algorithms.map(|a| (layer, a))) {
        let (cin, cout, size, kernel, stride) = layer;
        if algorithm == Algorithm::Direct && (kernel, stride) != (3, 1) {
            continue; // It is the fastest already.
        }
        let conv = Conv2d { stride: [stride; 2], ..Conv2d::same(cin, cout, kernel) };
        let plan = ConvPlan::with(algorithm, products, conv, size, size, isa);
        let (inputs, outputs, weights) = (plan.input_len(BATCH), plan.output_len(BATCH), conv.weight_len());
        let [forward_len, backward_len] = [plan.forward_pack_len(), plan.backward_pack_len()];
        let (mut x, mut y, mut w) = (numbers::<E>(inputs), numbers::<E>(outputs), numbers::<f32>(weights));
        let (mut forward, mut backward) = (Buffer::new(DType::F32, forward_len), Buffer::new(DType::F32, backward_len));
        plan.pack_forward(w.slice(weights), forward.slice_mut(forward_len));
        plan.pack_backward(w.slice(weights), backward.slice_mut(backward_len));
        let scratch_len = plan.scratch_len(BATCH);
        let mut scratch = Buffer::new(DType::F32, scratch_len);
        let flops = conv.flops(size, size) * BATCH as u64;
        group.throughput(Throughput::Elements(flops));
        let mut measure = |direction: &str, run: &mut dyn FnMut()| {
            let form = format!("{kernel}x{kernel}{}", if stride == 1 { "" } else { "s2" });
            let (name, direction) = (format!("{cin}-{cout}@{size}_{form}"), format!("{direction}{suffix}"));
            let best = Cell::new(f64::MAX);
            group.bench_function(BenchmarkId::new(&direction, &name), |b| {
                b.iter_custom(|iterations| {
                    let start = Instant::now();
                    (0..iterations).for_each(|_| run());
                    let taken = start.elapsed();
                    best.set(best.get().min(taken.as_secs_f64() / iterations as f64));
                    taken
                });
            });
            if best.get() < f64::MAX {
                let speed = flops as f64 / best.get();
                println!("    {direction} {name}: {:.1} GFLOP/s, {:.0} % of peak", speed / 1e9, 100.0 * speed / peak);
            }
        };
        measure("forward", &mut || {
            let (x, packed) = (x.slice::<E>(inputs), forward.slice(forward_len));
            plan.forward(BATCH, x, packed, None, y.slice_mut(outputs), scratch.slice_mut(scratch_len));
        });
        measure("backward_data", &mut || {
            let (dy, packed) = (y.slice::<E>(outputs), backward.slice(backward_len));
            plan.backward_data(BATCH, dy, packed, x.slice_mut(inputs), false, scratch.slice_mut(scratch_len));
        });
        measure("backward_weight", &mut || {
            let (x, dy) = (x.slice::<E>(inputs), y.slice(outputs));
            plan.backward_weight(BATCH, x, dy, w.slice_mut(weights), scratch.slice_mut(scratch_len));
        });
    }
    group.finish();
}

criterion_group!(benches, bench::<f32>, bench::<half::bf16>);
criterion_main!(benches);
