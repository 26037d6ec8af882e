//! Two rules at once: what lies around their steps. Both step from the same weights by the same gradients, each with
//! its share, and the weights move by the sum:
//!
//! ```text
//! keep;  step of the first rule;  turn;  step of the second rule;  join
//! ```

use super::Table;
use crate::device::{Args, Device, Error, Kernel, View, kernel};

kernel!(KEEP = optim_mix_keep);
kernel!(TURN = optim_mix_turn);
kernel!(JOIN = optim_mix_join);

#[repr(C)]
#[derive(Clone, Copy)]
struct MixArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    before: u64,
    kept: u64,
}
// SAFETY: as `OptimMix` of optim.cu.
unsafe impl Args for MixArgs {}

/// The buffers of a mix.
#[derive(Clone, Copy, Debug)]
pub struct Mix<'a> {
    pub params: View<'a>,
    /// The first rule may use them up.
    pub grads: View<'a>,
    /// The segments' weights before the step, then what the first rule moved them by; as long as the table says.
    pub before: View<'a>,
    /// The segments' gradients; as long as the table says.
    pub kept: View<'a>,
}

impl Mix<'_> {
    /// `before ← p`, `kept ← g`
    ///
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When the buffers are not `f32`, or not as long as the table says.
    pub fn keep(&self, device: &Device, table: &Table) -> Result<(), Error> {
        self.launch(device, table, &KEEP)
    }

    /// `before, p ← p − before, before`, `g ← kept`
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    ///
    /// # Panics
    /// As there.
    pub fn turn(&self, device: &Device, table: &Table) -> Result<(), Error> {
        self.launch(device, table, &TURN)
    }

    /// `p ← p + before`
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    ///
    /// # Panics
    /// As there.
    pub fn join(&self, device: &Device, table: &Table) -> Result<(), Error> {
        self.launch(device, table, &JOIN)
    }

    fn launch(&self, device: &Device, table: &Table, kernel: &Kernel) -> Result<(), Error> {
        let (params, grads) = table.flat(self.params, self.grads);
        let (before, kept) = (table.own(self.before), table.own(self.kept));
        let args = MixArgs { chunks: table.chunks.view().address(), params, grads, before, kept };
        // SAFETY: the table's chunks lie in the buffers, whose lengths are checked.
        unsafe { device.launch(kernel, table.each_chunk(), &args) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::gradient;
    use crate::ops::optim::testing::same;

    #[test]
    fn both_rules_see_the_same_and_their_steps_add_up() {
        same(
            |device, table, at, [before, kept]| {
                let mix = Mix { params: at.params, grads: at.grads, before, kept };
                mix.keep(device, table).unwrap();
                gradient::scale_by(device, at.params, 0.5).unwrap();
                gradient::zero(device, table, at.grads).unwrap();
                mix.turn(device, table).unwrap();
                gradient::scale_by(device, at.params, 2.0).unwrap();
                mix.join(device, table).unwrap();
                // Between the segments nothing but the scales has acted, 0.5 and 2.
            },
            |at, [before, kept]| {
                for (((p, g), before), kept) in at.params.iter_mut().zip(&*at.grads).zip(before).zip(kept) {
                    (*before, *kept) = (0.5 * *p - *p, *g);
                    *p = 2.0 * *p + *before;
                }
            },
        );
    }
}
