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
    /// Of single images, where those are remembered.
    of_images: Option<Buffer>,
    steps: Vec<Step>,
    /// Losses so far, and those of images.
    parts: usize,
    images: usize,
    room: usize,
}

/// What a step has left.
struct Step {
    /// The images of its parts.
    parts: Vec<usize>,
    /// Whether the losses of these are there.
    of_images: bool,
}

/// What is read of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// Over all its images.
    pub loss: Loss,
    pub grad_norm: f64,
    /// Of each image, where they are remembered.
    pub losses: Option<Vec<f32>>,
}

/// Where the losses of a part of a step go.
pub struct Places<'a> {
    pub loss: View<'a>,
    /// Of each image, where they are remembered.
    pub losses: Option<View<'a>>,
}

impl Ledger {
    /// For steps of at most so many parts; where losses of images are remembered, of at most so many images.
    ///
    /// # Errors
    /// When the device's memory is too small.
    pub fn new(device: &Device, parts: usize, images: Option<usize>) -> Result<Self, Error> {
        let room = PARTS.max(parts);
        let of_images = images.map(|images| device.allocate(DType::U32, STEPS * loss::of_images(images)));
        Ok(Self {
            of_images: of_images.transpose()?,
            images: 0,
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

    /// Begins a step; `of_images`: those of its images are to be remembered.
    pub fn begin(&mut self, of_images: bool) {
        self.steps.push(Step { parts: Vec::new(), of_images });
    }

    /// Where the loss of the step's next part goes, of so many images.
    ///
    /// # Panics
    /// When no step has begun, or there is no room.
    pub fn loss(&mut self, images: usize) -> Places<'_> {
        assert!(self.parts < self.room, "no room for another loss");
        let step = self.steps.last_mut().expect("a step has begun");
        step.parts.push(images);
        self.parts += 1;
        let loss = self.losses.view().part((self.parts - 1) * loss::TOTAL..self.parts * loss::TOTAL);
        let of_images = self.of_images.as_ref().filter(|_| step.of_images);
        let losses = of_images.map(|buffer| {
            self.images += images;
            buffer.view().part(loss::of_images(self.images - images)..loss::of_images(self.images))
        });
        Places { loss, losses }
    }

    /// Where the norm of the step's gradients goes.
    ///
    /// # Panics
    /// When no step has begun, or there is no room.
    pub fn norm(&self) -> View<'_> {
        self.norms.view().part(self.steps.len() - 1..self.steps.len())
    }

    /// Waits for all steps, and gives what each has left. Then there are none.
    ///
    /// # Errors
    /// Those of the device, and of work before.
    pub fn read(&mut self) -> Result<Vec<Numbers>, Error> {
        if self.steps.is_empty() {
            return Ok(Vec::new());
        }
        let device = self.losses.device();
        let (mut sums, mut norms) = (vec![0.0f64; 3 * self.parts], vec![0.0f32; self.steps.len()]);
        device.read(self.losses.first(DType::U32, self.parts * loss::TOTAL), &mut sums)?;
        device.read(self.norms.first(DType::F32, norms.len()), &mut norms)?;
        let mut of_images = vec![0.0f64; self.images];
        if let Some(buffer) = self.of_images.as_ref().filter(|_| self.images > 0) {
            device.read(buffer.first(DType::U32, loss::of_images(self.images)), &mut of_images)?;
        }
        let (mut sums, mut of_images) = (sums.chunks_exact(3), of_images.into_iter().map(|loss| loss as f32));
        let mut of_step = |(step, norm): (Step, f32)| {
            let loss = step.parts.into_iter().zip(&mut sums).fold(Loss::default(), |whole, (images, sums)| Loss {
                sum: whole.sum + sums[0],
                images: whole.images + images,
                correct: whole.correct + sums[1] as usize,
                correct_top5: whole.correct_top5 + sums[2] as usize,
            });
            let losses = step.of_images.then(|| of_images.by_ref().take(loss.images).collect());
            Numbers { loss, grad_norm: f64::from(norm), losses }
        };
        (self.parts, self.images) = (0, 0);
        Ok(self.steps.drain(..).zip(norms).map(&mut of_step).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::device::Order;

    #[test]
    fn what_was_put_down_is_read_in_order() {
        let device = Device::emulated(Order::Ascending);
        let mut ledger = Ledger::new(&device, 3, Some(6)).unwrap();
        // Of a part, its sums and the losses of its images.
        type Part<'a> = ([f64; 3], &'a [f64]);
        let put = |ledger: &mut Ledger, parts: &[Part<'_>], remembered: bool, norm: f32| {
            ledger.begin(remembered);
            for (sums, images) in parts {
                let Places { loss, losses } = ledger.loss(images.len());
                device.write(loss, sums).unwrap();
                assert_eq!(losses.is_some(), remembered);
                losses.into_iter().for_each(|losses| device.write(losses, images).unwrap());
            }
            device.write(ledger.norm(), &[norm]).unwrap();
        };
        for _ in 0..2 {
            let parts: [Part<'_>; 2] = [([2.5, 1.0, 3.0], &[0.5, 0.25, 1.5, 0.25]), ([0.5, 2.0, 2.0], &[0.5, 0.0])];
            put(&mut ledger, &parts, true, 7.0);
            put(&mut ledger, &[([f64::NAN, 0.0, 1.0], &[1.0; 5])], false, f32::INFINITY);
            put(&mut ledger, &[([1.0, 0.0, 0.0], &[1.0])], true, 0.0);
            let read = ledger.read().unwrap();
            assert_eq!(read[0].loss, Loss { sum: 3.0, images: 6, correct: 3, correct_top5: 5 });
            assert_eq!((read[0].grad_norm, &read[0].losses), (7.0, &Some(vec![0.5, 0.25, 1.5, 0.25, 0.5, 0.0])));
            assert!(read[1].loss.sum.is_nan() && read[1].loss.images == 5 && read[1].grad_norm == f64::INFINITY);
            assert_eq!((&read[1].losses, &read[2].losses), (&None, &Some(vec![1.0])));
            assert!(ledger.read().unwrap().is_empty(), "they are read once");
        }
        for _ in 0..STEPS {
            assert!(ledger.has_room(3));
            put(&mut ledger, &[([1.0; 3], &[1.0; 6])], true, 1.0);
        }
        assert!(!ledger.has_room(1));
        let _ = ledger.read().unwrap();
        assert!(ledger.has_room(PARTS) && !ledger.has_room(PARTS + 1));
    }
}
