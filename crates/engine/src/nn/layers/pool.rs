use super::{single, window};
use crate::kernels::pool::average::{Average, AveragePlan};
use crate::kernels::pool::{Window, global, max};
use crate::nn::device::{DeviceOp, ops};
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Reach, Saves};
use crate::nn::options::TapeOptions;
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;

/// Pooling: the largest or the mean of each window, or of all pixels.
#[derive(Clone, Copy, Debug)]
pub enum Pool {
    Max(Window),
    Average(Average),
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

    /// In words, for a message.
    fn what_must_fit(&self) -> String {
        match self {
            Pool::Max(w) | Pool::Average(Average::Windows(w) | Average::Inside(w)) => {
                format!("a {} window", window(w.kernel))
            }
            Pool::Average(Average::Blur { .. }) => "a blur, which takes two pixels each way,".to_owned(),
            Pool::Average(Average::Tiles { .. } | Average::Adaptive { .. }) | Pool::GlobalMax | Pool::GlobalAverage => {
                "a pool".to_owned()
            }
        }
    }
}

impl Layer for Pool {
    fn describe(&self) -> String {
        match self {
            Pool::Max(w) => format!("max pool {} / {}", window(w.kernel), window(w.stride)),
            Pool::Average(Average::Windows(w) | Average::Inside(w)) => {
                format!("average pool {} / {}", window(w.kernel), window(w.stride))
            }
            Pool::Average(Average::Tiles { side }) => format!("average pool {0} / {0}", window([*side; 2])),
            Pool::Average(Average::Adaptive { side }) => format!("average pool to {}", window([*side; 2])),
            Pool::Average(Average::Blur { stride, .. }) => format!("blur 3×3 / {}", window([*stride; 2])),
            Pool::GlobalMax => "global max pool".to_owned(),
            Pool::GlobalAverage => "global average pool".to_owned(),
        }
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let input = single(inputs)?;
        let shape = [1, input.h, input.w, input.c];
        let output = match self {
            Pool::Max(window) => window.output(shape),
            Pool::Average(average) => average.output(shape),
            Pool::GlobalMax | Pool::GlobalAverage => (!input.is_empty()).then_some([1, 1, 1, input.c]),
        };
        match output {
            Some([_, h, w, c]) => Ok(Shape::new(h, w, c)),
            None => Err(format!("{} does not fit its input of {input}", self.what_must_fit())),
        }
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        let outputs = self.output(inputs).map_or(0, |shape| shape.len());
        match self {
            Pool::Max(window) | Pool::Average(Average::Windows(window) | Average::Inside(window)) => {
                (outputs * window.kernel[0] * window.kernel[1]) as u64
            }
            Pool::Average(Average::Blur { .. }) => (outputs * 9) as u64,
            Pool::Average(Average::Tiles { .. } | Average::Adaptive { .. }) | Pool::GlobalMax | Pool::GlobalAverage => {
                inputs[0].len() as u64
            }
        }
    }
    fn reach(&self) -> Reach {
        match self {
            Pool::Max(w) | Pool::Average(Average::Windows(w) | Average::Inside(w)) => {
                Reach::Window { span: w.kernel, stride: w.stride }
            }
            Pool::Average(Average::Blur { stride, .. }) => Reach::Window { span: [3; 2], stride: [*stride; 2] },
            Pool::Average(Average::Tiles { side }) => Reach::Window { span: [*side; 2], stride: [*side; 2] },
            Pool::Average(Average::Adaptive { .. }) | Pool::GlobalMax | Pool::GlobalAverage => Reach::Image,
        }
    }
    fn pools(&self) -> bool {
        matches!(self, Pool::Max(_) | Pool::Average(Average::Windows(_) | Average::Inside(_)))
    }
    fn saves(&self, _: usize) -> Saves {
        // Max pools keep the places of the maxima themselves.
        Saves::default()
    }
    fn prepare(&self, inputs: &[Shape], options: &TapeOptions) -> Box<dyn Op> {
        let outputs = self.output(inputs).map_or(0, |shape| shape.len()) * options.max_batch;
        Box::new(PoolOp {
            pool: *self,
            input: inputs[0],
            average: match self {
                Pool::Average(average) => AveragePlan::new(*average, inputs[0].h, inputs[0].w),
                _ => None,
            },
            bytes: if matches!(self, Pool::Max(_)) { vec![0; outputs] } else { Vec::new() },
            places: if matches!(self, Pool::GlobalMax) { vec![0; outputs] } else { Vec::new() },
        })
    }
    fn on_device(
        &self,
        inputs: &[Shape],
        options: &TapeOptions,
        device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        let output = self.output(inputs).map_err(anyhow::Error::msg)?;
        Ok(Some(Box::new(ops::PoolOp::new(device, *self, inputs[0], output, options.max_batch)?)))
    }
}

struct PoolOp {
    pool: Pool,
    input: Shape,
    /// Where it is a mean.
    average: Option<AveragePlan>,
    /// Of each window's maximum: its tap.
    bytes: Vec<u8>,
    /// Of each image's maximum: its pixel.
    places: Vec<u32>,
}

impl PoolOp {
    fn average(&self) -> &AveragePlan {
        self.average.as_ref().expect("a mean is laid out for its size")
    }

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
                Pool::Average(_) => self.average().forward(cx.isa, self.input.c, &x, &mut y),
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
                Pool::Average(_) => self.average().backward(cx.isa, self.input.c, &dy, dx.grad()),
                Pool::GlobalMax => global::max_backward(shape, &self.places[..dy.len()], &dy, dx.grad()),
                Pool::GlobalAverage => global::average_backward(cx.isa, shape, &dy, dx.grad()),
            }
        });
        Ok(())
    }
}
