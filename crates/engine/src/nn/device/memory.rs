//! Activations and gradients on a device: the slots of a [`MemoryPlan`], one buffer each.

use crate::kernels::DType;
use crate::nn::memory::{MemoryPlan, Place};
use runner_gpu::{Buffer, Device, Error, View};

pub struct DeviceMemory {
    slots: Vec<Buffer>,
    dtype: DType,
}

impl DeviceMemory {
    pub fn new(device: &Device, plan: &MemoryPlan, dtype: DType, max_batch: usize) -> Result<Self, Error> {
        let slots = plan.slots.iter().map(|len| device.allocate(dtype.into(), len * max_batch));
        Ok(Self { slots: slots.collect::<Result<_, _>>()?, dtype })
    }

    pub fn bytes(&self) -> usize {
        self.slots.iter().map(Buffer::bytes).sum()
    }

    /// What lies at a place, of so many images.
    pub fn view(&self, place: Place, n: usize) -> View<'_> {
        self.slots[place.slot].first(self.dtype.into(), place.per_image * n)
    }
}
