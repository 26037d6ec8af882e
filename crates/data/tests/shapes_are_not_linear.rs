//! The generated set must ask for more than colours and places: what looks at pixels alone stays far behind a net.

use runner_data::{self as data, Dataset, Normalise, Request, Split};
use runner_engine::registry::Choice;

const CLASSES: usize = 10;
/// The bar that the set has to stay under; chance is 0.1.
const BAR: f64 = 0.40;

/// Images as rows of normalised numbers.
fn rows(set: &Dataset, split: &Split) -> Vec<Vec<f32>> {
    let normalise = Normalise::<f32>::new(&set.mean, &set.std);
    (0..split.labels.len())
        .map(|index| {
            let bytes = split.image(index);
            let mut row = vec![0.0; bytes.len()];
            normalise.apply(bytes, &mut row);
            row
        })
        .collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Sixteen sums at once, for the compiler to make vectors of.
    let mut sums = [0.0f32; 16];
    for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x * y;
        }
    }
    sums.iter().sum()
}

/// The share of rows whose label has the highest score.
fn accuracy(rows: &[Vec<f32>], labels: &[u32], score: impl Fn(&[f32], usize) -> f32) -> f64 {
    let right = rows.iter().zip(labels).filter(|(row, label)| {
        let best = (0..CLASSES).max_by(|a, b| score(row, *a).total_cmp(&score(row, *b)));
        best == Some(**label as usize)
    });
    right.count() as f64 / rows.len() as f64
}

fn shapes() -> Dataset {
    let request =
        Request { dataset: &Choice::plain("shapes"), root: None, phase: None, stand_in: None, statistics: None };
    data::open(&request, &mut |notice| panic!("{notice}")).unwrap()
}

/// Softmax regression by plain SGD, one image at a time; its best epoch counts.
#[test]
fn softmax_regression_stays_under_the_bar() {
    let set = shapes();
    let (train, val) = (rows(&set, &set.train), rows(&set, &set.val));
    let mut weights = vec![vec![0.0f32; train[0].len()]; CLASSES];
    let mut best = 0.0f64;
    for epoch in 0..8 {
        let rate = 1e-4 / (1.0 + epoch as f32);
        for (row, label) in train.iter().zip(&set.train.labels) {
            let scores: Vec<f32> = weights.iter().map(|w| dot(w, row)).collect();
            let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f32 = scores.iter().map(|s| (s - top).exp()).sum();
            for (class, (weights, score)) in weights.iter_mut().zip(&scores).enumerate() {
                let gradient = (score - top).exp() / total - f32::from(u8::from(class == *label as usize));
                for (weight, x) in weights.iter_mut().zip(row) {
                    *weight -= rate * gradient * x;
                }
            }
        }
        best = best.max(accuracy(&val, &set.val.labels, |row, class| dot(&weights[class], row)));
    }
    println!("softmax regression on pixels: {best}");
    assert!(best < BAR, "softmax regression on pixels reaches {best}");
}

#[test]
fn nearest_centroid_stays_under_the_bar() {
    let set = shapes();
    let (train, val) = (rows(&set, &set.train), rows(&set, &set.val));
    let mut centroids = vec![vec![0.0f32; train[0].len()]; CLASSES];
    let share = CLASSES as f32 / train.len() as f32;
    for (row, label) in train.iter().zip(&set.train.labels) {
        centroids[*label as usize].iter_mut().zip(row).for_each(|(c, x)| *c += x * share);
    }
    let halves: Vec<f32> = centroids.iter().map(|c| dot(c, c) / 2.0).collect();
    // Nearest by distance: |x − c|² = |x|² − 2·(x·c − |c|²/2).
    let found = accuracy(&val, &set.val.labels, |row, class| dot(&centroids[class], row) - halves[class]);
    println!("nearest centroid on pixels: {found}");
    assert!(found < BAR, "the nearest centroid reaches {found}");
}
