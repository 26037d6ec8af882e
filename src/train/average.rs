//! A mean of the weights over training, beside the weights themselves.

use crate::nn::Params;
use rayon::prelude::*;

/// Elements a task.
const CHUNK: usize = 1 << 14;

/// The mean of the parameters and, where it is asked for, of the running statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Average {
    pub params: Vec<f32>,
    pub stats: Vec<f32>,
    /// How often weights were taken in.
    pub updates: u64,
}

impl Average {
    /// Before the first update, which takes all of its weights.
    pub fn new(params: &Params) -> Self {
        Self { params: params.values.clone(), stats: params.stats.clone(), updates: 0 }
    }

    /// `mean ← mean + share·(weights − mean)`, for the running statistics too where `statistics` says so. A share of 1 is a
    /// copy.
    ///
    /// As PyTorch's `AveragedModel` with `use_buffers`; without, it copies the statistics.
    pub fn update(&mut self, params: &Params, share: f64, statistics: bool) {
        blend(&mut self.params, &params.values, share as f32);
        if statistics {
            blend(&mut self.stats, &params.stats, share as f32);
        }
        self.updates += 1;
    }

    /// Lets `work` have the mean in place of the weights. What it does to the running statistics stays with the mean.
    pub fn in_place_of<T>(&mut self, params: &mut Params, work: impl FnOnce(&mut Params) -> T) -> T {
        self.swap(params);
        let result = work(params);
        self.swap(params);
        result
    }

    fn swap(&mut self, params: &mut Params) {
        std::mem::swap(&mut self.params, &mut params.values);
        std::mem::swap(&mut self.stats, &mut params.stats);
        params.touch();
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
            params.values[..3].fill(value);
            params.stats.fill(value);
        };
        set(&mut params, 4.0);
        average.update(&params, 1.0, true);
        set(&mut params, 8.0);
        average.update(&params, 0.25, false);
        assert_eq!((average.params[0], average.stats[0], average.updates), (5.0, 4.0, 2));

        let version = params.version();
        let seen = average.in_place_of(&mut params, |params| {
            params.stats.fill(7.0);
            params.values[0]
        });
        assert_eq!((seen, params.values[0], params.stats[0], average.stats[0]), (5.0, 8.0, 8.0, 7.0));
        assert_ne!(params.version(), version, "kernels repack their weights");
    }
}
