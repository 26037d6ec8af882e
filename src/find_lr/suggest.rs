//! Which learning rate a curve suggests: four rules, each as fastai 2 defines it.

/// A rule that reads a rate off a curve of losses over rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Valley,
    Slide,
    Minimum,
    Steepest,
}

impl Method {
    /// The first is the one that fastai takes where nothing else is said.
    pub const ALL: [Self; 4] = [Self::Valley, Self::Slide, Self::Minimum, Self::Steepest];

    pub fn name(self) -> &'static str {
        match self {
            Self::Valley => "valley",
            Self::Slide => "slide",
            Self::Minimum => "minimum/10",
            Self::Steepest => "steepest",
        }
    }

    /// What it looks at, in a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Valley => "half way down the longest descent",
            Self::Slide => "the last rate before the loss turns up",
            Self::Minimum => "a tenth of the rate of the lowest loss",
            Self::Steepest => "where the loss falls fastest",
        }
    }

    /// The rate that it suggests, of rates that grow from above zero and (smoothed) losses. `None` where the curve has too few
    /// points for it.
    ///
    /// # Panics
    /// When there are not as many losses as rates.
    pub fn suggest(self, lrs: &[f64], losses: &[f64]) -> Option<f64> {
        assert_eq!(lrs.len(), losses.len(), "a loss for each rate");
        match self {
            Self::Valley => valley(lrs, losses),
            Self::Slide => slide(lrs, losses),
            Self::Minimum => minimum(lrs, losses),
            Self::Steepest => steepest(lrs, losses),
        }
    }
}

/// Half way down the longest descent: of the longest strictly falling subsequence, of ℓ losses, that ends at place `e`, the
/// place `e − ℓ + ⌊ℓ/3⌋ + ⌊ℓ/6⌋`.
///
/// fastai `valley`, after ESRI's rule. There `e − ℓ` may be −1, which Python takes for the last place; here it is the first.
fn valley(lrs: &[f64], losses: &[f64]) -> Option<f64> {
    // Of the falling subsequences that end at each place, the length of the longest.
    let mut lengths = vec![1usize; losses.len()];
    let (mut length, mut end) = (0, 0);
    for i in 0..losses.len() {
        let before = (0..i).filter(|j| losses[i] < losses[*j]).map(|j| lengths[j]);
        lengths[i] = 1 + before.max().unwrap_or(0);
        // The first place itself is no descent.
        if lengths[i] > length.max(1) {
            (length, end) = (lengths[i], i);
        }
    }
    lrs.get((end + length / 3 + length / 6).saturating_sub(length)).copied()
}

/// The last rate before the loss turns up. Two places, `APART` apart, slide from the end of the curve towards its beginning,
/// as long as the loss's slopes (a step) at the two differ by more than `LEVEL`; the rate is that of the left one when they
/// stop differing.
///
/// fastai `slide`, after Novetta's interval slide rule. The slope is in loss a step, so it depends on how many steps the
/// sweep has; the constants were chosen for a hundred.
fn slide(lrs: &[f64], losses: &[f64]) -> Option<f64> {
    const APART: usize = 15;
    const LEVEL: f64 = 0.005;
    let slopes = slopes(losses);
    let mut left = lrs.len().checked_sub(1 + APART)?;
    let mut found = lrs[left];
    while (slopes[left + APART] - slopes[left]).abs() > LEVEL {
        found = lrs[left];
        match left.checked_sub(1) {
            Some(further) => left = further,
            None => break,
        }
    }
    Some(found)
}

/// Central differences, one-sided at both ends, of places one apart: `numpy.gradient`.
fn slopes(values: &[f64]) -> Vec<f64> {
    let last = values.len().saturating_sub(1);
    let slope = |i: usize| {
        let (low, high) = (i.saturating_sub(1), (i + 1).min(last));
        (values[high] - values[low]) / (high - low).max(1) as f64
    };
    (0..values.len()).map(slope).collect()
}

/// A tenth of the rate with the lowest loss, the first of equals: fastai `minimum`, Smith's rule.
fn minimum(lrs: &[f64], losses: &[f64]) -> Option<f64> {
    let lowest = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b]))?;
    Some(lrs[lowest] / 10.0)
}

