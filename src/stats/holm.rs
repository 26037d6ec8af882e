//! Many comparisons at once.

/// Holm's correction: p-values such that rejecting those at or below α keeps the chance of any false rejection among all at
/// α (Holm 1979; R's `p.adjust`, statsmodels' `multipletests(method="holm")`). In the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        // A larger p never becomes smaller than a smaller one's.
        largest = largest.max((p.len() - rank) as f64 * p[index]).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}
