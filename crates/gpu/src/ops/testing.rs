//! What the tests of operations share.

use crate::device::Order;
use crate::{Buffer, DType, Device};

/// Every order of threads with every type of activations. Where there is a card, it takes the place of both orders: what
/// must not depend on the order must not depend on the turn either.
pub fn devices() -> Vec<(Device, DType)> {
    let two = match card() {
        Some(card) => [card.clone(), card],
        None => [Order::Ascending, Order::Descending].map(Device::emulated),
    };
    two.iter().flat_map(|device| DType::ACTIVATIONS.map(|dtype| (device.clone(), dtype))).collect()
}

/// The first card, deterministic and strict.
#[cfg(feature = "cuda")]
fn card() -> Option<Device> {
    static CARD: std::sync::OnceLock<Option<Device>> = std::sync::OnceLock::new();
    let open = || match Device::cuda(0) {
        Ok(card) => {
            card.set_deterministic(true);
            card.set_strict(true);
            Some(card)
        }
        Err(crate::Error::Missing { what, .. } | crate::Error::NoGpu { what, .. }) => {
            eprintln!("tested by the emulation alone: {what}");
            None
        }
        Err(error) => panic!("{error}"),
    };
    CARD.get_or_init(open).clone()
}

#[cfg(not(feature = "cuda"))]
fn card() -> Option<Device> {
    None
}

/// Numbers between −1 and 1 that look random; of another seed, others.
pub fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..16).for_each(|_| _ = next());
    (0..len).map(|_| next()).collect()
}

/// As they come back from memory of that type.
pub fn rounded(dtype: DType, values: &[f32]) -> Vec<f32> {
    values
        .iter()
        .map(|x| match dtype {
            DType::Bf16 => half::bf16::from_f32(*x).to_f32(),
            DType::F16 => half::f16::from_f32(*x).to_f32(),
            _ => *x,
        })
        .collect()
}

/// Memory with these numbers, of that type.
pub fn upload(device: &Device, dtype: DType, values: &[f32]) -> Buffer {
    let buffer = device.allocate(dtype, values.len()).unwrap();
    match dtype {
        DType::F32 => device.write(buffer.view(), values).unwrap(),
        DType::Bf16 => {
            let values: Vec<half::bf16> = values.iter().map(|x| half::bf16::from_f32(*x)).collect();
            device.write(buffer.view(), &values).unwrap();
        }
        DType::F16 => {
            let values: Vec<half::f16> = values.iter().map(|x| half::f16::from_f32(*x)).collect();
            device.write(buffer.view(), &values).unwrap();
        }
        DType::U8 | DType::U32 => panic!("no type of activations"),
    }
    buffer
}

/// Asserts that the numbers are the wanted ones, within `tolerance` of the largest and the rounding of the type.
#[track_caller]
pub fn close(got: &[f32], want: &[f64], dtype: DType, tolerance: f64) {
    assert_eq!(got.len(), want.len());
    let largest = want.iter().fold(1e-30, |most: f64, x| most.max(x.abs()));
    let rounding = match dtype {
        DType::Bf16 => 1.0 / 256.0,
        DType::F16 => 1.0 / 2048.0,
        _ => 0.0,
    };
    for (k, (got, want)) in got.iter().zip(want).enumerate() {
        let most = tolerance * largest + rounding * want.abs();
        assert!((f64::from(*got) - want).abs() <= most, "{dtype:?} at {k}: {got}, not {want}");
    }
}