/// Where the loss falls fastest over the logarithm of the rate: fastai `steep`.
fn steepest(lrs: &[f64], losses: &[f64]) -> Option<f64> {
    let slope = |i: usize| (losses[i + 1] - losses[i]) / (lrs[i + 1].ln() - lrs[i].ln());
    let places = 0..losses.len().saturating_sub(1);
    places.min_by(|a, b| slope(*a).total_cmp(&slope(*b))).map(|place| lrs[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 85;

    /// Rates of a sweep from 1e-7 to 10 in a hundred steps, without the first tenth and the last five.
    fn rates() -> Vec<f64> {
        (10..10 + N).map(|i| 1e-7 * 1e8f64.powf(i as f64 / 100.0)).collect()
    }

    /// A plateau of 2.3, a descent by `depth` around place `middle`, and from place `up` on an explosion.
    fn losses(depth: f64, middle: f64, up: f64) -> Vec<f64> {
        let loss = |i: f64| 2.3 - depth / (1.0 + (-(i - middle) / 4.0).exp()) + ((i - up) / 3.0).exp() * 0.05;
        (0..N).map(|i| loss(i as f64)).collect()
    }

    fn all(lrs: &[f64], losses: &[f64]) -> [Option<f64>; 4] {
        Method::ALL.map(|method| method.suggest(lrs, losses))
    }

    /// What fastai's own functions gave (fastai 2, PyTorch 2.15, float64) for these curves: valley, slide, minimum, steep.
    #[test]
    fn suggestions_are_those_of_fastai() {
        // The last falls in a staircase with ties.
        let stairs = (0..N).map(|i| 2.0 - 0.02 * i as f64 + 0.3 * ((i * 37 % 11) as f64 / 11.0)).collect();
        let cases = [
            (
                losses(1.2, 45.0, 75.0),
                [0.00022908676527677726, 8.317637711026708e-06, 0.01445439770745928, 0.0020892961308540407],
            ),
            (
                losses(0.3, 60.0, 78.0),
                [0.0003981071705534973, 0.013182567385564075, 0.04365158322401656, 0.03311311214825908],
            ),
            (stairs, [0.1445439770745928, 0.2089296130854041, 0.2754228703338169, 0.3019951720402019]),
        ];
        let lrs = rates();
        for (losses, want) in cases {
            for (method, want) in Method::ALL.into_iter().zip(want) {
                let found = method.suggest(&lrs, &losses).unwrap();
                assert!((found / want - 1.0).abs() < 1e-9, "{}: {found} {want}", method.name());
            }
        }
    }

    #[test]
    fn what_each_looks_at_shows_on_plain_curves() {
        let lrs = rates();
        let losses = losses(1.2, 45.0, 75.0);
        let [valley, _, minimum, steepest] = all(&lrs, &losses).map(Option::unwrap);
        let lowest = (0..N).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
        assert_eq!(minimum, lrs[lowest] / 10.0);
        assert!((lrs[41]..=lrs[46]).contains(&steepest), "the middle of the descent");
        assert!(valley < lrs[lowest]);
        // A rate that is ten times as large everywhere is suggested ten times as large.
        let tenfold: Vec<f64> = lrs.iter().map(|lr| 10.0 * lr).collect();
        for (a, b) in all(&lrs, &losses).into_iter().zip(all(&tenfold, &losses)) {
            assert!((b.unwrap() / a.unwrap() / 10.0 - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn short_and_flat_curves_are_taken_as_they_are() {
        assert_eq!(all(&[], &[]), [None; 4]);
        assert_eq!(all(&[0.1], &[1.0]), [Some(0.1), None, Some(0.01), None]);
        // fastai's valley would give the last place here.
        assert_eq!(Method::Valley.suggest(&[0.1, 0.2], &[2.0, 1.0]), Some(0.1));
        let lrs = rates();
        let flat = all(&lrs, &[2.3; N]);
        assert_eq!(flat, [Some(lrs[0]), Some(lrs[N - 16]), Some(lrs[0] / 10.0), Some(lrs[0])]);
        assert_eq!(Method::Slide.suggest(&lrs[..15], &[1.0; 15]), None);
    }
}
