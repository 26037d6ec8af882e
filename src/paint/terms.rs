//! What a layer's activations are worth, watched by a tap.

use super::gram;
use crate::kernels::Isa;
use crate::nn::{Shape, Tap};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// Elements a task: sums depend on it, so it is the same whatever the threads.
const CHUNK: usize = 1 << 14;

/// The values of all terms in the last forward pass, weighted, by column.
pub type Scores = Arc<Mutex<Vec<f64>>>;

/// What activations are held against.
#[derive(Clone, Debug)]
pub enum Target {
    /// Those of the content images, `(n, h, w, c)`.
    Content(Vec<f32>),
    /// The Gram matrix, `(c, c)`, of which the diagonal alone may count.
    Gram { matrix: Vec<f32>, diagonal: bool },
}

/// A term at a layer.
pub struct Term {
    pub target: Target,
    pub weight: f64,
    /// Its place among the scores.
    pub column: usize,
}

/// The terms of a layer.
pub struct Watch {
    isa: Isa,
    terms: Vec<Term>,
    /// A number a pixel of this layer, where not all count.
    mask: Option<Vec<f32>>,
    scores: Scores,
    /// For each Gram term: of each image the matrix.
    grams: Vec<Vec<f32>>,
    /// Activations times the mask.
    weighted: Vec<f32>,
}

impl Watch {
    pub fn new(isa: Isa, terms: Vec<Term>, mask: Option<Vec<f32>>, scores: Scores) -> Self {
        Self { isa, terms, mask, scores, grams: Vec::new(), weighted: Vec::new() }
    }

    /// How many numbers of an image count: a masked pixel by its share.
    fn numbers(&self, shape: Shape) -> f64 {
        let pixels = match &self.mask {
            Some(mask) => mask.iter().map(|m| f64::from(*m)).sum(),
            None => (shape.h * shape.w) as f64,
        };
        pixels * shape.c as f64
    }
}

/// Activations of an image, each pixel times its weight; themselves where there is no mask.
fn weigh<'a>(mask: Option<&[f32]>, channels: usize, image: &'a [f32], room: &'a mut Vec<f32>) -> &'a [f32] {
    let Some(mask) = mask else { return image };
    room.resize(image.len(), 0.0);
    room.par_chunks_mut(channels).zip(image.par_chunks(channels)).zip(mask).for_each(|((to, from), m)| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from * m);
    });
    room
}

/// The entries of a matrix that count, as steps through it, and how many.
fn entries(channels: usize, diagonal: bool) -> (usize, usize) {
    if diagonal { (channels + 1, channels) } else { (1, channels * channels) }
}

impl Tap for Watch {
    fn observe(&mut self, n: usize, shape: Shape, value: &[f32]) {
        let numbers = self.numbers(shape);
        let (isa, channels, per_image) = (self.isa, shape.c, shape.len());
        self.grams.clear();
        for term in &self.terms {
            let score = match &term.target {
                Target::Content(target) => {
                    squares(value, target, self.mask.as_deref(), channels, shape.h * shape.w) / (numbers * n as f64)
                }
                Target::Gram { matrix, diagonal } => {
                    let mut all = vec![0.0; n * matrix.len()];
                    for (image, g) in value.chunks_exact(per_image).zip(all.chunks_exact_mut(matrix.len())) {
                        let weighted = weigh(self.mask.as_deref(), channels, image, &mut self.weighted);
                        gram::gram(isa, channels, image, weighted, (1.0 / numbers) as f32, g);
                    }
                    let (step, count) = entries(channels, *diagonal);
                    let of_image = |g: &[f32]| -> f64 {
                        let pairs = g.iter().zip(matrix).step_by(step);
                        pairs.map(|(g, a)| (f64::from(*g) - f64::from(*a)).powi(2)).sum()
                    };
                    let sum: f64 = all.chunks_exact(matrix.len()).map(of_image).sum();
                    self.grams.push(all);
                    sum / (count * n) as f64
                }
            };
            self.scores.lock().expect("no tap panics")[term.column] = term.weight * score;
        }
    }

