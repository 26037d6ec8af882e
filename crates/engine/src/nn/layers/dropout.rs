use super::single;
use crate::kernels::dropout;
use crate::nn::device::{DeviceOp, ops};
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::{Mode, TapeOptions};
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;

/// Dropout: in training each value becomes zero with probability `p`, and the others grow by `1/(1 − p)`; see
/// [`dropout`](crate::kernels::dropout).
///
/// What is dropped follows from the tape's [`Noise`](crate::nn::Noise) and the layer's name. Evaluation leaves values as they
/// are, and so does [`Mode::Measure`], whose statistics are for evaluation; PyTorch's `update_bn` goes on dropping.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// # Panics
    /// When `p` is not at least 0 and less than 1.
    pub fn new(p: f64) -> Self {
        assert!((0.0..1.0).contains(&p), "dropout of {p}");
        Self { p }
    }
}

impl Layer for Dropout {
    fn describe(&self) -> String {
        format!("dropout {}", self.p)
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        single(inputs)
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        inputs[0].len() as u64
    }
    fn saves(&self, _: usize) -> Saves {
        // Only the mask, which it keeps itself.
        Saves::default()
    }
    fn prepare(&self, inputs: &[Shape], options: &TapeOptions) -> Box<dyn Op> {
        let per_image = inputs[0].len();
        let p = if options.mode == Mode::Train { self.p } else { 0.0 };
        Box::new(DropoutOp { p, per_image, kept: vec![1; per_image * options.max_batch] })
    }
    fn on_device(
        &self,
        inputs: &[Shape],
        options: &TapeOptions,
        device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        let p = if options.mode == Mode::Train { self.p } else { 0.0 };
        Ok(Some(Box::new(ops::DropoutOp::new(device, p, inputs[0].len(), options.max_batch)?)))
    }
}

struct DropoutOp {
    /// 0 where nothing is dropped.
    p: f64,
    per_image: usize,
    /// Of the last forward.
    kept: Vec<u8>,
}

impl Op for DropoutOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        let kept = &mut self.kept[..cx.n * self.per_image];
        if self.p > 0.0 && !cx.again {
            dropout::draw(&cx.stream(), cx.noise.first * self.per_image as u64, self.p, kept);
        }
        with_element!(cx.dtype, E => dropout::forward(self.p, kept, &cx.input::<E>(0), &mut cx.output::<E>()));
        Ok(())
    }

    fn backward(&mut self, cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let kept = &self.kept[..cx.n * self.per_image];
        with_element!(cx.dtype, E => {
            if let Some(mut dx) = cx.input_grad::<E>(0) {
                dropout::backward(self.p, kept, &cx.output_grad::<E>(), dx.grad());
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{DType, Isa};
    use crate::nn::{Builder, Graph, Noise, Params, Tape};

    /// Two layers after one another, on images of 12 numbers.
    fn net(p: f64) -> Graph {
        let mut b = Builder::new(Shape::new(2, 2, 3));
        let x = b.input();
        let x = b.add("one", Dropout::new(p), &[x]).unwrap();
        let x = b.add("two", Dropout::new(p), &[x]).unwrap();
        b.finish(x)
    }

    fn tape(p: f64, mode: Mode) -> (Tape, Params) {
        let graph = net(p);
        let params = Params::new(graph.params(), graph.stats(), 1);
        let isa = Isa::detect().unwrap();
        let options = TapeOptions { mode, input_grad: true, ..TapeOptions::train(50, DType::F32, isa) };
        (Tape::new(&graph, &params, options), params)
    }

    #[test]
    fn draws_follow_from_seed_step_layer_and_place() {
        let (mut tape, mut params) = tape(0.5, Mode::Train);
        let images = vec![1.0; 50 * 12];
        let mut run = |noise: Noise, images: &[f32]| {
            tape.set_noise(noise);
            tape.forward(&mut params, images).unwrap();
            let output = tape.output();
            tape.set_output_grad(&vec![1.0; images.len()]);
            tape.backward(&mut params).unwrap();
            assert_eq!(tape.input_grad().unwrap(), output, "one mask both ways");
            output
        };
        let noise = Noise { seed: 1, step: 7, first: 0 };
        let whole = run(noise, &images);
        // A quarter passes both layers, which draw independently, four times as large.
        let passed = whole.iter().filter(|y| **y == 4.0).count();
        assert!(passed.abs_diff(150) < 40 && whole.iter().all(|y| [0.0, 4.0].contains(y)), "{passed}");
        assert_eq!(run(noise, &images), whole, "again");
        let part = run(Noise { first: 30, ..noise }, &images[30 * 12..]);
        assert_eq!(part, whole[30 * 12..], "in parts");
        for other in [Noise { seed: 2, ..noise }, Noise { step: 8, ..noise }, Noise { first: 1, ..noise }] {
            assert_ne!(run(other, &images), whole);
        }
    }

    #[test]
    fn nothing_is_dropped_but_in_training() {
        let images: Vec<f32> = (0..50 * 12).map(|k| k as f32).collect();
        for (p, mode) in [(0.5, Mode::Evaluate), (0.5, Mode::Measure), (0.0, Mode::Train)] {
            let (mut tape, mut params) = tape(p, mode);
            tape.forward(&mut params, &images).unwrap();
            assert_eq!(tape.output(), images);
        }
    }
}
