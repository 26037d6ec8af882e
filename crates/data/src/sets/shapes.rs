//! The generated set: one figure of ten kinds on a cluttered ground, drawn from nothing but its number.

use super::{Origin, SetEntry, SetReader};
use crate::draw::{below, between, direction, noise};
use crate::registry::Entry;
use crate::units::{Purpose, rng};
use crate::{DataError, Dataset, Images, Split};
use crate::{Facts, FactsSource};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

pub static ENTRY: SetEntry = Entry {
    name: "shapes",
    summary: "ten kinds of figures, drawn in memory: 5,000 + 1,000 colour images of 32×32, the same for every seed",
    cite: "this program",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Shapes),
};

/// The seed of the set itself. It has nothing to do with a run's seed: all runs train on the same images.
const SEED: u64 = 0x7368_6170_6573;
const SIDE: usize = 32;
const CHANNELS: usize = 3;
const BYTES: usize = SIDE * SIDE * CHANNELS;
const TRAIN: usize = 5_000;
const VAL: usize = 1_000;

struct Shapes;

impl SetReader for Shapes {
    fn official(&self) -> Option<Facts> {
        Some(facts(FactsSource::Official))
    }

    fn origin(&self) -> Origin {
        Origin::Generated
    }

    fn locate(&self, _root: &Path) -> Option<PathBuf> {
        None
    }

    fn count(&self, _folder: &Path) -> Result<Facts, DataError> {
        Ok(facts(FactsSource::Drawn))
    }

    fn read(&self, _folder: &Path) -> Result<Dataset, DataError> {
        let names = FIGURES.iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(Dataset::new(self.count(Path::new(""))?, names, generate(0, TRAIN), generate(1, VAL)))
    }
}

fn facts(source: FactsSource) -> Facts {
    Facts {
        name: ENTRY.name.to_owned(),
        train_images: TRAIN,
        val_images: VAL,
        classes: FIGURES.len(),
        channels: CHANNELS,
        size: SIDE,
        source,
    }
}

/// The first `count` images of a split; every class has the same share.
fn generate(split: u64, count: usize) -> Split {
    let mut images = vec![0; count * BYTES];
    images.par_chunks_mut(BYTES).enumerate().for_each(|(index, image)| draw(split, index, image));
    let labels = (0..count).map(|index| (index % FIGURES.len()) as u32).collect();
    Split { images: Images::Memory(images), labels, size: SIDE, channels: CHANNELS }
}

/// Draws one image: ground, clutter behind, the figure, clutter before it, noise.
fn draw(split: u64, index: usize, image: &mut [u8]) {
    let rng = &mut rng(SEED, Purpose::Generate, split, index as u64);
    let mut canvas = Canvas::ground(rng);
    for _ in 0..2 + below(rng, 5) {
        canvas.clutter(rng, 1.0);
    }
    canvas.figure(rng, index % FIGURES.len());
    for _ in 0..below(rng, 2) {
        canvas.clutter(rng, 0.6);
    }
    let strength = between(rng, 0.01, 0.09);
    for (byte, value) in image.iter_mut().zip(&canvas.pixels) {
        // A cast saturates: too dark or too bright ends at 0 or 255.
        *byte = ((value + strength * noise(rng)) * 255.0 + 0.5) as u8;
    }
}

type Colour = [f32; CHANNELS];

fn colour(rng: &mut ChaCha8Rng, low: f32, high: f32) -> Colour {
    [between(rng, low, high), between(rng, low, high), between(rng, low, high)]
}

/// A place on the canvas with a turned, stretched frame of its own, in which figures are of about unit size.
struct Pose {
    centre: (f32, f32),
    axis: (f32, f32),
    /// Pixels a unit along the axis and across it.
    scale: (f32, f32),
}

impl Pose {
    fn local(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let (c, s) = self.axis;
        ((c * dx + s * dy) / self.scale.0, (c * dy - s * dx) / self.scale.1)
    }
}

struct Canvas {
    /// `(SIDE, SIDE, CHANNELS)`, black 0 to white 1.
    pixels: [f32; BYTES],
}

impl Canvas {
    /// A gradient between two colours that are not far apart.
    fn ground(rng: &mut ChaCha8Rng) -> Self {
        let (from, other) = (colour(rng, 0.0, 0.65), colour(rng, 0.0, 0.65));
        let (c, s) = direction(rng);
        let mut pixels = [0.0; BYTES];
        for (i, pixel) in pixels.chunks_exact_mut(CHANNELS).enumerate() {
            let (x, y) = ((i % SIDE) as f32 / SIDE as f32 - 0.5, (i / SIDE) as f32 / SIDE as f32 - 0.5);
            let t = 0.35 * (0.5 + 0.7 * (c * x + s * y));
            for (value, (a, b)) in pixel.iter_mut().zip(from.iter().zip(&other)) {
                *value = a + (b - a) * t;
            }
        }
        Self { pixels }
    }

    /// The figure of a class, in a colour that its surroundings do not hide.
    ///
    /// Figures tend to be lighter than the ground and the clutter, whatever their class: where any colour may lie on
    /// any other, a small net learns next to nothing in six epochs.
    fn figure(&mut self, rng: &mut ChaCha8Rng, class: usize) {
        let scale = between(rng, 6.0, 12.0);
        let margin = 0.85 * scale;
        let pose = Pose {
            centre: (between(rng, margin, SIDE as f32 - margin), between(rng, margin, SIDE as f32 - margin)),
            axis: direction(rng),
            scale: (scale, scale * between(rng, 0.75, 1.0)),
        };
        let ground = self.at(pose.centre);
        let paint = loop {
            let candidate = colour(rng, 0.35, 1.0);
            let squared: f32 = candidate.iter().zip(&ground).map(|(a, b)| (a - b) * (a - b)).sum();
            if squared > 0.35 * 0.35 {
                break candidate;
            }
        };
        self.paint(&pose, paint, FIGURES[class].1);
    }

