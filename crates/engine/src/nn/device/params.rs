//! Parameters on a device.

use runner_gpu::ops::optim::gradient;
use runner_gpu::{Buffer, DType, Device, Error, View};

/// The copy of a net's [`Params`](crate::nn::Params) that lies on a device, laid out as on the host.
///
/// It takes over what the host has changed, by versions, and says what is newer on the device.
#[derive(Debug)]
pub struct Mirror {
    device: Device,
    values: Buffer,
    /// Of no length where the parameters have no gradients.
    grads: Buffer,
    stats: Buffer,
    /// Those of the host that values and statistics are, or were before they moved on here.
    versions: [Option<u64>; 2],
    ahead: Ahead,
    /// For the norm of the gradients: its parts, then itself. Made when first asked for.
    norm: Option<Buffer>,
}

/// What is newer on a device than on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    pub values: bool,
    pub grads: bool,
    pub stats: bool,
}

impl Mirror {
    /// Room for so many values, gradients and statistics.
    pub(crate) fn new(device: &Device, [values, grads, stats]: [usize; 3]) -> Result<Self, Error> {
        Ok(Self {
            values: device.allocate(DType::F32, values)?,
            // Between the slots they stay zero.
            grads: device.zeros(DType::F32, grads)?,
            stats: device.allocate(DType::F32, stats)?,
            versions: [None; 2],
            ahead: Ahead::default(),
            norm: None,
            device: device.clone(),
        })
    }

    pub fn values(&self) -> View<'_> {
        self.values.view()
    }
    pub fn grads(&self) -> View<'_> {
        self.grads.view()
    }
    pub fn stats(&self) -> View<'_> {
        self.stats.view()
    }
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn ahead(&self) -> Ahead {
        self.ahead
    }

    /// Says that a training step's forward pass has moved the running statistics.
    pub(crate) fn stats_moved(&mut self) {
        self.ahead.stats = true;
    }

    /// Says that a backward pass has written the gradients.
    pub(crate) fn grads_moved(&mut self) {
        self.ahead.grads = true;
    }

    /// Says that the values were changed by a step, which uses up the gradients, and are now those of that version.
    pub(crate) fn values_moved(&mut self, version: u64) {
        self.ahead.values = true;
        self.ahead.grads = false;
        self.versions[0] = Some(version);
    }

    /// Says that the host has newer gradients.
    pub(crate) fn supersede_grads(&mut self) {
        self.ahead.grads = false;
    }

    pub(crate) fn is_on(&self, device: &Device) -> bool {
        self.device.is(device)
    }

    /// Takes over what the host has of another version. What is newer here the host cannot have changed.
    pub(crate) fn upload(&mut self, values: (&[f32], u64), stats: (&[f32], u64)) -> Result<(), Error> {
        for (k, (buffer, (host, version))) in [(&self.values, values), (&self.stats, stats)].into_iter().enumerate() {
            if self.versions[k] != Some(version) {
                self.device.write(buffer.view(), host)?;
                self.versions[k] = Some(version);
            }
        }
        Ok(())
    }

    /// Gives the host what is newer here: values, gradients, statistics.
    pub(crate) fn download(&mut self, host: [&mut [f32]; 3]) -> Result<(), Error> {
        let ahead = [self.ahead.values, self.ahead.grads, self.ahead.stats];
        for ((buffer, host), ahead) in [&self.values, &self.grads, &self.stats].into_iter().zip(host).zip(ahead) {
            if ahead {
                self.device.read(buffer.view(), host)?;
            }
        }
        self.ahead = Ahead::default();
        Ok(())
    }

    /// The L2 norm of the gradients; waits for them.
    ///
    /// # Errors
    /// Those of the device.
    pub fn grad_norm(&mut self) -> Result<f64, Error> {
        self.find_norm()?;
        let mut norm = [0.0f32];
        self.device.read(self.last_norm(), &mut norm)?;
        Ok(f64::from(norm[0]))
    }

    /// As [`grad_norm`](Self::grad_norm), but nothing is waited for: the norm goes to `to`, one `f32`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn grad_norm_into(&mut self, to: View<'_>) -> Result<(), Error> {
        self.find_norm()?;
        self.device.copy(self.last_norm(), to)
    }

    fn find_norm(&mut self) -> Result<(), Error> {
        let parts = gradient::norm_scratch_len(self.grads.view().len());
        if self.norm.is_none() {
            self.norm = Some(self.device.allocate(DType::F32, parts + 1)?);
        }
        let room = self.norm.as_ref().expect("just made").view();
        gradient::norm(&self.device, self.grads.view(), room.part(0..parts), self.last_norm())
    }

    /// The norm that [`grad_norm`](Self::grad_norm) has last found, where it lies on the device.
    ///
    /// # Panics
    /// When it was never asked for.
    pub fn last_norm(&self) -> View<'_> {
        let room = self.norm.as_ref().expect("the norm was asked for").view();
        room.part(room.len() - 1..room.len())
    }
}
