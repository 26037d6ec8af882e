//! Patches of other images.

use super::{Blend, Mix, MixEntry, PARAMS};
use crate::draw::{below, beta};
use crate::registry::Entry;
use crate::resize::Window;
use rand_chacha::ChaCha8Rng;

pub static ENTRY: MixEntry = Entry {
    name: "cutmix",
    summary: "a window of each image of a batch shows another one, and labels count by the pixels that are seen",
    cite: "Yun et al. 2019 (arXiv:1905.04899)",
    params: PARAMS,
    shorthand: Some("alpha"),
    make: |settings| Box::new(Cutmix { alpha: settings.float("alpha") }),
};

/// `λ ~ Beta(α, α)`; a square of side `2·⌊½·√(1 − λ)·size⌋` about a pixel that is drawn, cut off at the border: the same
/// window for the whole batch. The share of the own label is then that of the pixels outside, as in the authors' code and in
/// torchvision.
struct Cutmix {
    alpha: f64,
}

impl Mix for Cutmix {
    fn blend(&self, size: usize, rng: &mut ChaCha8Rng) -> Blend {
        let half = (0.5 * (1.0 - beta(rng, self.alpha)).sqrt() * size as f32) as usize;
        let mut span = || {
            let centre = below(rng, size as u32) as usize;
            let from = centre.saturating_sub(half);
            (from, (centre + half).min(size) - from)
        };
        let ((left, width), (top, height)) = (span(), span());
        Blend::Patch(Window { left, top, width, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Purpose, rng};

    #[test]
    fn windows_lie_within_and_shares_are_their_areas() {
        let mut rng = rng(1, Purpose::Mix, 0, 0);
        let (mut cut, mut sum) = (false, 0.0);
        for _ in 0..4000 {
            let blend = Cutmix { alpha: 1.0 }.blend(32, &mut rng);
            let Blend::Patch(window) = blend else { panic!("{blend:?}") };
            assert!(window.left + window.width <= 32 && window.top + window.height <= 32, "{window:?}");
            cut |= window.width != window.height;
            let own = blend.own(32);
            assert!((0.0..=1.0).contains(&own) && own == 1.0 - (window.width * window.height) as f32 / 1024.0);
            sum += f64::from(own);
        }
        // Of a half on average but for what is cut off.
        assert!(cut && (0.6..0.75).contains(&(sum / 4000.0)), "{}", sum / 4000.0);
    }
}