    /// A dot or a bar of any colour; `size` scales it.
    fn clutter(&mut self, rng: &mut ChaCha8Rng, size: f32) {
        let centre = (between(rng, 0.0, SIDE as f32), between(rng, 0.0, SIDE as f32));
        let axis = direction(rng);
        let paint = colour(rng, 0.0, 0.75);
        if below(rng, 2) == 0 {
            let radius = size * between(rng, 0.8, 3.0);
            let pose = Pose { centre, axis, scale: (radius, radius * between(rng, 0.5, 1.0)) };
            self.paint(&pose, paint, |u, v| u * u + v * v <= 1.0);
        } else {
            let pose = Pose { centre, axis, scale: (size * between(rng, 3.0, 9.0), size * between(rng, 0.5, 1.5)) };
            self.paint(&pose, paint, |u, v| u.abs() <= 1.0 && v.abs() <= 1.0);
        }
    }

    fn at(&self, (x, y): (f32, f32)) -> Colour {
        let i = (y as usize * SIDE + x as usize) * CHANNELS;
        [self.pixels[i], self.pixels[i + 1], self.pixels[i + 2]]
    }

    /// Lays a colour over the pixels by the share of each that the figure covers, counted on a 4×4 grid.
    fn paint(&mut self, pose: &Pose, paint: Colour, inside: impl Fn(f32, f32) -> bool) {
        const GRID: usize = 4;
        // No figure reaches beyond √2 of its unit.
        let reach = 1.415 * pose.scale.0.max(pose.scale.1);
        let span = |centre: f32| (centre - reach).max(0.0) as usize..((centre + reach) as usize + 1).min(SIDE);
        for y in span(pose.centre.1) {
            for x in span(pose.centre.0) {
                let hits = (0..GRID * GRID).filter(|k| {
                    let at = |pixel: usize, step: usize| pixel as f32 + (step as f32 + 0.5) / GRID as f32;
                    let (u, v) = pose.local(at(x, k % GRID), at(y, k / GRID));
                    inside(u, v)
                });
                let share = hits.count() as f32 / (GRID * GRID) as f32;
                let first = (y * SIDE + x) * CHANNELS;
                for (value, colour) in self.pixels[first..first + CHANNELS].iter_mut().zip(&paint) {
                    *value += share * (colour - *value);
                }
            }
        }
    }
}

/// Whether a figure covers the point `(u, v)` of its own frame.
type Figure = fn(u: f32, v: f32) -> bool;

/// The ten classes; a label is a place in this list.
const FIGURES: [(&str, Figure); 10] = [
    ("disc", |u, v| u * u + v * v <= 0.85 * 0.85),
    ("ring", |u, v| (0.5 * 0.5..=0.9 * 0.9).contains(&(u * u + v * v))),
    ("square", |u, v| u.abs().max(v.abs()) <= 0.75),
    ("frame", |u, v| (0.45..=0.8).contains(&u.abs().max(v.abs()))),
    ("triangle", |u, v| v >= -0.5 && 0.866_025_4 * u.abs() + 0.5 * v <= 0.5),
    ("cross", |u, v| u.abs().min(v.abs()) <= 0.25 && u.abs().max(v.abs()) <= 0.9),
    ("star", star),
    ("crescent", |u, v| u * u + v * v <= 0.9 * 0.9 && (u - 0.45) * (u - 0.45) + v * v > 0.7 * 0.7),
    ("stripes", |u, v| u.abs().max(v.abs()) <= 0.8 && cell(u, 0.32) % 2 == 0),
    ("checker", |u, v| u.abs().max(v.abs()) <= 0.8 && (cell(u, 0.4) + cell(v, 0.4)) % 2 == 0),
];

/// Which cell of a row that begins at −0.8 a coordinate lies in.
fn cell(x: f32, width: f32) -> i32 {
    ((x + 0.8) / width) as i32
}

/// A pentagram: what at least four of a pentagon's five half-planes hold.
fn star(u: f32, v: f32) -> bool {
    const NORMALS: [(f32, f32); 5] = [
        (0.0, -1.0),
        (0.951_056_5, -0.309_017),
        (0.587_785_25, 0.809_017),
        (-0.587_785_25, 0.809_017),
        (-0.951_056_5, -0.309_017),
    ];
    NORMALS.iter().filter(|(nu, nv)| nu * u + nv * v <= 0.33).count() >= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_do_not_depend_on_threads_or_on_how_many_are_drawn() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone = pool.install(|| generate(1, 20));
        let more = generate(1, 30);
        assert_eq!(alone.bytes(), &more.bytes()[..alone.bytes().len()]);
        assert_ne!(alone.bytes(), generate(0, 20).bytes());
    }

    /// Results of runs on this set are comparable only while it stays what it is.
    #[test]
    fn the_set_is_pinned() {
        let set = Shapes.read(Path::new("")).unwrap();
        assert_eq!(set.digest, "sha256:788f22d3a4b7e18333decb350ba84f6314e7c47f41faae8735cf91410fae70a5");
        assert_eq!((set.train.labels.len(), set.val.labels.len()), (5_000, 1_000));
        assert!((0..10).all(|class| set.val.labels.iter().filter(|l| **l == class).count() == 100));
    }
}
