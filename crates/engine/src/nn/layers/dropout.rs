use super::single;
use crate::kernels::dropout;
use crate::nn::device::{DeviceOp, ops};
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::{Mode, TapeOptions};
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;

/// Dropout: in training each value becomes zero with probability `p`, and the others grow by `1/(1 − p)`; see
/// [`dropout`](crate::kernels::dropout). Or each image does, as a whole: at the end of a residual branch, this is stochastic
/// depth.
///
/// What is dropped follows from the tape's [`Noise`](crate::nn::Noise) and the layer's name. Evaluation leaves values as they
/// are, and so does [`Mode::Measure`], whose statistics are for evaluation; PyTorch's `update_bn` goes on dropping.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    p: f64,
    /// Whether an image has one draw, and not one for each of its values.
    whole: bool,
}

impl Dropout {
    /// Of values.
    ///
    /// # Panics
    /// When `p` is not at least 0 and less than 1.
    pub fn new(p: f64) -> Self {
        assert!((0.0..1.0).contains(&p), "dropout of {p}");
        Self { p, whole: false }
    }

    /// Of whole images: drop path.
    ///
    /// # Panics
    /// As [`Dropout::new`].
    pub fn of_images(p: f64) -> Self {
        Self { whole: true, ..Self::new(p) }
    }

    /// The probability on such a tape: 0 where nothing is dropped.
    fn probability(&self, options: &TapeOptions) -> f64 {
        if options.mode == Mode::Train { self.p } else { 0.0 }
    }

    /// Draws of an image.
    fn draws(&self, inputs: &[Shape]) -> usize {
        if self.whole { 1 } else { inputs[0].len() }
    }
}

impl Layer for Dropout {
    fn describe(&self) -> String {
        match self.whole {
            false => format!("dropout {}", self.p),
            // A share of a share, as a rule, with all digits that there are.
            true => format!("drop path {}", (self.p * 1e4).round() / 1e4),
        }
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
        let draws = self.draws(inputs);
        Box::new(DropoutOp { p: self.probability(options), draws, kept: vec![1; draws * options.max_batch] })
    }
    fn on_device(
        &self,
        inputs: &[Shape],
        options: &TapeOptions,
        device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        let (p, draws) = (self.probability(options), self.draws(inputs));
        Ok(Some(Box::new(ops::DropoutOp::new(device, p, draws, options.max_batch)?)))
    }
}

struct DropoutOp {
    /// 0 where nothing is dropped.
    p: f64,
    /// Of an image.
    draws: usize,
    /// Of the last forward.
    kept: Vec<u8>,
}

