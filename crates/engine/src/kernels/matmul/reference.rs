//! The slow twin: three loops in `f64`.

use super::View;
use crate::kernels::Element;

/// `a·b`, row by row.
pub fn product<A: Element, B: Element>(a: View<'_, A>, b: View<'_, B>) -> Vec<f64> {
    let dot = |row: usize, col: usize| -> f64 {
        (0..a.cols).map(|k| f64::from(a.get(row, k).to_f32()) * f64::from(b.get(k, col).to_f32())).sum()
    };
    (0..a.rows * b.cols).map(|at| dot(at / b.cols, at % b.cols)).collect()
}
