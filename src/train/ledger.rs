//! Numbers of steps that a device has, and nobody has waited for.
//!
//! Whoever reads a loss waits until the device has nothing left to do, and the device then waits for the next step to be
//! launched. So what a step leaves, its losses and the norm of its gradients, stays on the device, and those of many steps
//! are read at once.

use crate::gpu::ops::loss;
use crate::gpu::{Buffer, DType, Device, Error, View};
use crate::nn::Loss;

/// Steps that it has room for.
const STEPS: usize = 64;

/// Losses, of parts of batches, that it has room for; more where a single step has more parts.
const PARTS: usize = 256;

/// What the last steps have left on a device.
pub struct Ledger {
    losses: Buffer,
    norms: Buffer,
    /// Of each step, the images of its parts.
    steps: Vec<Vec<usize>>,
    /// Losses so far.
    parts: usize,
    room: usize,
}

impl Ledger {
    /// For steps of at most so many parts.
    ///
    /// # Errors
    /// When the device's memory is too small.
    pub fn new(device: &Device, parts: usize) -> Result<Self, Error> {
        let room = PARTS.max(parts);
        Ok(Self {
            losses: device.allocate(DType::U32, room * loss::TOTAL)?,
            norms: device.allocate(DType::F32, STEPS)?,
            steps: Vec::new(),
            parts: 0,
            room,
        })
    }

    /// Whether there is room for one more step of so many parts.
    pub fn has_room(&self, parts: usize) -> bool {
        self.steps.len() < STEPS && self.parts + parts <= self.room
    }

    /// Begins a step.
    pub fn begin(&mut self) {
        self.steps.push(Vec::new());
    }

    /// Where the loss of the step's next part goes, of so many images.
    ///
    /// # Panics
    /// When no step has begun, or there is no room.
    pub fn loss(&mut self, images: usize) -> View<'_> {
        assert!(self.parts < self.room, "no room for another loss");
        self.steps.last_mut().expect("a step has begun").push(images);
        self.parts += 1;
        self.losses.view().part((self.parts - 1) * loss::TOTAL..self.parts * loss::TOTAL)
    }

    /// Where the norm of the step's gradients goes.
    ///
    /// # Panics
    /// When no step has begun, or there is no room.
    pub fn norm(&self) -> View<'_> {
        self.norms.view().part(self.steps.len() - 1..self.steps.len())
    }

    /// Waits for all steps, and gives the loss of each over all its images, and the norm. Then there are none.
    ///
    /// # Errors
    /// Those of the device, and of work before.
    pub fn read(&mut self) -> Result<Vec<(Loss, f64)>, Error> {
        if self.steps.is_empty() {
            return Ok(Vec::new());
        }
        let device = self.losses.device();
        let (mut sums, mut norms) = (vec![0.0f64; 3 * self.parts], vec![0.0f32; self.steps.len()]);
        device.read(self.losses.first(DType::U32, self.parts * loss::TOTAL), &mut sums)?;
        device.read(self.norms.first(DType::F32, norms.len()), &mut norms)?;
        let mut sums = sums.chunks_exact(3);
        let mut of_step = |images: Vec<usize>| {
            images.into_iter().zip(&mut sums).fold(Loss::default(), |whole, (images, sums)| Loss {
                sum: whole.sum + sums[0],
                images: whole.images + images,
                correct: whole.correct + sums[1] as usize,
                correct_top5: whole.correct_top5 + sums[2] as usize,
            })
        };
        self.parts = 0;
        Ok(self.steps.drain(..).zip(norms).map(|(images, norm)| (of_step(images), f64::from(norm))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::device::Order;

    #[test]
    fn what_was_put_down_is_read_in_order() {
        let device = Device::emulated(Order::Ascending);
        let mut ledger = Ledger::new(&device, 3).unwrap();
        let put = |ledger: &mut Ledger, parts: &[(usize, [f64; 3])], norm: f32| {
            ledger.begin();
            for (images, sums) in parts {
                device.write(ledger.loss(*images), sums).unwrap();
            }
            device.write(ledger.norm(), &[norm]).unwrap();
        };
        for _ in 0..2 {
            put(&mut ledger, &[(4, [2.5, 1.0, 3.0]), (2, [0.5, 2.0, 2.0])], 7.0);
            put(&mut ledger, &[(5, [f64::NAN, 0.0, 1.0])], f32::INFINITY);
            let read = ledger.read().unwrap();
            assert_eq!(read[0], (Loss { sum: 3.0, images: 6, correct: 3, correct_top5: 5 }, 7.0));
            assert!(read[1].0.sum.is_nan() && read[1].0.images == 5 && read[1].1 == f64::INFINITY);
            assert!(ledger.read().unwrap().is_empty(), "they are read once");
        }
        for _ in 0..STEPS {
            assert!(ledger.has_room(3));
            put(&mut ledger, &[(1, [1.0; 3])], 1.0);
        }
        assert!(!ledger.has_room(1));
        let _ = ledger.read().unwrap();
        assert!(ledger.has_room(PARTS) && !ledger.has_room(PARTS + 1));
    }
}