impl Op for DropoutOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        let kept = &mut self.kept[..cx.n * self.draws];
        if self.p > 0.0 && !cx.again {
            dropout::draw(&cx.stream(), cx.noise.first * self.draws as u64, self.p, kept);
        }
        with_element!(cx.dtype, E => dropout::forward(cx.isa, self.p, kept, &cx.input::<E>(0), &mut cx.output::<E>()));
        Ok(())
    }

    fn backward(&mut self, cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let kept = &self.kept[..cx.n * self.draws];
        with_element!(cx.dtype, E => {
            if let Some(mut dx) = cx.input_grad::<E>(0) {
                dropout::backward(cx.isa, self.p, kept, &cx.output_grad::<E>(), dx.grad());
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{DType, Isa};
    use crate::nn::layers::{Act, Add, Conv};
    use crate::nn::{Builder, Graph, Noise, Params, Tape, ValueId};

    /// Two layers after one another, on images of 12 numbers.
    fn net(layer: Dropout) -> Graph {
        let mut b = Builder::new(Shape::new(2, 2, 3));
        let x = b.input();
        let x = b.add("one", layer, &[x]).unwrap();
        let x = b.add("two", layer, &[x]).unwrap();
        b.finish(x)
    }

    fn tape(layer: Dropout, mode: Mode) -> (Tape, Params) {
        let graph = net(layer);
        let params = Params::new(graph.params(), graph.stats(), 1);
        let isa = Isa::detect().unwrap();
        let options = TapeOptions { mode, input_grad: true, ..TapeOptions::train(50, DType::F32, isa) };
        (Tape::new(&graph, &params, options), params)
    }

    /// Of 50 images of ones, what two layers leave of them, in place of which others are drawn elsewhere.
    fn draws_follow_from_seed_step_layer_and_place(layer: Dropout) -> Vec<f32> {
        let (mut tape, mut params) = tape(layer, Mode::Train);
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
        assert_eq!(run(noise, &images), whole, "again");
        let part = run(Noise { first: 30, ..noise }, &images[30 * 12..]);
        assert_eq!(part, whole[30 * 12..], "in parts");
        for other in [Noise { seed: 2, ..noise }, Noise { step: 8, ..noise }, Noise { first: 1, ..noise }] {
            assert_ne!(run(other, &images), whole);
        }
        whole
    }

    #[test]
    fn values_are_dropped_one_by_one() {
        let left = draws_follow_from_seed_step_layer_and_place(Dropout::new(0.5));
        // A quarter passes both layers, which draw independently, four times as large.
        let passed = left.iter().filter(|y| **y == 4.0).count();
        assert!(passed.abs_diff(150) < 40 && left.iter().all(|y| [0.0, 4.0].contains(y)), "{passed}");
    }

    #[test]
    fn images_are_dropped_as_a_whole() {
        let left = draws_follow_from_seed_step_layer_and_place(Dropout::of_images(0.5));
        let (images, _) = left.as_chunks::<12>();
        let passed = images.iter().filter(|image| **image == [4.0; 12]).count();
        assert!(passed.abs_diff(12) < 10 && images.iter().all(|y| [[0.0; 12], [4.0; 12]].contains(y)), "{passed}");
    }

    /// `relu(x + f·c(x))` and its gradient by x, put together from a convolution c by itself and the factors f that the same
    /// layer draws for ones.
    #[test]
    fn a_branch_is_added_or_not() {
        let (n, image) = (9, Shape::new(5, 3, 2));
        let noise = Noise { seed: 4, step: 3, first: 11 };
        let net = |build: &dyn Fn(&mut Builder, ValueId) -> ValueId| {
            let mut b = Builder::new(image);
            let x = b.input();
            let out = build(&mut b, x);
            let graph = b.finish(out);
            let params = Params::new(graph.params(), graph.stats(), 1);
            let train = TapeOptions::train(n, DType::F32, Isa::detect().unwrap());
            let mut tape = Tape::new(&graph, &params, TapeOptions { input_grad: true, ..train });
            tape.set_noise(noise);
            (tape, params)
        };
        let convolved = |b: &mut Builder, x| b.add("conv", Conv::new(2, 3).padding(1).bias(true), &[x]).unwrap();
        let dropped = |b: &mut Builder, x| b.add("path", Dropout::of_images(0.4), &[x]).unwrap();
        let (mut block, mut params) = net(&|b, x| {
            let y = convolved(b, x);
            let y = dropped(b, y);
            b.add("add", Add::new().act(Act::Relu), &[x, y]).unwrap()
        });
        let (mut branch, mut own) = net(&convolved);
        let (mut path, mut none) = net(&dropped);
        let [x, dy] =
            [37, 53].map(|by| (0..n * image.len()).map(|k| (k * by % 101) as f32 / 50.0 - 1.0).collect::<Vec<_>>());
        path.forward(&mut none, &vec![1.0; x.len()]).unwrap();
        let factors = path.output();
        assert!(factors.contains(&0.0) && factors.contains(&((1.0 / (1.0 - 0.4)) as f32)));

        branch.forward(&mut own, &x).unwrap();
        let sum: Vec<f32> = (0..x.len()).map(|k| factors[k].mul_add(branch.output()[k], x[k])).collect();
        let dz: Vec<f32> = sum.iter().zip(&dy).map(|(z, dy)| if *z > 0.0 { *dy } else { 0.0 }).collect();
        branch.set_output_grad(&dz.iter().zip(&factors).map(|(dz, f)| dz * f).collect::<Vec<_>>());
        branch.backward(&mut own).unwrap();
        let through = branch.input_grad().unwrap();

        block.forward(&mut params, &x).unwrap();
        block.set_output_grad(&dy);
        block.backward(&mut params).unwrap();
        let close = |got: &[f32], want: &[f32]| {
            assert_eq!(got.len(), want.len());
            assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-5), "{got:?}, not {want:?}");
        };
        close(&block.output(), &sum.iter().map(|z| z.max(0.0)).collect::<Vec<_>>());
        close(&block.input_grad().unwrap(), &dz.iter().zip(&through).map(|(dz, by)| dz + by).collect::<Vec<_>>());
        close(params.grads(), own.grads());
        // Nothing at all comes of what was dropped.
        let dx = block.input_grad().unwrap();
        let gone = |k: &usize| factors[*k] == 0.0;
        assert!((0..x.len()).filter(gone).all(|k| block.output()[k] == x[k].max(0.0) && dx[k] == dz[k]));
    }

    #[test]
    fn nothing_is_dropped_but_in_training() {
        let images: Vec<f32> = (0..50 * 12).map(|k| k as f32).collect();
        for (p, mode) in [(0.5, Mode::Evaluate), (0.5, Mode::Measure), (0.0, Mode::Train)] {
            for layer in [Dropout::new(p), Dropout::of_images(p)] {
                let (mut tape, mut params) = tape(layer, mode);
                tape.forward(&mut params, &images).unwrap();
                assert_eq!(tape.output(), images);
            }
        }
    }
}
