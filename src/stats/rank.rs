//! Wilcoxon's two tests, exact for small samples, ties included.

use statrs::distribution::{ContinuousCDF, Normal};

/// Up to so many values in all the distribution is counted out; beyond, it is as good as normal.
const EXACT: usize = 50;

/// Wilcoxon's signed-rank test: whether paired differences lie symmetrically about zero. Two-sided p.
///
/// Differences of zero are left out (Wilcoxon 1945; SciPy's `zero_method = "wilcox"`). Up to 50 differences the
/// distribution of the ranks that really occur is counted out, equal ranks being shared; beyond, the normal approximation
/// corrected for ties is used (SciPy's `method = "asymptotic"`, without continuity correction). `None` when no difference
/// is left.
pub fn signed_rank(differences: &[f64]) -> Option<f64> {
    let left: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    if left.is_empty() || left.iter().any(|d| d.is_nan()) {
        return None;
    }
    let magnitudes: Vec<f64> = left.iter().map(|d| d.abs()).collect();
    let (ranks, ties) = doubled_ranks(&magnitudes);
    let positive: usize = ranks.iter().zip(&left).filter(|(_, d)| **d > 0.0).map(|(rank, _)| rank).sum();
    if left.len() <= EXACT {
        // How many of the 2ⁿ ways to give signs lead to each sum.
        let mut ways = vec![0.0; ranks.iter().sum::<usize>() + 1];
        ways[0] = 1.0;
        for rank in &ranks {
            for sum in (*rank..ways.len()).rev() {
                ways[sum] += ways[sum - rank];
            }
        }
        return Some(two_sided(&ways, positive));
    }
    let n = left.len() as f64;
    let mean = n * (n + 1.0) / 4.0;
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    normal_tails(positive as f64 / 2.0 - mean, variance, 0.0)
}

/// Wilcoxon's rank-sum test, which is Mann and Whitney's U test: whether values of one sample tend to be larger than those
/// of the other. Two-sided p.
///
/// Up to 50 values in all the distribution over all ways to deal out the ranks is counted out, equal ranks being shared;
/// beyond, the normal approximation corrected for ties and continuity is used (SciPy's `mannwhitneyu` with
/// `method = "asymptotic"`). `None` when a sample is empty.
pub fn rank_sum(a: &[f64], b: &[f64]) -> Option<f64> {
    let all = [a, b].concat();
    if a.is_empty() || b.is_empty() || all.iter().any(|x| x.is_nan()) {
        return None;
    }
    let (ranks, ties) = doubled_ranks(&all);
    let sum: usize = ranks[..a.len()].iter().sum();
    if all.len() <= EXACT {
        // How many ways there are to deal k of the ranks so that they have each sum.
        let mut ways = vec![vec![0.0; ranks.iter().sum::<usize>() + 1]; a.len() + 1];
        ways[0][0] = 1.0;
        for rank in &ranks {
            for k in (1..=a.len()).rev() {
                for total in *rank..ways[k].len() {
                    ways[k][total] += ways[k - 1][total - rank];
                }
            }
        }
        return Some(two_sided(&ways[a.len()], sum));
    }
    let (m, n) = (a.len() as f64, b.len() as f64);
    let total = m + n;
    let mean = m * (total + 1.0) / 2.0;
    let variance = m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    normal_tails(sum as f64 / 2.0 - mean, variance, 0.5)
}

/// The fewest pairs with which [`signed_rank`] can come down to `alpha`: all differences being of one sign, p is `2 / 2ⁿ`.
pub fn fewest_pairs(alpha: f64) -> usize {
    let (mut pairs, mut least) = (1, 1.0);
    while least > alpha && pairs < EXACT {
        pairs += 1;
        least /= 2.0;
    }
    pairs
}

/// How many more values a side than `m` and `n` it takes at least for [`rank_sum`] to: all of one side being above the other's, p is
/// two of as many as there are ways to deal out the ranks.
pub fn fewest_more(m: usize, n: usize, alpha: f64) -> usize {
    let ways = |m: usize, n: usize| (1..=m).fold(1.0, |ways, k| ways * (n + k) as f64 / k as f64);
    (0..EXACT).find(|more| 2.0 / ways(m + more, n + more) <= alpha).unwrap_or(EXACT)
}

/// Twice the rank of each value, from 2, equal values sharing the mean of theirs (twice, so that halves stay whole), and
/// `Σ(t³ − t)` over the groups of equal values.
fn doubled_ranks(values: &[f64]) -> (Vec<usize>, f64) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let (mut ranks, mut ties, mut from) = (vec![0; values.len()], 0.0, 0);
    while from < order.len() {
        let equal = order[from..].iter().take_while(|i| values[**i] == values[order[from]]).count();
        for index in &order[from..from + equal] {
            ranks[*index] = (from + 1) + (from + equal);
        }
        ties += (equal as f64).powi(3) - equal as f64;
        from += equal;
    }
    (ranks, ties)
}

/// The share of all ways that lie as far out as `sum` on its side, twice.
fn two_sided(ways: &[f64], sum: usize) -> f64 {
    let all: f64 = ways.iter().sum();
    let (below, above): (f64, f64) = (ways[..=sum].iter().sum(), ways[sum..].iter().sum());
    (2.0 * below.min(above) / all).min(1.0)
}

fn normal_tails(distance: f64, variance: f64, continuity: f64) -> Option<f64> {
    let z = (distance.abs() - continuity).max(0.0) / variance.sqrt();
    let normal = Normal::standard();
    z.is_finite().then(|| (2.0 * normal.sf(z)).min(1.0))
}
