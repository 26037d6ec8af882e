//! How much neighbouring pixels differ.

/// The total variation of a batch, `(n, h, w, c)`, and its gradient, times `weight`, added to `grads`:
///
/// ```text
/// (Σ (x[i+1, j] − x[i, j])² + Σ (x[i, j+1] − x[i, j])²) / (n·h·w·c)
/// ```
pub fn total_variation(x: &[f32], [n, h, w, c]: [usize; 4], weight: f64, grads: &mut [f32]) -> f64 {
    assert!(x.len() == n * h * w * c && grads.len() == x.len(), "variation: lengths differ");
    let share = 1.0 / x.len() as f64;
    let slope = (2.0 * weight * share) as f32;
    let (row, mut sum) = (w * c, 0.0);
    for image in 0..n {
        let first = image * h * row;
        for y in 0..h {
            let start = first + y * row;
            let mut pairs = |from: usize, step: usize, len: usize| {
                for at in from..from + len {
                    let change = x[at + step] - x[at];
                    sum += f64::from(change) * f64::from(change);
                    grads[at + step] += slope * change;
                    grads[at] -= slope * change;
                }
            };
            pairs(start, c, row - c);
            if y + 1 < h {
                pairs(start, row, row);
            }
        }
    }
    weight * sum * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_once_in_each_direction() {
        // One channel: 0 1 / 0 0.
        let x = [0.0, 1.0, 0.0, 0.0];
        let mut grads = [0.5; 4];
        let found = total_variation(&x, [1, 2, 2, 1], 2.0, &mut grads);
        assert_eq!(found, 2.0 * 2.0 / 4.0);
        assert_eq!(grads, [0.5 - 1.0, 0.5 + 2.0, 0.5, 0.5 - 1.0]);
        // Two images are two halves of a mean.
        let mut grads = [0.0; 8];
        assert_eq!(total_variation(&[x, x].concat(), [2, 2, 2, 1], 2.0, &mut grads), found);
        assert_eq!(grads[..4], grads[4..]);
    }
}
