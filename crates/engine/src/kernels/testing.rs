//! What the tests of all kernels share: data, tolerance, threads.

use super::{DType, Element};
use candle_core::{Device, Tensor};

/// Reproducible numbers, roughly normal, without exact zeros.
pub fn values<E: Element>(seed: u64, len: usize) -> Vec<E> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 + 0.5) / (1u64 << 24) as f32
    };
    (0..len).map(|_| E::from_f32((uniform() + uniform() + uniform() - 1.5) * 2.0)).collect()
}

pub fn doubles<E: Element>(values: &[E]) -> Vec<f64> {
    values.iter().map(|v| f64::from(v.to_f32())).collect()
}

/// As an `f64` tensor.
pub fn tensor<E: Element>(values: &[E], shape: &[usize]) -> Tensor {
    Tensor::from_vec(doubles(values), shape, &Device::Cpu).unwrap()
}

/// The tensor's values, row by row.
pub fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Element by element `|got − want| ≤ abs + rel·|want|`, where `rel` is 1e-5 in f32 and a rounding in bf16 (2⁻⁸) and f16 (2⁻¹¹).
#[track_caller]
pub fn assert_close<E: Element>(what: &str, got: &[E], want: &[f64], abs: f64) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    let (rel, abs) = match E::DTYPE {
        DType::Bf16 => (1.0 / 256.0, abs),
        // Half of its smallest number, which is 2⁻²⁴.
        DType::F16 => (1.0 / 2048.0 + 1e-5, abs + 3e-8),
        _ => (1e-5, abs),
    };
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let got = f64::from(got.to_f32());
        assert!((got - want).abs() <= abs + rel * want.abs(), "{what}[{i}]: {got} is not {want}");
    }
}

/// Runs on pools of one and two threads; the results must be equal.
#[track_caller]
pub fn assert_same_for_threads<T: PartialEq + Send>(what: &str, run: impl Fn() -> T + Sync + Send) {
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&run);
    assert!(on(1) == on(2), "{what}: one and two threads differ");
}

/// Runs a generic test for each type of activations.
macro_rules! for_all_types {
    ($f:ident) => {
        mod $f {
            #[test]
            fn f32() {
                super::$f::<f32>();
            }
            #[test]
            fn bf16() {
                super::$f::<half::bf16>();
            }
            #[test]
            fn f16() {
                super::$f::<half::f16>();
            }
        }
    };
}
pub(super) use for_all_types;
