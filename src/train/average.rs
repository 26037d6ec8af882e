//! A mean of the weights over training, beside the weights themselves.

use crate::gpu::ops::optim::average;
use crate::nn::Params;
use crate::optim::device::Slot;
use rayon::prelude::*;

/// Elements a task.
const CHUNK: usize = 1 << 14;

/// The mean of the parameters and, where it is asked for, of the running statistics: on a device while the weights are there.
#[derive(Debug)]
pub struct Average {
    pub params: Slot,
    pub stats: Slot,
    /// How often weights were taken in.
    pub updates: u64,
}

impl Average {
    /// Before the first update, which takes all of its weights.
    pub fn new(params: &Params) -> Self {
        let [weights, stats] = [params.values(), params.stats()].map(|host| host.to_vec().into());
        Self { params: weights, stats, updates: 0 }
    }

    /// `mean ← mean + share·(weights − mean)`, for the running statistics too where `statistics` says so. A share of 1 is a
    /// copy.
    ///
    /// As PyTorch's `AveragedModel` with `use_buffers`; without, it copies the statistics.
    ///
    /// # Errors
    /// Those of a device.
    pub fn update(&mut self, params: &mut Params, share: f64, statistics: bool) -> anyhow::Result<()> {
        self.updates += 1;
        let share = share as f32;
        if let Some(device) = params.away() {
            let there = params.on_device(&device)?;
            average::blend(&device, self.params.on(&device)?, there.values(), share)?;
            if statistics {
                average::blend(&device, self.stats.on(&device)?, there.stats(), share)?;
            }
            return Ok(());
        }
        self.home()?;
        blend(self.params.host_mut(), params.values(), share);
        if statistics {
            blend(self.stats.host_mut(), params.stats(), share);
        }
        Ok(())
    }

    /// The weights as they are, with `to_mean` turning them into a mean that is kept elsewhere.
    pub fn of_others(params: &Params, to_mean: impl FnOnce(&mut [f32])) -> Self {
        let mut average = Self { updates: 1, ..Self::new(params) };
        to_mean(average.params.host_mut());
        average
    }

    /// Brings it back from a device.
    ///
    /// # Errors
    /// Those of the device.
    pub fn home(&mut self) -> anyhow::Result<()> {
        self.params.home()?;
        Ok(self.stats.home()?)
    }

    /// Lets `work` have the mean in place of the weights. What it does to the running statistics stays with the mean.
    ///
    /// # Errors
    /// Those of the work, and of a device that they are on.
    pub fn in_place_of<T>(
        &mut self,
        params: &mut Params,
        work: impl FnOnce(&mut Params) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.swap(params)?;
        let result = work(params);
        self.swap(params)?;
        result
    }

    fn swap(&mut self, params: &mut Params) -> anyhow::Result<()> {
        params.home()?;
        self.home()?;
        self.params.host_mut().swap_with_slice(params.values_mut());
        self.stats.host_mut().swap_with_slice(params.stats_mut());
        Ok(())
    }
}

fn blend(mean: &mut [f32], new: &[f32], share: f32) {
    mean.par_chunks_mut(CHUNK).zip(new.par_chunks(CHUNK)).for_each(|(mean, new)| {
        if share == 1.0 {
            mean.copy_from_slice(new);
        } else {
            mean.iter_mut().zip(new).for_each(|(mean, new)| *mean += share * (new - *mean));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Init, ParamDecl, Role, StatDecl};

    #[test]
    fn the_mean_takes_its_share_and_lends_itself() {
        let (name, init) = ("w".to_owned(), Init::Constant(1.0));
        let decl = ParamDecl { name, role: Role::Conv, shape: vec![3], init, frozen: false };
        let stat = StatDecl { name: "mean".to_owned(), len: 2, start: 0.5 };
        let mut params = Params::new(&[decl], &[stat], 1);
        let mut average = Average::new(&params);
        let set = |params: &mut Params, value: f32| {
            params.values_mut()[..3].fill(value);
            params.stats_mut().fill(value);
        };
        set(&mut params, 4.0);
        average.update(&mut params, 1.0, true).unwrap();
        set(&mut params, 8.0);
        average.update(&mut params, 0.25, false).unwrap();
        assert_eq!((average.params.host()[0], average.stats.host()[0], average.updates), (5.0, 4.0, 2));

        let version = params.version();
        let work = |params: &mut Params| {
            params.stats_mut().fill(7.0);
            Ok(params.values()[0])
        };
        let seen = average.in_place_of(&mut params, work).unwrap();
        assert_eq!((seen, params.values()[0], params.stats()[0], average.stats.host()[0]), (5.0, 8.0, 8.0, 7.0));
        assert_ne!(params.version(), version, "kernels repack their weights");
    }
}
