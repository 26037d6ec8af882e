//! A median filter, which makes blotches of noise.

use rayon::prelude::*;

/// Each value of an image, `(h, w, c)`, becomes the median of the `window × window` values of its channel around it; as
/// SciPy's `median_filter(image, [window, window, 1])`: borders are mirrored, edge pixels included; of an even window the
/// centre stands behind the middle, and the upper of the two middle values counts.
///
/// # Panics
/// When the window is 0 or the image is not as long as its shape says.
pub fn median_filter(image: &[f32], [h, w, c]: [usize; 3], window: usize) -> Vec<f32> {
    assert!(window > 0 && image.len() == h * w * c, "median: a window and a whole image");
    let before = window / 2;
    // … 1 0 0 1 2 … n−1 n−1 n−2 …
    let mirrored = |at: usize, offset: usize, len: usize| {
        let period = 2 * len as isize;
        let at = (at as isize + offset as isize - before as isize).rem_euclid(period) as usize;
        if at < len { at } else { 2 * len - 1 - at }
    };
    let mut out = vec![0.0; image.len()];
    out.par_chunks_mut(w * c).enumerate().for_each(|(y, row)| {
        let rows: Vec<usize> = (0..window).map(|k| mirrored(y, k, h)).collect();
        let mut around = Vec::with_capacity(window * window);
        for x in 0..w {
            let cols: Vec<usize> = (0..window).map(|k| mirrored(x, k, w)).collect();
            for channel in 0..c {
                around.clear();
                around.extend(rows.iter().flat_map(|y| cols.iter().map(move |x| image[(y * w + x) * c + channel])));
                let middle = around.len() / 2;
                row[x * c + channel] = *around.select_nth_unstable_by(middle, f32::total_cmp).1;
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_odd_window_it_is_the_middle_value() {
        let line: Vec<f32> = vec![5.0, 1.0, 4.0, 2.0];
        // 5 5 1 | 5 1 4 | 1 4 2 | 4 2 2, each three times over as the one row is its own mirror image.
        assert_eq!(median_filter(&line, [1, 4, 1], 3), [5.0, 4.0, 2.0, 2.0]);
        assert_eq!(median_filter(&line, [1, 4, 1], 1), line);
    }
}
