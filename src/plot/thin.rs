//! Fewer points for the same picture.

/// At most about four points for each of `columns` columns of the width: the first, lowest, highest and last of each, in
/// order. Peaks survive, which every-nth-point would lose.
pub fn thin(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    thin_by(points, columns, |point| *point)
}

/// The same for whatever has a place `at` in a picture.
pub fn thin_by<T: Clone>(points: &[T], columns: usize, at: impl Fn(&T) -> (f64, f64)) -> Vec<T> {
    let (Some(first), Some(last)) = (points.first().map(&at), points.last().map(&at)) else { return Vec::new() };
    if points.len() <= 4 * columns {
        return points.to_vec();
    }
    let width = (last.0 - first.0) / columns as f64;
    let column = |x: f64| ((x - first.0) / width) as usize;
    let mut out = Vec::new();
    let mut start = 0;
    for run in points.chunk_by(|a, b| column(at(a).0) == column(at(b).0)) {
        let by_height = |a: &usize, b: &usize| at(&run[*a]).1.total_cmp(&at(&run[*b]).1);
        let lowest = (0..run.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..run.len()).max_by(by_height).unwrap_or(0);
        let mut keep = [0, lowest, highest, run.len() - 1];
        keep.sort_unstable();
        out.extend(
            keep.iter()
                .enumerate()
                .filter(|(k, i)| *k == 0 || keep[k - 1] != **i)
                .map(|(_, i)| points[start + i].clone()),
        );
        start += run.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_and_ends_survive() {
        let mut points: Vec<_> = (0..100_000).map(|i| (f64::from(i), (f64::from(i) / 1000.0).sin())).collect();
        points[54_321].1 = 9.0;
        let thinned = thin(&points, 500);
        assert!(thinned.len() <= 2004, "{}", thinned.len());
        assert!(thinned.contains(&(54_321.0, 9.0)));
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), (points[0], points[99_999]));
        assert!(thinned.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn few_points_are_left_alone() {
        assert_eq!(thin(&[(0.0, 1.0), (1.0, 2.0)], 10), [(0.0, 1.0), (1.0, 2.0)]);
        assert!(thin(&[], 10).is_empty());
    }
}
