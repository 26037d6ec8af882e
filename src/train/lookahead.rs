//! Lookahead: slow weights, which the trained ones are drawn to again and again.

use crate::gpu::ops::optim::average;
use crate::nn::Params;
use crate::optim::device::Slot;
use crate::plan::Mix;
use rayon::prelude::*;

/// Elements a task.
const CHUNK: usize = 1 << 14;

/// Slow copies of the parameters and the running statistics: on a device while the trained ones are there.
#[derive(Debug)]
pub struct Lookahead {
    pub params: Slot,
    pub stats: Slot,
}

impl Lookahead {
    /// As the trained weights are now.
    pub fn new(params: &Params) -> Self {
        let [weights, stats] = [params.values(), params.stats()].map(|host| host.to_vec().into());
        Self { params: weights, stats }
    }

    /// `slow ← d·slow + (1 − d)·fast` for [`Mix::Blend`], and in any case `fast ← slow`.
    ///
    /// # Errors
    /// Those of a device.
    pub fn mix(&mut self, params: &mut Params, mix: Mix) -> anyhow::Result<()> {
        let take = match mix {
            Mix::Blend { decay } => (1.0 - decay) as f32,
            Mix::Return => 0.0,
        };
        if let Some(device) = params.away() {
            let there = params.on_device(&device)?;
            average::lookahead(&device, self.params.on(&device)?, there.values(), take)?;
            average::lookahead(&device, self.stats.on(&device)?, there.stats(), take)?;
            params.drawn_on_device();
            return Ok(());
        }
        self.home()?;
        draw_together(self.params.host_mut(), params.values_mut(), take);
        draw_together(self.stats.host_mut(), params.stats_mut(), take);
        Ok(())
    }

    /// Brings it back from a device.
    ///
    /// # Errors
    /// Those of the device.
    pub fn home(&mut self) -> anyhow::Result<()> {
        self.params.home()?;
        Ok(self.stats.home()?)
    }
}

fn draw_together(slow: &mut [f32], fast: &mut [f32], take: f32) {
    slow.par_chunks_mut(CHUNK).zip(fast.par_chunks_mut(CHUNK)).for_each(|(slow, fast)| {
        for (slow, fast) in slow.iter_mut().zip(fast) {
            // Without a branch a fast value that is not finite would spoil a slow one that does not take it.
            *slow = if take == 0.0 { *slow } else { *slow + take * (*fast - *slow) };
            *fast = *slow;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Init, ParamDecl, Role, StatDecl};

    #[test]
    fn slow_weights_take_their_share_and_the_trained_ones_follow() {
        let (name, init) = ("w".to_owned(), Init::Constant(1.0));
        let decl = ParamDecl { name, role: Role::Conv, shape: vec![3], init, frozen: false };
        let stat = StatDecl { name: "mean".to_owned(), len: 2, start: 0.5 };
        let mut params = Params::new(&[decl], &[stat], 1);
        let mut lookahead = Lookahead::new(&params);
        let set = |params: &mut Params, value: f32, stat: f32| {
            params.values_mut()[..3].fill(value);
            params.stats_mut().fill(stat);
        };
        set(&mut params, 5.0, 4.5);
        let version = params.version();
        lookahead.mix(&mut params, Mix::Blend { decay: 0.75 }).unwrap();
        assert_eq!((params.get("w").unwrap(), params.stats()), (&[2.0; 3][..], &[1.5; 2][..]));
        assert_ne!(params.version(), version, "kernels repack their weights");
        assert_eq!((lookahead.params.host(), lookahead.stats.host()), (params.values(), params.stats()));

        set(&mut params, 9.0, f32::NAN);
        lookahead.mix(&mut params, Mix::Return).unwrap();
        assert_eq!((params.get("w").unwrap(), params.stats()), (&[2.0; 3][..], &[1.5; 2][..]));
        // No decay: the slow ones are the trained ones.
        set(&mut params, 7.0, 3.0);
        lookahead.mix(&mut params, Mix::Blend { decay: 0.0 }).unwrap();
        assert_eq!((lookahead.params.host()[0], params.values()[0], lookahead.stats.host()[1]), (7.0, 7.0, 3.0));
    }
}
