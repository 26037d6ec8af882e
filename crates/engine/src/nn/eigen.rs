//! Eigenvalues and eigenvectors of small symmetric matrices.

/// Sweeps after which the rotations have long converged: a handful does for a dozen rows.
const SWEEPS: usize = 60;

/// The eigenvalues of a symmetric `n × n` matrix (row-major), ascending, and to each its eigenvector of length 1, as the
/// rows of a matrix. Of the two directions the one is given whose largest component (the first of equals) is positive.
///
/// Jacobi's cyclic rotations (Golub and Van Loan, Matrix Computations, 8.5): slow for large matrices, exact to the last
/// few bits for small ones, and the same on every machine.
pub fn symmetric(matrix: &[f64], n: usize) -> Vec<(f64, Vec<f64>)> {
    assert_eq!(matrix.len(), n * n, "a square matrix");
    let mut a = matrix.to_vec();
    let mut vectors: Vec<f64> = (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect();
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                rotated |= rotate(&mut a, &mut vectors, n, p, q);
            }
        }
        if !rotated {
            break;
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> =
        vectors.chunks_exact(n).enumerate().map(|(k, vector)| (a[k * n + k], pointed(vector))).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs
}

/// Turns the plane of axes `p` and `q` so that `a[p][q]` becomes zero. False where it adds nothing to the diagonal.
fn rotate(a: &mut [f64], vectors: &mut [f64], n: usize, p: usize, q: usize) -> bool {
    let (app, aqq, apq) = (a[p * n + p], a[q * n + q], a[p * n + q]);
    if apq.abs() <= f64::EPSILON * (app * aqq).abs().sqrt() {
        return false;
    }
    let theta = (aqq - app) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in 0..n {
        let (kp, kq) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (c * kp - s * kq, s * kp + c * kq);
    }
    for matrix in [a, vectors] {
        for k in 0..n {
            let (pk, qk) = (matrix[p * n + k], matrix[q * n + k]);
            (matrix[p * n + k], matrix[q * n + k]) = (c * pk - s * qk, s * pk + c * qk);
        }
    }
    true
}

/// The vector, or its opposite.
fn pointed(vector: &[f64]) -> Vec<f64> {
    let largest = vector.iter().fold(0.0f64, |best, x| if x.abs() > best.abs() { *x } else { best });
    vector.iter().map(|x| x * largest.signum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Σ c·cᵀ` of some vectors: symmetric, positive, of any rank.
    fn moments(n: usize, vectors: usize) -> Vec<f64> {
        let mut a = vec![0.0; n * n];
        for v in 0..vectors {
            let x: Vec<f64> = (0..n).map(|k| ((v * 37 + k * 101 + v * k * 13) % 17) as f64 / 5.0 - 1.7).collect();
            (0..n * n).for_each(|at| a[at] += x[at / n] * x[at % n]);
        }
        a
    }

    #[test]
    fn vectors_are_orthonormal_and_give_the_matrix_back() {
        for (n, vectors) in [(1, 1), (2, 9), (3, 2), (12, 100), (12, 5), (27, 400)] {
            let a = moments(n, vectors);
            let pairs = symmetric(&a, n);
            let scale = a.iter().fold(1e-30f64, |m, x| m.max(x.abs()));
            assert!(pairs.windows(2).all(|pair| pair[0].0 <= pair[1].0), "ascending");
            for i in 0..n {
                for j in 0..n {
                    let dot: f64 = (0..n).map(|k| pairs[i].1[k] * pairs[j].1[k]).sum();
                    assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12, "{n}: {i}·{j} = {dot}");
                    let back: f64 = pairs.iter().map(|(value, v)| value * v[i] * v[j]).sum();
                    assert!((back - a[i * n + j]).abs() < 1e-12 * scale, "{n}: {back} is not {}", a[i * n + j]);
                }
            }
        }
    }

    #[test]
    fn the_largest_component_is_positive() {
        for (value, vector) in symmetric(&[2.0, -1.0, -1.0, 2.0], 2) {
            let (want, sign) = if vector[1] < 0.0 { (3.0, -1.0) } else { (1.0, 1.0) };
            assert!((value - want).abs() < 1e-15, "{value}");
            assert!((vector[0] - 0.5f64.sqrt()).abs() < 1e-15 && (vector[1] - sign * vector[0]).abs() < 1e-15);
        }
        assert_eq!(symmetric(&[0.0; 4], 2)[0].0, 0.0);
    }
}
