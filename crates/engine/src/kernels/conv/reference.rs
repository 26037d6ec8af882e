//! The slow twin: each direction as plain loops in `f64`, and the forward pass once more in plain candle ops.

use super::Conv2d;
use crate::kernels::Element;
use candle_core::{Device, Result, Tensor};

/// One product of the convolution: indices into `x`, the OIHW weights and `y`.
struct Term {
    x: usize,
    w: usize,
    y: usize,
}

/// Calls `f` for every product that does not fall into the padding.
fn each_term(conv: &Conv2d, n: usize, [h, w]: [usize; 2], mut f: impl FnMut(Term)) {
    let [oh, ow] = conv.output(h, w).expect("the convolution fits the picture");
    let (inputs, outputs) = (conv.cin / conv.groups, conv.cout / conv.groups);
    let [kh, kw] = conv.kernel;
    let at = |axis: usize, out: usize, k: usize, size: usize| {
        let position = (out * conv.stride[axis] + k * conv.dilation[axis]).checked_sub(conv.padding[axis])?;
        (position < size).then_some(position)
    };
    for image in 0..n {
        for (p, q) in (0..oh).flat_map(|p| (0..ow).map(move |q| (p, q))) {
            for (i, j) in (0..kh).flat_map(|i| (0..kw).map(move |j| (i, j))) {
                let (Some(row), Some(col)) = (at(0, p, i, h), at(1, q, j, w)) else { continue };
                for o in 0..conv.cout {
                    for c in 0..inputs {
                        let channel = o / outputs * inputs + c;
                        f(Term {
                            x: ((image * h + row) * w + col) * conv.cin + channel,
                            w: ((o * inputs + c) * kh + i) * kw + j,
                            y: ((image * oh + p) * ow + q) * conv.cout + o,
                        });
                    }
                }
            }
        }
    }
}

/// `y`, unrounded.
pub fn forward<E: Element>(
    conv: &Conv2d,
    n: usize,
    size: [usize; 2],
    x: &[E],
    weights: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f64> {
    let [oh, ow] = conv.output(size[0], size[1]).expect("the convolution fits the picture");
    let start = |i: usize| bias.map_or(0.0, |b| f64::from(b[i % conv.cout]));
    let mut y: Vec<f64> = (0..n * oh * ow * conv.cout).map(start).collect();
    each_term(conv, n, size, |t| y[t.y] += f64::from(x[t.x].to_f32()) * f64::from(weights[t.w]));
    y
}

/// `dx`, unrounded.
pub fn backward_data<E: Element>(conv: &Conv2d, n: usize, size: [usize; 2], dy: &[E], weights: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; n * size[0] * size[1] * conv.cin];
    each_term(conv, n, size, |t| dx[t.x] += f64::from(dy[t.y].to_f32()) * f64::from(weights[t.w]));
    dx
}

/// `dw`, unrounded.
pub fn backward_weight<E: Element>(conv: &Conv2d, n: usize, size: [usize; 2], x: &[E], dy: &[E]) -> Vec<f64> {
    let mut dw = vec![0.0; conv.weight_len()];
    each_term(conv, n, size, |t| dw[t.w] += f64::from(x[t.x].to_f32()) * f64::from(dy[t.y].to_f32()));
    dw
}

/// `y` by candle's own convolution, `(n, h, w, cin)` to `(n, oh, ow, cout)`.
///
/// candle knows one stride, padding and dilation for both axes: padding is made by hand, and of an unequal stride the
/// smaller is used and rows or columns are left out after.
///
/// # Errors
/// candle's; and an unequal dilation, or strides of which neither divides the other, is one.
pub fn candle_forward(conv: &Conv2d, x: &Tensor, weights: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let [dilation, other] = conv.dilation;
    let stride = conv.stride[0].min(conv.stride[1]);
    if dilation != other || conv.stride.iter().any(|s| !s.is_multiple_of(stride)) {
        candle_core::bail!("candle's conv2d cannot do {conv:?}");
    }
    let x = x.permute((0, 3, 1, 2))?;
    let x =
        x.pad_with_zeros(2, conv.padding[0], conv.padding[0])?.pad_with_zeros(3, conv.padding[1], conv.padding[1])?;
    let mut y = x.contiguous()?.conv2d(weights, 0, stride, dilation, conv.groups)?;
    for (axis, own) in conv.stride.iter().enumerate() {
        let keep = (0..y.dim(axis + 2)? as u32).step_by(own / stride).collect::<Vec<_>>();
        y = y.index_select(&Tensor::new(keep, &Device::Cpu)?, axis + 2)?;
    }
    let y = y.permute((0, 2, 3, 1))?.contiguous()?;
    bias.map_or(Ok(y.clone()), |b| y.broadcast_add(b))
}