    fn add_gradient(&mut self, n: usize, shape: Shape, value: &[f32], gradient: &mut [f32]) {
        let numbers = self.numbers(shape);
        let (isa, channels, per_image) = (self.isa, shape.c, shape.len());
        let mut grams = self.grams.iter();
        for term in &self.terms {
            match &term.target {
                Target::Content(target) => {
                    let slope = (2.0 * term.weight / (numbers * n as f64)) as f32;
                    pull(value, target, self.mask.as_deref(), channels, slope, gradient);
                }
                Target::Gram { matrix, diagonal } => {
                    let all = grams.next().expect("forward went before");
                    let (step, count) = entries(channels, *diagonal);
                    let slope = (2.0 * term.weight / (count * n) as f64) as f32;
                    let images = value.chunks_exact(per_image).zip(gradient.chunks_exact_mut(per_image));
                    for ((image, gradient), g) in images.zip(all.chunks_exact(matrix.len())) {
                        let mut d = vec![0.0; matrix.len()];
                        let pairs = d.iter_mut().zip(g.iter().zip(matrix)).step_by(step);
                        pairs.for_each(|(d, (g, a))| *d = slope * (g - a));
                        let weighted = weigh(self.mask.as_deref(), channels, image, &mut self.weighted);
                        gram::gradient(isa, channels, weighted, &d, (1.0 / numbers) as f32, gradient);
                    }
                }
            }
        }
    }
}

/// `Σ m·(a − b)²` over all images; `pixels` of each.
fn squares(a: &[f32], b: &[f32], mask: Option<&[f32]>, channels: usize, pixels: usize) -> f64 {
    let chunk = (CHUNK / channels).max(1);
    let parts: Vec<f64> = a
        .par_chunks(chunk * channels)
        .zip(b.par_chunks(chunk * channels))
        .enumerate()
        .map(|(part, (a, b))| {
            let each = |(k, (a, b)): (usize, (&[f32], &[f32]))| {
                let m = mask.map_or(1.0, |mask| f64::from(mask[(part * chunk + k) % pixels]));
                m * a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
            };
            a.chunks_exact(channels).zip(b.chunks_exact(channels)).enumerate().map(each).sum()
        })
        .collect();
    parts.iter().sum()
}

/// `gradient += slope · m·(a − b)`
fn pull(a: &[f32], b: &[f32], mask: Option<&[f32]>, channels: usize, slope: f32, gradient: &mut [f32]) {
    let pixels = mask.map_or(1, <[f32]>::len);
    let rows = gradient.par_chunks_mut(channels).zip(a.par_chunks(channels)).zip(b.par_chunks(channels));
    rows.enumerate().with_min_len(256).for_each(|(k, ((gradient, a), b))| {
        let slope = mask.map_or(slope, |mask| slope * mask[k % pixels]);
        gradient.iter_mut().zip(a.iter().zip(b)).for_each(|(gradient, (a, b))| *gradient += slope * (a - b));
    });
}

/// Keeps what a layer puts out, or the mean of its Gram matrices.
pub struct Keep {
    isa: Isa,
    /// Whether activations are kept, not their products.
    whole: bool,
    kept: Arc<Mutex<Vec<f32>>>,
}

impl Keep {
    /// And where to find it.
    pub fn new(isa: Isa, whole: bool) -> (Self, Arc<Mutex<Vec<f32>>>) {
        let kept = Arc::new(Mutex::new(Vec::new()));
        (Self { isa, whole, kept: Arc::clone(&kept) }, kept)
    }
}

impl Tap for Keep {
    fn observe(&mut self, _n: usize, shape: Shape, value: &[f32]) {
        let mut kept = self.kept.lock().expect("no tap panics");
        if self.whole {
            kept.extend_from_slice(value);
        } else {
            kept.resize(shape.c * shape.c, 0.0);
            let scale = (1.0 / shape.len() as f64) as f32;
            gram::gram(self.isa, shape.c, value, value, scale, &mut kept);
        }
    }
}
