use super::{single, window};
use crate::kernels::pool::average::{self, Average, Divisor};
use crate::kernels::pool::{Window, global, max};
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::TapeOptions;
use crate::nn::shape::Shape;
use crate::with_element;

/// Pooling: the largest or the mean of each window, or of all pixels.
#[derive(Clone, Copy, Debug)]
pub enum Pool {
    Max(Window),
    /// Padding counts as zeros in the mean, as PyTorch's default.
    Average(Window),
    GlobalMax,
    GlobalAverage,
}

impl Pool {
    /// Largest of each `side × side` tile.
    pub fn max(side: usize) -> Self {
        Pool::Max(Window::tiles(side))
    }
    pub fn global_max() -> Self {
        Pool::GlobalMax
    }
    pub fn global_avg() -> Self {
        Pool::GlobalAverage
    }

    fn window(&self) -> Option<Window> {
        match self {
            Pool::Max(window) | Pool::Average(window) => Some(*window),
            Pool::GlobalMax | Pool::GlobalAverage => None,
        }
    }
}

impl Layer for Pool {
    fn describe(&self) -> String {
        match self {
            Pool::Max(w) => format!("max pool {} / {}", window(w.kernel), window(w.stride)),
            Pool::Average(w) => format!("average pool {} / {}", window(w.kernel), window(w.stride)),
            Pool::GlobalMax => "global max pool".to_owned(),
            Pool::GlobalAverage => "global average pool".to_owned(),
        }
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let input = single(inputs)?;
        let Some(pool) = self.window() else {
            return if input.is_empty() {
                Err(format!("nothing to pool in {input}"))
            } else {
                Ok(Shape::new(1, 1, input.c))
            };
        };
        match pool.output([1, input.h, input.w, input.c]) {
            Some([_, h, w, c]) => Ok(Shape::new(h, w, c)),
            None => Err(format!("a {} window does not fit its input of {input}", window(pool.kernel))),
        }
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        let taps = self.window().map_or(1, |w| w.kernel[0] * w.kernel[1]);
        let outputs = self.output(inputs).map_or(0, |shape| shape.len());
        match self {
            Pool::Max(_) | Pool::Average(_) => (outputs * taps) as u64,
            Pool::GlobalMax | Pool::GlobalAverage => inputs[0].len() as u64,
        }
    }
    fn saves(&self) -> Saves {
        // Max pools keep the places of the maxima themselves.
        Saves::default()
    }
    fn prepare(&self, inputs: &[Shape], options: &TapeOptions) -> Box<dyn Op> {
        let outputs = self.output(inputs).map_or(0, |shape| shape.len()) * options.max_batch;
        Box::new(PoolOp {
            pool: *self,
            input: inputs[0],
            bytes: if matches!(self, Pool::Max(_)) { vec![0; outputs] } else { Vec::new() },
            places: if matches!(self, Pool::GlobalMax) { vec![0; outputs] } else { Vec::new() },
        })
    }
}

struct PoolOp {
    pool: Pool,
    input: Shape,
    /// Of each window's maximum: its tap.
    bytes: Vec<u8>,
    /// Of each image's maximum: its pixel.
    places: Vec<u32>,
}

impl PoolOp {
    fn shape(&self, n: usize) -> [usize; 4] {
        [n, self.input.h, self.input.w, self.input.c]
    }
}

impl Op for PoolOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        let shape = self.shape(cx.n);
        with_element!(cx.dtype, E => {
            let (x, mut y) = (cx.input::<E>(0), cx.output::<E>());
            let outputs = y.len();
            match self.pool {
                Pool::Max(window) => max::forward(cx.isa, window, shape, &x, &mut y, &mut self.bytes[..outputs]),
                Pool::Average(window) => {
                    average::forward(cx.isa, Average { window, divisor: Divisor::Window }, shape, &x, &mut y);
                }
                Pool::GlobalMax => global::max(cx.isa, shape, &x, &mut y, &mut self.places[..outputs]),
                Pool::GlobalAverage => global::average(cx.isa, shape, &x, &mut y),
            }
        });
        Ok(())
    }

    fn backward(&mut self, cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let shape = self.shape(cx.n);
        with_element!(cx.dtype, E => {
            let Some(mut dx) = cx.input_grad::<E>(0) else { return Ok(()) };
            let dy = cx.output_grad::<E>();
            match self.pool {
                Pool::Max(window) => max::backward(cx.isa, window, shape, &self.bytes[..dy.len()], &dy, dx.grad()),
                Pool::Average(window) => {
                    average::backward(cx.isa, Average { window, divisor: Divisor::Window }, shape, &dy, dx.grad());
                }
                Pool::GlobalMax => global::max_backward(shape, &self.places[..dy.len()], &dy, dx.grad()),
                Pool::GlobalAverage => global::average_backward(cx.isa, shape, &dy, dx.grad()),
            }
        });
        Ok(())
    }
}
