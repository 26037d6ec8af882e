//! Steps on a device: what rules that have kernels for it need besides their factors, and state that moves there and back.

use super::Segment;
use runner_gpu::ops::optim::{self as gpu, Table};
use runner_gpu::{Buffer, DType, Device, Error, View};

/// The parameters and their gradients on a device: the twin of [`Flat`](super::Flat).
#[derive(Clone, Copy)]
pub struct DeviceFlat<'a> {
    pub device: &'a Device,
    pub params: View<'a>,
    pub grads: View<'a>,
    pub segments: &'a [Segment],
}

/// Numbers that belong to training, such as an optimizer's state: on the host or, once a step was taken there, on a device.
#[derive(Debug, Default)]
pub struct Slot {
    host: Vec<f32>,
    /// Kept when the values come home: they will be back.
    device: Option<Buffer>,
    /// Whether those on the device are the ones that count.
    away: bool,
}

impl From<Vec<f32>> for Slot {
    fn from(host: Vec<f32>) -> Self {
        Self { host, device: None, away: false }
    }
}

impl Slot {
    pub fn zeros(len: usize) -> Self {
        vec![0.0; len].into()
    }

    /// The values.
    ///
    /// # Panics
    /// When they are on a device: [`home`](Self::home) brings them back.
    pub fn host(&self) -> &[f32] {
        assert!(!self.away, "a part of the training's state is on a device: `home` brings it back");
        &self.host
    }

    /// To be changed.
    ///
    /// # Panics
    /// As [`host`](Self::host).
    pub fn host_mut(&mut self) -> &mut Vec<f32> {
        assert!(!self.away, "a part of the training's state is on a device: `home` brings it back");
        &mut self.host
    }

    /// The values on a device, to be changed there.
    ///
    /// # Errors
    /// When its memory is too small.
    pub fn on(&mut self, device: &Device) -> Result<View<'_>, Error> {
        if !self.away {
            let fits = |buffer: &Buffer| buffer.device().is(device) && buffer.view().len() == self.host.len();
            let buffer = match self.device.take().filter(fits) {
                Some(buffer) => buffer,
                None => device.allocate(DType::F32, self.host.len())?,
            };
            device.write(buffer.view(), &self.host)?;
            self.device = Some(buffer);
            self.away = true;
        }
        Ok(self.device.as_ref().expect("what is away is somewhere").view())
    }

    /// Brings the values back to the host.
    ///
    /// # Errors
    /// Those of the device.
    pub fn home(&mut self) -> Result<(), Error> {
        if let Some(buffer) = self.device.as_ref().filter(|_| self.away) {
            buffer.device().read(buffer.view(), &mut self.host)?;
            self.away = false;
        }
        Ok(())
    }
}

/// The segments of an optimizer on a device, and scratch; made at its first step there.
#[derive(Debug, Default)]
pub struct Tables(Option<(Table, Buffer)>);

impl Tables {
    /// Of these segments, of which some are `adapted` (see [`gpu::Segment`]).
    ///
    /// # Errors
    /// When the device's memory is too small.
    pub fn of(
        &mut self,
        flat: &DeviceFlat<'_>,
        adapted: impl Fn(&Segment) -> bool,
    ) -> Result<(&Table, View<'_>), Error> {
        if self.0.is_none() {
            let segment = |of: &Segment| gpu::Segment { range: of.range.clone(), adapted: adapted(of) };
            let table = Table::new(flat.device, &flat.segments.iter().map(segment).collect::<Vec<_>>())?;
            let scratch = flat.device.allocate(DType::F32, table.scratch_len())?;
            self.0 = Some((table, scratch));
        }
        let (table, scratch) = self.0.as_ref().expect("just made");
        Ok((table, scratch.view()))
    }
}
