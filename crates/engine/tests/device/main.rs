//! What runs on a device, in one program: `scripts/gpu_check` carries it to machines with a card.

mod nets;
mod recorded;

use runner_gpu::Device;
use std::sync::OnceLock;

/// The first card, opened once.
fn card() -> Option<Device> {
    static CARD: OnceLock<Option<Device>> = OnceLock::new();
    let open = || match Device::cuda(0) {
        Ok(card) => {
            card.set_deterministic(true);
            card.set_strict(true);
            Some(card)
        }
        Err(error) => {
            eprintln!("tested by the emulation alone: {error}");
            None
        }
    };
    CARD.get_or_init(open).clone()
}

fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        })
        .collect()
}
