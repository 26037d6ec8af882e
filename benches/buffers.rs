//! Why activations lie in buffers of our own: what candle tensors would cost on the same kernel.
//!
//! ```text
//! cargo bench --bench buffers
//! ```
//!
//! One activation of ResNet-9 at batch 128, `(128, 32, 32, 64)` in f32, through a ReLU: into one aligned buffer again and
//! again; into one that starts 4 bytes off a cache line; into a new vector each time, as a fresh tensor is; through
//! candle's own `relu`; and through an `InplaceOp` of candle that calls our kernel on a reused tensor's storage.

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Tensor};
use runner::kernels::activation::{self, Act};
use runner::kernels::{Buffer, DType, Isa};
use std::time::Instant;

const LEN: usize = 128 * 32 * 32 * 64;

/// A ReLU from a held operand into the tensor it is applied to.
struct ReluInto {
    isa: Isa,
    from: Tensor,
}

impl InplaceOp1 for ReluInto {
    fn name(&self) -> &'static str {
        "relu-into"
    }
    fn cpu_fwd(&self, storage: &mut CpuStorage, _layout: &Layout) -> candle_core::Result<()> {
        let (from, _) = self.from.storage_and_layout();
        let candle_core::Storage::Cpu(CpuStorage::F32(from)) = &*from else { candle_core::bail!("f32 on the CPU") };
        let CpuStorage::F32(to) = storage else { candle_core::bail!("f32 on the CPU") };
        activation::forward(self.isa, Act::Relu, from, None, to);
        Ok(())
    }
}

/// Milliseconds, the median of 15 after 3 that do not count.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..18)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .skip(3)
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> candle_core::Result<()> {
    let isa = Isa::detect().expect("RUNNER_ISA is good");
    let relu = |from: &[f32], to: &mut [f32]| activation::forward(isa, Act::Relu, from, None, to);
    let (from, mut to) = (Buffer::new(DType::F32, LEN + 1), Buffer::new(DType::F32, LEN + 1));
    let (source, target) = (from.slice::<f32>(LEN + 1), to.slice_mut::<f32>(LEN + 1));
    let aligned = median(|| relu(&source[..LEN], &mut target[..LEN]));
    let shifted = median(|| relu(&source[1..], &mut target[1..]));
    let fresh = median(|| {
        let mut new = vec![0f32; LEN];
        relu(&source[..LEN], &mut new);
        std::hint::black_box(&new);
    });
    let tensor = Tensor::zeros((128, 32, 32, 64), candle_core::DType::F32, &Device::Cpu)?;
    let candle = median(|| {
        std::hint::black_box(tensor.relu().expect("relu"));
    });
    let reused = tensor.zeros_like()?;
    let op = ReluInto { isa, from: tensor };
    let inplace = median(|| reused.inplace_op1(&op).expect("relu"));
    let bytes = 2.0 * 4.0 * LEN as f64;
    for (what, ms) in [
        ("own buffer, aligned", aligned),
        ("own buffer, 4 bytes off", shifted),
        ("new vector each time", fresh),
        ("candle's relu", candle),
        ("InplaceOp on a reused tensor", inplace),
    ] {
        println!("{what:30} {ms:7.2} ms  {:5.1} GB/s  × {:.2}", bytes / ms / 1e6, ms / aligned);
    }
    Ok(())
}
