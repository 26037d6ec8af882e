//! Outputs of a small net averaged over the views of test-time augmentation.

use crate::fixture::{Fixture, assert_close};
use runner::config::spec::Tta;
use runner::data::resize::Extent;
use runner::train::tta::views;

const TOLERANCE: f64 = 1e-6;

#[test]
fn means_over_views_are_pytorchs() {
    let fixture = Fixture::read("views");
    let images = fixture.f32s("x");
    let [n, size, _, channels] = fixture.get("x").image_shape();
    for word in Tta::WORDS {
        let mut mean = vec![0.0; fixture.get(word).values.len()];
        for view in views(Tta::from_word(word).unwrap()) {
            let mut seen = vec![f32::NAN; images.len()];
            view.of(&images, Extent::square(size), channels, &mut seen);
            mean.iter_mut().zip(net(&fixture, &seen, n)).for_each(|(sum, out)| *sum += view.weight * out);
        }
        assert_close(word, &mean, fixture.get(word), TOLERANCE);
    }
}

/// A linear layer and a hyperbolic tangent.
fn net(fixture: &Fixture, images: &[f32], n: usize) -> Vec<f32> {
    let weight = &fixture.get("weight").values;
    let pixels = images.len() / n;
    let dot = |image: &[f32], row: &[f64]| image.iter().zip(row).map(|(x, w)| f64::from(*x) * w).sum::<f64>();
    let outputs = |image| weight.chunks_exact(pixels).map(move |row| (dot(image, row) / 8.0).tanh() as f32);
    images.chunks_exact(pixels).flat_map(outputs).collect()
}
